"""What the content API of volumes refuses, by meaning."""

from __future__ import annotations

from enum import StrEnum, auto

from fake_e2b.domain.errors import ServiceError


class VolumeKind(StrEnum):
    """Fields in parentheses; `action` is what was tried, such as ``"stat"``."""

    # Who asks.
    TOKEN_MISSING = auto()
    TOKEN_INVALID = auto()
    TOKEN_FOREIGN = auto()
    VOLUME_GONE = auto()

    # What is asked.
    BAD_PARAMETER = auto()  # (name, reason)
    BAD_BODY = auto()  # (reason)
    BAD_PATH = auto()  # (action, path, reason)
    BELOW_A_FILE = auto()  # (action, path)
    DEPTH = auto()
    ROOT = auto()
    NOT_SUPPORTED = auto()  # (action, path)

    # What is there.
    MISSING = auto()  # (action, path)
    EXISTS = auto()  # (action, path)

    # The machine failed, or a folder was read as a file.
    FAILED = auto()  # (action, path, reason)


class VolumeError(ServiceError):
    """A refusal of the content API; see `fake_e2b.wire.volume_errors` for its rendering."""

    def __init__(self, kind: VolumeKind, **fields: object) -> None:
        super().__init__(kind, **fields)
