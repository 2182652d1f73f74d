"""Traffic into sandboxes over TLS, under the names of production; all is as with plain HTTP."""

from __future__ import annotations

import json
import resource
import ssl
from collections.abc import Iterator
from contextlib import AbstractContextManager

import httpx
import pytest
from e2b import Sandbox, TimeoutException
from e2b_code_interpreter import AsyncSandbox as AsyncInterpreter
from e2b_code_interpreter import Sandbox as Interpreter

from fake_e2b import FakeE2B, RuntimeUnavailableError
from tests.helpers.http import both_ways, head_of, read_answer, read_head, secured
from tests.helpers.waiting import wait_until
from tests.sdk.python.conftest import Service


@pytest.fixture(scope="module", params=["local", "isolated"])
def server(request: pytest.FixtureRequest) -> Iterator[FakeE2B]:
    """Instead of the folder's own: with TLS."""
    try:
        fake = FakeE2B(runtime=request.param, tls=True).start()
    except RuntimeUnavailableError as error:
        pytest.skip(str(error))
    # What keeps kernels warm starts with the first cell and stays: it is no test's leftover.
    with Interpreter.create() as interpreter:
        interpreter.run_code("1")
    yield fake
    fake.stop()


def connection_to(service: Service) -> AbstractContextManager[ssl.SSLSocket]:
    ca_file = service.fake.ca_file
    assert ca_file is not None
    name = service.sandbox.get_host(service.port).partition(":")[0]
    return secured(service.fake.port, ca_file, name)


def test_a_preview_link_as_production_has_it(service: Service) -> None:
    host = service.sandbox.get_host(service.port)
    answer = httpx.get(f"https://{host}/a%2Fb?x=1", headers={"X-Forwarded-Proto": "https"})
    seen = answer.json()
    headers = dict(seen["headers"])
    assert (seen["target"], headers["Host"]) == ("/a%2Fb?x=1", host)
    # As on the real service: nobody inside learns that the client came over TLS.
    assert not [name for name in headers if name.lower().startswith("x-forwarded")]


def test_a_websocket_over_tls(service: Service) -> None:
    with connection_to(service) as connection:
        upgrade = ("Connection: Upgrade", "Upgrade: websocket")
        connection.sendall(head_of("/up", service.host, *upgrade) + b"early ")
        status, _, data = read_head(connection)
        assert status == 101
        frames = bytes(range(256)) * 2000
        data += both_ways(connection, frames, len(frames) + 6 - len(data))
        assert data == b"early " + frames


def test_events_arrive_while_the_stream_is_open(service: Service) -> None:
    with connection_to(service) as connection:
        connection.sendall(head_of("/events", service.host))
        _, _, data = read_head(connection)
        while b"data: two\n\n" not in data:
            data += connection.recv(1000)


def test_a_killed_sandbox_breaks_what_is_open(service: Service) -> None:
    with connection_to(service) as connection:
        connection.sendall(head_of("/events", service.host))
        _, _, data = read_head(connection)
        while b"data: two\n\n" not in data:
            data += connection.recv(1000)
        tail = service.sandbox.commands.run("sleep 600", background=True, timeout=0)
        service.sandbox.kill()
        with pytest.raises((ssl.SSLEOFError, ConnectionResetError)):
            connection.recv(1000)
    with pytest.raises(TimeoutException, match=r"not found|end of life"):
        tail.wait()
    assert not service.sandbox.is_running()


def test_half_an_answer_does_not_look_whole(service: Service) -> None:
    host = service.sandbox.get_host(service.port)
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        httpx.get(f"https://{host}/half")


def test_closed_ports_and_lost_sandboxes_answer_as_ever(service: Service) -> None:
    sandbox = service.sandbox
    answer = httpx.get(f"https://{sandbox.get_host(1)}/", timeout=20)
    assert (answer.status_code, answer.json()["port"]) == (502, 1)
    host = f"80-iunknown.{service.fake.domain}"
    assert httpx.get(f"https://{host}/").json() == {
        "sandboxId": "iunknown",
        "message": "The sandbox was not found",
        "code": 502,
    }


def test_large_bodies_pass_in_pieces(service: Service) -> None:
    size = 50_000_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def pieces() -> Iterator[bytes]:
        for _ in range(size // 1_000_000):
            yield bytes(1_000_000)

    base = f"https://{service.sandbox.get_host(service.port)}"
    with httpx.Client(timeout=60) as client:
        assert client.post(f"{base}/upload", content=pieces()).text == str(size)
        with client.stream("GET", f"{base}/count/{size}") as answer:
            assert sum(len(part) for part in answer.iter_raw()) == size
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kib < 32 * 1024


def test_a_long_id_is_understood_everywhere(service: Service) -> None:
    sandbox, domain = service.sandbox, service.fake.domain
    long_id = f"{sandbox.sandbox_id}-6532622b"
    host = f"{service.port}-{long_id}.{domain}"
    assert dict(httpx.get(f"https://{host}/").json()["headers"])["Host"] == host
    key = {"X-API-Key": service.fake.api_key}
    shown = httpx.get(f"https://api.{domain}/sandboxes/{long_id}", headers=key).json()
    assert shown["sandboxID"] == sandbox.sandbox_id
    routed = {"E2b-Sandbox-Id": long_id, "E2b-Sandbox-Port": str(service.port)}
    with connection_to(service) as connection:
        head = [f"{name}: {value}" for name, value in routed.items()]
        connection.sendall(head_of("/", f"Host: sandbox.{domain}", "Connection: close", *head))
        status, _, body = read_answer(connection)
    assert (status, json.loads(body)["target"]) == (200, "/")
    assert Sandbox.connect(long_id).sandbox_id == sandbox.sandbox_id


def test_code_runs_and_streams(fake: FakeE2B) -> None:
    with Interpreter.create() as interpreter:
        shown: list[str] = []
        execution = interpreter.run_code(
            "for i in range(3): print(i)\ni", on_stdout=lambda message: shown.append(message.line)
        )
        assert execution.text == "2"
        assert "".join(shown) == "0\n1\n2\n"
        context = interpreter.create_code_context()
        assert interpreter.run_code("'i' in globals()", context=context).text == "False"


async def test_code_runs_in_async_clients(fake: FakeE2B) -> None:
    interpreter = await AsyncInterpreter.create()
    assert (await interpreter.run_code("6 * 7")).text == "42"
    await interpreter.kill()
    wait_until(lambda: not fake.sandboxes())
