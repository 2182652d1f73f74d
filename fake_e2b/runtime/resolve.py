"""Find a sandbox path below a folder of the host without ever leaving that folder.

The kernel resolves a path in one go and follows every symlink on the way, so a link made by the
sandbox could point at the host. Here each component is opened by itself, relative to the folder
before it and never through a link; links are read and their text is put in front of what is
left to resolve, with the sandbox's root as ``/``. Swapping a link in between two steps makes the
step fail: it never leads out. One way for every system: three short calls for a usual path.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Self

KERNEL_LINKS = 40
"""Symlinks that Linux follows in one path before ELOOP."""

LONGEST_PATH = 4096
"""Bytes of a path, its closing NUL included, from which on it is ENAMETOOLONG."""

# O_PATH needs no right to read the folder; systems without it (macOS) open it for reading.
FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

HANDLE = getattr(os, "O_PATH", os.O_RDONLY) | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
"""To name a file without touching it: no device is woken, no FIFO waits."""

_PROC_LINKS = {"self": "1", "thread-self": "1/task/1"}

# What opening a symlink with O_DIRECTORY | O_NOFOLLOW says: Linux the one, macOS the other.
_MAYBE_LINK = (errno.ENOTDIR, errno.ELOOP)


class Place:
    """Where a path leads: an open folder and a name in it (``"."`` for the folder itself).

    A context manager: the folder is closed at its end.

    Attributes:
        folder: Descriptor of the folder, for the `*at` calls.
        name: The last component; no symlink if the path was followed.
        path: The path as the sandbox names it, absolute and free of links.
    """

    __slots__ = ("_is_owned", "folder", "name", "path")

    def __init__(self, folder: int, name: str, path: str, *, is_owned: bool) -> None:
        self.folder = folder
        self.name = name
        self.path = path
        self._is_owned = is_owned

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._is_owned:
            os.close(self.folder)
            self._is_owned = False


class _Walk:
    """The folder a resolution has reached: its descriptor and its names from the root down."""

    __slots__ = ("folder", "linked", "names", "root")

    def __init__(self, root: int, linked: Mapping[str, int]) -> None:
        self.root = root
        self.linked = linked
        self.folder = root
        self.names: list[str] = []

    def down(self, name: str) -> None:
        if self.linked and (stand_in := self.linked.get(self.path(name))) is not None:
            below = os.open(".", FOLDER, dir_fd=stand_in)
        else:
            below = os.open(name, FOLDER, dir_fd=self.folder)
        self._leave()
        self.folder = below
        self.names.append(name)

    def up(self, levels: int) -> None:
        # Opening ".." would follow a folder that was moved meanwhile, perhaps out of the root.
        kept = self.names[:-levels]
        self.back_to_root()
        for name in kept:
            self.down(name)

    def back_to_root(self) -> None:
        self._leave()
        self.folder = self.root
        self.names = []

    def _leave(self) -> None:
        if self.folder != self.root:
            os.close(self.folder)
            self.folder = self.root

    def close(self) -> None:
        self._leave()

    def path(self, name: str) -> str:
        """The sandbox's path of a name in the folder."""
        return "/" + "/".join(self.names if name == "." else [*self.names, name])

    def place(self, name: str) -> Place:
        return Place(self.folder, name, self.path(name), is_owned=self.folder != self.root)


class Resolver:
    """Resolves sandbox paths below one folder.

    Args:
        root: Descriptor of the folder that is the sandbox's ``/``; stays the caller's.
        path_prefix: The folder's own path on the host, when programs in the sandbox can see it:
            a link text that starts with it means the sandbox's path after it.
        linked: By path, free of links: folders of the host to go on in, as if they were mounted
            there; descriptors that stay the caller's.
    """

    def __init__(
        self,
        root: int,
        path_prefix: str = "",
        linked: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        self._root = root
        self._linked = linked
        self._prefix = path_prefix.rstrip("/")

    def close(self) -> None:
        """Refuse to resolve from now on (EBADF): the root's number may soon be another file's."""
        self._root = -1

    def resolve(self, path: str, *, follow: bool, most_links: int = KERNEL_LINKS) -> Place:
        """Find the last component's folder; the component itself may be missing.

        Args:
            follow: Whether a symlink as the last component is followed too.
            most_links: Symlinks to follow before ELOOP.

        Raises:
            OSError: ENOENT, ENOTDIR, ELOOP, EINVAL (a NUL), ENAMETOOLONG, EACCES as the
                kernel has them.
        """
        _check(path)
        walk = _Walk(self._root, self._linked)
        try:
            return self._resolve(walk, path, follow=follow, links_left=most_links)
        except BaseException:
            walk.close()
            raise

    def _resolve(self, walk: _Walk, path: str, *, follow: bool, links_left: int) -> Place:
        left = _components(path)
        wants_folder = _ends_as_folder(path)
        while left:
            name = left.pop()
            if name == "..":
                levels = 1
                while left and left[-1] == "..":
                    left.pop()
                    levels += 1
                walk.up(levels)
                continue
            is_last = not left
            is_linked = bool(self._linked) and walk.path(name) in self._linked
            if is_last and not wants_folder and not is_linked:
                text = self._link_text(walk.folder, name) if follow else None
                if text is None:
                    return walk.place(name)
            else:
                try:
                    walk.down(name)
                    continue
                except FileNotFoundError:
                    if is_last:
                        return walk.place(name)
                    raise
                except OSError as error:
                    if error.errno not in _MAYBE_LINK:
                        raise
                    text = self._link_text(walk.folder, name)
                    if text is None:
                        raise _failure(errno.ENOTDIR, path) from None
            if links_left == 0:
                raise _failure(errno.ELOOP, path)
            links_left -= 1
            if text.startswith("/"):
                walk.back_to_root()
            left.extend(_components(text))
            if is_last and _ends_as_folder(text):
                wants_folder = True
        return walk.place(".")

    def _link_text(self, folder: int, name: str) -> str | None:
        """The text of a symlink, in the sandbox's terms; None for anything else or nothing."""
        try:
            text = os.readlink(name, dir_fd=folder)
        except FileNotFoundError:
            # In a guest's /proc these are there but lead nowhere for us, who are not in it.
            # The daemon would read about itself; its place is taken by the guest's first process.
            return _PROC_LINKS[name] if name in _PROC_LINKS and _exists(folder, name) else None
        except OSError as error:
            if error.errno == errno.EINVAL:
                return None
            raise
        return self.sandbox_text(text)

    def sandbox_text(self, text: str) -> str:
        """A link text with the root's own host path taken off, if it starts with it."""
        prefix = self._prefix
        if prefix and text.startswith(prefix) and text[len(prefix) :][:1] in ("", "/"):
            return text[len(prefix) :] or "/"
        return text


def _exists(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return False
    return True


def _components(path: str) -> list[str]:
    """The names to walk, last one first."""
    return [part for part in reversed(path.split("/")) if part not in ("", ".")]


def _ends_as_folder(path: str) -> bool:
    return path.endswith(("/", "/.")) or path == "."


def _check(path: str) -> None:
    if "\0" in path:
        raise _failure(errno.EINVAL, path)
    if not path:
        raise _failure(errno.ENOENT, path)
    if len(path) >= LONGEST_PATH // 4 and len(os.fsencode(path)) >= LONGEST_PATH:
        raise _failure(errno.ENAMETOOLONG, path)


def _failure(number: int, path: str) -> OSError:
    return OSError(number, os.strerror(number), path)
