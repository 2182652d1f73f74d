"""`record.as_sdk_call()`: what it says makes the same request again."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from e2b import AsyncSandbox, SandboxQuery, SandboxState
from e2b.sandbox.commands.command_handle import PtySize
from e2b_code_interpreter import Context, Sandbox

from fake_e2b import FakeE2B
from fake_e2b.domain.journal import JournalRecord, RecordKind


def last(fake: FakeE2B, operation: str) -> JournalRecord:
    return fake.journal.records(operation=operation, last=1)[0]


def made(record: JournalRecord) -> tuple[str, str, Any]:
    """What two equal calls have in common."""
    path = record.path.replace(record.sandbox_id or "?", "ID")
    return record.method, path, record.json


def again(fake: FakeE2B, record: JournalRecord, **names: Any) -> JournalRecord:
    """Do what a record says; gives the record that this made."""
    known = {"Sandbox": Sandbox, "SandboxQuery": SandboxQuery, "PtySize": PtySize, "os": os}
    known |= {"Context": Context, "SandboxState": SandboxState}
    since = fake.journal.mark()
    result = eval(record.as_sdk_call(), {**known, **names})
    close = getattr(result, "disconnect", None)
    if close is not None:
        close()
    [repeated] = fake.journal.records(since=since, operation=record.operation)
    return repeated


CALLS: list[tuple[str, Callable[[Sandbox], object], str]] = [
    ("getSandbox", lambda s: s.get_info(), "sandbox.get_info()"),
    ("setSandboxTimeout", lambda s: s.set_timeout(70), "sandbox.set_timeout(70)"),
    ("getSandboxMetrics", lambda s: s.get_metrics(), "sandbox.get_metrics()"),
    ("envd.health", lambda s: s.is_running(), "sandbox.is_running()"),
    ("forkSandbox", lambda s: s.fork(count=2), "sandbox.fork(count=2)"),
    ("createSnapshot", lambda s: s.create_snapshot(), "sandbox.create_snapshot()"),
    (
        "createSnapshot",
        lambda s: s.create_snapshot(name="kept"),
        'sandbox.create_snapshot(name="kept")',
    ),
    (
        "Process.Start",
        lambda s: s.commands.run("echo hi"),
        'sandbox.commands.run("echo hi")',
    ),
    (
        "Process.Start",
        lambda s: s.commands.run(
            """echo "it's" $A""", envs={"A": "é"}, user="root", cwd="/tmp", timeout=5
        ),
        """sandbox.commands.run('echo "it\\'s" $A', envs={"A": "é"}, user="root", """
        """cwd="/tmp", timeout=5)""",
    ),
    (
        "Process.Start",
        lambda s: s.commands.run("true", timeout=0, stdin=True),
        'sandbox.commands.run("true", stdin=True, timeout=0)',
    ),
    ("Process.List", lambda s: s.commands.list(), "sandbox.commands.list()"),
    ("Filesystem.ListDir", lambda s: s.files.list("/"), 'sandbox.files.list("/")'),
    (
        "Filesystem.ListDir",
        lambda s: s.files.list("/", depth=2, user="root"),
        'sandbox.files.list("/", depth=2, user="root")',
    ),
    ("Filesystem.MakeDir", lambda s: s.files.make_dir("a b"), 'sandbox.files.make_dir("a b")'),
    ("Filesystem.Remove", lambda s: s.files.remove("/tmp"), 'sandbox.files.remove("/tmp")'),
    ("Filesystem.Stat", lambda s: s.files.get_info("/"), 'sandbox.files.get_info("/")'),
    ("execute", lambda s: s.run_code("1+1"), 'sandbox.run_code("1+1")'),
    (
        "execute",
        lambda s: s.run_code("a = 1\nb", language="python", envs={"A": "1"}),
        'sandbox.run_code("a = 1\\nb", language="python", envs={"A": "1"})',
    ),
    ("listContexts", lambda s: s.list_code_contexts(), "sandbox.list_code_contexts()"),
    (
        "createContext",
        lambda s: s.create_code_context(cwd="/tmp"),
        'sandbox.create_code_context(cwd="/tmp")',
    ),
]


