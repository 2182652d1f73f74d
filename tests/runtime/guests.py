"""Running programs in a guest, for the tests of the runtimes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from fake_e2b.domain.ports import Capability, Guest, Process, Runtime
from fake_e2b.domain.process import Output, ProcessExit, PtySize, SpawnRequest
from fake_e2b.domain.user import USER, User

DEADLINE_S = 20.0
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass
class Result:
    """What a program said and how it ended."""

    stdout: str
    stderr: str
    exit: ProcessExit


def request(
    *argv: str,
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
    user: User = USER,
    pty: PtySize | None = None,
    stdin: bool = False,
) -> SpawnRequest:
    """A request as envd makes it."""
    base = {"PATH": PATH, "HOME": user.home, "USER": user.name, "LOGNAME": user.name}
    return SpawnRequest(argv, {**base, **(env or {})}, cwd or user.home, user, pty, stdin)


def shell(script: str) -> Sequence[str]:
    return ("/bin/bash", "-c", script)


async def collect(process: Process) -> Result:
    """Read a program to its end."""
    parts: dict[str, bytes] = {"stdout": b"", "stderr": b"", "pty": b""}
    async with asyncio.timeout(DEADLINE_S):
        with process.subscribe() as events:
            async for event in events:
                if isinstance(event, Output):
                    parts[event.channel] += event.data
                else:
                    end = event
    out = (parts["stdout"] or parts["pty"]).decode(errors="replace")
    return Result(out, parts["stderr"].decode(errors="replace"), end)


async def run(
    guest: Guest,
    *argv: str,
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
    user: User = USER,
) -> Result:
    """Start a program and read it to its end."""
    return await collect(await guest.spawn(request(*argv, env=env, cwd=cwd, user=user)))


class Conversation:
    """A subscriber that reads on until it has seen a text."""

    def __init__(self, events: AsyncIterator[Output | ProcessExit]) -> None:
        self._events = events
        self.seen = b""

    async def until(self, text: bytes) -> bytes:
        """Everything up to and with `text`, which is then forgotten."""
        async with asyncio.timeout(DEADLINE_S):
            while text not in self.seen:
                event = await anext(self._events)
                assert isinstance(event, Output), f"ended without {text!r}: {self.seen!r}"
                self.seen += event.data
        head, _, self.seen = self.seen.partition(text)
        return head + text

    async def exit(self) -> ProcessExit:
        async with asyncio.timeout(DEADLINE_S):
            async for event in self._events:
                if isinstance(event, ProcessExit):
                    return event
                self.seen += event.data
        raise AssertionError("the stream ended without an exit")


async def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition, not for a time."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - conditions of the machine have no event
            await asyncio.sleep(0.01)
    assert condition(), what


def host_pids(marker: str) -> list[int]:
    """Host PIDs of the living programs whose command line holds `marker`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
            except OSError:
                continue
            if marker.encode() in line:
                found.append(int(entry.name))
    return found


def needs(runtime: Runtime, *capabilities: Capability) -> None:
    """Skip where the runtime does not hold these, in the words `doctor` prints."""
    for capability in capabilities:
        if capability not in runtime.capabilities:
            pytest.skip(f"{runtime.name} does not hold: {capability.value}")
