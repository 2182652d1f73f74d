"""What the code interpreter refuses, by meaning; statuses and texts: `wire.interpreter`."""

from __future__ import annotations

from enum import StrEnum

from fake_e2b.domain.errors import ServiceError


class InterpreterKind(StrEnum):
    """Every reason to refuse; the comment names the fields its text needs."""

    BOTH_CHOSEN = "both_chosen"
    CONTEXT_UNKNOWN = "context_unknown"  # context_id (None: the language's default was removed)
    KERNEL_UNKNOWN = "kernel_unknown"  # language


class InterpreterError(ServiceError):
    """The code interpreter refuses."""
