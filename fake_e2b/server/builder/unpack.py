"""Puts an archive's files into a guest, as a COPY step says; what could do harm is refused before.

Facts: templates.build.copy, templates.build.archive-refused
"""

from __future__ import annotations

import posixpath
import re
import stat
import tarfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from fake_e2b.backend.transfer import write_all
from fake_e2b.domain.file_ports import Files, parents
from fake_e2b.domain.user import ROOT, User
from fake_e2b.server.builder.inspect_archive import (
    CHUNK,
    ArchiveError,
    StoppedError,
    check,
    clean,
    members,
)

_GLOB = re.compile(r"[*?\[]")


class SourceMissingError(Exception):
    """The archive has nothing of the name that is to be copied."""


@dataclass(frozen=True, slots=True)
class Copy:
    """What a COPY step asks for.

    Attributes:
        source: As in the step; from its first ``*``, ``?`` or ``[`` on it is cut off.
        target: Absolute; what ends in ``/`` is a folder.
        mode: Of all files and folders; None: as in the archive.
    """

    source: str
    target: str
    owner: User
    mode: int | None = None


def unpack(
    archive: IO[bytes], files: Files, copy: Copy, stopped: Callable[[], bool] = lambda: False
) -> int:
    """Copy out of an archive, compressed or not; returns how many files there were.

    Nothing is written unless the whole archive is sound.

    Args:
        stopped: Whether nobody waits for it any more; asked often.

    Raises:
        ArchiveError: A member leads out, is a device, or the archive is none, or too big.
        SourceMissingError: `copy.source` is not in it.
        StoppedError: It was stopped; what has been written stays.
        OSError: The guest's files refuse.
    """
    root = _root_of(copy.source)
    names = check(archive, stopped)
    if root and root not in names and not any(each.startswith(f"{root}/") for each in names):
        raise SourceMissingError(copy.source)
    writer = _Writer(files, copy, stopped)
    for name, member, tar in members(archive, stopped):
        if root and name != root and not name.startswith(f"{root}/"):
            continue
        inner = name[len(root) :].lstrip("/") if root else name
        writer.put(tar, member, name, inner)
    return writer.count


def _root_of(source: str) -> str:
    """The part of a source that is no pattern: ``a/b/*.py`` → ``a/b``, ``.`` → all."""
    kept = []
    for part in posixpath.normpath(source).split("/"):
        if _GLOB.search(part):
            break
        kept.append(part)
    root = "/".join(kept)
    return "" if root == "." else root


class _Writer:
    """Writes members, one after the other.

    Attributes:
        count: How many there were.
    """

    def __init__(self, files: Files, copy: Copy, stopped: Callable[[], bool]) -> None:
        self._files = files
        self._copy = copy
        self._stopped = stopped
        self._made: set[str] = set()
        self._written: dict[str, str] = {}
        self.count = 0

    def put(self, tar: tarfile.TarFile, member: tarfile.TarInfo, name: str, inner: str) -> None:
        """Write a member, `inner` below the source that is copied."""
        files, copy = self._files, self._copy
        path = self._target(member, name, inner)
        self.count += 1
        self._make_parents(path)
        mode = member.mode & 0o7777 if copy.mode is None else copy.mode
        if member.isdir():
            if not self._is_folder(path):
                files.mkdir(path, mode, copy.owner)
            return
        if self._is_folder(path):
            raise ArchiveError(f"{path} is a folder")
        if member.islnk():
            self._write(path, mode, self._copied(clean(member.linkname), path))
        elif member.issym():
            files.remove(path)
            files.symlink(member.linkname, path, copy.owner)
            return
        else:
            source = tar.extractfile(member)
            assert source is not None, "it is a file"
            self._write(path, mode, _pieces(source))
        self._written[name] = path

    def _write(self, path: str, mode: int, pieces: Iterator[bytes]) -> None:
        self._files.remove(path)
        with self._files.open_write(path, owner=self._copy.owner, mode=mode) as target:
            for piece in pieces:
                if self._stopped():
                    raise StoppedError
                write_all(target, piece)

    def _copied(self, linked: str, path: str) -> Iterator[bytes]:
        """What a member to which another one is a link has become here."""
        written = self._written.get(linked)
        if written is None:
            raise ArchiveError(f"{path} is a link to what is not copied")
        with self._files.open_read(written) as source:
            while piece := source.read(CHUNK):
                yield piece

    def _target(self, member: tarfile.TarInfo, name: str, inner: str) -> str:
        copy = self._copy
        if inner and inner != ".":
            return posixpath.join(copy.target, inner)
        if member.isdir() or inner == ".":
            return copy.target.rstrip("/") or "/"
        if copy.target.endswith("/") or self._is_folder(copy.target):
            return posixpath.join(copy.target, posixpath.basename(name))
        return copy.target

    def _make_parents(self, path: str) -> None:
        for folder in parents(path):
            if folder not in self._made:
                with suppress(FileExistsError):
                    self._files.mkdir(folder, 0o755, ROOT)
                self._made.add(folder)

    def _is_folder(self, path: str) -> bool:
        try:
            return stat.S_ISDIR(self._files.stat(path).mode)
        except OSError:
            return False


def _pieces(source: IO[bytes]) -> Iterator[bytes]:
    while piece := source.read(CHUNK):
        yield piece
