"""What other programs on this machine need to find the host names of sandboxes.

`get_host()` of every SDK gives ``<port>-<id>.e2b.localhost:<port>``. This process finds such names
by `fake_e2b.server.resolver`; the programs it starts by two small files that ship with the package:
one that Node preloads, one that Python reads at its start. Fact: fake.names.other-programs
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

_SHIMS = Path(__file__).with_name("shims")


def program_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """`NODE_OPTIONS` and `PYTHONPATH`, with what `environ` has there."""
    return {
        "NODE_OPTIONS": _appended(environ.get("NODE_OPTIONS", ""), _node_option()),
        "PYTHONPATH": _first(environ.get("PYTHONPATH", ""), str(_SHIMS / "python")),
    }


def _node_option() -> str:
    path = str(_SHIMS / "names.cjs")
    if any(character in path for character in ' "\\'):
        # In quotes Node reads a backslash as in C. Without need there are none: other tools that
        # read NODE_OPTIONS know less about them.
        path = '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"--require={path}"


def _appended(present: str, option: str) -> str:
    return present if option in present else f"{present} {option}".strip()


def _first(present: str, folder: str) -> str:
    others = [entry for entry in present.split(os.pathsep) if present and entry != folder]
    return os.pathsep.join([folder, *others])
