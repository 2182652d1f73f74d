"""Work on whole trees of sandboxes' files, done by whoever has the rights to."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from typing import Protocol

from fake_e2b.runtime.copying import Copied, copy_tree
from fake_e2b.runtime.guest.folders import remove_tree
from fake_e2b.runtime.laying import lay_over
from fake_e2b.runtime.stubs.traces import copy_without_stubs
from fake_e2b.runtime.usage import size_of


class Trees(Protocol):
    """The operations; paths are the host's. All of them block."""

    def copy(self, source: str, target: str) -> Copied:
        """See `copying.copy_tree`."""
        ...

    def copy_without_stubs(self, source: str, target: str, below: Sequence[str]) -> None:
        """See `stubs.traces.copy_without_stubs`."""
        ...

    def lay_over(
        self,
        source: str,
        target: str,
        *,
        keep_marks: bool,
        exact: bool = False,
        known: set[str] | None = None,
    ) -> None:
        """See `laying.lay_over`."""
        ...

    def measure(self, root: str) -> Copied:
        """How much a tree holds."""
        ...

    def size_of(self, folders: Sequence[str]) -> int:
        """See `usage.size_of`."""
        ...

    def look_like(self, source: str, target: str) -> None:
        """Give a folder the owner, mode, times and attributes of another."""
        ...

    def give(self, paths: Sequence[str], uid: int, gid: int) -> None:
        """Make a user of the sandbox the owner."""
        ...

    def remove(self, path: str) -> None:
        """See `folders.remove_tree`."""
        ...


class OwnTrees:
    """This process does it, with the rights it has."""

    def copy(self, source: str, target: str) -> Copied:
        """See `Trees.copy`."""
        return copy_tree(source, target)

    def copy_without_stubs(self, source: str, target: str, below: Sequence[str]) -> None:
        """See `Trees.copy_without_stubs`."""
        copy_without_stubs(source, target, below)

    def lay_over(
        self,
        source: str,
        target: str,
        *,
        keep_marks: bool,
        exact: bool = False,
        known: set[str] | None = None,
    ) -> None:
        """See `Trees.lay_over`."""
        lay_over(source, target, keep_marks=keep_marks, exact=exact, known=known)

    def measure(self, root: str) -> Copied:
        """See `Trees.measure`."""
        count = Copied()
        for folder, folders, files in os.walk(root):
            count.entries += len(folders) + len(files)
            count.size += sum(os.lstat(f"{folder}/{name}").st_size for name in files)
        return count

    def size_of(self, folders: Sequence[str]) -> int:
        """See `Trees.size_of`."""
        return size_of(folders)

    def look_like(self, source: str, target: str) -> None:
        """See `Trees.look_like`."""
        found = os.stat(source)
        if os.geteuid() == 0:
            os.chown(target, found.st_uid, found.st_gid)
        shutil.copystat(source, target)

    def give(self, paths: Sequence[str], uid: int, gid: int) -> None:
        """See `Trees.give`."""
        for path in paths:
            os.chown(path, uid, gid)

    def remove(self, path: str) -> None:
        """See `Trees.remove`; what is easily removed takes no process."""
        try:
            shutil.rmtree(path)
        except FileNotFoundError:
            return
        except (OSError, RecursionError):
            remove_tree(path)
