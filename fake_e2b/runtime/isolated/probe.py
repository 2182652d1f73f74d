"""Whether this machine grants what the `isolated` runtime needs: by making a guest."""

from __future__ import annotations

import os
import socket
import sys
import time

from fake_e2b.runtime.guest.frames import FrameReader, Message, send
from fake_e2b.runtime.guest.helper import Helper
from fake_e2b.runtime.isolated.identity import can_map_range
from fake_e2b.runtime.run_folder import RunFolder

_DEADLINE_S = 10.0


def probe(folder: str | None = None) -> str | None:
    """Make a guest and end it; blocking, some tens of milliseconds.

    Returns:
        None if it works, else the reason in a sentence.
    """
    if sys.platform != "linux":
        return "it needs Linux namespaces"
    run = RunFolder(folder)
    helper = Helper(run.path, run.lock_fd)
    try:
        guest = f"{run.path}/probe"
        for path in (f"{guest}/root", f"{guest}/upper", f"{guest}/work"):
            os.makedirs(path)
        helper.start()
        with helper.fork_agent(
            "guest",
            folder=guest,
            layer=f"{run.path}/layer",
            range=can_map_range(),
            expose=[],
            run=run.path,
            root_below=[],
            below={},
            disk_mb=None,
            memory_mb=None,
        ) as sock:
            sock.settimeout(_DEADLINE_S)
            answer = _first_answer(sock)
    except OSError as error:
        return f"the helper does not work: {error}"
    finally:
        helper.close_now()
        run.close()
    if answer is None:
        return "a guest ends before it is up"
    if "errno" in answer:
        return explain(answer["errno"], answer.get("text", ""))
    return None


def _first_answer(sock: socket.socket) -> Message | None:
    reader = FrameReader()
    send(sock, {"op": "ping", "re": 0})
    until = time.monotonic() + _DEADLINE_S
    while time.monotonic() < until:
        if not reader.read(sock):
            return None
        for message, _ in reader.frames():
            return message
    return None


def explain(number: int, text: str) -> str:
    """The kernel's refusal, and what to do about it."""
    hint = _hint(text)
    return f"{text or os.strerror(number)}{'; ' + hint if hint else ''}"


def _hint(text: str) -> str:
    limit = _read("/proc/sys/user/max_user_namespaces")
    if limit == "0":
        return "allow user namespaces: sysctl user.max_user_namespaces=15000"
    if _read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1":
        return "let AppArmor allow them: sysctl kernel.apparmor_restrict_unprivileged_userns=0"
    if _read("/proc/sys/kernel/unprivileged_userns_clone") == "0":
        return "allow user namespaces: sysctl kernel.unprivileged_userns_clone=1"
    if text.startswith("clone"):
        return "a container's seccomp filter forbids namespaces, most likely"
    if "overlay" in text:
        return "the temporary folder must be on ext4, xfs, btrfs or tmpfs (set TMPDIR)"
    if "proc" in text:
        return "the container masks parts of /proc"
    return ""


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return ""
