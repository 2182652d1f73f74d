"""What an app does with a sandbox, in the words that every SDK from 2.7 on understands.

Run by itself in an environment with one SDK release; the fake is found by the variables alone.
It imports nothing but that SDK and `steps`. Prints one line a step; what is raised fails it.
"""

import asyncio
from importlib.metadata import version

import steps
from e2b import Sandbox, SandboxQuery, SandboxState
from e2b.exceptions import NotFoundException, SandboxException, TimeoutException
from steps import raised


def commands(sandbox):
    steps.commands(sandbox)
    assert sandbox.commands.run("echo $A", envs={"A": "mine"}).stdout == "mine\n"
    raised(TimeoutException, lambda: sandbox.commands.run("sleep 60", timeout=1))


def background(sandbox):
    pid, ended = steps.killing(sandbox)
    assert ended.exit_code == -1
    assert sandbox.commands.kill(pid) is False


def files(sandbox):
    assert sandbox.files.make_dir("work") is True
    assert sandbox.files.make_dir("work") is False
    steps.files(sandbox)
    raised(NotFoundException, lambda: sandbox.files.read("work/b.txt"))


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


def refusals(sandbox):
    assert sandbox.kill() is True
    assert sandbox.kill() is False
    raised(SandboxException, lambda: Sandbox.connect(sandbox.sandbox_id))
    raised(SandboxException, sandbox.get_info)


def main():
    sandbox = Sandbox.create(timeout=120, metadata={"tour": "yes"}, envs={"A": "global"})
    sandbox.set_timeout(300)
    for step in (commands, background, files, steps.terminal, listing, pausing):
        step(sandbox)
        print(f"{step.__name__} ok", flush=True)
    assert asyncio.run(steps.asynchronously()) is True
    print("asynchronously ok")
    refusals(sandbox)
    print("refusals ok")
    print(f"e2b {version('e2b')} toured")


main()
