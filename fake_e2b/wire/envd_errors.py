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


def _http(status: int, text: str) -> Row:
    """A row for a kind that only plain HTTP routes have."""
    return Row(Code.INTERNAL, text, status)


_FOREIGN = "failed to expand path '' for user '{user}': cannot expand user-specific home dir"
_ENSURING = "error ensuring directories: "
_NOT_A_PTY = "tty not assigned to process"

TABLE: Mapping[EnvdKind, Row] = {
    # Users and paths.
    EnvdKind.UNKNOWN_USER: Row(
        Code.UNAUTHENTICATED,
        "invalid username: '{name}'",
        http_text="error looking up user '{name}': user: unknown user {name}",
    ),
    EnvdKind.FOREIGN_HOME: Row(Code.INVALID_ARGUMENT, _FOREIGN),
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
    # Filesystem: looking.
    EnvdKind.FILE_MISSING: Row(Code.NOT_FOUND, "file not found: lstat {path}: {reason}"),
    EnvdKind.STAT_FAILED: Row(Code.INTERNAL, "error getting file info: {call} {path}: {reason}"),
    EnvdKind.LIST_MISSING: Row(Code.NOT_FOUND, "path not found: lstat {path}: {reason}"),
    EnvdKind.LIST_NOT_FOLDER: Row(Code.INVALID_ARGUMENT, "path is not a directory: {path}"),
    EnvdKind.LIST_LOOP: Row(
        Code.FAILED_PRECONDITION, 'cyclic symlink or chain >255 links at "{path}"'
    ),
    EnvdKind.LIST_RESOLVE_FAILED: Row(Code.INTERNAL, "error resolving symlink: {reason}"),
    EnvdKind.LIST_READ_FAILED: Row(
        Code.INTERNAL, "error reading directory {path}: open {folder}: {reason}"
    ),
    # Filesystem: changing.
    EnvdKind.FOLDER_EXISTS: Row(Code.ALREADY_EXISTS, "directory already exists: {path}"),
    EnvdKind.PATH_NOT_FOLDER: Row(
        Code.INVALID_ARGUMENT, "path already exists but it is not a directory: {path}"
    ),
    EnvdKind.PARENT_IS_FILE: Row(
        Code.INTERNAL,
        "path is a file: {path}",
        http_text=_ENSURING + "path is a file: {path}",
    ),
    EnvdKind.MKDIR_FAILED: Row(
        Code.INTERNAL,
        "failed to create directory: mkdir {path}: {reason}",
        http_text=_ENSURING + "failed to create directory: mkdir {path}: {reason}",
    ),
    EnvdKind.FOLDER_CHOWN_FAILED: Row(
        Code.INTERNAL,
        "failed to chown directory: chown {path}: {reason}",
        http_text=_ENSURING + "failed to chown directory: chown {path}: {reason}",
    ),
    EnvdKind.FOLDER_STAT_FAILED: Row(
        Code.INTERNAL,
        "failed to stat directory: stat {path}: {reason}",
        http_text=_ENSURING + "failed to stat directory: stat {path}: {reason}",
    ),
    EnvdKind.SOURCE_MISSING: Row(
        Code.NOT_FOUND, "source file not found: rename {source} {destination}: {reason}"
    ),
    EnvdKind.RENAME_FAILED: Row(
        Code.INTERNAL, "error renaming: rename {source} {destination}: {reason}"
    ),
    EnvdKind.REMOVE_FAILED: Row(
        Code.INTERNAL, "error removing file or directory: {call} {path}: {reason}"
    ),
    # Filesystem: watching.
    EnvdKind.WATCH_MISSING: Row(Code.NOT_FOUND, "path {path} not found: stat {path}: {reason}"),
    EnvdKind.WATCH_NOT_FOLDER: Row(
        Code.INVALID_ARGUMENT, "path {path} not a directory: %!w(<nil>)"
    ),
    EnvdKind.WATCH_STAT_FAILED: Row(
        Code.INTERNAL, "error statting path {path}: stat {path}: {reason}"
    ),
    EnvdKind.WATCH_NETWORK_MOUNT: Row(
        Code.INVALID_ARGUMENT, "cannot watch path on network filesystem: {path}"
    ),
    EnvdKind.WATCH_CREATE_FAILED: Row(Code.INTERNAL, "error creating watcher: {reason}"),
    EnvdKind.WATCH_ADD_FAILED: Row(Code.INTERNAL, "error adding path {path} to watcher: {reason}"),
    EnvdKind.WATCHER_UNKNOWN: Row(Code.NOT_FOUND, "watcher with id {watcher_id} not found"),
    # Files over HTTP: who may.
    EnvdKind.TOKEN_MISMATCH: _http(401, "access token present in header but does not match"),
    EnvdKind.SIGNATURE_MISSING: _http(401, "missing signature query parameter"),
    EnvdKind.SIGNATURE_INVALID: _http(401, "invalid signature"),
    EnvdKind.SIGNATURE_EXPIRED: _http(401, "signature is already expired"),
    # Files over HTTP: downloads.
    EnvdKind.DOWNLOAD_FOREIGN_HOME: _http(
        400, "error expanding and resolving path '{path}': " + _FOREIGN
    ),
    EnvdKind.DOWNLOAD_MISSING: _http(404, "path '{path}' does not exist"),
    EnvdKind.DOWNLOAD_STAT_FAILED: _http(
        500, "error checking if path exists '{path}': stat {path}: {reason}"
    ),
    EnvdKind.DOWNLOAD_IS_FOLDER: _http(400, "path '{path}' is a directory"),
    EnvdKind.DOWNLOAD_OPEN_FAILED: _http(500, "error opening file '{path}': open {path}: {reason}"),
    EnvdKind.ENCODING_UNACCEPTABLE: _http(
        406,
        "error parsing Accept-Encoding: no acceptable encoding found, supported: [gzip]",
    ),
    EnvdKind.IDENTITY_UNACCEPTABLE: _http(
        406, "identity encoding not acceptable for Range or conditional request"
    ),
    # Files over HTTP: uploads.
    EnvdKind.UPLOAD_FOREIGN_HOME: _http(400, "error resolving path: " + _FOREIGN),
    EnvdKind.UPLOAD_WITHOUT_PATH: _http(
        400, "path query parameter is required for raw body upload"
    ),
    EnvdKind.UPLOAD_IS_FOLDER: _http(400, "path is a directory: {path}"),
    EnvdKind.UPLOAD_OPEN_FAILED: _http(500, "error opening file: open {path}: {reason}"),
    EnvdKind.UPLOAD_CHOWN_FAILED: _http(500, "error changing ownership: chown {path}: {reason}"),
    EnvdKind.UPLOAD_WRITE_FAILED: _http(500, "error writing file: {reason}"),
    EnvdKind.UPLOAD_TWICE: _http(
        400,
        "you cannot upload multiple files to the same path '{path}' in one upload request, "
        "only the first specified file was uploaded{also}",
    ),
    EnvdKind.UPLOAD_CONTENT_TYPE: _http(
        400,
        "unsupported content type: {content_type}, "
        "expected multipart/form-data or application/octet-stream",
    ),
    EnvdKind.UPLOAD_PART_UNNAMED: _http(
        400,
        "error getting multipart custom part file name: "
        "filename not found in Content-Disposition header",
    ),
    EnvdKind.UPLOAD_WITHOUT_BOUNDARY: _http(
        500, "error parsing multipart form: no multipart boundary param in Content-Type"
    ),
    EnvdKind.UPLOAD_FORM_BROKEN: _http(500, "error reading form: {reason}"),
    EnvdKind.UPLOAD_ENCODING_UNKNOWN: _http(
        400,
        "error decompressing request body: "
        "unsupported Content-Encoding: {encoding}, supported: [gzip]",
    ),
    EnvdKind.UPLOAD_NOT_GZIP: _http(
        400, "error decompressing request body: failed to create gzip reader: {reason}"
    ),
    EnvdKind.DISK_FULL: _http(507, "{attempted}not enough disk space available"),
    EnvdKind.INODES_FULL: _http(
        507, "not enough inodes available: open {path}: no space left on device"
    ),
    EnvdKind.METADATA_BYTE: _http(
        400, "invalid metadata: {what} contains non-printable-ASCII byte {byte} at offset {offset}"
    ),
    EnvdKind.METADATA_KEY_LONG: _http(
        400, 'invalid metadata: metadata key "{key}" exceeds 246 bytes'
    ),
    EnvdKind.METADATA_TOO_LARGE: _http(
        400, "invalid metadata: total metadata size {size} exceeds 4096 bytes"
    ),
    EnvdKind.METADATA_FULL: _http(
        507, "not enough space for file metadata: xattr.FSet {path} {name}: no space left on device"
    ),
    EnvdKind.METADATA_FAILED: _http(500, "error writing file metadata: {path}: {reason}"),
    # Files over HTTP: composing.
    EnvdKind.COMPOSE_BODY: _http(400, "invalid request body: {reason}"),
    EnvdKind.COMPOSE_WITHOUT_SOURCES: _http(400, "source_paths must not be empty"),
    EnvdKind.COMPOSE_WITHOUT_DESTINATION: _http(400, "destination is required"),
    EnvdKind.COMPOSE_DESTINATION_FOREIGN: _http(
        400, "error resolving destination path: " + _FOREIGN
    ),
    EnvdKind.COMPOSE_SOURCE_FOREIGN: _http(
        400, 'error resolving source path "{source}": ' + _FOREIGN
    ),
    EnvdKind.COMPOSE_ONTO_SOURCE: _http(
        400, 'source path "{source}" cannot be the same as destination'
    ),
    EnvdKind.COMPOSE_SOURCE_MISSING: _http(404, "source file not found: {source}"),
    EnvdKind.COMPOSE_SOURCE_NOT_FILE: _http(400, "source path is not a regular file: {source}"),
    EnvdKind.COMPOSE_FAILED: _http(500, "error {step}: {reason}"),
    EnvdKind.COMPOSE_DISK_FULL: _http(507, "not enough disk space available"),
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
