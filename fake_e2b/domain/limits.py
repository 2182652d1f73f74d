"""What one sandbox may use of the machine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one sandbox in MiB; None: as much as the machine has."""

    memory_mb: int | None = None
    disk_mb: int | None = None


NO_LIMITS = Limits()
