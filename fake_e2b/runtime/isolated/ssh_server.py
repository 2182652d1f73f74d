"""What makes the machine's OpenSSH server work in a sandbox, where there is one.

Its settings and keys are the machine's own affair: a sandbox has an `/etc/ssh` of its own, without
keys (`ssh-keygen -A` makes some), whose server lets `root` and `user` in without a password.

Where a sandbox has a single id, a server that starts as root cannot give up its rights, and ends.
There `/usr/sbin/sshd` starts as `user`, whom alone it lets in.

Fact: sandbox.sshd
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress

from fake_e2b.runtime import skeleton
from fake_e2b.runtime.isolated.marks import hide_below

_SETTINGS = "/etc/ssh"
_PROGRAM = "/usr/sbin/sshd"
_MOVED_PROGRAM = "usr/lib/fake-e2b/sshd"
_COPIED = ("ssh_config", "moduli")
_CONFIG = """\
# sshd of a fake-e2b sandbox: no passwords, as the sandbox's users have none.
Include /etc/ssh/sshd_config.d/*.conf
PermitRootLogin {root}
PasswordAuthentication yes
PermitEmptyPasswords yes
KbdInteractiveAuthentication no
UsePAM no
PrintMotd no
AcceptEnv LANG LC_*
Subsystem sftp internal-sftp
"""
_AS_USER = f"""\
#!/bin/sh
# This sandbox has a single id: the server runs as the user whom it lets in.
case $(id -u) in
  0) exec unshare --user --map-user=1000 --map-group=1000 -- /{_MOVED_PROGRAM} "$@" ;;
  *) exec /{_MOVED_PROGRAM} "$@" ;;
esac
"""


def write_ssh_server(layer: str, *, really: bool) -> bool:
    """Write what the server needs into the layer; nothing where the machine has none.

    Args:
        really: Whether the sandbox's users have ids of their own.

    Returns:
        Whether nothing of the machine's `/etc/ssh` shows any more.
    """
    if not os.path.isdir(_SETTINGS):
        return False
    own = f"{layer}{_SETTINGS}"
    for name in ("", "/ssh_config.d", "/sshd_config.d"):
        os.makedirs(f"{own}{name}", 0o755, exist_ok=True)
    for name in _COPIED:
        with suppress(OSError):
            shutil.copyfile(f"{_SETTINGS}/{name}", f"{own}/{name}")
            os.chmod(f"{own}/{name}", 0o644)
    skeleton.write(f"{own}/sshd_config", _CONFIG.format(root="yes" if really else "no"))
    if not really and os.path.isfile(_PROGRAM):
        with suppress(OSError):
            shutil.copyfile(_PROGRAM, f"{layer}/{_MOVED_PROGRAM}")
            os.chmod(f"{layer}/{_MOVED_PROGRAM}", 0o755)
            os.makedirs(f"{layer}/usr/sbin", 0o755, exist_ok=True)
            skeleton.write(f"{layer}{_PROGRAM}", _AS_USER, 0o755)
    return hide_below(own)
