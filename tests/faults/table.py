"""Plays every fault on the calls that users make most and notes what their code sees.

``python -m tests.faults.table`` writes the table into docs/faults.md. The JavaScript column needs
node and the SDK's packages in tests/sdk/javascript; without them the column says so.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, Field, dataclass, fields, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from e2b_code_interpreter import AsyncSandbox, Sandbox

from fake_e2b import FakeE2B, effects, profiles
from fake_e2b.domain.steering.profiles import profile

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "faults.md"
BEGIN, END = "<!-- table -->", "<!-- /table -->"
SCRIPTS = ROOT / "tests" / "sdk" / "javascript"
TIMEOUT_S = 2
"""Of every call; what stalls, stalls longer."""
_LONGEST_TEXT = 110
# Does not shrink when it is packed, so that a download has several frames.
_TEXT = "".join(random.Random(7).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=1_500_000))


@dataclass(frozen=True)
class Call:
    """What a user does: its title in the docs, and the operation that it comes to."""

    title: str
    operation: str
    streams: bool = False


CREATE = Call("create", "createSandbox")
LIST = Call("list", "listSandboxes")
RUN = Call("commands.run", "Process.Start", streams=True)
READ = Call("files.read", "files.download", streams=True)
WRITE = Call("files.write", "files.upload")
CODE = Call("run_code", "execute", streams=True)
CALLS = (CREATE, LIST, RUN, READ, WRITE, CODE)


@dataclass(frozen=True)
class Case:
    """A fault, at a point, on some of the calls."""

    effect: effects.Effect
    at: str | None = None
    calls: Sequence[Call] = CALLS
    operation: str | None = None

    @property
    def title(self) -> str:
        """As one would write it."""
        given = [
            f"{field.name}={value!r}"
            for field in fields(self.effect)  # type: ignore[arg-type]
            if (value := getattr(self.effect, field.name)) != _default_of(field)
        ]
        return f"`{type(self.effect).__name__}({', '.join(given)})`" + (
            f" at `{self.at}`" if self.at else ""
        )


_STREAMS = tuple(call for call in CALLS if call.streams)
_LINES = (RUN, CODE)
_INTO_SANDBOX = (RUN, READ, WRITE, CODE)
CASES = (
    *(Case(effects.Status(status)) for status in (400, 401, 403, 404, 429, 500, 502, 503, 504)),
    Case(effects.RpcError("unavailable", "busy"), calls=(RUN,)),
    Case(effects.Refuse(), operation="*"),
    Case(effects.Reset()),
    Case(effects.Close()),
    Case(effects.Close(), "done"),
    Case(effects.Stall(), "arrived"),
    Case(effects.HalfAnswer()),
    Case(effects.HalfAnswer(reset=True)),
    Case(effects.MalformedJson(), calls=(CREATE, LIST, RUN, WRITE, CODE)),
    Case(effects.WrongContentType()),
    Case(effects.Close(), "frame=2", _STREAMS),
    Case(effects.Reset(), "frame=2", _STREAMS),
    Case(effects.Stall(), "frame=2", _STREAMS),
    Case(effects.HalfAnswer(), "frame=2", _STREAMS),
    Case(effects.MalformedJson(), "frame=2", _LINES),
    Case(effects.NoEndFrame(), None, _LINES),
    Case(effects.NoEndFrame(), "frame=2", _LINES),
    Case(effects.Duplicate(), "frame=2", _LINES),
    Case(effects.Corrupt(), "frame=1", (CREATE, LIST, READ)),
    Case(effects.Corrupt(), "frame=2", _LINES),
    Case(effects.Corrupt("flag"), "frame=2", (RUN,)),
    Case(effects.Corrupt("length"), "frame=2", (RUN,)),
    Case(effects.Drip(size=100_000, every_s=0.0)),
    Case(effects.Chunks()),
    Case(effects.UnknownFields(), calls=(CREATE, LIST, RUN, CODE)),
    Case(effects.Keepalives(), calls=_LINES),
    Case(effects.SandboxDies(), calls=_INTO_SANDBOX),
    Case(effects.SandboxDies(), "frame=2", _LINES),
    Case(effects.GuestUnresponsive(), calls=_INTO_SANDBOX),
    Case(effects.PortClosed(), calls=_INTO_SANDBOX),
    Case(effects.DiskFull(), calls=(WRITE,)),
)


@dataclass(frozen=True)
class Row:
    """What the clients saw of one case on one call."""

    fault: str
    call: str
    python: str
    python_async: str
    javascript: str

    def line(self) -> str:
        """As the table shows it."""
        cells = (self.fault, self.call, self.python, self.python_async, self.javascript)
        return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _default_of(field: Field[Any]) -> object:
    return field.default if field.default_factory is MISSING else field.default_factory()


class Clients:
    """One sandbox, and the three SDKs on it."""

    def __init__(self, fake: FakeE2B, *, javascript: bool) -> None:
        self._fake = fake
        self._runner = asyncio.Runner()
        self._javascript = javascript
        self._node: subprocess.Popen[str] | None = None
        self._begin()

    def _begin(self) -> None:
        self._sandbox = Sandbox.create(timeout=3600)
        self._sandbox.files.write("text", _TEXT)
        self._sandbox.run_code("1")
        self._there: AsyncSandbox = self._runner.run(AsyncSandbox.connect(self._sandbox.sandbox_id))

    def close(self) -> None:
        """End what was started."""
        self._runner.close()
        self._end_node()

    def _end_node(self) -> None:
        node, self._node = self._node, None
        if node is not None:
            assert node.stdin is not None
            assert node.stdout is not None
            node.stdin.close()
            node.wait(timeout=20)
            node.stdout.close()

    def rows(self, cases: Sequence[Case]) -> Iterator[Row]:
        """Play the cases."""
        for case in cases:
            for call in case.calls:
                yield self.row(case, call)

    def row(self, case: Case, call: Call) -> Row:
        """Play one case on one call."""
        seen = [self._seen(case, call, play) for play in self._players(call)]
        return Row(case.title, f"`{call.title}`", *seen)

    def _players(self, call: Call) -> Sequence[Callable[[], str]]:
        name = call.title.replace(".", "_")
        sync, awaited = getattr(self, f"_{name}"), getattr(self, f"_{name}_async")
        return (
            lambda: _told(sync),
            lambda: _told(lambda: self._runner.run(awaited())),
            lambda: self._in_javascript(name),
        )

    def _seen(self, case: Case, call: Call, play: Callable[[], str]) -> str:
        operation = case.operation or call.operation
        with self._fake.faults.add(operation, case.effect, at=case.at):
            seen = play()
        for made in self._fake.sandboxes():
            # Some calls do their work and their caller never learns of it.
            if made.sandbox_id != self._sandbox.sandbox_id:
                Sandbox.kill(made.sandbox_id)
        if not self._sandbox.is_running():
            self._end_node()
            self._begin()
        return seen

    def _in_javascript(self, name: str) -> str:
        if not self._javascript:
            return "not played"
        if self._node is None:
            self._node = _node(self._fake, self._sandbox.sandbox_id)
        assert self._node.stdin is not None
        assert self._node.stdout is not None
        self._node.stdin.write(f"{name}\n")
        self._node.stdin.flush()
        answer = json.loads(self._node.stdout.readline())
        if "result" in answer:
            return _text(answer["result"])
        return _text(f"{answer['name']}: {answer['message']}")

    def _create(self) -> str:
        Sandbox.create(request_timeout=TIMEOUT_S).kill()
        return "a sandbox"

    async def _create_async(self) -> str:
        await (await AsyncSandbox.create(request_timeout=TIMEOUT_S)).kill()
        return "a sandbox"

    def _list(self) -> str:
        Sandbox.list().next_items(request_timeout=TIMEOUT_S)
        return "the list"

    async def _list_async(self) -> str:
        await AsyncSandbox.list().next_items(request_timeout=TIMEOUT_S)
        return "the list"

    def _commands_run(self) -> str:
        return repr(self._sandbox.commands.run("echo hi", timeout=TIMEOUT_S).stdout)

    async def _commands_run_async(self) -> str:
        return repr((await self._there.commands.run("echo hi", timeout=TIMEOUT_S)).stdout)

    def _files_read(self) -> str:
        return _of_file(self._sandbox.files.read("text", request_timeout=TIMEOUT_S))

    async def _files_read_async(self) -> str:
        return _of_file(await self._there.files.read("text", request_timeout=TIMEOUT_S))

    def _files_write(self) -> str:
        self._sandbox.files.write("written", "text", request_timeout=TIMEOUT_S)
        return "it is written"

    async def _files_write_async(self) -> str:
        await self._there.files.write("written", "text", request_timeout=TIMEOUT_S)
        return "it is written"

    def _run_code(self) -> str:
        return _of_code(self._sandbox.run_code("print('hi')\n1 + 1", timeout=TIMEOUT_S))

    async def _run_code_async(self) -> str:
        return _of_code(await self._there.run_code("print('hi')\n1 + 1", timeout=TIMEOUT_S))


@contextmanager
def clients(*, javascript: bool = False) -> Iterator[Clients]:
    """The three SDKs on a fake of their own."""
    with FakeE2B(runtime="local", seed=7) as fake:
        made = Clients(fake, javascript=javascript and can_play_javascript())
        try:
            yield made
        finally:
            made.close()


def can_play_javascript() -> bool:
    """Whether node and the SDK's packages are there."""
    return shutil.which("node") is not None and (SCRIPTS / "node_modules" / "@e2b").is_dir()


