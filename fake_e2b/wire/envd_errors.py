"""The one table of envd's refusals: kind → Connect code and text, HTTP status and text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fake_e2b.domain.envd_errors import EnvdError, EnvdKind
from fake_e2b.wire.connect import HTTP_STATUS, Code, ConnectFailure


@dataclass(frozen=True, slots=True)
class Row:
    """How one kind looks. Texts are `str.format` templates over the error's fields.

    Attributes:
        code: The Connect code in RPCs.
        text: The message in RPCs.
        status: The status on plain HTTP routes; None means the code's own.
        http_text: The message on plain HTTP routes; None means the same text.
    """

    code: Code
    text: str
    status: int | None = None
    http_text: str | None = None


_NOT_A_PTY = "tty not assigned to process"

TABLE: Mapping[EnvdKind, Row] = {
    # Users and paths.
    EnvdKind.UNKNOWN_USER: Row(
        Code.UNAUTHENTICATED,
        "invalid username: '{name}'",
        http_text="error looking up user '{name}': user: unknown user {name}",
    ),
    EnvdKind.FOREIGN_HOME: Row(
        Code.INVALID_ARGUMENT,
        "failed to expand path '' for user '{user}': cannot expand user-specific home dir",
    ),
    # Process: starting.
    EnvdKind.CWD_MISSING: Row(Code.INVALID_ARGUMENT, "cwd '{cwd}' does not exist"),
    EnvdKind.START_FAILED: Row(
        Code.INVALID_ARGUMENT, "error starting process '{command}': {reason}"
    ),
    EnvdKind.PTY_START_FAILED: Row(
        Code.INVALID_ARGUMENT,
        "error starting pty with command '{command}' in dir '{cwd}' "
        "with '{cols}' cols and '{rows}' rows: {reason}",
    ),
    # Process: finding one.
    EnvdKind.PID_UNKNOWN: Row(Code.NOT_FOUND, "process with pid {pid} not found"),
    EnvdKind.TAG_UNKNOWN: Row(Code.NOT_FOUND, "process with tag {tag} not found"),
    EnvdKind.SELECTOR_EMPTY: Row(Code.UNIMPLEMENTED, "invalid input type *process.ProcessSelector"),
    # Process: input.
    EnvdKind.INPUT_EMPTY: Row(Code.UNIMPLEMENTED, "invalid input type <nil>"),
    EnvdKind.STDIN_HAS_PTY: Row(
        Code.INTERNAL,
        "error writing to stdin: tty assigned to process — "
        "input should be written to the pty, not the stdin",
    ),
    EnvdKind.PTY_MISSING: Row(
        Code.INTERNAL,
        f"error writing to tty: {_NOT_A_PTY} — input should be written to the stdin, not the tty",
    ),
    EnvdKind.STDIN_CLOSED: Row(
        Code.INTERNAL, "error writing to stdin: stdin not enabled or closed"
    ),
    EnvdKind.STDIN_BROKEN: Row(
        Code.INTERNAL,
        "error writing to stdin: error writing to stdin of process '{pid}': write |1: broken pipe",
    ),
    EnvdKind.PTY_WRITE_FAILED: Row(
        Code.INTERNAL,
        "error writing to tty: error writing to tty of process '{pid}': write /dev/ptmx: {reason}",
    ),
    EnvdKind.CLOSE_STDIN_OF_PTY: Row(
        Code.UNKNOWN,
        "error closing stdin: cannot close stdin for PTY process — send Ctrl+D (0x04) instead",
    ),
    EnvdKind.STREAM_EVENT_EMPTY: Row(Code.UNIMPLEMENTED, "invalid event type <nil>"),
    EnvdKind.STREAM_NOT_STARTED: Row(
        Code.FAILED_PRECONDITION, "stream input must begin with a start event"
    ),
    # Process: signals and size.
    EnvdKind.SIGNAL_INVALID: Row(Code.UNIMPLEMENTED, "invalid signal: {signal}"),
    EnvdKind.SIGNAL_TO_DEAD: Row(
        Code.INTERNAL, "error sending signal: os: process already finished"
    ),
    EnvdKind.RESIZE_WITHOUT_PTY: Row(Code.INTERNAL, f"error resizing tty: {_NOT_A_PTY}"),
    EnvdKind.RESIZE_FAILED: Row(Code.INTERNAL, "error resizing tty: {reason}"),
}


def rpc_failure(error: EnvdError) -> ConnectFailure:
    """The error as an RPC answers it."""
    row = TABLE[error.envd_kind]
    return ConnectFailure(row.code, row.text.format(**error.fields))


def http_answer(error: EnvdError) -> tuple[int, str]:
    """The error as a plain HTTP route answers it: status and message."""
    row = TABLE[error.envd_kind]
    status = HTTP_STATUS[row.code] if row.status is None else row.status
    text = row.text if row.http_text is None else row.http_text
    return status, text.format(**error.fields)
