"""Waiting for a condition with a deadline: the only way a test here waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

DEADLINE_S = 20.0
_PAUSE_S = 0.01


def wait_until(
    condition: Callable[[], T], *, timeout_s: float = DEADLINE_S, message: str = ""
) -> T:
    """Ask again and again until `condition` gives something true, and return that.

    Raises:
        TimeoutError: It did not within `timeout_s` seconds; says `message`.
    """
    deadline = time.monotonic() + timeout_s
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(message or f"not within {timeout_s} s")
        time.sleep(_PAUSE_S)
    return result


async def wait_until_async(
    condition: Callable[[], T], *, timeout_s: float = DEADLINE_S, message: str = ""
) -> T:
    """The same without holding the event loop up."""
    deadline = time.monotonic() + timeout_s
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(message or f"not within {timeout_s} s")
        await asyncio.sleep(_PAUSE_S)
    return result
