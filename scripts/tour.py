"""A tour of the fake with the published Python SDK: each step, its result and its time.

No account and no network are needed: a fake is started in this process. `scripts/demo` runs it.
"""

from __future__ import annotations

import argparse
import base64
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from e2b.exceptions import SandboxException, TimeoutException
from e2b.sandbox.commands.command_handle import CommandExitException, PtySize
from e2b_code_interpreter import Sandbox, SandboxQuery, SandboxState

from fake_e2b import FakeE2B

COLOUR = sys.stdout.isatty()
WIDTH = 76
Show = Callable[[object], None]


def dim(text: str) -> str:
    return f"\033[2m{text}\033[0m" if COLOUR else text


def bold(text: str) -> str:
    return f"\033[1m{text}\033[0m" if COLOUR else text


@contextmanager
def step(title: str) -> Iterator[Show]:
    """One line: what is done, what it gave, how long it took."""
    shown: list[str] = []
    start = time.perf_counter()
    yield lambda result: shown.append(" ".join(str(result).split()))
    took_ms = (time.perf_counter() - start) * 1000
    result = " ".join(shown)
    if len(result) > WIDTH:
        result = result[: WIDTH - 1] + "…"
    print(f"  {title:<46} {dim(f'{took_ms:8.1f} ms')}   {result}", flush=True)


def chapter(title: str) -> None:
    print(f"\n{bold(title)}")


def raised(kind: type[Exception], call: Callable[[], object]) -> str:
    try:
        call()
    except kind as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0].removesuffix(' and error:')}"
    raise AssertionError(f"{kind.__name__} was expected")


def commands(sandbox: Sandbox) -> None:
    chapter("Commands are real processes")
    with step('commands.run("echo hello | tr a-z A-Z")') as show:
        show(repr(sandbox.commands.run("echo hello | tr a-z A-Z").stdout))
    with step("output arrives while the command runs") as show:
        arrived: list[str] = []
        sandbox.commands.run(
            "for i in 1 2 3; do echo $i; sleep 0.05; done", on_stdout=arrived.append
        )
        show(f"{len(arrived)} pieces: {arrived}")
    with step("an exit code is an exception") as show:
        show(raised(CommandExitException, lambda: sandbox.commands.run("exit 3")))
    with step("background, list, kill") as show:
        sleeper = sandbox.commands.run("sleep 600", background=True, timeout=0)
        listed = [process.pid for process in sandbox.commands.list()]
        show(f"pid {sleeper.pid} in {listed}; killed: {sleeper.kill()}")
    with step("a timeout ends the process") as show:
        show(raised(TimeoutException, lambda: sandbox.commands.run("sleep 60", timeout=0.2)))


def files(sandbox: Sandbox) -> None:
    chapter("Files are real files")
    with step("files.write, then cat") as show:
        sandbox.files.write("notes/today.txt", "buy milk")
        show(repr(sandbox.commands.run("cat notes/today.txt").stdout))
    with step("files.list") as show:
        show([(entry.name, entry.permissions) for entry in sandbox.files.list("notes")])
    with step("a watcher sees what a command does") as show:
        watcher = sandbox.files.watch_dir("notes")
        sandbox.commands.run("mv notes/today.txt notes/done.txt")
        events = watcher.get_new_events()
        deadline = time.monotonic() + 5
        while len(events) < 2 and time.monotonic() < deadline:
            events += watcher.get_new_events()
        show([(event.name, event.type.value) for event in events])
        watcher.stop()
    url = sandbox.download_url("notes/done.txt")
    with step("a signed URL needs no key") as show, urllib.request.urlopen(url) as answer:
        show(answer.read())


def terminal(sandbox: Sandbox) -> None:
    chapter("Terminals are real terminals")
    with step("pty.create, resize, stty size") as show:
        handle = sandbox.pty.create(size=PtySize(rows=24, cols=80), timeout=30)
        sandbox.pty.resize(handle.pid, PtySize(rows=50, cols=132))
        sandbox.pty.send_stdin(handle.pid, b"stty size; exit\n")
        screen = b"".join(data or b"" for _, _, data in handle).decode()
        show(next(line for line in screen.splitlines() if line.strip() == "50 132"))


def code(sandbox: Sandbox) -> None:
    chapter("The code interpreter runs IPython")
    with step("run_code keeps its state") as show:
        sandbox.run_code("x = 20")
        show(sandbox.run_code("x + 1").text)
    with step("an error comes with its traceback") as show:
        error = sandbox.run_code("1 / 0").error
        assert error is not None
        show(f"{error.name}: {error.value}")
    with step("a figure comes as PNG") as show:
        drawn = sandbox.run_code("import matplotlib.pyplot as plt; plt.plot([3, 1, 2]); plt.show()")
        if drawn.error is not None:
            show(f"{drawn.error.name}: {drawn.error.value}")
        else:
            show(f"{len(base64.b64decode(drawn.results[0].png or ''))} bytes")


def listing(sandbox: Sandbox) -> None:
    chapter("The control plane knows them all")
    with step("3 more sandboxes") as show:
        others = [Sandbox.create(metadata={"batch": str(n % 2)}) for n in range(3)]
        show([other.sandbox_id[:6] + "…" for other in others])
    with step("pages of 2") as show:
        paginator, sizes = Sandbox.list(limit=2), []
        while paginator.has_next:
            sizes.append(len(paginator.next_items()))
        show(sizes)
    with step("filter by metadata") as show:
        found = Sandbox.list(query=SandboxQuery(metadata={"batch": "0"})).next_items()
        show(f"{len(found)} of batch 0")
    with step("pause, connect: memory is kept") as show:
        sandbox.run_code("kept = 'in memory'")
        sandbox.pause()
        paused = sandbox.get_info().state == SandboxState.PAUSED
        again = Sandbox.connect(sandbox.sandbox_id)
        show(f"paused: {paused}; kept: {again.run_code('kept').text}")


def time_travel(fake: FakeE2B, sandbox: Sandbox) -> None:
    chapter("Time is yours")
    with step("set_timeout(600), clock.advance(601)") as show:
        sandbox.set_timeout(600)
        fake.clock.advance(seconds=601)
        show(raised(SandboxException, lambda: Sandbox.connect(sandbox.sandbox_id)))
    with step("kill what is left") as show:
        left = [item.sandbox_id for item in Sandbox.list().next_items()]
        left += [Sandbox.create().sandbox_id]
        show([Sandbox.kill(sandbox_id) for sandbox_id in left])


def main(profile: str | None = None, seed: int | None = None) -> None:
    print(bold("fake-e2b: the published E2B SDK, without an account or a network"))
    chapter("Start")
    with step("FakeE2B().start()") as show:
        fake = FakeE2B(clock="manual", profile=profile, seed=seed).start()
        show(fake.url)
    try:
        with step("Sandbox.create()") as show:
            sandbox = Sandbox.create(metadata={"tour": "yes"}, envs={"WHO": "you"}, timeout=300)
            show(sandbox.sandbox_id)
        commands(sandbox)
        files(sandbox)
        terminal(sandbox)
        code(sandbox)
        listing(sandbox)
        time_travel(fake, sandbox)
    finally:
        chapter("Stop")
        with step("fake.stop()"):
            fake.stop()


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--profile", help="a set of faults, see docs/faults.md")
    options.add_argument("--seed", type=int)
    main(**vars(options.parse_args()))
