"""Settings by which the machine's programs fit a sandbox: without a network, with its own users.

Its time is UTC, and login shells hear nothing of the machine's own variables. Package managers ask
a server again and again when they cannot reach it, for up to minutes; in a sandbox it never is.
The machine's own settings, which may hold addresses and passwords, are not the sandbox's.

Facts: fake.network.none, sandbox.packages
"""

from __future__ import annotations

import os

from fake_e2b.runtime import skeleton
from fake_e2b.runtime.isolated.marks import hide_below

_PIP = """\
[global]
retries = 0
disable-pip-version-check = true

[install]
break-system-packages = true
"""
_NPM = "fetch-retries=0\naudit=false\nfund=false\nupdate-notifier=false\n"
_APT = 'Acquire::Retries "0";\n'
_APT_SINGLE_ID = 'APT::Sandbox::User "root";\n'
_RESOLVER = "nameserver 8.8.8.8\n"
_LOCKS = ("etc/.pwd.lock", "var/lib/dpkg/lock", "var/lib/dpkg/lock-frontend")
"""Whoever changes users or packages must be able to open these; the machine's root's are closed."""


def write_settings(layer: str, *, really: bool) -> None:
    """Write them into the layer.

    Args:
        really: Whether the sandbox's users have ids of their own.
    """
    files = {
        "etc/resolv.conf": _RESOLVER,
        "etc/timezone": "Etc/UTC\n",
        "etc/subuid": "",
        "etc/subgid": "",
        "etc/pip.conf": _PIP,
        # npm looks below the prefix it was installed to; Debian's in /etc.
        "etc/npmrc": _NPM,
        "usr/etc/npmrc": _NPM,
    }
    if os.path.isdir("/etc/apt/apt.conf.d"):
        # With a single id there is no other user for its downloads.
        files["etc/apt/apt.conf.d/99fake-e2b"] = _APT + ("" if really else _APT_SINGLE_ID)
    for name, text in (*files.items(), *((lock, "") for lock in _LOCKS)):
        os.makedirs(os.path.dirname(f"{layer}/{name}"), exist_ok=True)
        skeleton.write(f"{layer}/{name}", text, 0o600 if name in _LOCKS else 0o644)
    os.symlink("/usr/share/zoneinfo/Etc/UTC", f"{layer}/etc/localtime")
    # What the machine's login shells are told: proxies, paths, languages.
    os.makedirs(f"{layer}/etc/profile.d")
    hide_below(f"{layer}/etc/profile.d")
