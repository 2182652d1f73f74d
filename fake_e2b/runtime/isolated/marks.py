"""Marks by which a layer hides what lies below it."""

from __future__ import annotations

import os

_OPAQUE = "user.overlay.opaque"


def hide_below(folder: str) -> bool:
    """Let nothing of the machine's folder of this name show through the layer's.

    Returns:
        Whether the file system keeps such marks.
    """
    try:
        os.setxattr(folder, _OPAQUE, b"y")
    except OSError:
        return False
    return True
