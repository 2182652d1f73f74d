"""What a test left behind or did wrong, said at its end."""

from __future__ import annotations

import e2b_code_interpreter  # noqa: F401  # else each run in this process imports it anew
import pytest

pytest_plugins = ["pytester"]

# Inner runs in this process would inherit that warnings are errors.
INI = """
[pytest]
asyncio_default_fixture_loop_scope = function
addopts = -p no:cacheprovider --fake-e2b-runtime=local
filterwarnings = default
"""


@pytest.fixture
def inner(pytester):
    pytester.makeini(INI)
    return pytester


LEFT = """
    from e2b import AsyncSandbox, Sandbox
    import pytest

    def test_streams(fake_e2b):
        sandbox = Sandbox.create()
        global command, watcher
        command = sandbox.commands.run("sleep 60", background=True)
        watcher = sandbox.files.watch_dir(".")

    def test_tidy(fake_e2b):
        sandbox = Sandbox.create()
        command = sandbox.commands.run("sleep 60", background=True)
        watcher = sandbox.files.watch_dir(".")
        watcher.stop()
        command.kill()
        terminal = sandbox.pty.create(__import__("e2b").PtySize(24, 80))
        sandbox.kill()

    @pytest.mark.fake_e2b(leaks="error,sandbox=ignore")
    def test_disconnected(fake_e2b):
        sandbox = Sandbox.create()
        sandbox.commands.run("sleep 60", background=True).disconnect()
        watcher = sandbox.files.watch_dir(".")
        watcher.stop()

    @pytest.mark.asyncio
    async def test_async(fake_e2b):
        sandbox = await AsyncSandbox.create()
        global watch
        watch = await sandbox.files.watch_dir(".", on_event=print)
        terminal = await sandbox.pty.create(__import__("e2b").PtySize(24, 80), on_data=print)
        assert len(fake_e2b.leaks()) == 3
"""


def test_what_is_left_open_is_named(inner):
    inner.makepyfile(test_left=LEFT)
    run = inner.runpytest_inprocess("--fake-e2b-leaks=error")
    run.assert_outcomes(passed=4, errors=2)
    run.stdout.fnmatch_lines(
        [
            "*ERROR at teardown of test_streams*",
            "the test left a sandbox running: i*",
            "    called from test_left.py:5",
            "    Kill what it creates, take the fixture e2b_sandbox, *",
            "the test left Process.Start 'sleep 60' open in i*",
            "    called from test_left.py:7",
            "the test left a watcher collecting in i*",
            "    called from test_left.py:8",
            "*ERROR at teardown of test_async*",
            "the test left a sandbox running: i*",
            "    called from test_left.py:28",
        ]
    )


MISUSE = """
    import threading
    import httpx
    import pytest
    from e2b import NotFoundException, Sandbox, SandboxException, TimeoutException

    def test_killed(e2b_sandbox):
        e2b_sandbox.kill()
        assert not e2b_sandbox.is_running()
        assert not e2b_sandbox.kill()
        try:
            e2b_sandbox.connect()
        except SandboxException:
            pass
        try:
            e2b_sandbox.commands.run("echo late")
        except SandboxException:
            pass

    def test_cut(e2b_sandbox):
        try:
            e2b_sandbox.commands.run("sleep 60", timeout=0.2)
        except TimeoutException:
            pass

    def test_expired(fake_e2b):
        sandbox = Sandbox.create()
        command = sandbox.commands.run("sleep 60", background=True)
        sandbox.set_timeout(1)
        try:
            command.wait()
        except SandboxException:
            pass

    @pytest.mark.fake_e2b(clock="manual")
    def test_moved(e2b_clock):
        sandbox = Sandbox.create(timeout=30)
        command = sandbox.commands.run("sleep 60", background=True)
        e2b_clock.advance(seconds=31)
        try:
            sandbox.commands.run("echo late")
        except SandboxException:
            pass

    def test_unknown(fake_e2b):
        headers = {"X-API-Key": fake_e2b.api_key}
        with pytest.raises(AssertionError):
            assert httpx.get(fake_e2b.url + "/expected", headers=headers).status_code == 200
        assert httpx.get(fake_e2b.url + "/sandbox", headers=headers).status_code == 404
        with Sandbox.create("code-interpreter-v1") as sandbox:
            to = {"E2b-Sandbox-Id": sandbox.sandbox_id, "E2b-Sandbox-Port": "49999"}
            asked = {"code": "1", "language": "r"}
            answer = httpx.post(fake_e2b.url + "/execute", headers=to, json=asked)
            assert answer.status_code == 501

    def test_fine(e2b_sandbox):
        e2b_sandbox.commands.run("sleep 0.05", timeout=20)
        try:
            e2b_sandbox.files.read("missing")
        except NotFoundException:
            pass
        with pytest.raises(NotFoundException):
            Sandbox.connect("inobody0000000000000")
"""


