"""The users of a sandbox."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class User:
    """One line of the sandbox's user database, ids and paths as seen inside the sandbox."""

    name: str
    uid: int
    gid: int
    home: str
    shell: str = "/bin/bash"


ROOT = User("root", 0, 0, "/root")
USER = User("user", 1000, 1000, "/home/user")
BUILT_IN_USERS = {user.name: user for user in (ROOT, USER)}