def _told(call: Callable[[], str]) -> str:
    try:
        return _text(call())
    except Exception as error:
        return _text(f"{type(error).__name__}: {error}")


def _text(said: str) -> str:
    """One line without what differs from run to run."""
    line = " ".join(said.split())
    line = re.sub(r"\bi[a-z0-9]{20}\b", "<id>", line)
    line = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:<port>", line)
    line = re.sub(r"\(os error \d+\)", "(os error)", line)
    line = line.replace("<", "‹").replace(">", "›")
    return line if len(line) <= _LONGEST_TEXT else line[: _LONGEST_TEXT - 1] + "…"


def _of_file(text: Any) -> str:
    return "the file" if text == _TEXT else "a damaged file"


def _of_code(execution: Any) -> str:
    return f"{execution.text!r}, printed {''.join(execution.logs.stdout)!r}"


def _node(fake: FakeE2B, sandbox_id: str) -> subprocess.Popen[str]:
    node = shutil.which("node")
    assert node is not None
    return subprocess.Popen(
        [node, str(SCRIPTS / "fault_table.mjs"), sandbox_id, str(TIMEOUT_S * 1000)],
        env={**fake.env(), "PATH": "/usr/bin:/bin"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def written(rows: Sequence[Row]) -> str:
    """The table in Markdown."""
    head = "| fault | call | Python | Python, async | JavaScript |\n|---|---|---|---|---|"
    lines = []
    for _, alike in groupby(rows, key=lambda row: replace(row, call="")):
        first, *others = alike
        calls = ", ".join(row.call for row in (first, *others))
        awaited = "the same" if first.python_async == first.python else first.python_async
        lines.append(replace(first, call=calls, python_async=awaited).line())
    return "\n".join([head, *lines])


def read_rows(text: str) -> Sequence[Row]:
    """The table's rows, one for each call again."""
    table = text.partition(BEGIN)[2].partition(END)[0]
    found = []
    for line in table.strip().splitlines()[2:]:
        cells = [cell.replace("\\|", "|") for cell in re.split(r" (?<!\\)\| ", line[2:-2])]
        row = Row(*cells)
        awaited = row.python if row.python_async == "the same" else row.python_async
        found += [replace(row, call=call, python_async=awaited) for call in row.call.split(", ")]
    return found


def main() -> None:
    """Write the table."""
    with clients(javascript=True) as made:
        rows = list(made.rows(CASES))
    text = put(PAGE.read_text(), "profiles", profile_table())
    PAGE.write_text(put(text, "table", written(rows)))


def profile_table() -> str:
    """The profiles and their rules."""
    lines = ["| profile | what it stands for | its rules |", "|---|---|---|"]
    for name in profiles.names():
        chosen = profile(name)
        labels = ", ".join(part.label for part in chosen.parts)
        lines.append(f"| `{name}` | {chosen.about} | {labels} |")
    return "\n".join(lines)


def put(text: str, mark: str, table: str) -> str:
    """A page with a table between its marks."""
    begin, end = f"<!-- {mark} -->", f"<!-- /{mark} -->"
    before, _, rest = text.partition(begin)
    return f"{before}{begin}\n{table}\n{end}{rest.partition(end)[2]}"


if __name__ == "__main__":
    main()
