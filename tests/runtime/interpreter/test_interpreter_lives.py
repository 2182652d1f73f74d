"""Contexts, variables, queueing, interrupts, deaths."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import psutil
import pytest

from fake_e2b.domain.errors import GapError
from fake_e2b.domain.interpreter_errors import InterpreterError
from fake_e2b.domain.ports import Guest, Joining
from fake_e2b.runtime.interpreter.host import KernelHost
from tests.helpers.waiting import wait_until_async
from tests.runtime.interpreter.session import DEADLINE_S, Session, lines_of, next_line

pytestmark = pytest.mark.asyncio(loop_scope="module")

UNTIL_INTERRUPTED = "print('on', flush=True)\nimport time\nwhile True: time.sleep(0.01)"
DIED = [("ContextRestarting", "Context was restarted")]
CUT = [
    ("WebSocketError", "The connections was lost, rerun the code to get the results"),
    (
        "UnexpectedEndOfExecution",
        "Connection to the execution was closed before the execution was finished",
    ),
]


def errors(lines: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(line["name"], line["value"]) for line in lines if line["type"] == "error"]


async def started(session: Session, code: str = UNTIL_INTERRUPTED, **options: Any) -> Any:
    """A run that has said its first word."""
    execution = session.start(code, **options)
    await execution.begin()
    await next_line(execution, lambda line: line["type"] == "stdout")
    return execution


async def rest(execution: Any) -> list[dict[str, Any]]:
    async with asyncio.timeout(DEADLINE_S):
        return [line async for line in lines_of(execution)]


async def test_two_contexts_from_the_start(session: Session) -> None:
    contexts = session.interpreter.contexts()
    assert [(c.language, c.cwd) for c in contexts] == [
        ("python", "/home/user"),
        ("javascript", "/home/user"),
    ]
    assert len({c.context_id for c in contexts}) == 2


async def test_state_stays_in_its_context(session: Session) -> None:
    other = await session.interpreter.create(language="Python ", cwd=None)
    assert (other.language, other.cwd) == ("python", "/home/user")
    assert session.interpreter.contexts()[-1] is other
    await session.run("x = 1")
    assert await session.text("x") == "1"
    error = await session.error("x", context=other.context_id)
    assert error["value"] == "name 'x' is not defined"
    assert await session.text("x", language="python") == "1"
    assert await session.text("x", context="default") == "1"


async def test_the_working_folder(session: Session) -> None:
    (session.home / "below").mkdir()
    there = await session.interpreter.create(language=None, cwd="/home/user/below")
    bad = await session.interpreter.create(language=None, cwd="/does/not/exist")
    assert bad.cwd == "/does/not/exist"
    code = "import os; os.getcwd()"
    assert await session.text(code) == str(session.home)
    assert await session.text(code, context=there.context_id) == str(session.home / "below")
    assert await session.text(code, context=bad.context_id) == str(session.home)
    await session.interpreter.restart(there.context_id)
    assert await session.text(code, context=there.context_id) == str(session.home)
    assert there.cwd == "/home/user/below"


async def test_python3_is_one_more_kernel_without_variables(session: Session) -> None:
    session.daemon.env_vars = {"GIVEN": "1"}
    context = await session.interpreter.create(language="python3", cwd=None)
    assert context.language == "python3"
    code = "import os; os.environ.get('GIVEN')"
    assert await session.text(code, context=context.context_id) is None
    assert await session.text(code) == "1"


@pytest.mark.parametrize("language", ["javascript", "TS", "r", "java"])
async def test_languages_that_are_not_built(session: Session, language: str) -> None:
    with pytest.raises(GapError, match=r"there is no \w+ kernel"):
        session.start("1", language=language)
    with pytest.raises(GapError):
        await session.interpreter.create(language=language, cwd=None)


async def test_languages_that_nobody_knows(session: Session) -> None:
    with pytest.raises(InterpreterError, match="kernel_unknown"):
        session.start("1", language="foo")
    with pytest.raises(InterpreterError, match="kernel_unknown"):
        await session.interpreter.create(language="foo", cwd=None)


async def test_a_removed_context(session: Session) -> None:
    other = await session.interpreter.create(language=None, cwd=None)
    await session.interpreter.remove(other.context_id)
    assert other not in session.interpreter.contexts()
    for call in (session.interpreter.remove, session.interpreter.restart):
        with pytest.raises(InterpreterError, match="context_unknown"):
            await call(other.context_id)
    default = session.interpreter.contexts()[0]
    await session.interpreter.remove("default")
    assert default not in session.interpreter.contexts()
    with pytest.raises(InterpreterError, match="context_id=None"):
        session.start("1", language="python")


async def test_removing_cuts_the_run_and_those_behind_it(session: Session) -> None:
    other = await session.interpreter.create(language=None, cwd=None)
    running = await started(session, context=other.context_id)
    behind = session.start("1", context=other.context_id)
    await session.interpreter.remove(other.context_id)
    assert errors(await rest(running)) == CUT
    await behind.begin()
    assert errors(await rest(behind)) == [
        ("WebSocketError", "Failed to send execution request"),
        CUT[1],
    ]


async def test_restarting_cuts_the_run_and_forgets(session: Session) -> None:
    await session.run("x = 1")
    running = await started(session)
    await session.interpreter.restart(session.interpreter.contexts()[0].context_id)
    assert errors(await rest(running)) == CUT
    running.leave()
    lines = await session.run("x")
    assert lines[0] == {"type": "number_of_executions", "execution_count": 1}
    assert errors(lines) == [("NameError", "name 'x' is not defined")]


async def test_sandbox_variables_are_fetched_once(session: Session) -> None:
    session.daemon.env_vars = {"GIVEN": "it's \\n"}
    code = "os.environ.get('GIVEN')"
    assert await session.text(code) == '"it\'s \\\\n"'[1:-1]
    session.daemon.env_vars = {"GIVEN": "2"}
    assert await session.text(code) != "2"
    await session.interpreter.restart("default")
    assert await session.text(code) == "2"


async def test_variables_of_a_run(session: Session) -> None:
    session.daemon.env_vars = {"GIVEN": "1"}
    code = "import os; (os.environ.get('GIVEN'), os.environ.get('MINE'))"
    assert await session.text(code, env={"GIVEN": "2", "MINE": "3"}) == "('2', '3')"
    assert await session.text(code) == "('1', None)"


@pytest.mark.parametrize("env", [{"A=B": "1"}, {"": "1"}, {"A\0": "1"}, {"A": "\0"}])
async def test_variables_that_the_system_refuses_fail_the_run(
    session: Session, env: dict[str, str]
) -> None:
    await session.run("x = 1")
    [(name, _)] = errors(await session.run("x = 2", env=env))
    assert name in ("ValueError", "OSError")
    assert await session.text("x") == "1"


async def test_a_value_set_by_code_is_removed_with_the_runs(session: Session) -> None:
    await session.run("import os; os.environ['MINE'] = 'code'")
    assert await session.text("os.environ['MINE']", env={"MINE": "run"}) == "run"
    assert await session.text("'MINE' in os.environ") == "False"


async def test_cell_magics_and_line_numbers_do_not_mind_variables(session: Session) -> None:
    [line] = await session.outputs("%%bash\necho $MINE", env={"MINE": "x"})
    assert line["text"] == "x\n"
    assert "line 1" in (await session.error("1/0", env={"MINE": "x"}))["traceback"]


async def test_a_wrong_token_gives_its_refusal_as_variables(session: Session) -> None:
    session.daemon.access_token = "right"
    session.daemon.env_vars = {"GIVEN": "1"}
    code = "print(os.environ.get('GIVEN'), os.environ['code'], os.environ['message'])"
    [line] = await session.outputs(code, token="wrong")
    assert line["text"] == (
        "None 401 unauthorized access, please provide a valid access token or method "
        "signing if supported\n"
    )
    await session.interpreter.restart("default")
    assert await session.text("os.environ['GIVEN']", token="right") == "1"


async def test_first_come_first_served(session: Session) -> None:
    await session.run("order = []")
    runs = [session.start(f"order.append({n}); order") for n in range(5)]

    async def finish(run: Any) -> None:
        await run.begin()
        await rest(run)

    async with asyncio.timeout(DEADLINE_S):
        await asyncio.gather(*(finish(run) for run in reversed(runs)))
    assert await session.text("order") == "[0, 1, 2, 3, 4]"


async def test_contexts_run_side_by_side(session: Session) -> None:
    other = await session.interpreter.create(language=None, cwd=None)
    running = await started(session)
    assert await session.text("1", context=other.context_id) == "1"
    running.leave()


async def test_a_client_that_leaves_interrupts_its_run(session: Session) -> None:
    await session.run("x = 1; import os")
    running = await started(session, env={"MINE": "stays"})
    running.leave()
    assert await session.text("x, os.environ['MINE']") == "(1, 'stays')"


async def test_a_client_that_leaves_the_queue_never_runs(session: Session) -> None:
    running = await started(session)
    queued = session.start("ran = True")
    behind = session.start("'ran' in globals()")
    queued.leave()
    running.leave()
    await behind.begin()
    assert [line["text"] for line in await rest(behind) if line["type"] == "result"] == ["False"]


async def test_an_awaiting_cell_is_interrupted_too(session: Session) -> None:
    running = await started(
        session, "print('on', flush=True)\nimport asyncio\nawait asyncio.sleep(1000)"
    )
    running.leave()
    assert await session.text("1") == "1"


async def test_an_interrupt_reaches_child_processes(session: Session) -> None:
    running = await started(
        session,
        "import subprocess\nprint('on', flush=True)\nsubprocess.run(['sleep', '1000'])",
    )
    running.leave()
    assert await session.text("1") == "1"


async def test_code_that_swallows_the_interrupt_holds_the_next(session: Session) -> None:
    code = (
        "import time\ncaught = False\n"
        "try:\n    print('on', flush=True)\n    time.sleep(1000)\n"
        "except KeyboardInterrupt:\n    caught = True"
    )
    running = await started(session, code)
    running.leave()
    assert await session.text("caught") == "True"


@pytest.mark.parametrize(
    "code", ["import os; os._exit(1)", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"]
)
async def test_a_death_is_told_and_the_next_run_begins_anew(session: Session, code: str) -> None:
    session.daemon.env_vars = {"GIVEN": "1"}
    (session.home / "below").mkdir()
    await session.run("x = 1; os.chdir('below')")
    lines = await session.run(f"print('last', flush=True); {code}")
    assert "last\n" in [line.get("text") for line in lines]
    assert errors(lines) == DIED
    lines = await session.run("import os; 'x' in globals(), 'GIVEN' in os.environ")
    assert lines[0]["execution_count"] == 1
    # The sandbox's variables come back with an explicit restart only.
    assert lines[1]["text"] == "(False, False)"
    assert await session.text("os.getcwd()") == str(session.home)


async def test_leaving_with_exit(session: Session) -> None:
    assert await session.outputs("x = 1; exit()") == []
    lines = await session.run("x")
    assert errors(lines) in (DIED, [("NameError", "name 'x' is not defined")])


async def test_a_kernel_takes_its_children_along(session: Session) -> None:
    pid = await session.text(
        "import subprocess; subprocess.Popen(['setsid', 'sh', '-c', 'sleep 1000 & sleep 1000']).pid"
    )
    assert pid is not None
    child = psutil.Process(int(pid))
    family = [child, *child.children(recursive=True)]
    await session.interpreter.restart("default")
    await wait_until_async(lambda: not any(process.is_running() for process in family))


async def test_a_paused_kernel_stands_still(session: Session) -> None:
    ticks = session.home / "ticks"
    ticks.touch()
    await started(
        session,
        f"import time\nprint('on', flush=True)\nwhile True: open({str(ticks)!r}, 'a').write('x')",
    )
    await session.interpreter.pause()
    size = ticks.stat().st_size
    other = await session.interpreter.create(language=None, cwd=None)
    # Starting a kernel and running a cell takes longer than many ticks.
    await session.run("1", context=other.context_id)
    assert ticks.stat().st_size == size
    await session.interpreter.resume()
    await wait_until_async(lambda: ticks.stat().st_size > size)


async def test_a_paused_kernel_can_be_closed(session: Session) -> None:
    await started(session)
    await session.interpreter.pause()
    async with asyncio.timeout(DEADLINE_S):
        await session.interpreter.close()


async def test_a_slow_reader_holds_the_cell_back(session: Session) -> None:
    execution = session.start("for i in range(30): print('x' * 1_000_000, flush=True)")
    await execution.begin()
    lines = await rest(execution)
    assert sum(len(line["text"]) for line in lines if line["type"] == "stdout") == 30 * 1_000_001


NAMESPACES = """
import ctypes, os, sys, time
libc = ctypes.CDLL(None, use_errno=True)
uid = os.getuid()
USER, PID, MOUNT, UTS, IPC, NET = 0x10000000, 0x20000000, 0x20000, 0x4000000, 0x8000000, 0x40000000
assert libc.unshare(USER | PID | MOUNT | UTS | IPC | NET) == 0
open('/proc/self/setgroups', 'w').write('deny')
open('/proc/self/uid_map', 'w').write(f'0 {uid} 1')
open('/proc/self/gid_map', 'w').write(f'0 {os.getgid()} 1')
libc.sethostname(b'guest', 5)
if os.fork() == 0:
    os.write(1, b'on')
    time.sleep(1000)
