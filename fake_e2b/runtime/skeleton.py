"""The files a fresh sandbox starts with."""

from __future__ import annotations

import os
from collections.abc import Sequence

FOLDERS: tuple[tuple[str, int], ...] = (
    ("home", 0o755),
    ("home/user", 0o755),
    ("root", 0o700),
    ("tmp", 0o1777),
    ("var", 0o755),
)
"""Path below the sandbox's root, and mode: what every sandbox has."""

MACHINE_FOLDERS: tuple[tuple[str, int], ...] = (
    ("run", 0o755),
    ("var/log", 0o755),
    ("var/tmp", 0o1777),
    ("var/lib", 0o755),
    ("var/lib/apt", 0o755),
    ("var/lib/apt/lists", 0o755),
    ("var/cache", 0o755),
    ("var/cache/apt", 0o755),
    ("opt", 0o755),
    ("srv", 0o755),
    ("mnt", 0o755),
    ("media", 0o755),
)
"""What one that is a whole machine has on top."""

ETC: dict[str, str] = {
    "hostname": "e2b.local\n",
    "hosts": "127.0.0.1 localhost\n127.0.0.1 e2b.local\n::1 localhost ip6-localhost ip6-loopback\n",
    "passwd": (
        "root:x:0:0:root:/root:/bin/bash\n"
        "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
        "user:x:1000:1000::/home/user:/bin/bash\n"
    ),
    "group": "root:x:0:\nsudo:x:27:user\nuser:x:1000:\nnogroup:x:65534:\n",
}
"""Files of `/etc` that are the sandbox's own."""

BASHRC = """\
# ~/.bashrc: read by interactive shells.
export SHELL=/bin/bash
case $- in *i*) PS1='\\w \\$ ' ;; esac
"""


def profile(path_first: str) -> str:
    """`~/.profile`, which login shells read; `path_first` goes in front of PATH."""
    path = f'export PATH="{path_first}:$PATH"\n' if path_first else ""
    return (
        "# ~/.profile: read by login shells.\n"
        "export SHELL=/bin/bash\n"
        "export PS1='\\w \\$ '\n"
        f"{path}"
        'if [ -n "$BASH_VERSION" ] && [ -f "$HOME/.bashrc" ]; then . "$HOME/.bashrc"; fi\n'
    )


def make_folders(root: str, folders: Sequence[tuple[str, int]]) -> None:
    """Make folders below `root`, with their exact modes whatever the umask."""
    for name, mode in folders:
        path = f"{root}/{name}"
        os.mkdir(path)
        os.chmod(path, mode)


def open_folders(top: str) -> None:
    """Let everybody pass `top` and the folders below it, whatever the umask was."""
    for folder, _, _ in os.walk(top):
        os.chmod(folder, 0o755)


def write(path: str, text: str, mode: int = 0o644) -> None:
    """Write a small file with this exact mode."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with open(fd, "w") as file:
        file.write(text)
        os.fchmod(fd, mode)