@pytest.mark.parametrize(("operation", "call", "text"), CALLS, ids=[text for _, _, text in CALLS])
def test_a_call_is_shown_as_it_was_made(
    fake: FakeE2B, sandbox: Sandbox, operation: str, call: Callable[[Sandbox], object], text: str
) -> None:
    call(sandbox)
    record = last(fake, operation)
    assert record.as_sdk_call() == text
    assert made(again(fake, record, sandbox=sandbox)) == made(record)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({}, "Sandbox.create()"),
        ({"timeout": 300, "metadata": {"userId": "123"}}, None),
        ({"envs": {"A": "1"}, "allow_internet_access": False}, None),
        ({"template": "base", "lifecycle": {"on_timeout": "pause", "auto_resume": True}}, None),
        (
            {"lifecycle": {"on_timeout": {"action": "pause", "mode": "filesystem"}}},
            'Sandbox.create(lifecycle={"on_timeout": {"action": "pause", "mode": "filesystem"}})',
        ),
        ({"network": {"allow_public_traffic": False}}, None),
        ({"idempotency_key": "once-only"}, 'Sandbox.create(idempotency_key="once-only")'),
    ],
)
def test_a_create_is_shown_with_what_it_asked_for(
    fake: FakeE2B, given: dict[str, Any], text: str | None
) -> None:
    Sandbox.create(**given)
    record = last(fake, "createSandbox")
    if text is not None:
        assert record.as_sdk_call() == text
    assert {**made(again(fake, record))[2], "templateID": ""} == {**record.json, "templateID": ""}


def test_calls_about_a_running_process(fake: FakeE2B, sandbox: Sandbox) -> None:
    process = sandbox.commands.run("cat", background=True, stdin=True)
    connected = sandbox.commands.connect(process.pid)
    sandbox.commands.send_stdin(process.pid, "é\n")
    sandbox.commands.close_stdin(process.pid)
    process.wait()
    connected.wait()
    sandbox.commands.kill(process.pid)
    shown = [
        last(fake, f"Process.{name}").as_sdk_call()
        for name in ("Start", "Connect", "SendInput", "CloseStdin", "SendSignal")
    ]
    assert shown == [
        'sandbox.commands.run("cat", stdin=True)',
        f"sandbox.commands.connect({process.pid})",
        f'sandbox.commands.send_stdin({process.pid}, "é\\n")',
        f"sandbox.commands.close_stdin({process.pid})",
        f"sandbox.commands.kill({process.pid})",
    ]


def test_a_stream_that_was_left_ran_in_the_background(fake: FakeE2B, sandbox: Sandbox) -> None:
    process = sandbox.commands.run("cat", background=True, stdin=True)
    process.disconnect()
    sandbox.is_running()  # The server has heard of the end of the stream, and read on.
    record = fake.journal.wait_for("Process.Start", duration_ms__gte=0)
    assert record.as_sdk_call() == 'sandbox.commands.run("cat", background=True, stdin=True)'


def test_terminals(fake: FakeE2B, sandbox: Sandbox) -> None:
    terminal = sandbox.pty.create(PtySize(rows=24, cols=80), envs={"A": "1"}, cwd="/tmp")
    sandbox.pty.send_stdin(terminal.pid, b"\x03")
    sandbox.pty.resize(terminal.pid, PtySize(rows=30, cols=90))
    terminal.kill()
    names = ("Start", "SendInput", "Update", "SendSignal")
    assert [last(fake, f"Process.{name}").as_sdk_call() for name in names] == [
        'sandbox.pty.create(PtySize(rows=24, cols=80), cwd="/tmp", envs={"A": "1"})',
        f"sandbox.pty.send_stdin({terminal.pid}, b'\\x03')",
        f"sandbox.pty.resize({terminal.pid}, PtySize(rows=30, cols=90))",
        f"sandbox.commands.kill({terminal.pid})",
    ]
    terminal.disconnect()


