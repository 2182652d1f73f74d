"""Writes docs/coverage.md from the code: `python scripts/coverage [--check]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import page
import sdks

PAGE = Path(__file__).parents[2] / "docs" / "coverage.md"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python scripts/coverage", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    options = parser.parse_args()
    javascript = sdks.javascript_methods()
    if javascript is None:
        sys.exit("the JavaScript SDK is not installed (scripts/test installs it where npm is)")
    text = page.page(page.together(sdks.python_methods(), javascript))
    if not options.check:
        PAGE.write_text(text, encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != text:
        sys.exit(
            "docs/coverage.md is not what the code says: run .venv/bin/python scripts/coverage"
        )


if __name__ == "__main__":
    main()
