"""The rules of /files: who may, what a download gives, where an upload goes.

No HTTP here: the routes hand in what headers and queries say and write what comes out.
"""

from __future__ import annotations

import errno
import hmac
import posixpath
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from fake_e2b.backend.entries import METADATA_PREFIX, base_name, go_reason, metadata_of
from fake_e2b.backend.files import Daemon, ensure_folder
from fake_e2b.domain.clock import SECOND_NS
from fake_e2b.domain.envd_errors import EnvdError, EnvdKind
from fake_e2b.domain.file_ports import ByteFile, Files
from fake_e2b.domain.user import User

LONGEST_KEY = 246
LARGEST_METADATA = 4096
_METADATA_OVERHEAD = len(METADATA_PREFIX)
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


def check_access(
    *,
    token: str | None,
    header: str,
    signature: str | None,
    expected: Callable[[], str],
    expiration: int | None,
    now_ns: int,
) -> None:
    """Whether a request may use /files.

    Args:
        token: The daemon's; None leaves the routes open.
        header: `X-Access-Token`, "" when absent.
        signature: As given in the URL.
        expected: Makes the signature that would be right.
        expiration: Unix seconds, as given in the URL; that second still counts.

    Raises:
        EnvdError: `TOKEN_MISMATCH`, `SIGNATURE_MISSING`, `SIGNATURE_INVALID`,
            `SIGNATURE_EXPIRED`.

    Fact: envd.files.access
    """
    if token is None:
        return
    if header:
        if not hmac.compare_digest(header.encode(errors="replace"), token.encode()):
            raise EnvdError(EnvdKind.TOKEN_MISMATCH)
        return
    if signature is None:
        raise EnvdError(EnvdKind.SIGNATURE_MISSING)
    given = signature.encode(errors="surrogateescape")
    if not hmac.compare_digest(given, expected().encode()):
        raise EnvdError(EnvdKind.SIGNATURE_INVALID)
    if expiration is not None and expiration < now_ns // SECOND_NS:
        raise EnvdError(EnvdKind.SIGNATURE_EXPIRED)


def path_to_download(daemon: Daemon, path: str, user: User) -> str:
    """The file that a download is about, resolved.

    Raises:
        EnvdError: `DOWNLOAD_FOREIGN_HOME`, `DOWNLOAD_MISSING`, `DOWNLOAD_STAT_FAILED`,
            `DOWNLOAD_IS_FOLDER`.

    Fact: envd.files.download.refusals
    """
    try:
        resolved = daemon.resolve_path(path, user)
    except EnvdError as error:
        raise EnvdError(EnvdKind.DOWNLOAD_FOREIGN_HOME, path=path, **error.fields) from error
    try:
        status = daemon.guest.files.stat(resolved)
    except FileNotFoundError as error:
        raise EnvdError(EnvdKind.DOWNLOAD_MISSING, path=resolved) from error
    except OSError as error:
        raise EnvdError(
            EnvdKind.DOWNLOAD_STAT_FAILED, path=resolved, reason=go_reason(error)
        ) from error
    if stat.S_ISDIR(status.mode):
        raise EnvdError(EnvdKind.DOWNLOAD_IS_FOLDER, path=resolved)
    return resolved


def open_download(daemon: Daemon, path: str) -> ByteFile:
    """Open what `path_to_download` found.

    Raises:
        EnvdError: `DOWNLOAD_OPEN_FAILED`.
    """
    try:
        return daemon.guest.files.open_read(path)
    except OSError as error:
        raise EnvdError(
            EnvdKind.DOWNLOAD_OPEN_FAILED, path=path, reason=go_reason(error)
        ) from error


def check_metadata(metadata: Mapping[str, bytes]) -> None:
    """Whether metadata can be stored.

    Raises:
        EnvdError: `METADATA_BYTE`, `METADATA_KEY_LONG`, `METADATA_TOO_LARGE`.

    Fact: envd.files.metadata.limits
    """
    total = 0
    for key, value in sorted(metadata.items()):
        if len(key) > LONGEST_KEY:
            raise EnvdError(EnvdKind.METADATA_KEY_LONG, key=key)
        _check_printable("metadata key", key.encode("latin-1"))
        _check_printable(f'metadata value for key "{key}"', value)
        total += _METADATA_OVERHEAD + len(key) + len(value)
    if total > LARGEST_METADATA:
        raise EnvdError(EnvdKind.METADATA_TOO_LARGE, size=total)


def _check_printable(what: str, data: bytes) -> None:
    for offset, byte in enumerate(data):
        if not 0x20 <= byte <= 0x7E:
            raise EnvdError(EnvdKind.METADATA_BYTE, what=what, byte=f"0x{byte:02x}", offset=offset)


@dataclass(frozen=True, slots=True)
class Written:
    """One file of an upload.

    Attributes:
        metadata: What is stored with it now.
    """

    path: str
    metadata: Mapping[str, str]

    @property
    def name(self) -> str:
        """Its last component."""
        return base_name(self.path)


