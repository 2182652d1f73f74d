"""Several steps at once, without knowing an event loop: the server hands in its `gather`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

Together = Callable[[Iterable[Awaitable[None]]], Awaitable[object]]
"""Awaits every step; returns when the last one has ended."""


async def one_by_one(steps: Iterable[Awaitable[None]]) -> None:
    """The plainest `Together`."""
    for step in steps:
        await step
