"""What Python cells show: the contract's table, row by row."""

from __future__ import annotations

import pytest

from tests.runtime.interpreter.session import Session

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("x=1; x+=1; x", "2"),
        ("x=5", None),
        ("None", None),
        ("1;", None),
        ("if True:\n    9", None),
        ("7\n8", "8"),
        ("", None),
        ("  \n ", None),
        ("# only a comment", None),
        ("'hello'", "hello"),
        ('"it\'s"', "it's"),
        ("class A:\n    def __repr__(self): return \"'x'\"\nA()", "x"),
        ("    x = 3\n    x", "3"),
        ("await __import__('asyncio').sleep(0, 'slept')", "slept"),
        ("__name__", "__main__"),
        ("'__file__' in globals()", "False"),
        ("all(name in globals() for name in ('In', 'Out', 'get_ipython'))", "True"),
        ("import sys; (sys.stdout.isatty(), sys.stderr.isatty())", "(False, False)"),
        ("import sys; sys.path[0]", ""),
        ("len(str(list(range(2000))))", "10890"),
    ],
)
async def test_the_value_of_a_cell(session: Session, code: str, text: str | None) -> None:
    assert await session.text(code) == text


async def test_long_lists_are_shown_whole(session: Session) -> None:
    text = await session.text("list(range(2000))")
    assert text is not None
    assert "..." not in text
    assert text.count("\n") == 1999


async def test_counting(session: Session) -> None:
    counts = []
    for code in ("1/0", "", "# comment", "1"):
        [line] = [x for x in await session.run(code) if x["type"] == "number_of_executions"]
        counts.append(line["execution_count"])
    assert counts == [1, 2, 2, 3]


async def test_every_field_of_a_result_and_nothing_else(session: Session) -> None:
    assert await session.run("1+1") == [
        {"type": "number_of_executions", "execution_count": 1},
        {"type": "result", "text": "2", "extra": {}, "is_main_result": True},
    ]


async def test_prints_are_merged_and_stamped(session: Session) -> None:
    assert await session.outputs("print('a'); print('b')") == [
        {"type": "stdout", "text": "a\nb\n", "timestamp": "2025-11-22T22:25:40.802925+00:00"}
    ]


@pytest.mark.parametrize(
    "code",
    [
        "print('a', flush=True); print('b')",
        "import time; print('a'); time.sleep(0.5); print('b')",
    ],
)
async def test_flushed_prints_stay_apart(session: Session, code: str) -> None:
    assert [line["text"] for line in await session.outputs(code)] == ["a\n", "b\n"]


async def test_print_without_newline(session: Session) -> None:
    assert [line["text"] for line in await session.outputs("print('x', end='')")] == ["x"]


async def test_streams_are_merged_apart_and_sent_before_a_display(session: Session) -> None:
    code = (
        "import sys\n"
        "for i in range(2):\n"
        "    print(i); print(i, file=sys.stderr)\n"
        "display('shown')\n"
        "print('after')"
    )
    found = [(line["type"], line.get("text")) for line in await session.outputs(code)]
    assert found == [
        ("stdout", "0\n1\n"),
        ("stderr", "0\n1\n"),
        ("result", "shown"),
        ("stdout", "after\n"),
    ]


@pytest.mark.parametrize(
    ("code", "stdout", "stderr"),
    [
        ("import os; os.system('echo out; echo err >&2');", "out\n", "err\n"),
        (
            "import subprocess; subprocess.run('echo out; echo err >&2', shell=True);",
            "out\n",
            "err\n",
        ),
        ("import os; os.write(1, b'raw\\n');", "raw\n", ""),
        ("!echo out; echo err >&2", "out\r\nerr\r\n", ""),
        ("%%bash\necho out\necho err >&2", "out\n", "err\n"),
        ("import warnings; warnings.warn('careful')", "", "careful"),
        ("import logging; logging.warning('careful')", "", "WARNING:root:careful\n"),
        ("print('\\x1b[31mred')", "\x1b[31mred\n", ""),
        ("import sys; sys.stdout.writelines(['a', 'b'])", "ab", ""),
        (
            "import multiprocessing as m\n"
            "p = m.get_context('fork').Process(target=print, args=('child',)); p.start(); p.join()",
            "child\n",
            "",
        ),
    ],
)
async def test_everything_written_is_captured(
    session: Session, code: str, stdout: str, stderr: str
) -> None:
    lines = await session.outputs(code)
    assert [line for line in lines if line["type"] == "error"] == []
    texts = {
        name: "".join(line["text"] for line in lines if line["type"] == name)
        for name in ("stdout", "stderr")
    }
    assert texts["stdout"] == stdout
    assert stderr in texts["stderr"]
    assert bool(stderr) == bool(texts["stderr"])


async def test_the_exit_status_of_a_command_is_kept(session: Session) -> None:
    assert await session.outputs("!exit 3") == []
    assert await session.text("_exit_code") == "3"


async def test_command_output_as_a_list(session: Session) -> None:
    [line] = await session.outputs("!!printf 'a\\nb\\n'")
    assert line["json"] == ["a", "b"]
    assert await session.text("out = !echo hi\nout[0]") == "hi"


async def test_html_and_javascript_magics(session: Session) -> None:
    [html] = await session.outputs("%%html\n<b>x</b>")
    assert html["html"].strip() == "<b>x</b>"
    assert html["is_main_result"] is False
    [script] = await session.outputs("%%javascript\nlet a")
    assert script["javascript"].strip() == "let a"


