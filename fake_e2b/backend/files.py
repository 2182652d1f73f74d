"""The Filesystem service: looking at a sandbox's files and changing them.

Every operation runs as root; the user decides only where relative paths start and who owns what
is made. Operations are synchronous. `list_folder` and `remove` may take long in big trees: the
caller puts them into a thread when `is_long` says so.
"""

from __future__ import annotations

import errno
import posixpath
import stat
from collections.abc import Iterator
from typing import Protocol

from fake_e2b.backend.entries import entry_of, go_reason
from fake_e2b.domain.entry import EntryInfo
from fake_e2b.domain.envd_errors import EnvdError, EnvdKind
from fake_e2b.domain.file_ports import Files, parents
from fake_e2b.domain.ports import Guest
from fake_e2b.domain.user import User

FOLDER_MODE = 0o755

# A folder record this large lists some thousand names: worth a thread.
_LARGE_FOLDER_BYTES = 128 * 1024


class Daemon(Protocol):
    """What is asked of envd's state, see `fake_e2b.backend.envd.Envd`."""

    @property
    def guest(self) -> Guest: ...
    def resolve_path(self, path: str, user: User) -> str: ...


class Filesystem:
    """The service's operations in one sandbox.

    Every method takes the path as requested and the user, and raises `EnvdError`;
    `FOREIGN_HOME` from any of them.
    """

    def __init__(self, daemon: Daemon) -> None:
        self._resolve = daemon.resolve_path
        self._files = daemon.guest.files

    def stat(self, path: str, user: User) -> EntryInfo:
        """The entry at a path.

        Raises:
            EnvdError: `FILE_MISSING`, `STAT_FAILED`.

        Fact: envd.filesystem.stat
        """
        return self._entry(self._resolve(path, user))

    def _entry(self, path: str) -> EntryInfo:
        try:
            return entry_of(self._files, path)
        except FileNotFoundError as error:
            raise EnvdError(EnvdKind.FILE_MISSING, path=path, reason=go_reason(error)) from error
        except OSError as error:
            raise _stat_failed("lstat", path, error) from error

    def make_folder(self, path: str, user: User) -> EntryInfo:
        """Make a folder and its missing parents, 0755 and the user's.

        Raises:
            EnvdError: `FOLDER_EXISTS`, `PATH_NOT_FOLDER`, `STAT_FAILED`, and those of
                `ensure_folder`.

        Fact: envd.filesystem.makedir
        """
        path = self._resolve(path, user)
        try:
            status = self._files.stat(path)
        except FileNotFoundError:
            ensure_folder(self._files, path, user)
            return self._entry(path)
        except OSError as error:
            raise _stat_failed("stat", path, error) from error
        if stat.S_ISDIR(status.mode):
            raise EnvdError(EnvdKind.FOLDER_EXISTS, path=path)
        raise EnvdError(EnvdKind.PATH_NOT_FOLDER, path=path)

    def move(self, source: str, destination: str, user: User) -> EntryInfo:
        """Rename; the destination's missing parents are made, and stay if it fails.

        Raises:
            EnvdError: `SOURCE_MISSING`, `RENAME_FAILED`, and those of `ensure_folder`.

        Fact: envd.filesystem.move
        """
        source = self._resolve(source, user)
        destination = self._resolve(destination, user)
        ensure_folder(self._files, posixpath.dirname(posixpath.normpath(destination)), user)
        try:
            move(self._files, source, destination)
        except OSError as error:
            kind = (
                EnvdKind.SOURCE_MISSING if error.errno == errno.ENOENT else EnvdKind.RENAME_FAILED
            )
            reason = go_reason(error)
            raise EnvdError(kind, source=source, destination=destination, reason=reason) from error
        return self._entry(destination)

    def list_folder(self, path: str, depth: int, user: User) -> list[EntryInfo]:
        """What is below a folder, `depth` levels deep (0 means 1), folders before their content.

        Raises:
            EnvdError: `LIST_MISSING`, `LIST_NOT_FOLDER`, `LIST_LOOP`, `LIST_RESOLVE_FAILED`,
                `LIST_READ_FAILED`.

        Fact: envd.filesystem.listdir
        """
        requested = self._resolve(path, user)
        folder = self._real_folder(requested)
        shown = posixpath.normpath(requested)
        return list(self._walk(folder, shown, max(depth, 1), top=folder))

    def _real_folder(self, path: str) -> str:
        try:
            real = self._files.realpath(path)
            status = self._files.lstat(real)
        except FileNotFoundError as error:
            missing = first_missing(self._files, path)
            raise EnvdError(EnvdKind.LIST_MISSING, path=missing, reason=go_reason(error)) from error
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise EnvdError(EnvdKind.LIST_LOOP, path=path) from error
            raise EnvdError(EnvdKind.LIST_RESOLVE_FAILED, reason=go_reason(error)) from error
        if not stat.S_ISDIR(status.mode):
            raise EnvdError(EnvdKind.LIST_NOT_FOLDER, path=real)
        return real

    def _walk(self, folder: str, shown: str, depth: int, *, top: str) -> Iterator[EntryInfo]:
        try:
            names = self._files.listdir(folder)
        except (FileNotFoundError, NotADirectoryError) as error:
            if folder != top:
                return  # it went during the walk
            raise _read_failed(top, folder, error) from error
        except OSError as error:
            raise _read_failed(top, folder, error) from error
        for name in names:
            path, shown_path = _join(folder, name), _join(shown, name)
            try:
                entry = entry_of(self._files, path, shown=shown_path)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise _read_failed(top, path, error) from error
            yield entry
            if depth > 1 and entry.permissions.startswith("d"):
                yield from self._walk(path, shown_path, depth - 1, top=top)

    def remove(self, path: str, user: User) -> None:
        """Remove whatever is there, links themselves only; nothing there is fine.

        Raises:
            EnvdError: `REMOVE_FAILED`.

        Fact: envd.filesystem.remove
        """
        path = self._resolve(path, user)
        if path.endswith("/."):
            raise EnvdError(
                EnvdKind.REMOVE_FAILED, call="RemoveAll", path=path, reason="invalid argument"
            )
        try:
            self._files.remove(path)
        except OSError as error:
            # The real one joins the parent and the rest by a slash, the root's own included.
            failed = error.filename if isinstance(error.filename, str) else path
            slash = "/" if posixpath.dirname(path.rstrip("/")) == "/" else ""
            raise EnvdError(
                EnvdKind.REMOVE_FAILED,
                call="unlinkat",
                path=slash + failed,
                reason=go_reason(error),
            ) from error

    def is_long(self, path: str, user: User, *, depth: int) -> bool:
        """Whether going through a folder may take longer than a request should hold others."""
        try:
            status = self._files.lstat(self._resolve(path, user))
        except OSError:
            return False
        if not stat.S_ISDIR(status.mode):
            return False
        return depth > 1 or status.size >= _LARGE_FOLDER_BYTES


