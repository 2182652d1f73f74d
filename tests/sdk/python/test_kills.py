"""Whatever a program does to stay, it ends with its sandbox."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

import psutil
import pytest
from e2b import Sandbox

from fake_e2b import FakeE2B
from fake_e2b.domain.ports import Capability
from tests.helpers.waiting import wait_until

MARKER = f"kills-{os.getpid()}"
DAEMON = """
import os, signal, time
for number in range(1, signal.NSIG):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
os.closerange(0, 3)
while True: time.sleep(1000)
"""
PARENT_AFTER_PARENT = """
import os, time
while True:  # each generation leaves as soon as there is a next one
    if os.fork(): os._exit(0)
    os.close(os.open("fleeing", os.O_CREAT))
    time.sleep(0.001)
"""


@pytest.fixture
def sandbox(fake: FakeE2B) -> Iterator[Sandbox]:
    if Capability.RECURSIVE_KILL not in fake._fake().runtime.capabilities:
        pytest.skip(f"not held here: {Capability.RECURSIVE_KILL.value}")
    yield Sandbox.create()
    assert marked() == []


def marked(mark: str = MARKER) -> list[int]:
    """Living processes that were given the mark, or one that begins with it."""
    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if any(word.startswith(mark) for word in process.info["cmdline"] or ())
    ]


_numbers = itertools.count()


def start(sandbox: Sandbox, command: str, *, user: str = "user") -> None:
    # A mark of its own: those before may still be forking.
    mark = f"{MARKER}-{next(_numbers)}-"
    command = command.replace(MARKER, mark)
    sandbox.commands.run(f"({command}) > /dev/null 2>&1 < /dev/null &", user=user)
    wait_until(lambda: marked(mark))


def start_fleeing(sandbox: Sandbox) -> None:
    """What may have left each process by the time that one looks at it says itself that it runs."""
    sandbox.files.write("fleeing.py", PARENT_AFTER_PARENT)
    command = f"python3 fleeing.py {MARKER}-{next(_numbers)}- > /dev/null 2>&1 < /dev/null &"
    sandbox.commands.run(command)
    wait_until(lambda: sandbox.files.exists("fleeing"))


def test_daemons_that_ignore_every_signal(sandbox: Sandbox) -> None:
    sandbox.files.write("daemon.py", DAEMON)
    start(sandbox, f"python3 daemon.py {MARKER}")
    start(sandbox, f"nohup setsid python3 daemon.py {MARKER}")
    start(sandbox, f"sudo -b setsid python3 daemon.py {MARKER}")
    other = Sandbox.create()
    assert sandbox.kill()
    assert marked() == []
    assert other.commands.run("echo fine").stdout == "fine\n"


def test_one_whose_generations_follow_each_other(sandbox: Sandbox) -> None:
    start_fleeing(sandbox)
    assert sandbox.kill()
    assert marked() == []


def test_namespaces_within_namespaces(sandbox: Sandbox, fake: FakeE2B) -> None:
    if Capability.OWN_PROCESSES not in fake._fake().runtime.capabilities:
        pytest.skip(f"not held here: {Capability.OWN_PROCESSES.value}")
    sandbox.files.write("daemon.py", DAEMON)
    program = f"python3 /home/user/daemon.py {MARKER}"
    for user in ("user", "root"):
        start(sandbox, f"unshare -Urpf sh -c '{program}; sleep 1000'", user=user)
        start(sandbox, f"unshare -Urpfmi unshare -Urpf sh -c '{program}; sleep 1000'", user=user)
    assert sandbox.kill()
    assert marked() == []


def test_a_paused_sandboxs_programs(sandbox: Sandbox) -> None:
    start_fleeing(sandbox)
    sandbox.pause()
    assert marked()
    assert sandbox.kill()
    assert marked() == []


def test_resetting_the_fake(sandbox: Sandbox, fake: FakeE2B) -> None:
    sandbox.files.write("daemon.py", DAEMON)
    start(sandbox, f"python3 daemon.py {MARKER}")
    fake.reset()
    assert marked() == []
