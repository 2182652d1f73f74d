"""Puts an archive's files into a guest, as a COPY step says; what could do harm is refused before.

Facts: templates.build.copy, templates.build.archive-refused
"""

from __future__ import annotations

import posixpath
import re
import stat
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from fake_e2b.domain.ports import Files, parents
from fake_e2b.domain.user import ROOT, User

MOST_MEMBERS = 200_000
MOST_UNPACKED = 4 << 30
"""Bytes that one archive may unpack to."""
_CHUNK = 1 << 20
_GLOB = re.compile(r"[*?\[]")
_WRONG = (tarfile.TarError, EOFError, zlib.error, UnicodeError)


class ArchiveError(Exception):
    """An archive that cannot be unpacked, or must not be; the text says why."""


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


def unpack(archive: IO[bytes], files: Files, copy: Copy) -> int:
    """Copy out of an archive, compressed or not; returns how many files there were.

    Nothing is written unless the whole archive is sound.

    Raises:
        ArchiveError: A member leads out, is a device, or the archive is none, or too big.
        SourceMissingError: `copy.source` is not in it.
        OSError: The guest's files refuse.
    """
    root = _root_of(copy.source)
    try:
        names = _check(archive)
        if root and root not in names and not any(each.startswith(f"{root}/") for each in names):
            raise SourceMissingError(copy.source)
        archive.seek(0)
        count = 0
        with tarfile.open(fileobj=archive, mode="r:*") as tar:
            for member in tar:
                name = _clean(member.name)
                if root and name != root and not name.startswith(f"{root}/"):
                    continue
                inner = name[len(root) :].lstrip("/") if root else name
                _put(files, copy, tar, member, _target(files, copy, member, inner))
                count += 1
        return count
    except _WRONG as error:
        raise ArchiveError(f"it is no archive: {error}") from error


def _root_of(source: str) -> str:
    """The part of a source that is no pattern: ``a/b/*.py`` → ``a/b``, ``.`` → all."""
    kept = []
    for part in posixpath.normpath(source).split("/"):
        if _GLOB.search(part):
            break
        kept.append(part)
    root = "/".join(kept)
    return "" if root == "." else root


def _clean(name: str) -> str:
    return posixpath.normpath(name)


def _check(archive: IO[bytes]) -> set[str]:
    """The names in the archive, once everything in it is known to do no harm."""
    names: set[str] = set()
    links: set[str] = set()
    total = 0
    archive.seek(0)
    with tarfile.open(fileobj=archive, mode="r:*") as tar:
        for member in tar:
            name = _clean(member.name)
            if member.name.startswith("/") or name == ".." or name.startswith("../"):
                raise ArchiveError(f"member {member.name!r} leads out of the archive")
            if not (member.isfile() or member.isdir() or member.issym() or member.islnk()):
                raise ArchiveError(f"member {member.name!r} is neither file, folder nor link")
            if any(folder.lstrip("/") in links for folder in parents(f"/{name}")):
                raise ArchiveError(f"member {member.name!r} lies behind a link")
            if member.islnk() and _clean(member.linkname) not in names:
                raise ArchiveError(f"member {member.name!r} is a link to what is not there")
            if member.issym():
                links.add(name)
            names.add(name)
            total += member.size
            if len(names) > MOST_MEMBERS or total > MOST_UNPACKED:
                raise ArchiveError("it holds too much")
    return names


def _target(files: Files, copy: Copy, member: tarfile.TarInfo, inner: str) -> str:
    if inner and inner != ".":
        return posixpath.join(copy.target, inner)
    if member.isdir() or inner == ".":
        return copy.target.rstrip("/") or "/"
    if copy.target.endswith("/") or _is_folder(files, copy.target):
        return posixpath.join(copy.target, posixpath.basename(_clean(member.name)))
    return copy.target


def _is_folder(files: Files, path: str) -> bool:
    try:
        return stat.S_ISDIR(files.stat(path).mode)
    except OSError:
        return False


def _put(
    files: Files, copy: Copy, tar: tarfile.TarFile, member: tarfile.TarInfo, path: str
) -> None:
    for folder in parents(path):
        with suppress(FileExistsError):
            files.mkdir(folder, 0o755, ROOT)
    mode = member.mode & 0o7777 if copy.mode is None else copy.mode
    if member.isdir():
        if not _is_folder(files, path):
            files.mkdir(path, mode, copy.owner)
        return
    if _is_folder(files, path):
        raise ArchiveError(f"{path} is a folder")
    files.remove(path)
    if member.issym():
        files.symlink(member.linkname, path, copy.owner)
        return
    source = tar.extractfile(member)
    assert source is not None, "it is a file, or a link to one that is there"
    with files.open_write(path, owner=copy.owner, mode=mode) as target:
        for piece in _pieces(source):
            view = memoryview(piece)
            while view:
                view = view[target.write(view) :]


def _pieces(source: IO[bytes]) -> Iterator[bytes]:
    while piece := source.read(_CHUNK):
        yield piece