@dataclass(slots=True)
class Upload:
    """One upload request: any number of files, one after the other.

    A context manager: at its end the file that is being written is closed, whole or not.

    Args:
        metadata: Goes with every file and takes the place of what was stored with it.
        length: The request's Content-Length; None when it is not known.
    """

    daemon: Daemon
    user: User
    metadata: Mapping[str, bytes]
    length: int | None
    written: list[Written] = field(default_factory=list)
    _path: str = ""
    _file: ByteFile | None = None

    def __enter__(self) -> Upload:
        return self

    def __exit__(self, *exc: object) -> None:
        self._close()

    def begin(self, path: str) -> bool:
        """Start a file; `path` as requested. True when folders had to be made for it.

        Raises:
            EnvdError: `UPLOAD_FOREIGN_HOME`, `UPLOAD_TWICE`, `UPLOAD_IS_FOLDER`,
                `UPLOAD_OPEN_FAILED`, `INODES_FULL`, and those of `ensure_folder`.

        Facts: envd.files.upload.target, envd.files.upload.refusals
        """
        try:
            path = self.daemon.resolve_path(path, self.user)
        except EnvdError as error:
            raise EnvdError(EnvdKind.UPLOAD_FOREIGN_HOME, **error.fields) from error
        self._check_first(path)
        files = self.daemon.guest.files
        folder = posixpath.normpath(path.rpartition("/")[0] or "/")
        made = ensure_folder(files, folder, self.user)
        self._path = path
        self._file = _open(files, path, self.user)
        return made

    def _check_first(self, path: str) -> None:
        earlier = [written.path for written in self.written]
        if path in earlier:
            others = [each for each in earlier if each != path]
            also = ""
            if len(others) > 1:
                also = ", also the following files were uploaded: " + ", ".join(others)
            raise EnvdError(EnvdKind.UPLOAD_TWICE, path=path, also=also)

    def write(self, data: bytes | memoryview) -> None:
        """Append to the file that was begun.

        Raises:
            EnvdError: `DISK_FULL`, `UPLOAD_WRITE_FAILED`; what was written stays.
        """
        try:
            write_all(self._file, data)
        except OSError as error:
            if error.errno in _NO_SPACE:
                attempted = ""
                if self.length is not None:
                    attempted = f"attempted to write {self.length} bytes: "
                raise EnvdError(EnvdKind.DISK_FULL, attempted=attempted) from error
            reason = f"write {self._path}: {go_reason(error)}"
            raise EnvdError(EnvdKind.UPLOAD_WRITE_FAILED, reason=reason) from error

    def end(self) -> None:
        """The file is whole: store its metadata.

        Raises:
            EnvdError: `METADATA_FULL`, `METADATA_FAILED`.

        Fact: envd.files.metadata.replace
        """
        self._close()
        stored = _store_metadata(self.daemon.guest.files, self._path, self.metadata)
        self.written.append(Written(self._path, stored))

    def _close(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            file.close()


def _open(files: Files, path: str, user: User) -> ByteFile:
    try:
        is_folder = stat.S_ISDIR(files.stat(path).mode)
    except OSError:
        is_folder = False
    if is_folder:
        raise EnvdError(EnvdKind.UPLOAD_IS_FOLDER, path=path)
    try:
        return files.open_write(path, owner=user)
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise EnvdError(EnvdKind.INODES_FULL, path=path) from error
        raise EnvdError(EnvdKind.UPLOAD_OPEN_FAILED, path=path, reason=go_reason(error)) from error


def write_all(file: ByteFile | None, data: bytes | memoryview) -> None:
    """Write everything, whatever the system takes at a time.

    Raises:
        OSError: EAGAIN from a FIFO or device that would have to be waited for.
    """
    if file is None:
        raise OSError(errno.EBADF, "file already closed")
    done = file.write(data)
    while done < len(data):
        data = memoryview(data)[done:]
        done = file.write(data)


def _store_metadata(files: Files, path: str, metadata: Mapping[str, bytes]) -> Mapping[str, str]:
    try:
        stale = [
            name
            for name in files.xattrs(path)
            if name.startswith(METADATA_PREFIX) and name[len(METADATA_PREFIX) :] not in metadata
        ]
        for name in stale:
            files.remove_xattr(path, name)
    except OSError as error:
        raise EnvdError(EnvdKind.METADATA_FAILED, path=path, reason=go_reason(error)) from error
    for key, value in sorted(metadata.items()):
        name = METADATA_PREFIX + key
        try:
            files.set_xattr(path, name, value)
        except OSError as error:
            if error.errno in (errno.ENOTSUP, errno.EOPNOTSUPP):
                return {}  # this file system keeps none, and the daemon says nothing of it
            if error.errno in (*_NO_SPACE, errno.E2BIG):
                raise EnvdError(EnvdKind.METADATA_FULL, path=path, name=name) from error
            raise EnvdError(EnvdKind.METADATA_FAILED, path=path, reason=go_reason(error)) from error
    return metadata_of(files, path) if metadata else {}
