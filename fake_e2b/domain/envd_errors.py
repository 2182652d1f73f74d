"""What envd refuses, by meaning; codes, statuses and texts stand in `wire.envd_errors`."""

from __future__ import annotations

from enum import StrEnum

from fake_e2b.domain.errors import ServiceError


class EnvdKind(StrEnum):
    """Every reason envd has to refuse; the comment names the fields its text needs."""

    # Users and paths.
    UNKNOWN_USER = "unknown_user"  # name
    FOREIGN_HOME = "foreign_home"  # user
    # Process: starting.
    CWD_MISSING = "cwd_missing"  # cwd
    START_FAILED = "start_failed"  # command, reason
    PTY_START_FAILED = "pty_start_failed"  # command, cwd, cols, rows, reason
    # Process: finding one.
    PID_UNKNOWN = "pid_unknown"  # pid
    TAG_UNKNOWN = "tag_unknown"  # tag
    SELECTOR_EMPTY = "selector_empty"
    # Process: input.
    INPUT_EMPTY = "input_empty"
    STDIN_HAS_PTY = "stdin_has_pty"
    PTY_MISSING = "pty_missing"
    STDIN_CLOSED = "stdin_closed"
    STDIN_BROKEN = "stdin_broken"  # pid
    PTY_WRITE_FAILED = "pty_write_failed"  # pid, reason
    CLOSE_STDIN_OF_PTY = "close_stdin_of_pty"
    STREAM_EVENT_EMPTY = "stream_event_empty"
    STREAM_NOT_STARTED = "stream_not_started"
    # Process: signals and size.
    SIGNAL_INVALID = "signal_invalid"  # signal (its name, or its number)
    SIGNAL_TO_DEAD = "signal_to_dead"
    RESIZE_WITHOUT_PTY = "resize_without_pty"
    RESIZE_FAILED = "resize_failed"  # reason


class EnvdError(ServiceError):
    """The sandbox's daemon refuses; `kind` is an `EnvdKind`."""

    def __init__(self, kind: EnvdKind, **fields: object) -> None:
        super().__init__(kind, **fields)
        self.envd_kind = kind
