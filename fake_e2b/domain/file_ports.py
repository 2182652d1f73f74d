"""What the fake needs from a machine's files: those of sandboxes and those of volumes.

Paths are absolute, as the sandbox's own programs and the API name them; only a runtime knows where
they are on the host. Failures are `OSError`s with an `errno`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from fake_e2b.domain.entry import DiskUsage, FileStat, FilesystemEvent
from fake_e2b.domain.user import User
from fake_e2b.domain.volume import VolumeEntry

FILE_MODE = 0o644
"""What a new file has, whatever the umask."""


class ByteFile(Protocol):
    """An open file, unbuffered; a context manager."""

    def __enter__(self) -> ByteFile: ...
    def __exit__(self, *exc: object) -> None: ...
    def read(self, size: int = -1, /) -> bytes: ...
    def write(self, data: bytes | bytearray | memoryview, /) -> int: ...
    def seek(self, offset: int, whence: int = 0, /) -> int: ...
    def fileno(self) -> int: ...
    def close(self) -> None: ...


class Watch(Protocol):
    """A subscription to changes below one folder."""

    def close(self) -> None:
        """Stop it; twice is fine."""
        ...


class Files(Protocol):
    """The sandbox's files, reached as root; symlinks never lead out of the sandbox.

    Calls are short and synchronous; `walk` and `remove` of a big tree belong in a worker thread.
    """

    def lstat(self, path: str) -> FileStat: ...
    def stat(self, path: str) -> FileStat: ...
    def readlink(self, path: str) -> str: ...

    def realpath(self, path: str) -> str:
        """Every symlink resolved; ENOENT, ENOTDIR, ELOOP as the kernel would."""
        ...

    def listdir(self, path: str) -> Sequence[str]:
        """Names in byte order."""
        ...

    def mkdir(self, path: str, mode: int, owner: User) -> None:
        """One folder; its parent exists. `mode` is exact (no umask)."""
        ...

    def symlink(self, target: str, path: str, owner: User) -> None:
        """A link at `path`, whose parent exists and which itself does not."""
        ...

    def rename(self, source: str, destination: str) -> None: ...
    def remove(self, path: str) -> None:
        """Recursive, never through symlinks; a missing path is no error."""
        ...

    def open_read(self, path: str) -> ByteFile: ...
    def open_write(self, path: str, *, owner: User, mode: int = FILE_MODE) -> ByteFile:
        """Truncate or create with `mode` and give it to `owner`; an existing file keeps its mode.

        The order on the disk is create, chown, or chown, truncate: watchers see it.
        """
        ...

    def chown(self, path: str, owner: User) -> None: ...
    def xattrs(self, path: str) -> Mapping[str, bytes]:
        """Extended attributes in the `user.` namespace, full names; empty when unsupported."""
        ...

    def set_xattr(self, path: str, name: str, value: bytes) -> None: ...
    def remove_xattr(self, path: str, name: str) -> None: ...
    def disk_usage(self) -> DiskUsage: ...

    def is_network_mount(self, path: str) -> bool:
        """Whether the path lies on NFS, CIFS, SMB or FUSE."""
        ...

    def watch(
        self, path: str, *, recursive: bool, sink: Callable[[FilesystemEvent], None]
    ) -> Watch:
        """Report changes to `sink`, on the server's event loop, until the watch is closed."""
        ...


class VolumeFiles(Protocol):
    """The files of one volume. Paths are absolute and clean; links never lead out of the volume.

    All calls block, most of them shortly; `walk` and `remove` of much belong in a worker thread.
    Failures are `OSError`s with an `errno`.
    """

    def stat(self, path: str) -> VolumeEntry:
        """What a path leads to, links followed."""
        ...

    def walk(self, path: str, depth: int) -> Sequence[VolumeEntry]:
        """What is in a folder and in those below it, `depth` levels, each before its own."""
        ...

    def chmod(self, path: str, mode: int) -> None: ...
    def chown(self, path: str, uid: int | None, gid: int | None) -> None: ...
    def mkdir(self, path: str, *, mode: int, uid: int, gid: int) -> None:
        """One folder, whose parent exists; `mode` is exact."""
        ...

    def remove(self, path: str) -> None:
        """With all that is below; a link, not what it leads to. ENOENT when nothing is there."""
        ...

    def open_read(self, path: str) -> ByteFile: ...
    def open_write(self, path: str, *, mode: int, uid: int, gid: int, exclusive: bool) -> ByteFile:
        """A new file; unless `exclusive`, one that is there is cut, with a new mode and owner."""
        ...

    def close(self) -> None:
        """Refuse everything from now on (EBADF): the volume is gone."""
        ...


def parents(path: str) -> Iterator[str]:
    """The folders above an absolute path, from below the root downwards, cleaned.

    >>> list(parents("/a/b/c"))
    ['/a', '/a/b']
    """
    parts = [part for part in path.split("/") if part]
    for end in range(1, len(parts)):
        yield "/" + "/".join(parts[:end])
