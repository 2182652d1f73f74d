"""What an app does with a sandbox, in the words that every SDK from 2.7 on understands.

Run by itself in an environment with one SDK release; the fake is found by the variables alone.
It imports nothing but that SDK. Prints one line a step; an assertion or exception fails it.
"""

import asyncio
import threading
import urllib.request
from importlib.metadata import version

from e2b import AsyncSandbox, Sandbox, SandboxQuery, SandboxState
from e2b.exceptions import NotFoundException, SandboxException, TimeoutException
from e2b.sandbox.commands.command_handle import CommandExitException, PtySize


def raised(kind, call):
    """The exception of `kind` that `call` raises."""
    try:
        answer = call()
    except kind as error:
        return error
    raise AssertionError(f"expected {kind.__name__}, got {answer!r}")


def commands(sandbox):
    result = sandbox.commands.run("echo out; echo err >&2")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "out\n", "err\n")
    pieces = []
    sandbox.commands.run("for i in 1 2 3; do echo $i; done", on_stdout=pieces.append)
    assert "".join(pieces) == "1\n2\n3\n"
    assert sandbox.commands.run("echo $A", envs={"A": "mine"}).stdout == "mine\n"
    failed = raised(CommandExitException, lambda: sandbox.commands.run("echo no >&2; exit 3"))
    assert (failed.exit_code, failed.stderr) == (3, "no\n")
    raised(TimeoutException, lambda: sandbox.commands.run("sleep 60", timeout=1))


def background(sandbox):
    sleeper = sandbox.commands.run("sleep 600", background=True, timeout=0)
    assert sleeper.pid in {process.pid for process in sandbox.commands.list()}
    assert sandbox.commands.kill(sleeper.pid) is True
    assert raised(CommandExitException, sleeper.wait).exit_code == -1
    assert sandbox.commands.kill(sleeper.pid) is False


def files(sandbox):
    sandbox.files.write("work/a.txt", "ü\n")
    assert sandbox.files.read("work/a.txt") == "ü\n"
    assert sandbox.commands.run("cat work/a.txt").stdout == "ü\n"
    assert [entry.name for entry in sandbox.files.list("work")] == ["a.txt"]
    sandbox.files.rename("work/a.txt", "work/b.txt")
    assert not sandbox.files.exists("work/a.txt")
    assert sandbox.files.make_dir("work") is False
    watcher = sandbox.files.watch_dir("work")
    sandbox.files.write("work/c.txt", "seen")
    seen = set()
    pause = threading.Event()
    for _ in range(100):
        seen |= {event.name for event in watcher.get_new_events()}
        if "c.txt" in seen:
            break
        pause.wait(0.05)
    assert "c.txt" in seen
    watcher.stop()
    sandbox.files.remove("work")
    raised(NotFoundException, lambda: sandbox.files.read("work/b.txt"))


def signed_urls(sandbox):
    sandbox.files.write("note.txt", "by URL")
    with urllib.request.urlopen(sandbox.download_url("note.txt"), timeout=10) as answer:
        assert answer.read() == b"by URL"


def terminal(sandbox):
    handle = sandbox.pty.create(size=PtySize(rows=24, cols=80), timeout=30)
    sandbox.pty.resize(handle.pid, PtySize(rows=40, cols=120))
    sandbox.pty.send_stdin(handle.pid, b"stty size; exit\n")
    shown = b"".join(data or b"" for _, _, data in handle)
    assert b"40 120" in shown


def listing(sandbox):
    query = SandboxQuery(metadata={"tour": "yes"}, state=[SandboxState.RUNNING])
    assert [item.sandbox_id for item in Sandbox.list(query=query).next_items()] == [
        sandbox.sandbox_id
    ]
    paginator, listed = Sandbox.list(limit=1), []
    other = Sandbox.create()
    while paginator.has_next:
        listed += paginator.next_items()
    assert {item.sandbox_id for item in listed} == {sandbox.sandbox_id, other.sandbox_id}
    assert other.kill() is True
    assert other.is_running() is False


def pausing(sandbox):
    (getattr(sandbox, "pause", None) and sandbox.pause()) or sandbox.beta_pause()
    assert sandbox.get_info().state == SandboxState.PAUSED
    again = Sandbox.connect(sandbox.sandbox_id)
    assert again.get_info().state == SandboxState.RUNNING
    # Handles from connect carry only a token in some releases.
    again.files.write("after.txt", "awake")
    assert again.files.read("after.txt") == "awake"
    assert again.commands.run("cat after.txt").stdout == "awake"


async def asynchronously():
    sandbox = await AsyncSandbox.create(envs={"WHO": "async"})
    assert (await sandbox.commands.run("echo $WHO")).stdout == "async\n"
    results = await asyncio.gather(*[sandbox.commands.run(f"echo {i}") for i in range(8)])
    assert [result.stdout for result in results] == [f"{i}\n" for i in range(8)]
    await sandbox.files.write("a.txt", "text")
    assert await sandbox.files.read("a.txt") == "text"
    assert await sandbox.kill() is True


def refusals(sandbox):
    assert sandbox.kill() is True
    assert sandbox.kill() is False
    raised(SandboxException, lambda: Sandbox.connect(sandbox.sandbox_id))
    raised(SandboxException, sandbox.get_info)


def main():
    sandbox = Sandbox.create(timeout=120, metadata={"tour": "yes"}, envs={"A": "global"})
    sandbox.set_timeout(300)
    for step in (commands, background, files, signed_urls, terminal, listing, pausing):
        step(sandbox)
        print(f"{step.__name__} ok", flush=True)
    asyncio.run(asynchronously())
    print("asynchronously ok")
    refusals(sandbox)
    print("refusals ok")
    print(f"e2b {version('e2b')} toured")


main()
