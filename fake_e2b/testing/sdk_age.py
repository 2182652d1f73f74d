"""Whether an installed E2B SDK is so old that it finds a fake by its domain alone, over TLS."""

from __future__ import annotations

import json
import logging
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from fake_e2b.domain.errors import UsageError
from fake_e2b.server.authority import available

LOGGER = logging.getLogger("fake_e2b.testing")

TlsChoice = Literal["auto"] | bool

_KNOW_THE_URL = {"e2b": (2, 7), "e2b-code-interpreter": (2, 9)}
"""The first releases that read `E2B_SANDBOX_URL` for all their traffic into sandboxes."""


def wants_tls(choice: TlsChoice) -> bool:
    """What `choice` comes to in this environment.

    Raises:
        UsageError: It is none, or TLS is demanded and cannot be had.
    """
    if choice is False:
        return False
    if choice is True:
        return True
    if choice != "auto":
        raise UsageError(f"tls={choice!r} is no choice: use 'auto', True or False")
    old = old_sdk()
    if old is None:
        return False
    missing = available()
    if missing is not None:
        LOGGER.warning("%s finds a fake by TLS only. %s", old, missing)
        return False
    return True


def old_sdk() -> str | None:
    """An installed SDK that does not know `E2B_SANDBOX_URL`; looks at metadata, imports nothing."""
    for package, first in _KNOW_THE_URL.items():
        try:
            found = version(package)
        except PackageNotFoundError:
            continue
        if _is_before(found, first):
            return f"{package} {found}"
    return None


_NODE_KNOW_THE_URL = {"e2b": (2, 7), "@e2b/code-interpreter": (2, 7)}


def old_node_sdk(folder: Path) -> str | None:
    """The same for JavaScript, among the packages that a program in `folder` finds."""
    for package, first in _NODE_KNOW_THE_URL.items():
        for place in (folder, *folder.parents):
            try:
                text = (place / "node_modules" / package / "package.json").read_text()
                found = str(json.loads(text)["version"])
            except (OSError, ValueError, KeyError, TypeError):
                continue
            if _is_before(found, first):
                return f"{package} {found}"
            break  # Node looks no further.
    return None


def _is_before(found: str, first: tuple[int, int]) -> bool:
    return tuple(int(number) for number in re.findall(r"[0-9]+", found)[:2]) < first
