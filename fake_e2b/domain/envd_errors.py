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
    # Filesystem: looking.
    FILE_MISSING = "file_missing"  # path, reason
    STAT_FAILED = "stat_failed"  # call, path, reason
    LIST_MISSING = "list_missing"  # path, reason
    LIST_NOT_FOLDER = "list_not_folder"  # path
    LIST_LOOP = "list_loop"  # path
    LIST_RESOLVE_FAILED = "list_resolve_failed"  # reason
    LIST_READ_FAILED = "list_read_failed"  # path, folder, reason
    # Filesystem: changing.
    FOLDER_EXISTS = "folder_exists"  # path
    PATH_NOT_FOLDER = "path_not_folder"  # path
    PARENT_IS_FILE = "parent_is_file"  # path
    MKDIR_FAILED = "mkdir_failed"  # path, reason
    FOLDER_CHOWN_FAILED = "folder_chown_failed"  # path, reason
    FOLDER_STAT_FAILED = "folder_stat_failed"  # path, reason
    SOURCE_MISSING = "source_missing"  # source, destination, reason
    RENAME_FAILED = "rename_failed"  # source, destination, reason
    REMOVE_FAILED = "remove_failed"  # call, path, reason
    # Filesystem: watching.
    WATCH_MISSING = "watch_missing"  # path, reason
    WATCH_NOT_FOLDER = "watch_not_folder"  # path
    WATCH_STAT_FAILED = "watch_stat_failed"  # path, reason
    WATCH_NETWORK_MOUNT = "watch_network_mount"  # path
    WATCH_CREATE_FAILED = "watch_create_failed"  # reason
    WATCH_ADD_FAILED = "watch_add_failed"  # path, reason
    WATCHER_UNKNOWN = "watcher_unknown"  # watcher_id
    # Files over HTTP: who may.
    TOKEN_MISMATCH = "token_mismatch"
    SIGNATURE_MISSING = "signature_missing"
    SIGNATURE_INVALID = "signature_invalid"
    SIGNATURE_EXPIRED = "signature_expired"
    # Files over HTTP: downloads.
    DOWNLOAD_FOREIGN_HOME = "download_foreign_home"  # path, user
    DOWNLOAD_MISSING = "download_missing"  # path
    DOWNLOAD_STAT_FAILED = "download_stat_failed"  # path, reason
    DOWNLOAD_IS_FOLDER = "download_is_folder"  # path
    DOWNLOAD_OPEN_FAILED = "download_open_failed"  # path, reason
    ENCODING_UNACCEPTABLE = "encoding_unacceptable"
    IDENTITY_UNACCEPTABLE = "identity_unacceptable"
    # Files over HTTP: uploads.
    UPLOAD_FOREIGN_HOME = "upload_foreign_home"  # user
    UPLOAD_WITHOUT_PATH = "upload_without_path"
    UPLOAD_IS_FOLDER = "upload_is_folder"  # path
    UPLOAD_OPEN_FAILED = "upload_open_failed"  # path, reason
    UPLOAD_CHOWN_FAILED = "upload_chown_failed"  # path, reason
    UPLOAD_WRITE_FAILED = "upload_write_failed"  # reason
    UPLOAD_TWICE = "upload_twice"  # path, also
    UPLOAD_CONTENT_TYPE = "upload_content_type"  # content_type
    UPLOAD_PART_UNNAMED = "upload_part_unnamed"
    UPLOAD_WITHOUT_BOUNDARY = "upload_without_boundary"
    UPLOAD_FORM_BROKEN = "upload_form_broken"  # reason
    UPLOAD_ENCODING_UNKNOWN = "upload_encoding_unknown"  # encoding
    UPLOAD_NOT_GZIP = "upload_not_gzip"  # reason
    DISK_FULL = "disk_full"  # attempted ("" when the length is unknown)
    INODES_FULL = "inodes_full"  # path
    METADATA_BYTE = "metadata_byte"  # what, byte, offset
    METADATA_KEY_LONG = "metadata_key_long"  # key
    METADATA_TOO_LARGE = "metadata_too_large"  # size
    METADATA_FULL = "metadata_full"  # path, name
    METADATA_FAILED = "metadata_failed"  # path, reason
    # Files over HTTP: composing.
    COMPOSE_BODY = "compose_body"  # reason
    COMPOSE_WITHOUT_SOURCES = "compose_without_sources"
    COMPOSE_WITHOUT_DESTINATION = "compose_without_destination"
    COMPOSE_DESTINATION_FOREIGN = "compose_destination_foreign"  # user
    COMPOSE_SOURCE_FOREIGN = "compose_source_foreign"  # source, user
    COMPOSE_ONTO_SOURCE = "compose_onto_source"  # source
    COMPOSE_SOURCE_MISSING = "compose_source_missing"  # source
    COMPOSE_SOURCE_NOT_FILE = "compose_source_not_file"  # source
    COMPOSE_FAILED = "compose_failed"  # step, reason
    COMPOSE_DISK_FULL = "compose_disk_full"


class EnvdError(ServiceError):
    """The sandbox's daemon refuses; `kind` is an `EnvdKind`."""

    def __init__(self, kind: EnvdKind, **fields: object) -> None:
        super().__init__(kind, **fields)
        self.envd_kind = kind
