"""Volumes in sandboxes of the `local` runtime, which can mount nothing: links lead to them.

Programs follow the link; for the API the volume is a folder as if it were mounted there. What lay
under the path is removed: there is no way to cover it.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress

from fake_e2b.domain.file_ports import parents
from fake_e2b.runtime.removal import remove_tree
from fake_e2b.runtime.resolve import FOLDER, Resolver

_FOLDER_MODE = 0o755


def link_volumes(root: str, folders: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Put a link to each folder at its path in a sandbox.

    Args:
        root: The sandbox's folder.
        folders: On the host, and the paths in the sandbox.

    Returns:
        Open folders by path, free of links, for a `Resolver`.

    Raises:
        OSError: A path runs through a file, or is the root.
    """
    linked: dict[str, int] = {}
    top = os.open(root, FOLDER)
    resolver = Resolver(top, root, linked)
    try:
        for folder, path in folders:
            for above in parents(path):
                _make_folder(resolver, above)
            with resolver.resolve(path, follow=False) as place:
                if place.name == ".":
                    raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), path)
                with suppress(FileNotFoundError):
                    os.stat(place.name, dir_fd=place.folder, follow_symlinks=False)
                    remove_tree(place.folder, place.name, path, before=lambda found: None)
                if any(place.path.startswith(f"{each}/") for each in linked):
                    # Below another volume, where no link to the machine may stay.
                    os.mkdir(place.name, _FOLDER_MODE, dir_fd=place.folder)
                else:
                    os.symlink(folder, place.name, dir_fd=place.folder)
                linked[place.path] = os.open(folder, FOLDER)
    except BaseException:
        for each in linked.values():
            os.close(each)
        raise
    finally:
        os.close(top)
    return linked


def _make_folder(resolver: Resolver, path: str) -> None:
    with resolver.resolve(path, follow=True) as place:
        if place.name != ".":
            with suppress(FileExistsError):
                os.mkdir(place.name, _FOLDER_MODE, dir_fd=place.folder)


def unlink_volumes(root: str, linked: Mapping[str, int]) -> None:
    """Put empty folders in place of the links in a copy of a sandbox's files."""
    if not linked:
        return
    top = os.open(root, FOLDER)
    try:
        resolver = Resolver(top, root)
        for path in linked:
            with suppress(OSError), resolver.resolve(path, follow=False) as place:
                os.readlink(place.name, dir_fd=place.folder)  # EINVAL for anything else
                os.unlink(place.name, dir_fd=place.folder)
                os.mkdir(place.name, _FOLDER_MODE, dir_fd=place.folder)
    finally:
        os.close(top)
