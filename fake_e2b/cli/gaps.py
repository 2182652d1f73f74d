"""The list of what the service does and the fake does not, as it is shipped."""

from __future__ import annotations

import tomllib
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]
# In the wheel it lies in the package; a checkout has it beside.
_PLACES = (_PACKAGE / "_contracts", _PACKAGE.parent / "contracts")


def known_gaps() -> list[dict[str, str]]:
    """`id`, `what` and `why` of each, in the list's own order."""
    for place in _PLACES:
        file = place / "known_gaps.toml"
        if file.is_file():
            gaps = tomllib.loads(file.read_text(encoding="utf-8"))["gap"]
            return [{key: gap[key] for key in ("id", "what", "why")} for gap in gaps]
    return []