async def test_timed_cell(session: Session) -> None:
    kinds = [line["type"] for line in await session.outputs("%%time\n1+1")]
    assert sorted(kinds) == ["result", "stdout"]


@pytest.mark.parametrize(
    ("code", "name", "value"),
    [
        ("1/0", "ZeroDivisionError", "division by zero"),
        ("xyz", "NameError", "name 'xyz' is not defined"),
        ("x = ", "SyntaxError", "invalid syntax (3306000817.py, line 1)"),
        ("raise SystemExit(3)", "SystemExit", "3"),
        ("import sys; sys.exit('bye')", "SystemExit", "bye"),
        (
            "input()",
            "StdinNotImplementedError",
            "raw_input was called, but this frontend does not support input requests.",
        ),
        (
            "import getpass; getpass.getpass()",
            "StdinNotImplementedError",
            "getpass was called, but this frontend does not support input requests.",
        ),
        (
            "import asyncio\nasync def f(): pass\nc = f()\n"
            "try:\n    asyncio.run(c)\nfinally:\n    c.close()",
            "RuntimeError",
            "asyncio.run() cannot be called from a running event loop",
        ),
        ("%nope", "UsageError", "Line magic function `%nope` not found."),
    ],
)
async def test_errors(session: Session, code: str, name: str, value: str) -> None:
    error = await session.error(code)
    assert (error["name"], error["value"]) == (name, value)


async def test_wrong_indent(session: Session) -> None:
    assert (await session.error("if True:\nx = 1"))["name"] == "IndentationError"


async def test_the_kernel_survives_an_exit_request(session: Session) -> None:
    await session.run("x = 1")
    await session.run("raise SystemExit(3)")
    assert await session.text("x") == "1"


async def test_an_unknown_magic_is_told_on_stderr_too(session: Session) -> None:
    lines = await session.outputs("%nope")
    assert {line["type"] for line in lines} == {"error", "stderr"}
    [error] = [line for line in lines if line["type"] == "error"]
    assert error["traceback"] == ""
    [stderr] = [line for line in lines if line["type"] == "stderr"]
    assert stderr["text"] == "UsageError: Line magic function `%nope` not found.\n"


async def test_a_traceback_is_plain_and_run_together(session: Session) -> None:
    error = await session.error("1/0")
    assert error["traceback"] == (
        "-" * 75
        + "ZeroDivisionError                         Traceback (most recent call last)"
        + "Cell In[1], line 1\n----> 1 1/0\n"
        + "ZeroDivisionError: division by zero"
    )


async def test_a_syntax_error_names_its_cell(session: Session) -> None:
    assert (await session.error("x = "))["traceback"].startswith("  Cell In[1], line 1")


async def test_breakpoint_goes_on(session: Session) -> None:
    assert await session.outputs("breakpoint()\nprint('on')") != []
    assert [line["type"] for line in await session.outputs("breakpoint()")] == []


async def test_output_of_leftovers_is_lost(session: Session) -> None:
    code = (
        "import asyncio, threading\n"
        "go = threading.Event(); done = threading.Event()\n"
        "def work():\n"
        "    go.wait(); print('thread'); done.set()\n"
        "threading.Thread(target=work).start()\n"
        "async def task():\n"
        "    while not go.is_set(): await asyncio.sleep(0.001)\n"
        "    print('task')\n"
        "t = asyncio.create_task(task())"
    )
    assert await session.outputs(code) == []
    code = "go.set(); done.wait(); await t; print('mine')"
    assert [line["text"] for line in await session.outputs(code)] == ["mine\n"]


async def test_tasks_run_on_between_cells(session: Session) -> None:
    await session.run(
        "import asyncio, threading\n"
        "ticked = threading.Event()\n"
        "async def tick():\n"
        "    await asyncio.sleep(0.01); ticked.set()\n"
        "t = asyncio.create_task(tick())"
    )
    # A cell that awaits lets the loop run; the task needs no help from it.
    assert await session.text("await t; ticked.is_set()") == "True"


async def test_help_pages_show_nothing(session: Session) -> None:
    assert await session.outputs("print?") == []


async def test_a_big_line_arrives_whole(session: Session) -> None:
    lines = await session.outputs("print('x' * 20_000_000)")
    assert sum(len(line["text"]) for line in lines) == 20_000_001


async def test_random_numbers_differ_between_kernels(session: Session) -> None:
    code = "import random, numpy; (random.random(), numpy.random.rand())"
    context = await session.interpreter.create(language=None, cwd=None)
    assert await session.text(code) != await session.text(code, context=context.context_id)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MPLBACKEND", "module://matplotlib_inline.backend_inline"),
        ("TERM", "xterm-color"),
        ("CLICOLOR", "1"),
        ("FORCE_COLOR", "1"),
        ("PAGER", "cat"),
    ],
)
async def test_the_environment(session: Session, name: str, value: str) -> None:
    assert await session.text(f"import os; os.environ[{name!r}]") == value


async def test_nothing_of_the_machines_environment_is_seen(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = await session.text("import os; sorted(os.environ)")
    assert text is not None
    assert "E2B_API_KEY" not in text
    assert "PYTEST_CURRENT_TEST" not in text
    assert "FAKE_E2B" not in text
    assert await session.text("import os; os.path.expanduser('~')") == str(
        session.folder.root / "root"
    )


async def test_temporary_files_stay_in_the_sandbox(session: Session) -> None:
    text = await session.text("import tempfile; tempfile.gettempdir()")
    assert text == str(session.folder.root / "tmp")
