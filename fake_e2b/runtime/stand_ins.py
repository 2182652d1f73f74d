"""Programs that a real sandbox's image brings and this machine lacks, or has elsewhere."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

from fake_e2b.runtime import skeleton

WANTED = ("python3", "node", "npm", "npx", "git")
"""Programs that a sandbox finds if this process does."""

_WEBSOCAT = Path(__file__).parent / "websocat"


def write_stand_ins(folder: str, path: str) -> None:
    """Write the programs that are missing into a folder, which is made if need be.

    Those that are elsewhere, in the home of whoever runs the fake for instance, are linked.

    They run on the Python that runs this: its files, and this package's, must be where they are
    for the sandboxes, too.

    Args:
        path: Where the machine's own programs are looked for, as in `PATH`.
    """
    os.makedirs(folder, exist_ok=True)
    for name in WANTED:
        if shutil.which(name, path=path) is None and (found := shutil.which(name)):
            os.symlink(os.path.realpath(found), f"{folder}/{name}")
    if shutil.which("websocat", path=path) is None:
        python = os.path.realpath(sys.executable) if sys.executable else "python3"
        words = shlex.join([python, "-I", "-S", "-B", str(_WEBSOCAT.resolve())])
        skeleton.write(f"{folder}/websocat", f'#!/bin/sh\nexec {words} "$@"\n', 0o755)
