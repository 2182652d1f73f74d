"""What all guests of a run see over the host's own `/usr` and `/etc`.

Written once per run, read-only for the guests (it is a lower layer of their overlays): the users,
the host's name, `sudo`, and marks that hide what only the host's root may read.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from fake_e2b.runtime import skeleton
from fake_e2b.runtime.guest.sudo import su_script, sudo_script
from fake_e2b.runtime.isolated.accounts import account_files
from fake_e2b.runtime.isolated.desktop import write_desktop
from fake_e2b.runtime.isolated.offline import write_settings
from fake_e2b.runtime.isolated.ssh_server import write_ssh_server
from fake_e2b.runtime.stand_ins import WANTED, write_stand_ins

_STANDARD_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_AS_ROOT = "usr/lib/fake-e2b/as-root"
_MOST_OPENED_FOLDERS = 200
_LARGEST_COPIED = 256 * 1024
# What account tools keep of the former state. The machine's own are root's alone.
_BACKUPS = ("passwd-", "group-", "shadow-", "gshadow-")
_PACKAGES = ("site-packages", "dist-packages")
_FOR_ROOT_ALONE = frozenset({"shadow", "gshadow"})

# As a real user: a set-user-ID copy of setpriv takes on root's identity, and then the other's.
# Its parent folder on the host is closed to everybody but the owner.
_BECOME_REALLY = (
    f'exec /{_AS_ROOT} --reuid="$user_id" --regid="$group_id" --init-groups --inh-caps=-all --'
)
# With one id for all: a nested user namespace shows it under the wanted number.
_ADDED_TO = ("/usr/local", "/etc/apt", "/usr/share/keyrings")
"""Folders of the host's to which installations add: programs, and where packages come from."""
_SHOW_AS_PATH = "usr/lib/fake-e2b/show-as"
_SHOW_AS = """\
#!/bin/sh
# Show the one id there is under another number, for sudo: show-as UID GID COMMAND...
user=$1 group=$2
shift 2
exec unshare --user --map-user="$user" --map-group="$group" -- "$@"
"""


def write_layer(folder: str, *, really: bool, hosts_root: bool) -> None:
    """Write the layer.

    Args:
        really: Whether `root` and `user` have ids of their own.
        hosts_root: Whether the guests' root is the host's, who may read and change everything.
    """
    etc = f"{folder}/etc"
    for path in (etc, f"{folder}/usr/bin", f"{folder}/usr/lib/fake-e2b"):
        os.makedirs(path)
    for name, text in {**skeleton.ETC, **account_files(really=really)}.items():
        skeleton.write(f"{etc}/{name}", text, 0o600 if name in _FOR_ROOT_ALONE else 0o644)
    write_settings(folder, really=really)
    for name in _BACKUPS:
        skeleton.write(f"{etc}/{name}", "", 0o600)
    own_folders = {"/etc/ssh"} if write_ssh_server(folder, really=really) else set()
    if hosts_root:
        _hide_roots_own("/etc", etc, own_folders)
    else:
        for path in _ADDED_TO:
            _open_up(path, folder + path)
        _copy_files("/etc", etc)
    become = _BECOME_REALLY
    setpriv = shutil.which("setpriv", path=_STANDARD_PATH)
    if really and setpriv:
        as_root = f"{folder}/{_AS_ROOT}"
        shutil.copyfile(setpriv, as_root)
        os.chmod(as_root, 0o4755)
    else:
        become = f'exec /{_SHOW_AS_PATH} "$user_id" "$group_id"'
        skeleton.write(f"{folder}/{_SHOW_AS_PATH}", _SHOW_AS, 0o755)
        skeleton.write(f"{folder}/usr/bin/su", su_script(become=become), 0o755)
    script = sudo_script(
        become=become, root_home="/root", user_home="/home/user", whole_machine=True
    )
    skeleton.write(f"{folder}/usr/bin/sudo", script, 0o755)
    write_stand_ins(f"{folder}/usr/local/bin", _STANDARD_PATH)
    write_desktop(folder, _STANDARD_PATH)
    skeleton.open_folders(folder)


def _open_up(host: str, layer: str) -> None:
    """Let a guest's root add files to the host's folders, whose owner its one id is not.

    A merged folder has the owner of its highest layer. The upper ones come first: there may be
    more than is worth the time.
    """
    waiting, opened = deque([host]), 0
    while waiting and opened < _MOST_OPENED_FOLDERS:
        folder, opened = waiting.popleft(), opened + 1
        if not os.access(folder, os.R_OK | os.X_OK):
            continue
        os.makedirs(layer + folder.removeprefix(host), exist_ok=True)
        with suppress(OSError), os.scandir(folder) as entries:
            waiting += sorted(one.path for one in entries if one.is_dir(follow_symlinks=False))


def _copy_files(host: str, layer: str) -> None:
    """Let a guest's root change the files in one of the host's folders, and add to those below.

    What is not its own it cannot even copy on writing: the copy would have to have the same owner.
    """
    with os.scandir(host) as entries:
        for entry in entries:
            target = f"{layer}/{entry.name}"
            if os.path.lexists(target) or entry.is_symlink():
                continue
            if entry.is_dir():
                if os.access(entry.path, os.R_OK | os.X_OK):
                    os.mkdir(target)
            elif entry.stat().st_size <= _LARGEST_COPIED and os.access(entry.path, os.R_OK):
                shutil.copyfile(entry.path, target)
                shutil.copymode(entry.path, target)


def _hide_roots_own(host: str, layer: str, own_folders: set[str]) -> None:
    """Hide what others may not read: keys, password hashes. A mark is a device 0:0."""
    for path in _unreadable(host):
        if os.path.dirname(path) in own_folders:
            continue
        target = layer + path.removeprefix(host)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if not os.path.lexists(target):
            os.mknod(target, stat.S_IFCHR, os.makedev(0, 0))


def _unreadable(folder: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            mode = entry.stat(follow_symlinks=False).st_mode
            if stat.S_ISLNK(mode):
                continue
            if stat.S_ISDIR(mode):
                if mode & 0o005 != 0o005:
                    yield entry.path
                else:
                    yield from _unreadable(entry.path)
            elif not mode & 0o004:
                yield entry.path


def exposed_folders() -> list[str]:
    """Where the running Python, its packages and this one live, if a guest would not see them."""
    wanted = [sys.base_prefix, sys.prefix, str(Path(skeleton.__file__).parents[1])]
    # Some are elsewhere: those of the user, those that PYTHONPATH names. Kernels import late, too.
    wanted += [path for path in sys.path if path.endswith(_PACKAGES) and os.path.isdir(path)]
    for name in WANTED:
        if shutil.which(name, path=_STANDARD_PATH) is None and (found := shutil.which(name)):
            with suppress(OSError):
                wanted.append(os.path.dirname(os.path.dirname(os.path.realpath(found))))
    chosen: list[str] = []
    for path in map(os.path.realpath, wanted):
        seen = ("/usr", *chosen)
        if path != "/" and not any(path == one or path.startswith(one + "/") for one in seen):
            chosen.append(path)
    return chosen
