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
import urllib.request
from importlib.metadata import version

import steps
from e2b import Sandbox
from steps import raised

OLD_IDS = version("e2b").startswith(("1.0.", "1.1.", "1.2.", "1.3.", "1.4.", "1.5."))


def create(kind, **options):
    """SDKs before 2.0 create by the constructor; async ones always by `create`."""
    return getattr(kind, "create", kind)(**options)


def identity(sandbox):
    assert sandbox.sandbox_id.endswith("-6532622b") == OLD_IDS
    assert sandbox.get_host(3000).startswith(f"3000-{sandbox.sandbox_id}.e2b.localhost:")
    assert sandbox.is_running()


def background(sandbox):
    takes_stdin = "stdin" in inspect.signature(sandbox.commands.run).parameters
    reader = sandbox.commands.run(
        "read line; echo got $line", background=True, **({"stdin": True} if takes_stdin else {})
    )
    sandbox.commands.send_stdin(reader.pid, "typed\n")
    assert reader.wait().stdout == "got typed\n"
    steps.killing(sandbox)


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


STEPS = (
    identity,
    steps.commands,
    background,
    steps.files,
    steps.terminal,
    links,
    listing,
    connecting,
)


def tour():
    sandbox = create(Sandbox, timeout=120, metadata={"tour": "yes"}, envs={"A": "global"})
    for step in STEPS:
        step(sandbox)
        print(f"{step.__name__} ok", flush=True)
    asyncio.run(steps.asynchronously())
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
