"""The true answer in part, in another form, or slowly; by the published SDK."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from e2b import AsyncSandbox, Sandbox, SandboxException
from e2b.exceptions import SandboxUnreachableException

from fake_e2b import FakeE2B, UsageError, effects
from tests.helpers.http import connected, head_of, read_head

TEXT = "zwölf Boxkämpfer jagen Viktor\n" * 500


@pytest.fixture
def sandbox(fake: FakeE2B) -> Sandbox:
    sandbox = Sandbox.create()
    sandbox.files.write("text", TEXT)
    return sandbox


@pytest.fixture
def client(fake: FakeE2B) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=fake.url, headers={"X-API-Key": fake.api_key}) as client:
        yield client


def test_half_an_answer(fake: FakeE2B) -> None:
    fault = fake.faults.add("createSandbox", effects.HalfAnswer(), times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        Sandbox.create()
    assert len(fake.sandboxes()) == 1
    assert fault.hits == 1
    Sandbox.create().kill()


async def test_half_an_answer_in_async_clients(fake: FakeE2B, sandbox: Sandbox) -> None:
    there = await AsyncSandbox.connect(sandbox.sandbox_id)
    with (
        fake.faults.add("Filesystem.ListDir", effects.HalfAnswer()),
        pytest.raises(SandboxUnreachableException),
    ):
        await there.files.list(".")
    with (
        fake.faults.add("files.download", effects.HalfAnswer(reset=True)),
        pytest.raises(httpx.ReadError),
    ):
        await there.files.read("text")


def test_how_much_of_it(fake: FakeE2B, sandbox: Sandbox) -> None:
    path = f"/sandboxes/{sandbox.sandbox_id}"
    fake.faults.add("getSandbox", effects.HalfAnswer(share=0.25))
    with connected(fake.port) as connection:
        connection.sendall(head_of(path, "Host: localhost", f"X-API-Key: {fake.api_key}"))
        status, headers, part = read_head(connection)
        while data := connection.recv(65536):
            part += data
    assert status == 200
    assert len(part) == int(headers["content-length"]) // 4


def test_malformed_json(fake: FakeE2B, client: httpx.Client, sandbox: Sandbox) -> None:
    fake.faults.add("getSandbox", effects.MalformedJson())
    answer = client.get(f"/sandboxes/{sandbox.sandbox_id}")
    assert answer.headers["content-type"].startswith("application/json")
    assert len(answer.content) == int(answer.headers["content-length"])
    with pytest.raises(json.JSONDecodeError):
        answer.json()
    with pytest.raises(json.JSONDecodeError):
        sandbox.get_info()


def test_malformed_json_of_rpcs_and_streams(fake: FakeE2B, sandbox: Sandbox) -> None:
    with (
        fake.faults.add("Filesystem.ListDir", effects.MalformedJson()),
        pytest.raises(SandboxException, match="could not be decoded"),
    ):
        sandbox.files.list(".")
    with (
        fake.faults.add("Process.Start", effects.MalformedJson(), at="frame=2"),
        pytest.raises(SandboxException, match="could not be decoded"),
    ):
        sandbox.commands.run("echo hi")


def test_what_is_no_json_is_left_alone(fake: FakeE2B, sandbox: Sandbox) -> None:
    fault = fake.faults.add("files.download", effects.MalformedJson())
    assert sandbox.files.read("text") == TEXT
    assert [each.name for each in fake.faults.unfired()] == [fault.name]


def test_a_wrong_content_type(fake: FakeE2B, client: httpx.Client, sandbox: Sandbox) -> None:
    fake.faults.add("*", effects.WrongContentType("text/plain"))
    answer = client.get(f"/sandboxes/{sandbox.sandbox_id}")
    assert answer.headers["content-type"] == "text/plain"
    assert answer.json()["sandboxID"] == sandbox.sandbox_id
    with pytest.raises(SandboxException, match="invalid content-type: 'text/plain'"):
        sandbox.commands.run("true")


def test_a_drip_ends_in_the_whole_answer(fake: FakeE2B, sandbox: Sandbox) -> None:
    fault = fake.faults.add("files.download", effects.Drip(size=1000, every_s=0.001))
    fake.faults.add("Process.Start", effects.Drip(size=7, every_s=0.0))
    fake.faults.add("getSandbox", effects.Drip(size=20, every_s=0.0))
    assert sandbox.files.read("text") == TEXT
    assert sandbox.commands.run("cat text").stdout == TEXT
    assert sandbox.get_info().sandbox_id == sandbox.sandbox_id
    assert fault.hits == 1


def test_a_drip_stops_when_the_rule_does(fake: FakeE2B, sandbox: Sandbox) -> None:
    with (
        fake.faults.add("files.download", effects.Drip(size=1, every_s=3600)) as fault,
        httpx.stream("GET", sandbox.download_url("text")) as answer,
    ):
        body = answer.iter_raw()
        assert next(body)
    assert fault.hits == 1


@pytest.mark.parametrize("direction", ["down", "up", "both"])
def test_a_bandwidth_limits_and_loses_nothing(
    fake: FakeE2B, sandbox: Sandbox, direction: str
) -> None:
    effect = effects.Bandwidth(1_000_000, direction=direction)  # type: ignore[arg-type]
    fault = fake.faults.add("files.*", effect)
    sandbox.files.write("copy", TEXT)
    assert sandbox.files.read("copy") == TEXT
    assert fault.hits == 2


async def test_a_bandwidth_in_async_clients(fake: FakeE2B, sandbox: Sandbox) -> None:
    there = await AsyncSandbox.connect(sandbox.sandbox_id)
    fake.faults.add("*", effects.Bandwidth(1_000_000))
    assert (await there.commands.run("cat text")).stdout == TEXT


@pytest.mark.parametrize(
    ("effect", "arguments", "text"),
    [
        (effects.HalfAnswer, {"share": 1.0}, "share is from 0"),
        (effects.MalformedJson, {"share": -0.1}, "share is from 0"),
        (effects.WrongContentType, {"content_type": "a\r\nb"}, "can stand in a header"),
        (effects.Drip, {"size": 0}, "at least 1 byte"),
        (effects.Drip, {"every_s": -1}, "every_s is from 0"),
        (effects.Bandwidth, {"bytes_per_s": 0}, "at least 1"),
        (effects.Stall, {"seconds": -1}, "seconds is from 0"),
        (effects.Duplicate, {"copies": 1}, "copies is from 2"),
        (effects.Refuse, {"seconds": 1e9}, "seconds is from 0"),
        (effects.RateLimit, {"requests": 0, "per_s": 1}, "requests is at least 1"),
        (effects.RateLimit, {"requests": 1, "per_s": 0}, "per_s is more than 0"),
    ],
)
def test_what_can_never_be_is_refused(
    effect: type[effects.Effect], arguments: dict[str, Any], text: str
) -> None:
    with pytest.raises(UsageError, match=text):
        effect(**arguments)