os.wait()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="namespaces exist on Linux only")
async def test_a_kernel_inside_namespaces(host: KernelHost, tmp_path: Path) -> None:
    outer = subprocess.Popen(  # noqa: ASYNC220 - a program to look at, not to wait for
        [sys.executable, "-c", NAMESPACES], stdout=subprocess.PIPE
    )
    assert outer.stdout is not None
    try:
        if outer.stdout.read(2) != b"on":
            pytest.skip("this machine makes no namespaces for us")
        [inner] = psutil.Process(outer.pid).children()

        class Inside:
            def joining(self) -> Joining:
                return Joining(namespaces_of=inner.pid, path_prefix="")

        session = Session(host, tmp_path / "sandbox")
        session.folder = cast(Any, Inside())
        session.interpreter._guest = cast(Guest, Inside())
        text = await session.text(
            "import os, socket; socket.gethostname(), os.getuid(), os.getpid() < 100"
        )
        assert text == "('guest', 0, True)"
        running = await started(session)
        running.leave()
        assert await session.text("1 + 1") == "2"
        assert errors(await session.run("os._exit(3)")) == DIED
        assert await session.text("import socket; socket.gethostname()") == "guest"
        await session.interpreter.close()
    finally:
        inner.kill()
        outer.wait()
        outer.stdout.close()


