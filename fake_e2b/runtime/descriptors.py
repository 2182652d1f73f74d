"""Room for more descriptors in this process, and a refusal before there is none for anything else.

A sandbox costs the server two descriptors and each of its programs three. Many systems start
programs with a soft limit of 1024, far below what they may ask for.
"""

from __future__ import annotations

import errno
import os
import resource
import sys
from contextlib import suppress

_SPARED = 128
"""Kept for clients' connections, files and programs of the sandboxes there are."""


def raise_limit(newest: int) -> int:
    """Raise the soft limit if it is near, up to the hard one.

    Args:
        newest: A descriptor just opened: the lowest free number was taken, so as many are open.

    Returns:
        How many more can be opened, at most.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return sys.maxsize
    if newest + 2 * _SPARED >= soft:
        wanted = max(2 * soft, newest + 4 * _SPARED)
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with suppress(OSError, ValueError):  # macOS has a second limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
            soft = limit
    return soft - newest - 1


def for_a_guest(root: int) -> int:
    """The descriptor of a new guest's root, if there is room for a guest; else it is closed.

    Raises:
        OSError: EMFILE: too few are left for the guests there are; the text says what to do.
    """
    left = raise_limit(root)
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if left >= min(_SPARED, soft // 4):
        return root
    os.close(root)
    text = os.strerror(errno.EMFILE)
    raise OSError(errno.EMFILE, f"{text}: this process may open {soft} (`ulimit -n`)")
