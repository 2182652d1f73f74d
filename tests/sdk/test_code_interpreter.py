"""The published code-interpreter SDK, sync and async, on real kernels."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from e2b import InvalidArgumentException, NotFoundException, SandboxException, TimeoutException
from e2b_code_interpreter import AsyncSandbox, Execution, OutputMessage, Result, Sandbox

from fake_e2b.testing import FakeE2B


@pytest.fixture(scope="module", autouse=True)
def warm_server(fake_e2b_server: FakeE2B) -> None:
    """The run's server starts its helpers with its first sandbox: they are no test's leftovers."""
    options = {
        "api_key": fake_e2b_server.api_key,
        "api_url": fake_e2b_server.url,
        "sandbox_url": fake_e2b_server.url,
    }
    sandbox = Sandbox.create(**options)
    sandbox.run_code("1 + 1")
    sandbox.kill()


@pytest.fixture
def sandbox(fake_e2b: FakeE2B) -> Iterator[Sandbox]:
    with Sandbox.create() as made:
        yield made


def test_a_value_and_state_across_calls(sandbox: Sandbox) -> None:
    assert sandbox.run_code("x =1; x").text == "1"
    execution = sandbox.run_code("x += 1; x")
    assert (execution.text, execution.execution_count) == ("2", 2)
    assert execution.error is None


def test_counting_goes_on_after_an_error(sandbox: Sandbox) -> None:
    error = sandbox.run_code("1/0").error
    assert error is not None
    assert (error.name, error.value) == ("ZeroDivisionError", "division by zero")
    assert "\x1b" not in error.traceback
    assert sandbox.run_code("!pwd").execution_count == 2


def test_the_working_folder_is_the_one_of_the_files(sandbox: Sandbox) -> None:
    sandbox.files.write("/home/user/a.txt", "written by the API")
    assert sandbox.run_code("open('a.txt').read()").text == "written by the API"
    sandbox.run_code("open('b.txt', 'w').write('written by a cell');")
    assert sandbox.files.read("/home/user/b.txt") == "written by a cell"


def test_streams(sandbox: Sandbox) -> None:
    execution = sandbox.run_code("import sys; print('out'); print('err', file=sys.stderr)")
    assert execution.logs.stdout == ["out\n"]
    assert execution.logs.stderr == ["err\n"]


def test_callbacks_see_output_as_it_comes(sandbox: Sandbox) -> None:
    lines: list[OutputMessage] = []
    results: list[Result] = []
    errors: list[Any] = []
    execution = sandbox.run_code(
        "import sys, time\nprint(1); time.sleep(.5); print(2); print(3, file=sys.stderr)\n"
        "display('shown')\n1/0",
        on_stdout=lines.append,
        on_stderr=lines.append,
        on_result=results.append,
        on_error=errors.append,
    )
    assert [(line.line, line.error) for line in lines] == [
        ("1\n", False),
        ("2\n", False),
        ("3\n", True),
    ]
    assert all(str(line.timestamp).endswith("+00:00") for line in lines)
    assert [result.text for result in results] == ["shown"]
    assert [error.name for error in errors] == ["ZeroDivisionError"]
    assert execution.error is not None


@pytest.mark.parametrize(
    ("code", "formats"),
    [
        ("display({'text/latex': 'x'}, raw=True)", ["latex"]),
        ("from IPython.display import *; HTML('<b>')", ["text", "html"]),
        ("from IPython.display import *; Markdown('# x')", ["text", "markdown"]),
        ("from IPython.display import *; SVG('<svg xmlns=\"x\"/>')", ["text", "svg"]),
        ("from IPython.display import *; JSON({'a': 1})", ["text", "json"]),
        ("from IPython.display import *; Javascript('1')", ["text", "javascript"]),
        ("[1]", ["text", "json"]),
        ("{}", ["text"]),
        ("import pandas as pd; pd.DataFrame({'a': [1, 2, 3]})", ["text", "html", "data"]),
    ],
)
def test_formats(sandbox: Sandbox, code: str, formats: list[str]) -> None:
    [result] = sandbox.run_code(code).results
    assert sorted(result.formats()) == sorted(formats)


def test_a_table(sandbox: Sandbox) -> None:
    result = sandbox.run_code("import pandas as pd; pd.DataFrame({'a': [1, 2, 3]})").results[0]
    assert result.data == {"a": [1, 2, 3]}


def test_a_figure(sandbox: Sandbox) -> None:
    pytest.importorskip("e2b_charts")
    [value, figure] = sandbox.run_code(
        "import matplotlib.pyplot as plt; plt.plot([1, 2, 3]); plt.title('T')"
    ).results
    assert value.is_main_result
    assert not figure.is_main_result
    assert (figure.png or "").startswith("iVBOR")
    assert figure.text == "<Figure size 640x480 with 1 Axes>"
    assert not figure.extra
    assert figure.chart is not None
    assert (figure.chart.type.value, figure.chart.title) == ("line", "T")


@pytest.mark.parametrize("code", ["image.show()", "image", "image.save('x.png')"])
def test_an_image(sandbox: Sandbox, code: str) -> None:
    sandbox.run_code("from PIL import Image; image = Image.new('RGB', (2, 2))")
    assert sandbox.run_code(code).results[0].png


def test_contexts(sandbox: Sandbox) -> None:
    assert [c.language for c in sandbox.list_code_contexts()] == ["python", "javascript"]
    context = sandbox.create_code_context(cwd="/tmp")
    assert (context.language, context.cwd) == ("python", "/tmp")
    assert sandbox.list_code_contexts()[-1].id == context.id
    sandbox.run_code("x = 1")
    error = sandbox.run_code("x", context=context).error
    assert error is not None
    assert error.value == "name 'x' is not defined"
    sandbox.run_code("y = 1", context=context)
    sandbox.restart_code_context(context)
    assert sandbox.run_code("'y' in globals()", context=context).text == "False"
    sandbox.remove_code_context(context.id)
    with pytest.raises(NotFoundException, match=f"Context {context.id} not found"):
        sandbox.run_code("1", context=context)


def test_context_and_language(sandbox: Sandbox) -> None:
    context = sandbox.create_code_context()
    with pytest.raises(InvalidArgumentException):
        sandbox.run_code("1", context=context, language="python")


def test_languages(sandbox: Sandbox) -> None:
    assert sandbox.run_code("echo hi", language="bash").logs.stdout == ["hi\n"]
    with pytest.raises(SandboxException, match="there is no javascript kernel"):
        sandbox.run_code("1", language="js")
    with pytest.raises(SandboxException, match="The 'foo' kernel is not available"):
        sandbox.run_code("1", language="foo")


def test_variables(fake_e2b: FakeE2B) -> None:
    with Sandbox.create(envs={"GIVEN": "sandbox"}) as sandbox:
        code = "import os; os.getenv('GIVEN'), os.getenv('MINE')"
        assert sandbox.run_code(code, envs={"MINE": "1"}).text == "('sandbox', '1')"
        assert sandbox.run_code(code, envs={"GIVEN": "run"}).text == "('run', None)"
        assert sandbox.run_code(code).text == "('sandbox', None)"
        own = "os.environ['E2B_SANDBOX_ID']"
        assert sandbox.run_code(own).text == sandbox.sandbox_id


def test_a_timed_out_run_makes_room_for_the_next(sandbox: Sandbox) -> None:
    sandbox.run_code("x = 1")
    with pytest.raises(TimeoutException, match="Execution timed out"):
        sandbox.run_code("import time; time.sleep(1000)", timeout=1)
    assert sandbox.run_code("x").text == "1"


def test_a_killed_sandbox_says_so(sandbox: Sandbox) -> None:
    def kill(message: OutputMessage) -> None:
        threading.Thread(target=sandbox.kill).start()

    with pytest.raises(TimeoutException, match="The sandbox was killed while the request was"):
        sandbox.run_code("import time; print('on', flush=True); time.sleep(1000)", on_stdout=kill)


def test_a_dead_kernel(sandbox: Sandbox) -> None:
    error = sandbox.run_code("import os; os._exit(1)").error
    assert error is not None
    assert (error.name, error.value) == ("ContextRestarting", "Context was restarted")
    assert sandbox.run_code("1").execution_count == 1


def test_state_survives_a_pause(sandbox: Sandbox) -> None:
    sandbox.run_code("x = 1")
    sandbox.beta_pause()
    resumed = Sandbox.connect(sandbox.sandbox_id)
    assert resumed.run_code("x").text == "1"


async def test_the_async_client(fake_e2b: FakeE2B) -> None:
    async with await AsyncSandbox.create() as sandbox:
        lines: list[str] = []
        execution: Execution = await sandbox.run_code(
            "print('on'); 1 + 1", on_stdout=lambda message: lines.append(message.line)
        )
        assert (execution.text, lines) == ("2", ["on\n"])
        context = await sandbox.create_code_context()
        assert (await sandbox.run_code("2", context=context)).text == "2"
        await sandbox.restart_code_context(context)
        await sandbox.remove_code_context(context)
        assert len(await sandbox.list_code_contexts()) == 2


def test_without_the_extra_it_says_how_to_get_it(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fake_e2b.runtime.interpreter.host.find_spec", lambda name: None)
    with pytest.raises(SandboxException, match=r"501.*pip install"):
        sandbox.run_code("1")