SERVER = """
import asyncio, sys
from pathlib import Path
from fake_e2b.runtime.interpreter.host import KernelHost
from tests.runtime.interpreter.session import Session

async def main():
    session = Session(KernelHost(preload=()), Path(sys.argv[1]))
    await session.run("import os, subprocess as s; child = s.Popen(['setsid', 'sleep', '1000'])")
    print(await session.text("child.pid"))
    print(await session.text("os.getpid()"), flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_nothing_outlives_a_killed_server(tmp_path: Path) -> None:
    server = subprocess.Popen(  # noqa: ASYNC220 - a program to kill, not to wait for
        [sys.executable, "-c", SERVER, str(tmp_path / "sandbox")], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    with server:
        pids = [int(server.stdout.readline()) for _ in range(2)]
        family = [
            *(psutil.Process(pid) for pid in pids),
            *psutil.Process(server.pid).children(recursive=True),
        ]
        os.kill(server.pid, signal.SIGKILL)
    await wait_until_async(lambda: not any(process.is_running() for process in family))


async def test_without_ipython_it_says_how_to_get_it(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fake_e2b.runtime.interpreter.host.find_spec", lambda name: None)
    with pytest.raises(GapError, match=r'pip install "fake-e2b\[interpreter\]"'):
        session.start("1")


async def test_a_broken_interpreter_is_told(tmp_path: Path) -> None:
    broken = KernelHost(python="/bin/false")
    try:
        session = Session(broken, tmp_path / "sandbox")
        assert errors(await session.run("1"))[0][0] == "KernelStartError"
    finally:
        await broken.close()
