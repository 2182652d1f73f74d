"""Captured files without the stubs that stood in them, as if no program had been stood in for.

A guest with a root of its own has its stubs among its changes of the machine's `/usr`. What is
covered is put back, what was only touched goes: files that stand on such a capture share the
machine's `/usr` as if nothing had been there.

Fact: fork.files.no-stubs
"""

from __future__ import annotations

import filecmp
import os
import stat
from collections.abc import Collection, Sequence
from contextlib import suppress

from fake_e2b.runtime.copying import copy_entry, copy_tree, is_mark, is_opaque, kept_xattrs
from fake_e2b.runtime.ownership import FOREIGN_ID
from fake_e2b.runtime.stubs.front import HEAD, TEXT_OF_LINK, covered_folder, is_stub_text

STUB_FOLDERS = ("/usr/local/sbin", "/usr/local/bin")
"""The one comes first on most paths, the other on that of an ordinary user's login shell."""
COVERED = "/usr/lib/fake-e2b/covered"

_TOUCHED = ("local/sbin", "local/bin", "local", "lib/fake-e2b", "lib")


def copy_without_stubs(source: str, target: str, below: Sequence[str]) -> None:
    """Copy what a guest changed of `/usr`, as if it had no stubs.

    Args:
        source: The changes, as an overlay keeps them.
        target: Where the copy is put; where there is no change, none is made.
        below: What the changes are changes of, highest first; the machine's own comes last.

    Raises:
        OSError: They cannot be read, or the copy not be written.
    """
    left_out = {f"{source}/{_below_usr(COVERED)}"}
    put_back: dict[str, str | None] = {}
    for folder in STUB_FOLDERS:
        own, lower = _below_usr(folder), _lower(source, _below_usr(folder), below)
        for name in _stubs(source, own):
            left_out.add(f"{source}/{own}/{name}")
            covered, shown = _covered(source, folder, name), _first(lower, name)
            if covered is None:
                if shown is not None:  # it was removed before a stub took its place
                    put_back[f"{own}/{name}"] = None
            elif shown is None or not _is_same(covered, shown):
                put_back[f"{own}/{name}"] = covered
    filled = {f"{source}/{os.path.dirname(name)}" for name in put_back}
    for name in _TOUCHED:
        path, shown = (
            f"{source}/{name}",
            _first(_lower(source, os.path.dirname(name), below), os.path.basename(name)),
        )
        if shown is not None and path not in filled and _adds_nothing(path, shown, left_out):
            left_out.add(path)
    if all(f"{source}/{name}" in left_out for name in os.listdir(source)):
        return
    copy_tree(source, target, left_out=left_out)
    for name, kept in put_back.items():
        if not _is_folder(target, os.path.dirname(name)):
            continue  # a program that still runs has made it something else
        if kept is None:
            os.mknod(f"{target}/{name}", stat.S_IFCHR, os.makedev(0, 0))
        else:
            copy_entry(kept, f"{target}/{name}")


def _below_usr(path: str) -> str:
    return path.removeprefix("/usr/")


def _stubs(source: str, folder: str) -> list[str]:
    """The names of the stubs in a folder, if there is such a folder."""
    if not _is_folder(source, folder):
        return []
    with os.scandir(f"{source}/{folder}") as entries:
        return [each.name for each in entries if _is_stub(each)]


def _is_folder(top: str, path: str) -> bool:
    """Whether it is one that no link leads to: a guest's links lead anywhere."""
    for step in path.split("/"):
        top = f"{top}/{step}"
        try:
            if not stat.S_ISDIR(os.lstat(top).st_mode):
                return False
        except FileNotFoundError:
            return False
    return True


def _is_stub(entry: os.DirEntry[str]) -> bool:
    if not entry.is_file(follow_symlinks=False):
        return False
    with open(entry.path, "rb", buffering=0) as file:
        return is_stub_text(file.read(HEAD))


def _covered(source: str, folder: str, name: str) -> str | None:
    """Where that is which a stub covers."""
    path = f"{source}/{_below_usr(covered_folder(COVERED, folder))}/{name}"
    for each in (path + TEXT_OF_LINK, path):
        if os.path.lexists(each):
            return each
    return None


def _lower(source: str, folder: str, below: Sequence[str]) -> list[str]:
    """What an overlay merges into a folder below the one that is the highest's own."""
    merged = [source, *below]
    for step in filter(None, folder.split("/")):
        merged = _merged([f"{each}/{step}" for each in merged])
    return [each for each in merged if each != f"{source}/{folder}".rstrip("/")]


def _merged(paths: Sequence[str]) -> list[str]:
    found = []
    for path in paths:
        try:
            status = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        if not stat.S_ISDIR(status.st_mode):
            break
        found.append(path)
        if is_opaque(path):
            break
    return found


def _first(folders: Sequence[str], name: str) -> str | None:
    """What is seen under a name of folders that are merged."""
    for folder in folders:
        with suppress(FileNotFoundError):
            found = os.lstat(f"{folder}/{name}")
            return None if is_mark(found) else f"{folder}/{name}"
    return None


def _is_same(kept: str, shown: str) -> bool:
    """Whether what was put aside is still what is below it."""
    one, other = os.lstat(kept), os.lstat(shown)
    if stat.S_ISLNK(one.st_mode) and stat.S_ISLNK(other.st_mode):
        return os.readlink(kept) == os.readlink(shown)
    return (
        stat.S_ISREG(one.st_mode)
        and (one.st_mode, one.st_size) == (other.st_mode, other.st_size)
        and _has_same_owner(one, other)
        and (one.st_mtime_ns == other.st_mtime_ns or filecmp.cmp(kept, shown, shallow=False))
    )


def _has_same_owner(one: os.stat_result, other: os.stat_result) -> bool:
    """Also true of a copy to which its guest could give no such owner."""
    if os.geteuid() != 0 or other.st_uid == FOREIGN_ID:
        return True
    return (one.st_uid, one.st_gid) == (other.st_uid, other.st_gid)


def _adds_nothing(path: str, shown: str, left_out: Collection[str]) -> bool:
    """Whether a folder of the highest, without what is left out, is as the one below it."""
    try:
        one, other = os.lstat(path), os.lstat(shown)
    except FileNotFoundError:
        return False
    return (
        stat.S_ISDIR(one.st_mode)
        and (one.st_mode, one.st_uid, one.st_gid) == (other.st_mode, other.st_uid, other.st_gid)
        and not kept_xattrs(path)
        and all(f"{path}/{name}" in left_out for name in os.listdir(path))
    )
