"""Lines of an execution: cut, ended early, repeated, damaged; by the published SDK."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from e2b import SandboxException
from e2b_code_interpreter import AsyncSandbox, Sandbox

from fake_e2b import FakeE2B, effects

CODE = "print('one', flush=True)\nprint('two', flush=True)\n1 + 1"
# Lines: the count, then 'one' and 'two' or both in one, the result, the end.


@pytest.fixture(scope="module")
def sandbox(server: FakeE2B) -> Iterator[Sandbox]:
    server.reset()
    with Sandbox.create() as sandbox:
        sandbox.run_code("1")
        yield sandbox


@pytest.fixture
def fake(server: FakeE2B) -> Iterator[FakeE2B]:
    yield server
    server.faults.reset()


def test_a_line_that_comes_twice(fake: FakeE2B, sandbox: Sandbox) -> None:
    fake.faults.add("execute", effects.Duplicate(), at="frame=2")
    shown = sandbox.run_code("print('one')").logs.stdout
    assert "".join(shown) == "one\none\n"


def test_a_cut(fake: FakeE2B, sandbox: Sandbox) -> None:
    fake.faults.add("execute", effects.Close(), at="frame=2")
    with pytest.raises(Exception, match=r"(?i)connection|peer|body"):
        sandbox.run_code(CODE)
    fake.faults.reset()
    assert sandbox.run_code("2 + 2").text == "4"


async def test_an_end_that_is_never_said(fake: FakeE2B, sandbox: Sandbox) -> None:
    there = await AsyncSandbox.connect(sandbox.sandbox_id)
    fault = fake.faults.add("execute", effects.NoEndFrame())
    assert (await there.run_code(CODE)).text == "2"
    assert fault.hits == 1
    early = fake.faults.add("execute", effects.NoEndFrame(), at="frame=1")
    assert (await there.run_code(CODE)).text is None
    assert early.hits == 1


def test_damage(fake: FakeE2B, sandbox: Sandbox) -> None:
    with (
        fake.faults.add("execute", effects.MalformedJson(), at="frame=1"),
        pytest.raises(json.JSONDecodeError),
    ):
        sandbox.run_code(CODE)
    # Of a damaged line the SDK takes what it understands.
    with fake.faults.add("execute", effects.Corrupt(), at="frame=1") as fault:
        assert sandbox.run_code(CODE).execution_count is None
    assert fault.hits == 1


def test_a_refusal_is_no_stream(fake: FakeE2B, sandbox: Sandbox) -> None:
    fake.faults.profile("strict", seed=7)
    with pytest.raises(SandboxException, match="not available"):
        sandbox.run_code("1", language="cobol")
    fake.faults.remove_profile("strict")
