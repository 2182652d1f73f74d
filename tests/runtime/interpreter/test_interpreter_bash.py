"""Bash contexts."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.runtime.interpreter.session import DEADLINE_S, Session, next_line

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def bash(session: Session, code: str, **options: Any) -> list[tuple[str, str]]:
    """Texts and errors of a cell, without the count."""
    lines = await session.outputs(code, language="bash", **options)
    return [(line["type"], line.get("text", line.get("value"))) for line in lines]


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("echo a; echo b", [("stdout", "a\n"), ("stdout", "b\n")]),
        ("echo err >&2", [("stdout", "err\n")]),
        ("printf x", [("stdout", "x\n")]),
        ("true", []),
        ("", []),
        ("false", [("error", "1")]),
        ("(exit 7)", [("error", "7")]),
        ("echo 'it'\"'\"'s' \"!x\"", [("stdout", "it's !x\n")]),
        ("for i in 1 2; do\n  echo $i\ndone", [("stdout", "1\n"), ("stdout", "2\n")]),
        ("cat <<END\nhere $((1+1))\nEND", [("stdout", "here 2\n")]),
        ("echo é", [("stdout", "é\n")]),
    ],
)
async def test_what_cells_show(session: Session, code: str, shown: list[tuple[str, str]]) -> None:
    assert await bash(session, code) == shown


async def test_a_job_in_the_background_is_named(session: Session) -> None:
    [(kind, text)] = await bash(session, "sleep 1000 &")
    assert kind == "stdout"
    assert text.startswith("[1] ")


async def test_an_unknown_command(session: Session) -> None:
    output, error = await bash(session, "nope")
    assert "nope: command not found" in output[1]
    assert error == ("error", "127")


async def test_an_error_has_neither_name_nor_traceback(session: Session) -> None:
    error = await session.error("false", language="bash")
    assert error == {"type": "error", "name": "", "value": "1", "traceback": ""}


async def test_a_broken_cell_leaves_the_shell_usable(session: Session) -> None:
    assert (await bash(session, "if true; then"))[-1][0] == "error"
    assert await bash(session, "echo on") == [("stdout", "on\n")]


async def test_state_stays(session: Session) -> None:
    (session.home / "below").mkdir()
    await bash(session, "x=1; f() { echo f$x; }; cd below")
    assert await bash(session, "f; basename $PWD") == [("stdout", "f1\n"), ("stdout", "below\n")]
    lines = await session.run("true", language="bash")
    assert lines == [{"type": "number_of_executions", "execution_count": 3}]


async def test_it_begins_at_home(session: Session) -> None:
    assert await bash(session, "pwd") == [("stdout", f"{session.home}\n")]


async def test_it_is_listed_once_used(session: Session) -> None:
    await bash(session, "true")
    assert [c.language for c in session.interpreter.contexts()] == ["python", "javascript", "bash"]


async def test_variables(session: Session) -> None:
    session.daemon.env_vars = {"GIVEN": "it's"}
    code = "echo $GIVEN-$MINE"
    assert await bash(session, code, env={"MINE": "$x"}) == [("stdout", "it's-$x\n")]
    assert await bash(session, code) == [("stdout", "it's-\n")]


async def test_leaving_with_exit(session: Session) -> None:
    await bash(session, "x=1")
    assert await bash(session, "exit") == [("stdout", "exit\n"), ("stdout", "Restarting Bash")]
    assert await bash(session, "echo $x.") == [("stdout", ".\n")]


# The program says "on" itself: one that is just being forked can miss a signal, as at a terminal.
@pytest.mark.parametrize(
    "code",
    ["sh -c 'echo on; exec sleep 1000'", "echo on; read line", "echo on; while true; do :; done"],
)
async def test_an_interrupt_ends_the_cell_and_keeps_the_shell(session: Session, code: str) -> None:
    await bash(session, "x=1")
    execution = session.start(f"{code}; x=2", language="bash")
    await execution.begin()
    await next_line(execution, lambda line: line["type"] == "stdout")
    execution.leave()
    async with asyncio.timeout(DEADLINE_S):
        assert await bash(session, "echo $x") == [("stdout", "1\n")]
