"""Remove a tree, link-safe and of any depth, with two open folders at a time."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass

_READABLE_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(slots=True)
class _Level:
    name: str
    identity: tuple[int, int]
    folders: list[str]


def remove_tree(
    folder: int, name: str, path: str, *, before: Callable[[os.stat_result], None]
) -> None:
    """Remove `name` in `folder` and all that is below it; nothing is followed.

    A name that vanishes meanwhile is no error.

    Args:
        path: What errors call it; they carry the path of the entry that could not be removed.
        before: Told of every entry just before it goes.

    Raises:
        OSError: The first entry that resists.
    """
    if _remove_file(folder, name, path, before):
        return
    levels: list[_Level] = []
    current = _descend(folder, name, path, levels, before)
    try:
        while levels:
            level = levels[-1]
            here = "/".join([path, *(each.name for each in levels[1:])])
            if level.folders:
                child = level.folders.pop()
                below = _descend(current, child, f"{here}/{child}", levels, before)
                os.close(current)
                current = below
                continue
            levels.pop()
            if levels:
                above = _ascend(current, levels[-1].identity, here)
                os.close(current)
                current = above
                _remove_folder(current, level.name, here, before)
    finally:
        os.close(current)
    _remove_folder(folder, name, path, before)


def _descend(
    folder: int,
    name: str,
    path: str,
    levels: list[_Level],
    before: Callable[[os.stat_result], None],
) -> int:
    """Enter a folder, remove its files, and note its folders as a new level."""
    try:
        inside = os.open(name, _READABLE_FOLDER, dir_fd=folder)
    except OSError as error:
        raise _at(error, path) from None
    try:
        status = os.fstat(inside)
        names = sorted(os.listdir(inside), key=os.fsencode)
        folders = [
            each for each in names if not _remove_file(inside, each, f"{path}/{each}", before)
        ]
    except BaseException:
        os.close(inside)
        raise
    folders.reverse()
    levels.append(_Level(name, (status.st_dev, status.st_ino), folders))
    return inside


def _ascend(folder: int, identity: tuple[int, int], path: str) -> int:
    above = os.open("..", _READABLE_FOLDER, dir_fd=folder)
    status = os.fstat(above)
    if (status.st_dev, status.st_ino) != identity:
        os.close(above)
        # Somebody moved the folder while it was being emptied.
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), path)
    return above


def _remove_file(
    folder: int, name: str, path: str, before: Callable[[os.stat_result], None]
) -> bool:
    """Whether it is gone; False for a folder."""
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            return False
        before(status)
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise _at(error, path) from None
    return True


def _remove_folder(
    folder: int, name: str, path: str, before: Callable[[os.stat_result], None]
) -> None:
    try:
        before(os.stat(name, dir_fd=folder, follow_symlinks=False))
        os.rmdir(name, dir_fd=folder)
    except FileNotFoundError:
        return
    except OSError as error:
        raise _at(error, path) from None


def _at(error: OSError, path: str) -> OSError:
    return OSError(error.errno, error.strerror, path)
