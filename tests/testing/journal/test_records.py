"""What stands in the journal after real clients did real things."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable

import httpx
import pytest
from e2b import AsyncSandbox
from e2b_code_interpreter import Sandbox

from fake_e2b import FakeE2B
from fake_e2b.domain.journal import JournalRecord, RecordKind
from fake_e2b.wire import envelope
from fake_e2b.wire.journal import record_json
from fake_e2b.wire.proto_schema import envd_schema
from fake_e2b.wire.protobuf import encode
from tests.helpers.waiting import wait_until


def events(records: Iterable[JournalRecord]) -> list[str]:
    return [record.operation for record in records]


def one(fake: FakeE2B, operation: str) -> JournalRecord:
    [record] = fake.journal.records(operation=operation)
    return record


def test_a_sandboxs_life_is_told_in_order(fake: FakeE2B) -> None:
    sandbox = Sandbox.create(metadata={"userId": "7"})
    sandbox.set_timeout(100)
    [fork] = sandbox.fork()
    sandbox.create_snapshot()
    sandbox.pause()
    sandbox.connect()
    sandbox.kill()
    of_it = fake.journal.records(sandbox_id=sandbox.sandbox_id, kind=RecordKind.STATE)
    assert events(of_it) == [
        "created",
        "updated",
        "forked",
        "snapshotted",
        "paused",
        "resumed",
        "killed",
    ]
    assert of_it[0].json["metadata"] == {"userId": "7"}
    assert isinstance(fork, Sandbox)
    of_fork = fake.journal.records(sandbox_id=fork.sandbox_id, kind=RecordKind.STATE)
    assert events(of_fork) == ["created"]


def test_requests_are_found_by_the_sandboxs_metadata(fake: FakeE2B) -> None:
    mine = Sandbox.create(metadata={"userId": "7", "plan": "pro"})
    Sandbox.create(metadata={"userId": "8"}).kill()
    mine.commands.run("true")
    mine.kill()
    found = fake.journal.records(metadata={"userId": "7"}, kind=RecordKind.REQUEST)
    assert events(found) == ["createSandbox", "Process.Start", "killSandbox"]
    assert {record.sandbox_id for record in found} == {mine.sandbox_id}


def test_a_commands_stream_is_summed_up(fake: FakeE2B, sandbox: Sandbox) -> None:
    with pytest.raises(Exception, match="exited with code 3"):
        sandbox.commands.run("echo out; echo err >&2; exit 3")
    record = fake.journal.wait_for("Process.Start", duration_ms__exists=True)
    assert record.stream is not None
    assert {kind: record.stream.frames[kind] for kind in ("start", "end")} == {"start": 1, "end": 1}
    assert 1 <= record.stream.frames["data"] <= 2
    assert (record.stdout, record.stderr, record.exit_code) == ("out\n", "err\n", 3)
    assert record.command == "echo out; echo err >&2; exit 3"
    assert 0 < record.stream.size < record.sent


def test_processes_start_and_end(fake: FakeE2B, sandbox: Sandbox) -> None:
    killed = sandbox.commands.run("sleep 600", background=True, timeout=0)
    sandbox.commands.kill(killed.pid)
    fake.journal.wait_for("processEnded")
    lost = sandbox.commands.run("sleep 500", background=True, timeout=0)
    sandbox.kill()
    fake.journal.wait_for("processEnded", times=2)
    told = fake.journal.records(kind=RecordKind.PROCESS)
    assert [(record.operation, record.json) for record in told] == [
        ("processStarted", {"pid": killed.pid, "command": "sleep 600"}),
        (
            "processEnded",
            {"pid": killed.pid, "command": "sleep 600", "exitCode": None, "signal": 9},
        ),
        ("processStarted", {"pid": lost.pid, "command": "sleep 500"}),
        (
            "processEnded",
            {
                "pid": lost.pid,
                "command": "sleep 500",
                "exitCode": None,
                "signal": None,
                "withSandbox": True,
            },
        ),
    ]
    assert (told[1].duration_ns or 0) > 0


def test_the_end_of_a_process_that_nobody_listens_to_is_told(
    fake: FakeE2B, sandbox: Sandbox
) -> None:
    left = sandbox.commands.run("exec 2>&-; read line; exit 4", background=True, stdin=True)
    left.disconnect()
    sandbox.commands.send_stdin(left.pid, "go\n")
    record = fake.journal.wait_for("processEnded")
    assert (record.json["pid"], record.exit_code) == (left.pid, 4)


def test_code_is_summed_up_by_its_lines(fake: FakeE2B, sandbox: Sandbox) -> None:
    sandbox.run_code("print('hello')\n1/0")
    record = fake.journal.wait_for("execute", duration_ms__exists=True)
    assert record.stream is not None
    assert record.stream.frames == {
        "number_of_executions": 1,
        "stdout": 1,
        "error": 1,
        "end_of_execution": 1,
    }
    assert record.stream.error == "ZeroDivisionError: division by zero"
    assert (record.stdout, record.command) == ("hello\n", "print('hello')\n1/0")


async def test_a_watchers_frames_are_counted(fake: FakeE2B) -> None:
    sandbox = await AsyncSandbox.create()
    seen = asyncio.Event()
    watcher = await sandbox.files.watch_dir("/tmp", on_event=lambda event: seen.set())
    await sandbox.files.write("/tmp/new", "1")
    await asyncio.wait_for(seen.wait(), 20)
    await watcher.stop()
    record = await fake.journal.wait_for_async("Filesystem.WatchDir", frames__filesystem__gte=1)
    assert record.stream is not None
    assert record.stream.frames["start"] == 1


def test_what_a_client_streams_in_is_counted(fake: FakeE2B, sandbox: Sandbox) -> None:
    process = sandbox.commands.run("cat", background=True, stdin=True)
    selector = {"process": {"pid": process.pid}}
    messages = [
        {"start": selector},
        {"data": {"input": {"stdin": "eA=="}}},
        {"data": {"input": {"stdin": "eQ=="}}},
    ]
    frames = b"".join(envelope.frame(json.dumps(message).encode()) for message in messages)
    answer = ask_envd(fake, sandbox, "StreamInput", frames, "application/connect+json")
    assert answer.status_code == 200
    record = fake.journal.wait_for("Process.StreamInput", duration_ms__exists=True)
    assert record.stream is not None
    assert record.stream.received == {"start": 1, "data": 2}
    process.kill()


def ask_envd(
    fake: FakeE2B, sandbox: Sandbox, method: str, content: bytes, content_type: str
) -> httpx.Response:
    headers = {
        "E2b-Sandbox-Id": sandbox.sandbox_id,
        "E2b-Sandbox-Port": "49983",
        "X-Access-Token": sandbox._envd_access_token or "",
        "Content-Type": content_type,
    }
    return httpx.post(f"{fake.url}/process.Process/{method}", headers=headers, content=content)


def test_binary_messages_are_shown_as_json(fake: FakeE2B, sandbox: Sandbox) -> None:
    request = envd_schema().methods["/process.Process/Start"].request
    message = {"process": {"cmd": "/bin/bash", "args": ["-c", "echo hi"], "envs": {"KEY": "x"}}}
    framed = envelope.frame(encode(request, message))
    ask_envd(fake, sandbox, "Start", framed, "application/connect+proto")
    record = fake.journal.wait_for("Process.Start", duration_ms__exists=True)
    assert record.json == {
        "process": {"cmd": "/bin/bash", "args": ["-c", "echo hi"], "envs": {"KEY": "****"}}
    }
    assert (record.command, record.stdout) == ("echo hi", "hi\n")


def test_a_hanging_request_is_there_to_be_seen(fake: FakeE2B, sandbox: Sandbox) -> None:
    process = sandbox.commands.run("echo ready; cat", background=True, stdin=True)
    record = fake.journal.wait_for("Process.Start", stdout="ready\n")
    assert record.is_open
    assert (record.status, record.duration_ns) == (200, None)
    process.kill()


def test_virtual_and_real_time_are_told_apart() -> None:
    with FakeE2B(runtime="local", clock="manual") as fake:
        sandbox = Sandbox.create(timeout=60)
        fake.clock.advance(seconds=61)
        created, expired, killed = (one(fake, name) for name in ("created", "expired", "killed"))
        assert expired.at_ns == created.at_ns + 60_000_000_000
        assert expired.real_ns - created.real_ns < 60_000_000_000
        assert killed.sequence > expired.sequence
        assert not sandbox.is_running()


def test_no_secret_of_the_fake_is_in_the_whole_journal(fake: FakeE2B) -> None:
    private = Sandbox.create(network={"allow_public_traffic": False})
    traffic_token = private.traffic_access_token
    token = private._envd_access_token
    assert token
    assert traffic_token
    key_headers = {"X-API-Key": fake.api_key}
    private.commands.run(
        f"echo {token} {fake.api_key}; echo {traffic_token} >&2",
        envs={"OPENAI_KEY": "sk-0123456789abcdef", "T": token},
    )
    private.run_code(f"print('{token}')", envs={"SECRET": traffic_token})
    private.files.write("a.txt", token)
    signed = private.download_url("a.txt")
    signature = httpx.URL(signed).params["signature"]
    with httpx.Client() as client:
        client.get(signed)
        client.get(f"{fake.url}/sandboxes?access_token={token}", headers=key_headers)
        client.get(f"{fake.url}/nothing?x={fake.api_key}&y={token}", headers={"X-Mine": token})
        client.get(
            f"http://8000-{private.sandbox_id}.e2b.localhost:{fake.port}/",
            headers={"e2b-traffic-access-token": traffic_token},
        )
        client.get(f"{fake.url}/teams", headers={"Authorization": f"Bearer {fake.access_token}"})
        client.get(f"{fake.url}/teams", headers={"X-Admin-Token": fake.access_token})
    private.get_info()
    private.connect()
    private.kill()
    wait_until(lambda: not fake.journal.records(where=lambda record: record.is_open))
    records = fake.journal.records()
    dump = "".join(
        json.dumps(record_json(record, details=True)) + repr(record) for record in records
    )
    secrets = {fake.api_key, fake.access_token, token, traffic_token, signature}
    secrets |= {"sk-0123456789abcdef"}
    assert len(secrets) == 6
    assert [secret for secret in secrets if secret in dump] == []
    assert "****" in dump
