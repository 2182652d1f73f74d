"""Prepares a fresh guest for the desktop SDK, or says what it lacks.

Fact: desktop.programs
"""

from __future__ import annotations

from collections.abc import Set
from contextlib import suppress

from fake_e2b.backend.envd import SYSTEM_PATH
from fake_e2b.domain.desktop import (
    DISPLAY,
    NEEDED,
    NOVNC_AT,
    NOVNC_PACKAGE_AT,
    WANTED,
    advice,
)
from fake_e2b.domain.errors import GapError
from fake_e2b.domain.file_ports import Files
from fake_e2b.domain.ports import Guest
from fake_e2b.domain.sandbox import Sandbox
from fake_e2b.domain.user import ROOT


def prepare_desktop(
    sandbox: Sandbox, guest: Guest, stubbed: Set[str], *, own_display: bool
) -> None:
    """Put what the SDK starts where it looks for it.

    Args:
        stubbed: Programs that the test answers for itself.
        own_display: Whether the sandbox's displays and ports are its own.

    Raises:
        GapError: A desktop could not come up. For requests of a desktop SDK only, which would
            wait for seconds and then not say why.
    """
    if not own_display:
        if DISPLAY in sandbox.env_vars and not stubbed >= NEEDED.keys():
            raise GapError(
                "desktop.local",
                "under the local runtime the sandbox's display would be this machine's own; "
                "take runtime='isolated', or stub " + ", ".join(WANTED),
            )
        return
    files = guest.files
    if _exists(files, NOVNC_PACKAGE_AT) and not _exists(files, NOVNC_AT):
        with suppress(OSError):
            files.symlink(NOVNC_PACKAGE_AT, NOVNC_AT, ROOT)
    if DISPLAY in sandbox.env_vars:
        missing = [name for name in WANTED if name not in stubbed and not _has(files, name)]
        if NEEDED.keys() & set(missing):
            raise GapError(
                "desktop.programs", f"this machine lacks what a desktop needs: {advice(missing)}"
            )


def _has(files: Files, program: str) -> bool:
    return any(_exists(files, f"{folder}/{program}") for folder in SYSTEM_PATH.split(":"))


def _exists(files: Files, path: str) -> bool:
    try:
        files.stat(path)
    except OSError:
        return False
    return True