def test_files_and_watchers(fake: FakeE2B, sandbox: Sandbox) -> None:
    sandbox.files.write("a.txt", "1", user="root")
    sandbox.files.read("a.txt", user="root")
    sandbox.files.rename("/root/a.txt", "/root/b.txt", user="root")
    watcher = sandbox.files.watch_dir("/tmp", recursive=True)
    watcher.get_new_events()
    watcher.stop()
    operations = ["files.upload", "files.download"]
    operations += [
        f"Filesystem.{name}"
        for name in ("Move", "CreateWatcher", "GetWatcherEvents", "RemoveWatcher")
    ]
    assert [last(fake, operation).as_sdk_call() for operation in operations] == [
        'sandbox.files.write("a.txt", ..., user="root")',
        'sandbox.files.read("a.txt", user="root")',
        'sandbox.files.rename("/root/a.txt", "/root/b.txt", user="root")',
        'sandbox.files.watch_dir("/tmp", recursive=True)',
        "watcher.get_new_events()",
        "watcher.stop()",
    ]


def test_lists_pauses_and_ends(fake: FakeE2B, sandbox: Sandbox) -> None:
    query = SandboxQuery(metadata={"a": "b c"}, state=[SandboxState.RUNNING])
    Sandbox.list(query=query, limit=5).next_items()
    sandbox.pause()
    sandbox.connect(timeout=90)
    sandbox.kill()
    names = ("listSandboxes", "pauseSandbox", "connectSandbox", "killSandbox")
    shown = [last(fake, name).as_sdk_call() for name in names]
    assert shown == [
        'Sandbox.list(query=SandboxQuery(metadata={"a": "b c"}, state=[SandboxState.RUNNING]), '
        "limit=5).next_items()",
        "sandbox.pause()",
        f'Sandbox.connect("{sandbox.sandbox_id}", timeout=90)',
        "sandbox.kill()",
    ]
    assert made(again(fake, last(fake, "listSandboxes"))) == made(last(fake, "listSandboxes"))


async def test_async_watchers(fake: FakeE2B) -> None:
    sandbox = await AsyncSandbox.create()
    watcher = await sandbox.files.watch_dir("/tmp", on_event=lambda event: None)
    await watcher.stop()
    shown = last(fake, "Filesystem.WatchDir").as_sdk_call()
    assert shown == 'await sandbox.files.watch_dir("/tmp", on_event=...)'


def test_secrets_are_read_from_the_environment(fake: FakeE2B, sandbox: Sandbox) -> None:
    sandbox.commands.run("true", envs={"OPENAI_API_KEY": "sk-0123456789abcdef"})
    assert last(fake, "Process.Start").as_sdk_call() == (
        'sandbox.commands.run("true", envs={"OPENAI_API_KEY": os.environ["OPENAI_API_KEY"]})'
    )


def test_what_no_method_makes_says_so(fake: FakeE2B, sandbox: Sandbox) -> None:
    with httpx.Client(base_url=fake.url, headers={"X-API-Key": fake.api_key}) as client:
        client.get("/teams")
        client.get("/nonsense")
        client.post("/sandboxes", json=["no", "object"])
    shown = [
        record.as_sdk_call() for record in fake.journal.records(kind=RecordKind.REQUEST, last=3)
    ]
    assert shown == [
        "# no method of the Python SDK makes listTeams",
        "# no method of the Python SDK makes unknown",
        "# no method of the Python SDK makes this createSandbox",
    ]
    [event] = fake.journal.records(operation="created")
    assert event.as_sdk_call() == "# created is no request"
