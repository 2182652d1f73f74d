"""Plays a scenario with the published Python SDK, which must be installed.

What was played is written down as a transcript: one line a step, with everything masked that
differs from run to run for no reason of the story (IDs, PIDs). Two runs of one scenario give the
same transcript.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from e2b import CommandHandle, Sandbox
from e2b.sandbox.commands.command_handle import CommandExitException, PtySize

from fake_e2b.domain.errors import FakeE2BError, UsageError
from fake_e2b.scenario.steps import Scenario, Step, Table

SEE_TIMEOUT_S = 20


class StoryError(FakeE2BError):
    """A step did not show what the scenario expects; the text names its line."""


@dataclass(slots=True)
class Transcript:
    """What was played, masked; one line a step."""

    lines: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return "\n".join(self.lines)


def play(
    scenario: Scenario,
    connection: Mapping[str, Any],
    on_step: Callable[[Step, Table], None] | None = None,
) -> Transcript:
    """Play all steps; a sandbox that the story leaves behind is killed.

    Args:
        connection: SDK options that reach the server (`api_key`, `api_url`, `sandbox_url`); empty
            leaves them to the environment.
        on_step: Called after each step with what it showed, unmasked.

    Raises:
        StoryError: A step showed something else.
        UsageError: A step can't be played where it stands, e.g. `run` before `create`.
    """
    transcript = Transcript()
    player = _Player(scenario, dict(connection))
    try:
        for step in scenario.steps:
            shown = player.play(step)
            if on_step is not None:
                on_step(step, shown)
            transcript.lines.append(player.masked(step, shown))
    finally:
        player.clean_up()
    return transcript


class _Player:
    def __init__(self, scenario: Scenario, connection: dict[str, Any]) -> None:
        self._scenario = scenario
        self._connection = connection
        self._sandbox: Sandbox | None = None
        self._terminal: CommandHandle | None = None
        self._unread = ""
        self._secrets: dict[str, str] = {}

    def play(self, step: Step) -> Table:
        shown: Table = getattr(self, f"_do_{step.do}")(step, **step.arguments)
        for key, wanted in step.expect.items():
            if shown[key] != wanted:
                raise StoryError(
                    f"{self._scenario.path}:{step.line}: {step.do} should show "
                    f"{key} = {wanted!r}, but shows {shown[key]!r}"
                )
        return shown

    def masked(self, step: Step, shown: Table) -> str:
        line = f"{step.do} {json.dumps(step.arguments | shown, sort_keys=True)}"
        for secret, mask in self._secrets.items():
            line = line.replace(secret, mask)
        return line

    def clean_up(self) -> None:
        if self._sandbox is not None:
            self._sandbox.kill()

    def _box(self, step: Step) -> Sandbox:
        if self._sandbox is None:
            raise UsageError(
                f"{self._scenario.path}:{step.line}: {step.do} needs a sandbox: create one first"
            )
        return self._sandbox

    def _tty(self, step: Step) -> CommandHandle:
        if self._terminal is None:
            raise UsageError(
                f"{self._scenario.path}:{step.line}: {step.do} needs a terminal: open one first"
            )
        return self._terminal

    def _do_create(self, step: Step, **arguments: Any) -> Table:
        self.clean_up()
        self._sandbox = Sandbox.create(
            arguments.pop("template", "base"), **arguments, **self._connection
        )
        self._secrets[self._sandbox.sandbox_id] = "<sandbox>"
        info = self._sandbox.get_info()
        return {"state": info.state.value, "metadata": dict(info.metadata)}

    def _do_run(self, step: Step, command: str, **arguments: Any) -> Table:
        try:
            result = self._box(step).commands.run(command, **arguments)
        except CommandExitException as failed:
            return _result(failed.stdout, failed.stderr, failed.exit_code)
        return _result(result.stdout, result.stderr, result.exit_code)

    def _do_write(self, step: Step, path: str, text: str) -> Table:
        return {"path": self._box(step).files.write(path, text).path}

    def _do_read(self, step: Step, path: str) -> Table:
        return {"text": self._box(step).files.read(path)}

    def _do_terminal(self, step: Step, cols: int, rows: int, **arguments: Any) -> Table:
        self._terminal = self._box(step).pty.create(
            size=PtySize(rows=rows, cols=cols), timeout=SEE_TIMEOUT_S, **arguments
        )
        self._unread = ""
        return {}

    def _do_type(self, step: Step, text: str) -> Table:
        self._box(step).pty.send_stdin(self._tty(step).pid, text.encode())
        return {}

    def _do_see(self, step: Step, text: str) -> Table:
        shown = self._unread
        pieces = iter(self._tty(step))
        while text not in shown:
            piece = next(pieces, None)
            if piece is None:
                raise StoryError(
                    f"{self._scenario.path}:{step.line}: the terminal ended without "
                    f"{text!r}; it showed {shown!r}"
                )
            shown += (piece[2] or b"").decode(errors="replace")
        self._unread = shown.partition(text)[2]
        return {}

    def _do_resize(self, step: Step, cols: int, rows: int) -> Table:
        self._box(step).pty.resize(self._tty(step).pid, PtySize(rows=rows, cols=cols))
        return {}

    def _do_leave(self, step: Step) -> Table:
        try:
            exit_code = self._tty(step).wait().exit_code
        except CommandExitException as failed:
            exit_code = failed.exit_code
        self._terminal = None
        return {"exit_code": exit_code}

    def _do_pause(self, step: Step) -> Table:
        return {"paused": self._box(step).pause()}

    def _do_connect(self, step: Step) -> Table:
        self._sandbox = self._box(step).connect()
        return {"state": self._sandbox.get_info().state.value}

    def _do_kill(self, step: Step) -> Table:
        killed = self._box(step).kill()
        self._sandbox = None
        return {"killed": killed}


def _result(stdout: str, stderr: str, exit_code: int) -> Table:
    return {"stdout": stdout, "stderr": stderr, "exit_code": exit_code}