def test_what_was_misused_is_named(inner):
    inner.makepyfile(test_misuse=MISUSE)
    run = inner.runpytest_inprocess("--fake-e2b-misuse=error")
    run.assert_outcomes(passed=6, errors=4)
    run.stdout.fnmatch_lines(
        [
            "*ERROR at teardown of test_killed*",
            "used a sandbox after killing it: Process.Start* in i*",
            "    called from test_misuse.py:15",
            "*ERROR at teardown of test_cut*",
            "Process.Start*was cut by its own timeout of 0.2 s",
            "*ERROR at teardown of test_expired*",
            "the time of sandbox i* was up while Process.Start* ran",
            "*ERROR at teardown of test_unknown*",
            "asked for what the API does not have: GET /sandbox",
            "asked for what the fake does not do yet: execute (POST /execute)",
        ]
    )
    assert "have: GET /expected" not in run.stdout.str()
    mixed = "--fake-e2b-misuse=ignore,gap=error,unknown-operation=warn"
    run = inner.runpytest_inprocess(mixed)
    run.assert_outcomes(passed=6, errors=1, warnings=1)
    run.stdout.fnmatch_lines(["*FakeE2BMisuseWarning: asked for what the API does not have*"])


CALLS = """
    import asyncio
    import subprocess
    import sys
    import threading
    from concurrent.futures import ThreadPoolExecutor
    import app
    import pytest
    from e2b import AsyncSandbox, Sandbox

    opened = []

    def test_plain(fake_e2b):
        for _ in range(2):
            opened.append(Sandbox.create().commands.run("sleep 60", background=True))
        app.make()

    @pytest.mark.asyncio
    async def test_awaited(fake_e2b):
        async def make():
            return await AsyncSandbox.create()

        await make()
        await asyncio.create_task(make())
        await app.amake()

    def test_together(fake_e2b):
        with ThreadPoolExecutor() as pool:
            pool.submit(lambda: Sandbox.create()).result()
            pool.submit(Sandbox.create).result()

    @pytest.mark.asyncio
    async def test_gathered(fake_e2b):
        await asyncio.gather(AsyncSandbox.create(), AsyncSandbox.create())

    def test_elsewhere(fake_e2b):
        code = "from e2b import Sandbox; Sandbox.create()"
        subprocess.run([sys.executable, "-c", code], check=True)

    @pytest.fixture
    def own(fake_e2b):
        return Sandbox.create()

    def test_fixture(own, e2b_sandbox):
        e2b_sandbox.pause()
        own.connect()
"""
APP = """
    from e2b import AsyncSandbox, Sandbox

    def make():
        return Sandbox.create()

    async def amake():
        return await AsyncSandbox.create()
"""


def test_each_comes_with_the_line_that_made_the_call(inner):
    inner.makepyfile(test_calls=CALLS, app=APP)
    inner.syspathinsert()
    run = inner.runpytest_inprocess("--fake-e2b-leaks=error")
    run.assert_outcomes(passed=6, errors=6)
    said: dict[str, list[str]] = {}
    for line in run.outlines:
        if "ERROR at teardown of " in line:
            said[name := line.strip("_ ").rpartition(" ")[2]] = []
        elif "called from " in line:
            said[name].append(line.strip())
    away = "called from out of sight (the test was at test_calls.py:{})"
    line = "called from test_calls.py:{}"
    assert said == {
        "test_plain": [line.format(number) for number in (14, 14, 15, 14, 14)],
        "test_awaited": [line.format(number) for number in (20, 20, 24)],
        "test_together": [line.format(28), away.format(29)],
        "test_gathered": [away.format(33)] * 2,
        "test_elsewhere": [away.format(37)],
        "test_fixture": [line.format(41)],
    }
