"""What an app does with a sandbox, in the words that every SDK from 1.0 to 2.6 understands.

    python old_tour.py outside    in an environment whose variables lead to a fake
    python old_tour.py code       the same, and runs code
    python old_tour.py inside     with a fake of its own, in a plain `with FakeE2B():`

Prints one line a step; an assertion or exception fails it.
"""

import asyncio
import contextlib
import inspect
import sys
import threading
import urllib.request
from importlib.metadata import version

from e2b import AsyncSandbox, Sandbox
from e2b.sandbox.commands.command_handle import CommandExitException, PtySize

OLD_IDS = version("e2b").startswith(("1.0.", "1.1.", "1.2.", "1.3.", "1.4.", "1.5."))


def create(kind, **options):
    """SDKs before 2.0 create by the constructor; async ones always by `create`."""
    return getattr(kind, "create", kind)(**options)


def raised(kind, call):
    """The exception of `kind` that `call` raises."""
    try:
        answer = call()
    except kind as error:
        return error
    raise AssertionError(f"expected {kind.__name__}, got {answer!r}")


def identity(sandbox):
    assert sandbox.sandbox_id.endswith("-6532622b") == OLD_IDS
    assert sandbox.get_host(3000).startswith(f"3000-{sandbox.sandbox_id}.e2b.localhost:")
    assert sandbox.is_running()


def commands(sandbox):
    result = sandbox.commands.run("echo out; echo err >&2; echo $A")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "out\nglobal\n", "err\n")
    pieces = []
    sandbox.commands.run("for i in 1 2 3; do echo $i; done", on_stdout=pieces.append)
    assert "".join(pieces) == "1\n2\n3\n"
    failed = raised(CommandExitException, lambda: sandbox.commands.run("echo no >&2; exit 3"))
    assert (failed.exit_code, failed.stderr) == (3, "no\n")


def background(sandbox):
    takes_stdin = "stdin" in inspect.signature(sandbox.commands.run).parameters
    reader = sandbox.commands.run(
        "read line; echo got $line", background=True, **({"stdin": True} if takes_stdin else {})
    )
    sandbox.commands.send_stdin(reader.pid, "typed\n")
    assert reader.wait().stdout == "got typed\n"
    sleeper = sandbox.commands.run("sleep 600", background=True, timeout=0)
    assert sleeper.pid in {process.pid for process in sandbox.commands.list()}
    assert sandbox.commands.kill(sleeper.pid) is True
    raised(CommandExitException, sleeper.wait)


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


def links(sandbox):
    sandbox.files.write("index.html", "<h1>hi</h1>")
    program = (
        "import http.server as h; s = h.HTTPServer(('127.0.0.1', 0), h.SimpleHTTPRequestHandler);"
        "print(s.server_port, flush=True); s.serve_forever()"
    )
    sandbox.files.write("serve.py", program)
    sandbox.commands.run("python3 serve.py > port 2> errors < /dev/null &")
    port = sandbox.commands.run("until [ -s port ]; do sleep 0.05; done; cat port").stdout
    for scheme in ("http", "https"):
        link = f"{scheme}://{sandbox.get_host(int(port))}/"
        with urllib.request.urlopen(link, timeout=10) as answer:
            assert answer.read() == b"<h1>hi</h1>"


def listing(sandbox):
    sandbox.set_timeout(300)
    listed = Sandbox.list()
    listed = listed.next_items() if hasattr(listed, "next_items") else listed
    assert [item.sandbox_id for item in listed] == [sandbox.sandbox_id]
    if hasattr(sandbox, "get_info"):
        assert sandbox.get_info().metadata == {"tour": "yes"}


def connecting(sandbox):
    sandbox.files.write("kept.txt", "kept")
    if hasattr(sandbox, "beta_pause"):
        sandbox.beta_pause()
        assert not sandbox.is_running()
    again = Sandbox.connect(sandbox.sandbox_id)
    assert again.sandbox_id == sandbox.sandbox_id
    assert again.commands.run("cat kept.txt").stdout == "kept"
    assert again.files.read("kept.txt") == "kept"


async def asynchronously():
    sandbox = await AsyncSandbox.create(envs={"WHO": "async"})
    assert (await sandbox.commands.run("echo $WHO")).stdout == "async\n"
    results = await asyncio.gather(*[sandbox.commands.run(f"echo {i}") for i in range(8)])
    assert [result.stdout for result in results] == [f"{i}\n" for i in range(8)]
    await sandbox.files.write("a.txt", "text")
    assert await sandbox.files.read("a.txt") == "text"
    await sandbox.kill()


def ending(sandbox):
    sleeper = sandbox.commands.run("sleep 600", background=True, timeout=0)
    sandbox.kill()
    raised(Exception, sleeper.wait)
    assert not sandbox.is_running()
    # The first releases connect without asking.
    raised(Exception, lambda: Sandbox.connect(sandbox.sandbox_id).commands.run("true"))


def code():
    """A cell in each of the interpreter's sandboxes."""
    from e2b_code_interpreter import AsyncSandbox as AsyncInterpreter
    from e2b_code_interpreter import Sandbox as Interpreter

    interpreter = create(Interpreter)
    interpreter.run_code("x = 20")
    assert interpreter.run_code("x + 1").text == "21"
    assert interpreter.run_code("1 / 0").error.name == "ZeroDivisionError"
    interpreter.kill()

    async def run():
        interpreter = await AsyncInterpreter.create()
        assert (await interpreter.run_code("2 + 2")).text == "4"
        await interpreter.kill()

    asyncio.run(run())


STEPS = (identity, commands, background, files, terminal, links, listing, connecting)


def tour():
    sandbox = create(Sandbox, timeout=120, metadata={"tour": "yes"}, envs={"A": "global"})
    for step in STEPS:
        step(sandbox)
        print(f"{step.__name__} ok", flush=True)
    asyncio.run(asynchronously())
    print("asynchronously ok", flush=True)
    ending(sandbox)
    print("ending ok")


def main(where):
    # The fake that is started inside comes with no kernels: IPython is not installed there.
    if where == "inside":
        from fake_e2b import FakeE2B

        place = FakeE2B()
    else:
        place = contextlib.nullcontext()
    with place:
        tour()
        if where == "code":
            code()
            print("code ok")
    print(f"e2b {version('e2b')} toured")


main(sys.argv[1])
