"""Whether an installed E2B SDK is so old that it finds a fake by its domain alone, over TLS."""

from __future__ import annotations

import logging
import re
from importlib.metadata import PackageNotFoundError, version
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
        numbers = tuple(int(number) for number in re.findall(r"[0-9]+", found)[:2])
        if numbers < first:
            return f"{package} {found}"
    return None
