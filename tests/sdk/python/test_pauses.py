"""What stands still in a paused sandbox, and what is there again afterwards."""

from __future__ import annotations

import os
from datetime import datetime, timedelta

import psutil
import pytest
from e2b import CommandHandle, PtySize, Sandbox
from e2b.exceptions import NotFoundException

from fake_e2b import FakeE2B
from fake_e2b.domain.ports import Capability
from tests.helpers.waiting import wait_until

MARKER = f"pauses-{os.getpid()}"

# Counts, starts programs without end, and tells each other through a socket, a file that has no
# name any more, and memory.
BUSY = """
import os, socket, sys, threading, time
file = open("gone", "w+"); os.unlink("gone"); file.write("kept"); file.flush()
listening = socket.create_server(("127.0.0.1", 0))
near = socket.create_connection(listening.getsockname()); far, _ = listening.accept()
memory = bytearray(os.urandom(1 << 20)); told = hash(bytes(memory))
def storm():
    while True:
        if not os.fork(): os._exit(0)
        os.wait()
threading.Thread(target=storm, daemon=True).start()
def count():
    number = 0
    while True:
        number += 1
        with open("count.new", "w") as out: out.write(str(number))
        os.rename("count.new", "count")
threading.Thread(target=count, daemon=True).start()
print("ready", flush=True)
line = sys.stdin.readline().strip()
near.sendall(b"through"); file.seek(0)
print(line, far.recv(7).decode(), file.read(), hash(bytes(memory)) == told, flush=True)
os._exit(0)
"""


def marked() -> list[psutil.Process]:
    """The programs of the sandbox on the host."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if MARKER in (process.info["cmdline"] or ()):
            found.append(process)
    return found


def ticks() -> float:
    times = [process.cpu_times() for process in marked()]
    return sum(
        each.user + each.system + each.children_user + each.children_system for each in times
    )


def count(sandbox: Sandbox) -> int:
    return int(sandbox.files.read("count"))


def test_everything_stands_still_and_goes_on(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    sandbox.files.write("busy.py", BUSY)
    busy = sandbox.commands.run(f"exec python3 busy.py {MARKER}", background=True, stdin=True)
    assert next(iter(busy))[0] == "ready\n"
    wait_until(lambda: sandbox.files.exists("count"))
    others = [Sandbox.create() for _ in range(2)]
    sandbox.pause()
    spent, states = ticks(), {process.status() for process in marked()}
    assert states == {psutil.STATUS_STOPPED}
    for other in others:  # time passes meanwhile
        assert other.commands.run("sleep 0.1; echo fine").stdout == "fine\n"
    assert ticks() == spent
    sandbox.connect()
    before = count(sandbox)
    wait_until(lambda: count(sandbox) > before)
    again = sandbox.commands.connect(busy.pid)
    sandbox.commands.send_stdin(busy.pid, "hello\n")
    assert again.wait().stdout == "hello through kept True\n"


def test_it_cannot_be_continued_from_inside(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    awake = "while True: os.kill(0, signal.SIGCONT)"
    sandbox.files.write("awake.py", f"import os, signal\nprint('ready', flush=True)\n{awake}")
    program = sandbox.files.get_info("awake.py").path
    runners = [
        sandbox.commands.run(f"exec python3 ~/awake.py {MARKER}", background=True),
        sandbox.commands.run(f"cd; exec python3 {program} {MARKER}", background=True, user="root"),
    ]
    if Capability.SAME_PATHS not in fake._fake().runtime.capabilities:
        del runners[1]
    for runner in runners:
        assert next(iter(runner))[0] == "ready\n"
    sandbox.pause()
    spent = ticks()
    Sandbox.create().commands.run("sleep 0.2")
    assert ticks() == spent
    sandbox.kill()
    assert marked() == []


def test_a_terminal_and_a_timer_go_on(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    terminal = sandbox.pty.create(PtySize(rows=24, cols=80))
    line = b"echo wait''ing; read -r word; sleep 0.3; echo got-$word-$?\n"
    sandbox.pty.send_stdin(terminal.pid, line)
    read_until(terminal, b"waiting\r\n")
    sandbox.pause()
    sandbox.connect()
    again = sandbox.pty.connect(terminal.pid)
    sandbox.pty.send_stdin(terminal.pid, b"one\n")
    read_until(again, b"got-one-0\r\n")
    assert again.kill()


def read_until(terminal: CommandHandle, text: bytes) -> None:
    """Read a terminal on; only what is asked for next is sent next, as people do."""
    seen = b""
    for _, _, data in terminal:
        seen += data or b""
        if text in seen:
            return
    raise AssertionError(f"ended without {text!r}: {seen!r}")


def test_files_alone_are_kept_by_a_filesystem_pause(fake: FakeE2B) -> None:
    sandbox = Sandbox.create(envs={"COLOUR": "red"})
    sandbox.files.write("kept", "k")
    sleeper = sandbox.commands.run(f"exec sleep 1000 {MARKER}", background=True)
    assert sandbox.pause(mode="filesystem")
    assert marked() == []
    sandbox.connect()
    assert sandbox.files.read("kept") == "k"
    assert sandbox.commands.list() == []
    with pytest.raises(NotFoundException):
        sandbox.commands.connect(sleeper.pid)


def test_a_reboot_starts_from_the_files(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    sandbox.files.write("kept", "k")
    sandbox.commands.run("sleep 1000", background=True)
    sandbox.pause()
    sandbox.connect(on_resume="reboot")
    assert sandbox.commands.list() == []
    assert sandbox.files.read("kept") == "k"
    # To one that runs it means nothing.
    runner = sandbox.commands.run("sleep 1000", background=True)
    sandbox.connect(on_resume="reboot")
    assert [one.pid for one in sandbox.commands.list()] == [runner.pid]


@pytest.mark.parametrize("mode", ["full", "filesystem"])
def test_time_pauses_as_the_lifecycle_says(mode: str) -> None:
    with FakeE2B(clock="manual") as fake:
        sandbox = Sandbox.create(
            timeout=60, lifecycle={"on_timeout": {"action": "pause", "mode": mode}}
        )
        sandbox.files.write("kept", "k")
        sandbox.commands.run("sleep 1000", background=True)
        fake.clock.advance(seconds=61)
        wait_until(lambda: sandbox.get_info().state.value == "paused")
        assert not sandbox.is_running()
        sandbox.connect(timeout=120)
        info = sandbox.get_info()
        assert info.end_at - info.started_at == timedelta(seconds=120)
        assert isinstance(info.end_at, datetime)
        assert sandbox.files.read("kept") == "k"
        assert len(sandbox.commands.list()) == (1 if mode == "full" else 0)
