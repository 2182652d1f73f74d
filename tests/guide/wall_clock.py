"""The wall clock, which the guide's own code reads."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251  users' code has no Clock port