def ensure_folder(files: Files, path: str, owner: User) -> bool:
    """Make a folder and its missing parents, 0755 and the owner's; what exists stays as it is.

    Returns:
        Whether it was missing.

    Raises:
        EnvdError: `PARENT_IS_FILE`, `MKDIR_FAILED`, `FOLDER_CHOWN_FAILED`, `FOLDER_STAT_FAILED`.

    Fact: envd.filesystem.parents
    """
    if _is_folder(files, path):
        return False
    for folder in (*parents(posixpath.normpath(path)), path):
        if _is_folder(files, folder):
            continue
        try:
            files.mkdir(folder, FOLDER_MODE, owner)
        except FileExistsError:
            # A broken link, or somebody was faster: it is given to the owner all the same.
            try:
                files.chown(folder, owner)
            except OSError as error:
                raise EnvdError(
                    EnvdKind.FOLDER_CHOWN_FAILED, path=folder, reason=go_reason(error)
                ) from error
        except OSError as error:
            raise EnvdError(EnvdKind.MKDIR_FAILED, path=folder, reason=go_reason(error)) from error
    return True


def _is_folder(files: Files, path: str) -> bool:
    try:
        mode = files.stat(path).mode
    except FileNotFoundError:
        return False
    except NotADirectoryError:
        # A parent is a file: the walk from the top down names it.
        top_down = [folder for folder in parents(posixpath.normpath(path))]
        culprit = next((each for each in top_down if _is_file(files, each)), path)
        raise EnvdError(EnvdKind.PARENT_IS_FILE, path=culprit) from None
    except OSError as error:
        raise EnvdError(EnvdKind.FOLDER_STAT_FAILED, path=path, reason=go_reason(error)) from error
    if not stat.S_ISDIR(mode):
        raise EnvdError(EnvdKind.PARENT_IS_FILE, path=path)
    return True


def _is_file(files: Files, path: str) -> bool:
    try:
        return not stat.S_ISDIR(files.stat(path).mode)
    except OSError:
        return False


def move(files: Files, source: str, destination: str) -> None:
    """Rename as Go does: never onto a folder, not even an empty one.

    Raises:
        OSError: EEXIST for a folder at the destination; what rename(2) raises.
    """
    try:
        is_onto_folder = stat.S_ISDIR(files.lstat(destination).mode)
    except OSError:
        is_onto_folder = False
    if is_onto_folder:
        files.lstat(source)
        raise FileExistsError(errno.EEXIST, "file exists", destination)
    files.rename(source, destination)


def first_missing(files: Files, path: str) -> str:
    """The first component that is not there, where links have led; `path` if all are."""
    real = "/"
    for name in path.split("/"):
        if name in ("", "."):
            continue
        candidate = posixpath.normpath(_join(real, name))
        try:
            real = files.realpath(candidate)
        except FileNotFoundError:
            try:
                text = files.readlink(candidate)
            except OSError:
                return candidate
            return first_missing(files, posixpath.normpath(posixpath.join(real, text)))
    return path


def _join(folder: str, name: str) -> str:
    return f"/{name}" if folder == "/" else f"{folder}/{name}"


def _stat_failed(call: str, path: str, error: OSError) -> EnvdError:
    return EnvdError(EnvdKind.STAT_FAILED, call=call, path=path, reason=go_reason(error))


def _read_failed(top: str, folder: str, error: OSError) -> EnvdError:
    return EnvdError(EnvdKind.LIST_READ_FAILED, path=top, folder=folder, reason=go_reason(error))
