"""Reads an uploaded archive with care: what it holds is unknown, and may be made to do harm.

Everything that reading costs is bounded: bytes, members, what describes a member, and time, for a
build that has ended asks no longer.

Fact: templates.build.archive-refused
"""

from __future__ import annotations

import gzip
import io
import posixpath
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, cast

MOST_MEMBERS = 200_000
MOST_UNPACKED = 4 << 30
"""Bytes that one archive may unpack to."""
MOST_HEADER = 1 << 20
"""Bytes that may describe one member."""
MOST_HEADERS = 256 << 20
"""Bytes that may describe all of them."""
LONGEST_NAME = 4095
CHUNK = 1 << 20
_GZIP = b"\x1f\x8b"
_WRONG = (
    tarfile.TarError,
    gzip.BadGzipFile,
    zlib.error,
    EOFError,
    ValueError,
    OverflowError,
    RecursionError,  # headers about headers about headers
)


class ArchiveError(Exception):
    """An archive that cannot be unpacked, or must not be; the text says why."""


class StoppedError(Exception):
    """Nobody waits for the archive any more."""


class _Metered(io.RawIOBase):
    """What an archive unpacks to, read on only as far as it is allowed to.

    Args:
        stopped: Whether nobody waits any more.
        is_strict: All that is read describes members: what they hold is passed over.
    """

    def __init__(self, plain: IO[bytes], stopped: Callable[[], bool], *, is_strict: bool) -> None:
        self._plain = plain
        self._stopped = stopped
        self._is_strict = is_strict
        self._of_member = 0
        self._of_all = 0

    def next_member(self) -> None:
        """What is read from now on is about another member."""
        self._of_member = 0

    def read(self, size: int = -1) -> bytes:
        """As many bytes as there are, up to `size`, which must be said."""
        if self._stopped():
            raise StoppedError
        if self._is_strict:
            self._of_member += size
            self._of_all += size
            if size < 0 or self._of_member > MOST_HEADER or self._of_all > MOST_HEADERS:
                raise ArchiveError("it holds too much")
        return self._plain.read(size)

    def tell(self) -> int:
        """Where it stands, in what is unpacked."""
        return self._plain.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go there from the start, in steps: a long way takes its time."""
        here = self._plain.tell()
        while offset - here > CHUNK:
            if self._stopped():
                raise StoppedError
            if self._plain.seek(here + CHUNK) < here + CHUNK:
                return self._plain.tell()  # its end
            here += CHUNK
        return self._plain.seek(offset)

    def drain(self) -> None:
        """Read to the end: what was unpacked is compared with its checksum there."""
        while self._plain.read(CHUNK):
            if self._stopped():
                raise StoppedError
            if self._plain.tell() > MOST_UNPACKED + MOST_HEADERS:
                raise ArchiveError("it holds too much")


@contextmanager
def _opened(
    archive: IO[bytes], stopped: Callable[[], bool], *, is_strict: bool
) -> Iterator[tuple[tarfile.TarFile, _Metered]]:
    """The archive from its start, compressed by gzip or not.

    Raises:
        ArchiveError: It is none, which may turn out later.
    """
    archive.seek(0)
    is_packed = archive.read(len(_GZIP)) == _GZIP
    archive.seek(0)
    plain = cast(IO[bytes], gzip.GzipFile(fileobj=archive)) if is_packed else archive
    metered = _Metered(plain, stopped, is_strict=is_strict)
    try:
        with tarfile.open(fileobj=cast(IO[bytes], metered), mode="r:") as tar:
            yield tar, metered
            if is_strict and is_packed:
                metered.drain()
    except _WRONG as error:
        raise ArchiveError(f"it is no archive: {error}") from error


def members(
    archive: IO[bytes], stopped: Callable[[], bool]
) -> Iterator[tuple[str, tarfile.TarInfo, tarfile.TarFile]]:
    """Each member of an archive that `check` has found sound, under its clean name.

    Raises:
        StoppedError: Nobody waits any more.
    """
    with _opened(archive, stopped, is_strict=False) as (tar, _):
        while (member := tar.next()) is not None:
            _forget(tar)
            yield clean(member.name), member, tar


def _forget(tar: tarfile.TarFile) -> None:
    """It would keep every member."""
    tar.members = []  # type: ignore[attr-defined]


def clean(name: str) -> str:
    """A member's name without detours."""
    return posixpath.normpath(name)


def check(archive: IO[bytes], stopped: Callable[[], bool]) -> set[str]:
    """The names in the archive, once everything in it is known to do no harm.

    Raises:
        ArchiveError: It is none, or is not to be unpacked.
        StoppedError: Nobody waits any more.
    """
    inspector = _Inspector()
    with _opened(archive, stopped, is_strict=True) as (tar, metered):
        while (member := tar.next()) is not None:
            _forget(tar)
            inspector.see(member)
            metered.next_member()
    return inspector.names


class _Inspector:
    """Sees one member after the other.

    Attributes:
        names: Of those that it has seen.
    """

    def __init__(self) -> None:
        self.names: set[str] = set()
        self._links: set[str] = set()
        self._folders: set[str] = set()
        self._sizes: dict[str, int] = {}
        self._count = 0
        self._total = 0

    def see(self, member: tarfile.TarInfo) -> None:
        """Refuse a member, or keep in mind that it is there."""
        name = clean(member.name)
        shown = f"member {member.name[:200]!r}"
        if member.name.startswith("/") or name == ".." or name.startswith("../"):
            raise ArchiveError(f"{shown} leads out of the archive")
        if len(name) > LONGEST_NAME or "\0" in name:
            raise ArchiveError(f"{shown} has no possible name")
        if not (member.isfile() or member.isdir() or member.issym() or member.islnk()):
            raise ArchiveError(f"{shown} is neither file, folder nor link")
        if self._is_behind_link(name):
            raise ArchiveError(f"{shown} lies behind a link")
        self._kinds(member, name, shown)
        self._count += 1
        self._total += self._sizes.get(name, 0)
        if self._count > MOST_MEMBERS or self._total > MOST_UNPACKED:
            raise ArchiveError("it holds too much")
        self.names.add(name)

    def _kinds(self, member: tarfile.TarInfo, name: str, shown: str) -> None:
        size = member.size
        if member.islnk():
            # Each will be a copy.
            target = self._sizes.get(clean(member.linkname))
            if target is None:
                raise ArchiveError(f"{shown} is a link to what is not there")
            size = target
        if size < 0:
            raise ArchiveError(f"{shown} has no possible size")
        self._links.discard(name)
        self._sizes.pop(name, None)
        if member.issym():
            if name in self._folders or name == ".":
                raise ArchiveError(f"{shown} is a link in place of a folder")
            self._links.add(name)
        elif not member.isdir():
            self._sizes[name] = size

    def _is_behind_link(self, name: str) -> bool:
        folder = posixpath.dirname(name)
        new: list[str] = []
        while folder and folder not in self._folders:
            if folder in self._links:
                return True
            new.append(folder)
            folder = posixpath.dirname(folder)
        self._folders.update(new)
        return False
