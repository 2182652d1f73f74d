"""Measures the figures of README beside their floors: `scripts/bench [--write] [--samples N]`."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import builds
import copies
import faults
import journal
import measures
import ports
import runtimes
import volumes
import webhooks
from rows import Row, machine, put_into, table
from servers import NoServerError, server

MODULES = (measures, runtimes, ports, copies, builds, journal, faults, volumes, webhooks)
"""In the order of the table."""
README = Path(__file__).parents[2] / "README.md"


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the table into README.md")
    parser.add_argument("--samples", type=int, default=60, help="of each quick call (default 60)")
    parser.add_argument("--only", default="", help="measures whose name contains this")
    options = parser.parse_args()

    rows: list[Row] = []
    with server("canned") as canned, server("fake") as fake:
        for module in MODULES:
            for measure in module.MEASURES:
                name = f"{module.__name__}.{measure.__name__}"
                if options.only not in name:
                    continue
                print(f"measuring {name}", file=sys.stderr)
                try:
                    rows += measure(fake, canned, options.samples)
                except NoServerError as refusal:
                    print(f"skipped {name}: {refusal}", file=sys.stderr)

    on, day = machine(), datetime.now(UTC).date().isoformat()
    print(json.dumps({"machine": on, "day": day, "rows": [asdict(row) for row in rows]}, indent=2))
    text = table(rows, on, day)
    print(text, file=sys.stderr)
    if options.write:
        put_into(README, text)


main()
