"""Programs that a real sandbox's image brings and this machine may lack."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

from fake_e2b.runtime import skeleton

_WEBSOCAT = Path(__file__).parent / "websocat"


def write_stand_ins(folder: str, path: str) -> None:
    """Write the programs that are missing into a folder, which is made if need be.

    They run on the Python that runs this: its files, and this package's, must be where they are
    for the sandboxes, too.

    Args:
        path: Where the machine's own programs are looked for, as in `PATH`.
    """
    if shutil.which("websocat", path=path) is None:
        python = os.path.realpath(sys.executable) if sys.executable else "python3"
        words = shlex.join([python, "-I", "-S", "-B", str(_WEBSOCAT.resolve())])
        os.makedirs(folder, exist_ok=True)
        skeleton.write(f"{folder}/websocat", f'#!/bin/sh\nexec {words} "$@"\n', 0o755)
