"""The RPC library that the Python SDK brings, in every dialect it speaks, against the daemon."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from connectrpc.code import Code
from connectrpc.codec import Codec, proto_binary_codec, proto_json_codec
from connectrpc.compression.gzip import GzipCompression
from connectrpc.errors import ConnectError
from connectrpc.protocol import ProtocolType
from e2b.envd.process import process_pb as pb
from e2b.envd.process.process_connect import ProcessClient
from protobuf import Oneof

from tests.wire.daemon import Daemon

DEADLINE_MS = 20_000


@pytest.fixture
def runtime_name() -> str:
    return "local"


@pytest.fixture(params=[ProtocolType.CONNECT, ProtocolType.GRPC_WEB], ids=["connect", "grpc-web"])
def protocol(request: pytest.FixtureRequest) -> ProtocolType:
    return request.param


@pytest.fixture(params=[proto_json_codec(), proto_binary_codec()], ids=["json", "proto"])
def codec(request: pytest.FixtureRequest) -> Codec:
    return request.param


@pytest.fixture(params=[True, False], ids=["gzip", "identity"])
async def client(
    request: pytest.FixtureRequest, daemon: Daemon, protocol: ProtocolType, codec: Codec
) -> AsyncIterator[ProcessClient]:
    zipped = GzipCompression() if request.param else None
    async with ProcessClient(
        f"http://127.0.0.1:{daemon.client.port}",
        protocol=protocol,
        codec=codec,
        send_compression=zipped,
        accept_compression=[zipped] if zipped else [],
        timeout_ms=DEADLINE_MS,
    ) as made:
        yield made


def selected(pid: int) -> pb.ProcessSelector:
    return pb.ProcessSelector(selector=Oneof("pid", pid))


async def test_every_kind_of_call(client: ProcessClient) -> None:
    config = pb.ProcessConfig(cmd="cat", envs={"A": "ä"})
    stream = client.start(pb.StartRequest(process=config, tag="t"))
    first = await anext(stream)
    pid = first.event.event.value.pid
    assert (first.event.event.field, pid > 0) == ("start", True)

    listed = await client.list(pb.ListRequest())
    assert [(each.pid, each.tag, each.config) for each in listed.processes] == [(pid, "t", config)]

    async def parts() -> AsyncIterator[pb.StreamInputRequest]:
        start = pb.StreamInputRequest.StartEvent(process=selected(pid))
        yield pb.StreamInputRequest(event=Oneof("start", start))
        data = pb.ProcessInput(input=Oneof("stdin", b"streamed\n"))
        event = pb.StreamInputRequest.DataEvent(input=data)
        yield pb.StreamInputRequest(event=Oneof("data", event))

    await client.stream_input(parts())
    second = await anext(stream)
    assert second.event.event.value.output == Oneof("stdout", b"streamed\n")

    await client.send_signal(pb.SendSignalRequest(process=selected(pid), signal=pb.Signal.SIGKILL))
    rest: list[Any] = [message.event.event async for message in stream]
    assert rest[-1].field == "end"
    assert (rest[-1].value.exit_code, rest[-1].value.status) == (-1, "signal: killed")


async def test_errors_of_calls_and_streams(client: ProcessClient) -> None:
    with pytest.raises(ConnectError) as unary:
        await client.close_stdin(pb.CloseStdinRequest(process=selected(99999)))
    assert unary.value.code is Code.NOT_FOUND
    assert unary.value.message == "process with pid 99999 not found"
    with pytest.raises(ConnectError) as streamed:
        await anext(client.connect(pb.ConnectRequest(process=selected(99999))))
    assert streamed.value.code is Code.NOT_FOUND
    assert streamed.value.message == "process with pid 99999 not found"
