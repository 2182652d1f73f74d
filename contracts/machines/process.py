"""Background processes of one sandbox: start, feed, end, list, in any order.

Normalised before comparing: the order of the process list, which the service leaves open.
"""

from __future__ import annotations

from e2b import CommandHandle, Sandbox
from e2b.exceptions import NotFoundException
from e2b.sandbox.commands.command_handle import CommandExitException, CommandResult
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
)

from ..refusal import refusal_of
from ..strategies import EXIT_CODES, INPUT_LINES
from ..target import Target


class Processes(RuleBasedStateMachine):
    """Set `target` in a subclass, or take `make_machine`.

    Fact: envd.process.list
    Fact: envd.process.end
    """

    target: Target
    running = Bundle("running")
    ended = Bundle("ended")

    def __init__(self) -> None:
        super().__init__()
        self.sandbox = Sandbox.create("base", timeout=120, **self.target.connection())
        self.fed: dict[int, str] = {}
        self.handles: dict[int, CommandHandle] = {}

    def teardown(self) -> None:
        self.sandbox.kill()

    @rule(target=running)
    def start_cat(self) -> int:
        handle = self.sandbox.commands.run("cat", background=True, stdin=True, timeout=0)
        pid: int = handle.pid
        assert pid not in self.fed
        self.fed[pid] = ""
        self.handles[pid] = handle
        return pid

    @rule(pid=running, lines=INPUT_LINES)
    def feed(self, pid: int, lines: list[str]) -> None:
        for line in lines:
            self.sandbox.commands.send_stdin(pid, line + "\n")
            self.fed[pid] += line + "\n"

    @rule(target=ended, pid=consumes(running))
    def close_stdin(self, pid: int) -> int:
        self.sandbox.commands.close_stdin(pid)
        result = self.handles.pop(pid).wait()
        assert (result.exit_code, result.stdout, result.stderr) == (0, self.fed.pop(pid), "")
        return pid

    @rule(target=ended, pid=consumes(running))
    def kill(self, pid: int) -> int:
        assert self.sandbox.commands.kill(pid) is True
        ended = refusal_of(CommandExitException, self.handles.pop(pid).wait)
        assert (ended.exit_code, ended.error) == (-1, "signal: killed")
        del self.fed[pid]
        return pid

    @rule(pid=ended, operation=st.sampled_from(["kill", "send_stdin"]))
    def touch_an_ended_one(self, pid: int, operation: str) -> None:
        if pid in self.fed:  # the number was given to a newer process
            return
        if operation == "kill":
            assert self.sandbox.commands.kill(pid) is False
            return
        refusal_of(NotFoundException, lambda: self.sandbox.commands.send_stdin(pid, "late\n"))

    @rule(code=EXIT_CODES)
    def run_to_an_exit_code(self, code: int) -> None:
        script = f"echo out; echo err >&2; exit {code}"
        result: CommandResult | CommandExitException
        if code == 0:
            result = self.sandbox.commands.run(script)
        else:
            result = refusal_of(CommandExitException, lambda: self.sandbox.commands.run(script))
            assert result.error == f"exit status {code}"
        seen = (result.exit_code, result.stdout, result.stderr)
        assert seen == (code, "out\n", "err\n"), seen

    @rule(pid=running, lines=INPUT_LINES)
    def a_second_listener_hears_what_comes_from_then_on(self, pid: int, lines: list[str]) -> None:
        listener = self.sandbox.commands.connect(pid, timeout=30)
        wanted = "".join(line + "\n" for line in lines)
        # What an earlier rule fed may still be on its way through `cat`: read past the marker.
        marker = "<from here>\n"
        self.feed(pid, [marker.rstrip("\n"), *lines])
        heard = ""
        for stdout, _, _ in listener:
            heard += stdout or ""
            if heard.partition(marker)[2] == wanted:
                break
        else:
            raise AssertionError(f"the stream ended after {heard!r}")
        listener.disconnect()

    @invariant()
    def the_list_agrees(self) -> None:
        listed = {process.pid for process in self.sandbox.commands.list()}
        assert listed == self.fed.keys()


def make_machine(target: Target) -> type[Processes]:
    """The machine, bound to a target."""
    return type("ProcessesOnTarget", (Processes,), {"target": target})
