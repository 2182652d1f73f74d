"""Steps of both tours, in the words that every SDK from 1.0 on understands.

It imports nothing but that SDK. Each step is given a sandbox with the variable A=global.
"""

import asyncio
import threading
import urllib.request

from e2b import AsyncSandbox
from e2b.sandbox.commands.command_handle import CommandExitException, PtySize


def raised(kind, call):
    """The exception of `kind` that `call` raises."""
    try:
        answer = call()
    except kind as error:
        return error
    raise AssertionError(f"expected {kind.__name__}, got {answer!r}")


def commands(sandbox):
    result = sandbox.commands.run("echo out; echo err >&2; echo $A")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "out\nglobal\n", "err\n")
    pieces = []
    sandbox.commands.run("for i in 1 2 3; do echo $i; done", on_stdout=pieces.append)
    assert "".join(pieces) == "1\n2\n3\n"
    failed = raised(CommandExitException, lambda: sandbox.commands.run("echo no >&2; exit 3"))
    assert (failed.exit_code, failed.stderr) == (3, "no\n")


def killing(sandbox):
    """Gives the PID of what was killed, and how its waiting ended."""
    sleeper = sandbox.commands.run("sleep 600", background=True, timeout=0)
    assert sleeper.pid in {process.pid for process in sandbox.commands.list()}
    assert sandbox.commands.kill(sleeper.pid) is True
    return sleeper.pid, raised(CommandExitException, sleeper.wait)


def files(sandbox):
    sandbox.files.write("work/a.txt", "ü\n")
    assert sandbox.files.read("work/a.txt") == "ü\n"
    assert sandbox.commands.run("cat work/a.txt").stdout == "ü\n"
    assert [entry.name for entry in sandbox.files.list("work")] == ["a.txt"]
    sandbox.files.rename("work/a.txt", "work/b.txt")
    assert not sandbox.files.exists("work/a.txt")
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
    with urllib.request.urlopen(sandbox.download_url("work/c.txt"), timeout=10) as answer:
        assert answer.read() == b"seen"
    sandbox.files.remove("work")


def terminal(sandbox):
    handle = sandbox.pty.create(size=PtySize(rows=24, cols=80), timeout=30)
    sandbox.pty.resize(handle.pid, PtySize(rows=40, cols=120))
    sandbox.pty.send_stdin(handle.pid, b"stty size; exit\n")
    shown = b"".join(data or b"" for _, _, data in handle)
    assert b"40 120" in shown


async def asynchronously():
    sandbox = await AsyncSandbox.create(envs={"WHO": "async"})
    assert (await sandbox.commands.run("echo $WHO")).stdout == "async\n"
    results = await asyncio.gather(*[sandbox.commands.run(f"echo {i}") for i in range(8)])
    assert [result.stdout for result in results] == [f"{i}\n" for i in range(8)]
    await sandbox.files.write("a.txt", "text")
    assert await sandbox.files.read("a.txt") == "text"
    return await sandbox.kill()
