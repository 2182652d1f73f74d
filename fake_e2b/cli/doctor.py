"""`fake-e2b doctor`: what this machine can do, and why not."""

from __future__ import annotations

import argparse
import json
import platform
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from fake_e2b._version import __version__
from fake_e2b.cli.gaps import known_gaps
from fake_e2b.domain.desktop import NEEDED, WANTED, advice
from fake_e2b.domain.ports import Capability
from fake_e2b.runtime.interpreter.host import KernelHost
from fake_e2b.runtime.select import Finding, survey
from fake_e2b.server.authority import available
from fake_e2b.testing.sdk_age import old_sdk

_SDKS = ("e2b", "e2b-code-interpreter", "e2b-desktop")
_RUNTIMES = ("local", "isolated")
_NO_SDK = "none is installed here: pip install e2b-code-interpreter"


def add_parser(commands: Any) -> None:
    """Add `doctor` to the commands."""
    parser = commands.add_parser(
        "doctor",
        help="say what this machine can do, and why not",
        description="Say what this machine can do, and why not. The exit status is always 0.",
        allow_abbrev=False,
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(execute=execute)


def execute(arguments: argparse.Namespace) -> int:
    """Look and print; 0."""
    kernels = KernelHost()
    found = survey()
    missing = [name for name in WANTED if shutil.which(name) is None]
    report = {
        "version": __version__,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
        "findings": [_finding_shown(finding) for finding in found.findings],
        "parts": [asdict(part) for part in found.parts],
        "interpreter": {
            "held": kernels.available is None,
            "advice": kernels.available or "",
            "extras": kernels.findings(),
        },
        "desktop": {"held": not NEEDED.keys() & set(missing), "advice": advice(missing)},
        "tls": {"held": available() is None, "advice": available() or "", "for": old_sdk() or ""},
        "gaps": known_gaps(),
        "sdks": {name: _installed(name) for name in _SDKS},
    }
    print(json.dumps(report, indent=2) if arguments.json else "\n".join(_lines(report)))
    return 0


def _finding_shown(finding: Finding) -> dict[str, Any]:
    capability = finding.capability
    return {
        "capability": capability.name.lower() if isinstance(capability, Capability) else None,
        "text": finding.text,
        "held": finding.held,
        "runtimes": list(finding.runtimes),
        "advice": finding.advice,
    }


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _lines(report: dict[str, Any]) -> Iterator[str]:
    yield f"fake-e2b {report['version']}, Python {report['python']}, {report['platform']}"
    findings: Sequence[dict[str, Any]] = report["findings"]
    yield "\nRuntimes"
    for finding in findings:
        if finding["capability"] is None:
            yield from _answer(_yes(finding["held"]), finding["text"], finding["advice"])
    yield "\n  The isolated runtime, part by part"
    for part in report["parts"]:
        yield from _answer(_yes(part["held"]), part["text"], part["advice"])
    held = [finding for finding in findings if finding["capability"] is not None]
    yield "\n  " + "  ".join(f"{name:8}" for name in _RUNTIMES) + "  what sandboxes hold to"
    for finding in held:
        marks = "  ".join(f"{_yes(name in finding['runtimes']):8}" for name in _RUNTIMES)
        yield from _answer(marks, finding["text"], "" if finding["held"] else finding["advice"])
    # Where one runtime does it, the advice is the same on every line: once is enough.
    for text in sorted({finding["advice"] for finding in held if finding["held"]} - {""}):
        yield f"  for the rest: {text}"
    interpreter = report["interpreter"]
    yield "\nCode interpreter"
    yield from _answer(_yes(interpreter["held"]), "Python cells", interpreter["advice"])
    for text, installed in interpreter["extras"].items():
        yield from _answer(_yes(installed), text, "")
    desktop = report["desktop"]
    yield "\nDesktops, under the isolated runtime"
    yield from _answer(_yes(desktop["held"]), "an X server and its tools", desktop["advice"])
    tls = report["tls"]
    yield "\nTLS, for clients that know only a domain"
    turned_on = f"; taken by itself, because {tls['for']} is installed" if tls["for"] else ""
    yield from _answer(_yes(tls["held"]), f"certificates for the run{turned_on}", tls["advice"])
    yield "\nWhat the service can and this fake cannot"
    for gap in report["gaps"]:
        yield f"  {gap['id']}: {gap['what']}"
    sdks = [f"{name} {number}" for name, number in report["sdks"].items() if number]
    yield f"\nE2B's SDKs: {', '.join(sdks) or _NO_SDK}"


def _answer(mark: str, text: str, advice: str) -> Iterator[str]:
    yield f"  {mark:3}  {text}"
    if advice:
        yield f"  {'':{max(len(mark), 3)}}  → {advice}"


def _yes(held: bool) -> str:
    return "yes" if held else "no"
