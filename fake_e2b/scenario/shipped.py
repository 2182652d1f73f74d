"""The scenarios that come with the package, found by their names."""

from __future__ import annotations

from pathlib import Path

from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.forms import nearest

_PACKAGE = Path(__file__).parents[1]


def shipped_folder() -> Path:
    """Where they are: in the installed package, or beside it in a checkout."""
    installed = _PACKAGE / "_scenarios"
    return installed if installed.is_dir() else _PACKAGE.parent / "scenarios"


def shipped_names() -> list[str]:
    """Their names, in order."""
    return sorted(path.stem for path in shipped_folder().glob("*.toml"))


def find(given: str) -> Path:
    """The file that is meant: a path, or the name of one that comes with the package.

    Raises:
        UsageError: There is neither; the text names the nearest.
    """
    path = Path(given)
    if path.is_file():
        return path
    if path.suffix or len(path.parts) != 1:
        raise UsageError(f"there is no file {given}")
    names = shipped_names()
    if given not in names:
        raise UsageError(
            f"there is no scenario {given!r}{nearest(given, names)}; "
            "'fake-e2b scenario list' shows those that come with the package"
        )
    return shipped_folder() / f"{given}.toml"
