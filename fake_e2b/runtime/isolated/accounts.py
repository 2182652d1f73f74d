"""The users and groups that an isolated sandbox knows.

`root`, `user` and `nobody`, and the accounts of the machine's own services: its programs (sshd, the
package manager, databases) look for them. People's accounts are not among them.

Fact: sandbox.accounts
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_SYSTEM_IDS = range(1, 1000)
_OURS = frozenset({"root", "user", "nobody", "sudo", "nogroup"})
_PASSWD = ("root:x:0:0:root:/root:/bin/bash",)
_PASSWD_END = (
    "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin",
    "user:x:1000:1000::/home/user:/bin/bash",
)
_GROUP = ("root:x:0:",)
_GROUP_END = ("sudo:x:27:user", "user:x:1000:", "nogroup:x:65534:")
_WITHOUT_PASSWORD = frozenset({"root", "user"})


def account_files(*, really: bool, etc: str = "/etc") -> dict[str, str]:
    """`passwd`, `group` and their shadows: name → text.

    Nobody is asked for a password, as in a real sandbox: `user` may become root anyway.

    Args:
        really: Whether the sandbox's users have ids of their own.
        etc: Where the machine's are.
    """
    services = list(_lines(f"{etc}/passwd", fields=7))
    groups = [line for line in _lines(f"{etc}/group", fields=4) if line[2] != "27"]
    if not really:
        # Who opens a terminal would give it to that group, which there is none to give it to.
        groups = [line for line in groups if line[0] != "tty"]
    passwd = [*_PASSWD, *(":".join(line) for line in services), *_PASSWD_END]
    group = [*_GROUP, *(f"{name}:x:{gid}:" for name, _, gid, _ in groups), *_GROUP_END]
    return {
        "passwd": _text(passwd),
        "group": _text(group),
        "shadow": _text(_shadow(line.partition(":")[0]) for line in passwd),
        "gshadow": _text(f"{line.partition(':')[0]}:*::" for line in group),
    }


def _shadow(name: str) -> str:
    return f"{name}:{'' if name in _WITHOUT_PASSWORD else '*'}:19000:0:99999:7:::"


def _text(lines: Iterator[str] | list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _lines(path: str, *, fields: int) -> Iterator[list[str]]:
    """The machine's system accounts: those with small ids and names that are not ours."""
    text = ""
    with suppress(OSError):
        text = Path(path).read_text(errors="replace")
    seen = set(_OURS)
    for line in text.splitlines():
        found = line.split(":")
        if len(found) != fields or found[0] in seen or not found[2].isdecimal():
            continue
        if int(found[2]) in _SYSTEM_IDS:
            seen.add(found[0])
            yield found
