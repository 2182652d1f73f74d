"""Whether this machine grants what the `isolated` runtime needs: by making a guest."""

from __future__ import annotations

import errno
import os
import socket
import sys
import time
from dataclasses import dataclass

from fake_e2b.runtime.guest.frames import FrameReader, Message, send
from fake_e2b.runtime.guest.helper import Helper
from fake_e2b.runtime.isolated.identity import Ids, find_ids
from fake_e2b.runtime.run_folder import RunFolder

_DEADLINE_S = 10.0


@dataclass(frozen=True, slots=True)
class Grant:
    """What the machine grants.

    Attributes:
        ids: Whose ids the guests' users have.
        refusal: Why there can be no guest, in a sentence; None if there can.
    """

    ids: Ids
    refusal: str | None = None


def probe(folder: str | None = None) -> Grant:
    """Make a guest and end it; blocking, some tens of milliseconds."""
    ids = find_ids()
    refusal = _try(folder, ids)
    if refusal is not None and ids.delegated:
        single = ids.refused(refusal)
        return Grant(single, _try(folder, single))
    return Grant(ids, refusal)


def _try(folder: str | None, ids: Ids) -> str | None:
    if sys.platform != "linux":
        return "it needs Linux namespaces"
    run = RunFolder(folder)
    helper = Helper(run.path, run.lock_fd, ids.namespace())
    try:
        guest = f"{run.path}/probe"
        for path in (f"{guest}/root", f"{guest}/upper", f"{guest}/work"):
            os.makedirs(path)
        helper.start()
        with helper.fork_agent(
            "guest",
            folder=guest,
            layer=f"{run.path}/layer",
            range=ids.really,
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
        return explain(error.errno or 0, f"the helper does not work: {error.strerror or error}")
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
    hint = _hint(number, text)
    return f"{text or os.strerror(number)}{'; ' + hint if hint else ''}"


def _hint(number: int, text: str) -> str:
    if number == errno.EAGAIN:
        return "this user may run no more processes: raise the limit (ulimit -u)"
    limit = _read("/proc/sys/user/max_user_namespaces")
    if limit == "0":
        return "allow user namespaces: sysctl user.max_user_namespaces=15000"
    if _read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1":
        return "let AppArmor allow them: sysctl kernel.apparmor_restrict_unprivileged_userns=0"
    if _read("/proc/sys/kernel/unprivileged_userns_clone") == "0":
        return "allow user namespaces: sysctl kernel.unprivileged_userns_clone=1"
    if text.startswith(("clone", "unshare")):
        return (
            "a container's seccomp filter or a chroot forbids namespaces, most likely "
            "(docker run --security-opt seccomp=unconfined allows them)"
        )
    if "overlay" in text:
        return "the temporary folder must be on ext4, xfs, btrfs or tmpfs (set TMPDIR)"
    if text.startswith("the map of ids"):
        return "this root has lost rights that it needs to be root of a namespace (CAP_SETFCAP)"
    if text.startswith("mount proc"):
        return (
            "parts of /proc are masked, as in a container: a new one may not show what they hide "
            "(docker run --security-opt systempaths=unconfined, podman --security-opt unmask=ALL)"
        )
    if text.startswith("mount"):
        return "mounting is forbidden: by a seccomp filter or AppArmor, most likely"
    return ""


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return ""
