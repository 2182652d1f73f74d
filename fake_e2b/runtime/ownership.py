"""Who owns a file, as the sandbox's users see it.

Where the runtime has real ids for the sandbox's users, the file system itself keeps this. Where
everything belongs to the one user who runs the fake, it is remembered here.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Protocol

from fake_e2b.domain.user import ROOT, USER, User

Look = Callable[[str], os.stat_result]
"""What lstat says of a path in the sandbox; raises OSError."""

FOREIGN_ID = 65534
"""As this shows, in a namespace, each id that is not in it: those of the machine's own files."""


class Ownership(Protocol):
    """How owners are read and given; one object for each sandbox."""

    def names(self, status: os.stat_result, path: str) -> tuple[str, str]:
        """Names of owner and group, decimal ids when unknown.

        Args:
            status: What lstat says of the file.
            path: Where it is in the sandbox, free of links.
        """
        ...

    def assign(self, folder: int, name: str, path: str, owner: User) -> None:
        """Give the file `name` in the open `folder`, no link followed, to `owner`.

        It counts as a change of attributes: a watcher sees it.
        """
        ...

    def forget(self, status: os.stat_result) -> None:
        """The file is about to be removed."""
        ...

    def recorded(self, look: Look) -> dict[str, str]:
        """Owners that the files themselves do not carry, by path; those that moved are missing."""
        ...

    def restore(self, owners: Mapping[str, str], look: Look) -> None:
        """Take over what `recorded` gave for files of which these are a copy."""
        ...


class RealOwnership:
    """Owners kept by the file system, where sandbox ids have host ids of their own.

    Args:
        user_name: The name of a user id in the sandbox, None if it has none.
        group_name: The same for groups.
        offset: What is added to a sandbox id to get the host's.
    """

    def __init__(
        self,
        user_name: Callable[[int], str | None],
        group_name: Callable[[int], str | None],
        *,
        offset: int = 0,
    ) -> None:
        self._user_name = user_name
        self._group_name = group_name
        self._offset = offset

    def names(self, status: os.stat_result, path: str) -> tuple[str, str]:
        """See `Ownership.names`."""
        uid, gid = status.st_uid - self._offset, status.st_gid - self._offset
        return self._user_name(uid) or str(uid), self._group_name(gid) or str(gid)

    def assign(self, folder: int, name: str, path: str, owner: User) -> None:
        """See `Ownership.assign`."""
        os.chown(
            name,
            owner.uid + self._offset,
            owner.gid + self._offset,
            dir_fd=folder,
            follow_symlinks=False,
        )

    def forget(self, status: os.stat_result) -> None:
        """See `Ownership.forget`; there is nothing to forget."""

    def recorded(self, look: Look) -> dict[str, str]:
        """See `Ownership.recorded`: none, the files carry them."""
        return {}

    def restore(self, owners: Mapping[str, str], look: Look) -> None:
        """See `Ownership.restore`."""


_ROOTS_OWN = ("root", "etc", "usr", "var", "opt", "bin", "sbin", "lib", "lib64", "boot", "srv")


class RecordedOwnership:
    """Owners remembered, where every file really belongs to the one user who runs the fake.

    Root owns ``/``, the folders right below it and what lies in the system's folders; all else
    is the user's. Files given to somebody else through the API are kept by device and inode, so
    a rename keeps the owner.
    """

    def __init__(self) -> None:
        self._owners: dict[tuple[int, int], tuple[str, str]] = {}

    def names(self, status: os.stat_result, path: str) -> tuple[str, str]:
        """See `Ownership.names`."""
        known = self._owners.get((status.st_dev, status.st_ino))
        owner = known[0] if known is not None else _usual_owner(status, path)
        return owner, owner

    def assign(self, folder: int, name: str, path: str, owner: User) -> None:
        """See `Ownership.assign`."""
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        # To the same ids: allowed to everyone, and reported to watchers as the real one is.
        os.chown(name, status.st_uid, status.st_gid, dir_fd=folder, follow_symlinks=False)
        key = (status.st_dev, status.st_ino)
        if owner.name == _usual_owner(status, path):
            self._owners.pop(key, None)
        else:
            self._owners[key] = owner.name, path

    def forget(self, status: os.stat_result) -> None:
        """See `Ownership.forget`: the inode's number may come back with another file."""
        if status.st_nlink <= 1 or stat.S_ISDIR(status.st_mode):
            self._owners.pop((status.st_dev, status.st_ino), None)

    def recorded(self, look: Look) -> dict[str, str]:
        """See `Ownership.recorded`."""
        found = {}
        for key, (owner, path) in self._owners.items():
            with suppress(OSError):
                status = look(path)
                if (status.st_dev, status.st_ino) == key:
                    found[path] = owner
        return found

    def restore(self, owners: Mapping[str, str], look: Look) -> None:
        """See `Ownership.restore`."""
        for path, owner in owners.items():
            with suppress(OSError):
                status = look(path)
                self._owners[status.st_dev, status.st_ino] = owner, path


def _usual_owner(status: os.stat_result, path: str) -> str:
    parts = path.split("/", 2)
    is_top_folder = len(parts) < 3 and stat.S_ISDIR(status.st_mode)
    return ROOT.name if is_top_folder or parts[1] in _ROOTS_OWN else USER.name
