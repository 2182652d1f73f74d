"""The RPC engine on real sockets: the protocol's rules, bad bytes, deadlines, leaving clients."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from fake_e2b.data_plane.connect import Call, ConnectService
from fake_e2b.domain.errors import GapError
from fake_e2b.wire.connect import ACCEPT_POST_STREAM, ACCEPT_POST_UNARY, Code, ConnectFailure
from fake_e2b.wire.envelope import COMPRESSED, END, TRAILERS, frame, gunzip, gzip
from fake_e2b.wire.proto_schema import envd_schema, read_schema
from fake_e2b.wire.protobuf import encode
from tests.helpers.waiting import wait_until_async
from tests.wire.serving import Client, Wire, serving

PROTO = """
package echo;
service Echo {
  rpc Say(Words) returns (Words);
  rpc Repeat(Words) returns (stream Words);
  rpc Join(stream Words) returns (Words);
}
message Words { string text = 1; uint32 times = 2; }
"""
SAY, REPEAT, JOIN = "/echo.Echo/Say", "/echo.Echo/Repeat", "/echo.Echo/Join"
SCHEMA = read_schema(PROTO)
WORDS = SCHEMA.messages["echo.Words"]
MAX_BYTES = 1_000_000


class Echo:
    """Says what it hears; some words make it do other things."""

    def __init__(self) -> None:
        self.hanging = 0
        self.cancelled = 0

    async def say(self, request: dict[str, Any], call: Call) -> dict[str, Any]:
        match request.get("text"):
            case "hang":
                await self._hang()
            case "gap":
                raise GapError("echoGap", "nobody asked")
            case "bug":
                raise ZeroDivisionError("by design")
            case "half":
                return {"text": "\ud800"}
        return request

    async def repeat(self, request: dict[str, Any], call: Call) -> AsyncIterator[dict[str, Any]]:
        call.send_keepalives({"text": "still here"})
        for number in range(request.get("times", 0)):
            yield {"text": request.get("text", ""), "times": number}
        if request.get("text") == "refuse":
            raise ConnectFailure(Code.NOT_FOUND, "no <such> word & more")
        if request.get("text") == "hang":
            await self._hang()
        if request.get("text") == "gone":
            raise asyncio.CancelledError

    async def join(self, requests: AsyncIterator[dict[str, Any]], call: Call) -> dict[str, Any]:
        words = []
        async for request in requests:
            if request.get("text") == "stop":
                raise ConnectFailure(Code.ABORTED, "stopped")
            words.append(request.get("text", ""))
        if words == ["hang"]:
            await self._hang()
        return {"text": " ".join(words)}

    async def _hang(self) -> None:
        self.hanging += 1
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.hanging -= 1


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
async def client(echo: Echo) -> AsyncIterator[Client]:
    handlers = {SAY: echo.say, REPEAT: echo.repeat, JOIN: echo.join}
    service = ConnectService(SCHEMA, handlers, max_message_bytes=MAX_BYTES)
    async with serving(service) as port:
        yield Client(port)


class TestUnary:
    async def test_the_answer_echoes_message_and_content_type(self, client: Client) -> None:
        plain = await client.unary(SAY, {"text": "hé", "unknown": [1, {"a": None}]})
        assert (plain.status, plain.json) == (200, {"text": "hé"})
        assert plain.header("content-type") == "application/json"
        assert plain.header("accept-encoding") == "gzip"
        assert plain.header("content-length") == str(len(plain.body))
        for given, echoed in (
            ("application/json; charset=utf-8", "application/json; charset=utf-8"),
            ("Application/JSON;charset=UTF-8", "application/json; charset=utf-8"),
        ):
            answer = await client.unary(SAY, {"text": "a"}, {"Content-Type": given})
            assert answer.header("content-type") == echoed

    async def test_binary_is_spoken_too_and_may_be_empty(self, client: Client) -> None:
        message = {"text": "a", "times": 3}
        headers = {"Content-Type": "application/proto"}
        answer = await client.unary(SAY, encode(WORDS, message), headers)
        assert (answer.status, answer.body) == (200, encode(WORDS, message))
        assert answer.header("content-type") == "application/proto"
        assert (await client.unary(SAY, b"", headers)).body == b""

    async def test_an_empty_message_is_empty_braces(self, client: Client) -> None:
        assert (await client.unary(SAY, {"text": "", "times": 0})).body == b"{}"

    @pytest.mark.parametrize(
        ("body", "text"),
        [
            (b"", "unmarshal message: zero-length payload is not a valid JSON object"),
            (
                b"{bad",
                "unmarshal message: unmarshal into *echo.Words: "
                "proto: syntax error (line 1:2): invalid value bad",
            ),
            (
                b'{"text":"x","times":-1}',
                "unmarshal message: unmarshal into *echo.Words: "
                "proto: (line 1:21): invalid value for uint32 field times: -1",
            ),
        ],
    )
    async def test_what_is_no_message_is_refused(
        self, client: Client, body: bytes, text: str
    ) -> None:
        answer = await client.unary(SAY, body)
        assert answer.status == 400
        assert answer.error == ("invalid_argument", text)
        assert answer.header("content-type") == "application/json"

    async def test_other_content_types_learn_what_is_taken(self, client: Client) -> None:
        for content_type in ("text/plain", "application/connect+json", "application/grpc", ""):
            answer = await client.unary(SAY, {}, {"Content-Type": content_type})
            assert (answer.status, answer.body) == (415, b"")
            assert answer.header("accept-post") == ACCEPT_POST_UNARY
        stream = await client.unary(REPEAT, {})
        assert (stream.status, stream.header("accept-post")) == (415, ACCEPT_POST_STREAM)

    async def test_only_post_is_allowed(self, client: Client) -> None:
        for method in ("GET", "PUT", "HEAD", "DELETE"):
            answer = await client.send(method, SAY)
            assert (answer.status, answer.header("allow"), answer.body) == (405, "POST", b"")

    @pytest.mark.parametrize(
        ("name", "value", "status", "code", "text"),
        [
            (
                "Connect-Protocol-Version",
                "2",
                400,
                "invalid_argument",
                'Connect-Protocol-Version must be "1": got "2"',
            ),
            (
                "Connect-Timeout-Ms",
                "abc",
                400,
                "invalid_argument",
                'parse timeout: strconv.ParseInt: parsing "abc": invalid syntax',
            ),
            (
                "Connect-Timeout-Ms",
                "12345678901",
                400,
                "invalid_argument",
                'parse timeout: "12345678901" has >10 digits',
            ),
            ("Connect-Timeout-Ms", "0", 504, "deadline_exceeded", "context deadline exceeded"),
            ("Connect-Timeout-Ms", "-5", 504, "deadline_exceeded", "context deadline exceeded"),
            (
                "Content-Encoding",
                "zstd",
                501,
                "unimplemented",
                'unknown compression "zstd": supported encodings are gzip',
            ),
        ],
    )
    async def test_bad_headers_are_refused(
        self, client: Client, name: str, value: str, status: int, code: str, text: str
    ) -> None:
        answer = await client.unary(SAY, {"text": "hang"}, {name: value})
        assert (answer.status, answer.error) == (status, (code, text))

    async def test_gzip_goes_both_ways_and_identity_is_honoured(self, client: Client) -> None:
        body = gzip(b'{"text":"a"}')
        zipped = await client.unary(
            SAY, body, {"Content-Encoding": "gzip", "Accept-Encoding": "gzip, deflate"}
        )
        assert zipped.header("content-encoding") == "gzip"
        assert gunzip(zipped.body, MAX_BYTES) == b'{"text":"a"}'
        plain = await client.unary(
            SAY, body, {"Content-Encoding": "gzip", "Accept-Encoding": "identity"}
        )
        assert (plain.header("content-encoding"), plain.json) == (None, {"text": "a"})
        broken = await client.unary(SAY, b"no gzip", {"Content-Encoding": "gzip"})
        assert (broken.status, broken.error[0]) == (400, "invalid_argument")

    async def test_a_gzip_bomb_stops_at_the_limit(self, client: Client) -> None:
        bomb = gzip(bytes(50 * MAX_BYTES))
        answer = await client.unary(SAY, bomb, {"Content-Encoding": "gzip"})
        assert (answer.status, answer.error[0]) == (429, "resource_exhausted")

    async def test_a_body_over_the_limit_is_refused(self, client: Client) -> None:
        answer = await client.unary(SAY, {"text": "a" * MAX_BYTES})
        assert (answer.status, answer.error[0]) == (429, "resource_exhausted")

    async def test_a_deadline_ends_the_handler(self, client: Client, echo: Echo) -> None:
        answer = await client.unary(SAY, {"text": "hang"}, {"Connect-Timeout-Ms": "30"})
        assert answer.status == 504
        assert answer.error == ("deadline_exceeded", "context deadline exceeded")
        assert (echo.hanging, echo.cancelled) == (0, 1)

    async def test_a_client_that_leaves_ends_the_handler(self, client: Client, echo: Echo) -> None:
        async with Wire.open(client.port) as wire:
            headers = {"Content-Type": "application/json", "Content-Length": "15"}
            wire.send_head("POST", SAY, headers.items())
            wire.writer.write(b'{"text":"hang"}')
            await wait_until_async(lambda: echo.hanging == 1)
        await wait_until_async(lambda: echo.cancelled == 1)

    async def test_half_a_body_and_then_nothing_harms_nobody(self, client: Client) -> None:
        async with Wire.open(client.port) as wire:
            headers = {"Content-Type": "application/json", "Content-Length": "1000"}
            wire.send_head("POST", SAY, headers.items())
            wire.writer.write(b'{"text":')
            await wire.writer.drain()
        assert (await client.unary(SAY, {"text": "b"})).json == {"text": "b"}

    async def test_half_a_body_meets_its_deadline(self, client: Client) -> None:
        async with Wire.open(client.port) as wire:
            headers = {
                "Content-Type": "application/json",
                "Content-Length": "1000",
                "Connect-Timeout-Ms": "30",
            }
            wire.send_head("POST", SAY, headers.items())
            wire.writer.write(b'{"text":')
            assert (await wire.read_answer()).error[0] == "deadline_exceeded"

    async def test_a_gap_says_so(self, client: Client) -> None:
        answer = await client.unary(SAY, {"text": "gap"})
        assert (answer.status, answer.header("x-fake-e2b-gap")) == (501, "echoGap")
        assert answer.error == (
            "unimplemented",
            "fake-e2b does not implement echoGap yet: nobody asked",
        )

    async def test_a_failure_of_the_fake_names_the_fake(self, client: Client) -> None:
        answer = await client.unary(SAY, {"text": "bug"})
        assert answer.status == 500
        assert answer.error == ("internal", "fake-e2b failed: ZeroDivisionError: by design")
        assert (await client.unary(SAY, {"text": "half"})).error[0] == "internal"


class TestServerStream:
    async def test_frames_then_an_empty_end(self, client: Client) -> None:
        answer = await client.stream(REPEAT, {"text": "a", "times": 2})
        assert answer.frames == [(0, {"text": "a"}), (0, {"text": "a", "times": 1}), (END, {})]
        assert answer.header("content-type") == "application/connect+json"
        assert answer.header("connect-accept-encoding") == "gzip"
        assert answer.header("transfer-encoding") == "chunked"

    async def test_an_error_is_status_200_and_an_end_frame(self, client: Client) -> None:
        answer = await client.stream(REPEAT, {"text": "refuse"})
        assert answer.status == 200
        assert answer.error == ("not_found", "no <such> word & more")
        assert rb"no \u003csuch\u003e word \u0026 more" in answer.body

    @pytest.mark.parametrize(
        ("body", "code", "text"),
        [
            (b"", "unimplemented", "unary request has zero messages"),
            (
                frame(b"{}") + frame(b"{}"),
                "unimplemented",
                "unary request has multiple messages",
            ),
            (
                frame(b'{"text":"1234567890123456"}')[:-3],
                "invalid_argument",
                "protocol error: promised 27 bytes in enveloped message, got 24 bytes",
            ),
            (
                b'{"text":"bare"}',
                "invalid_argument",
                "protocol error: promised 578053496 bytes in enveloped message, got 10 bytes",
            ),
            (b"\0\0", "invalid_argument", "protocol error: incomplete envelope: unexpected EOF"),
            (
                frame(gzip(b"{}"), COMPRESSED),
                "internal",
                "protocol error: sent compressed message without compression support",
            ),
            (frame(b"{}", 8), "internal", "protocol error: invalid envelope flags 8"),
            (
                frame(b"[]"),
                "invalid_argument",
                "unmarshal message: unmarshal into *echo.Words: "
                "proto: syntax error (line 1:1): unexpected token [",
            ),
        ],
    )
    async def test_bad_requests(self, client: Client, body: bytes, code: str, text: str) -> None:
        answer = await client.stream(REPEAT, body)
        assert (answer.status, answer.error) == (200, (code, text))

    async def test_odd_requests_that_are_fine(self, client: Client) -> None:
        assert (await client.stream(REPEAT, b"\0\0\0\0\0")).events == []
        ended = await client.stream(REPEAT, {"text": "a", "times": 1}, frame(b"{}", END))
        assert ended.events == [{"text": "a"}]

    @pytest.mark.parametrize(
        ("name", "value", "code", "text"),
        [
            (
                "Connect-Content-Encoding",
                "br",
                "unimplemented",
                'unknown compression "br": supported encodings are gzip',
            ),
            (
                "Connect-Timeout-Ms",
                "1.5",
                "invalid_argument",
                'parse timeout: strconv.ParseInt: parsing "1.5": invalid syntax',
            ),
            ("Connect-Timeout-Ms", "0", "deadline_exceeded", "context deadline exceeded"),
        ],
    )
    async def test_bad_headers(
        self, client: Client, name: str, value: str, code: str, text: str
    ) -> None:
        answer = await client.stream(REPEAT, {"times": 1}, headers={name: value})
        assert (answer.status, answer.frames[0][0], answer.error) == (200, END, (code, text))

    async def test_every_frame_is_compressed_when_asked_for(self, client: Client) -> None:
        answer = await client.stream(
            REPEAT,
            frame(gzip(b'{"text":"a","times":1}'), COMPRESSED),
            headers={"Connect-Content-Encoding": "gzip", "Connect-Accept-Encoding": "gzip"},
        )
        assert answer.header("connect-content-encoding") == "gzip"
        assert answer.frames == [(COMPRESSED, {"text": "a"}), (COMPRESSED | END, {})]
        ignored = await client.stream(REPEAT, {"times": 1}, headers={"Accept-Encoding": "gzip"})
        assert ignored.frames == [(0, {}), (END, {})]
        assert ignored.header("content-encoding") is None

    async def test_a_deadline_ends_the_stream_with_its_error(
        self, client: Client, echo: Echo
    ) -> None:
        answer = await client.stream(
            REPEAT, {"text": "hang", "times": 1}, headers={"Connect-Timeout-Ms": "50"}
        )
        assert answer.frames[0] == (0, {"text": "hang"})
        assert answer.error == ("deadline_exceeded", "context deadline exceeded")
        assert echo.hanging == 0

    async def test_a_client_that_leaves_ends_the_handler(self, client: Client, echo: Echo) -> None:
        async with client.open_stream(REPEAT, {"text": "hang", "times": 1}) as wire:
            assert await wire.read_message() == {"text": "hang"}
            await wait_until_async(lambda: echo.hanging == 1)
        await wait_until_async(lambda: echo.cancelled == 1)

    async def test_a_stream_cancelled_from_outside_breaks_off(self, client: Client) -> None:
        answer = await client.stream(REPEAT, {"text": "gone", "times": 1})
        assert answer.cut
        assert answer.frames == [(0, {"text": "gone"})]

    async def test_keepalives_fill_the_silence(self, client: Client) -> None:
        async with client.open_stream(
            REPEAT, {"text": "hang", "times": 1}, {"Keepalive-Ping-Interval": "1"}
        ) as wire:
            assert await wire.read_message() == {"text": "hang"}
            assert await wire.read_message() == {"text": "still here"}
            assert await wire.read_message() == {"text": "still here"}

    async def test_a_huge_claim_takes_no_memory_and_a_huge_message_is_refused(
        self, client: Client
    ) -> None:
        claim = b"\0\xff\xff\xff\xff{}"
        answer = await client.stream(REPEAT, claim)
        assert answer.error == (
            "invalid_argument",
            "protocol error: promised 4294967295 bytes in enveloped message, got 2 bytes",
        )
        large = await client.stream(REPEAT, {"text": "a" * (MAX_BYTES + 1)})
        assert large.error[0] == "resource_exhausted"
        fits = await client.stream(REPEAT, {"text": "a" * (MAX_BYTES - 100), "times": 1})
        assert len(fits.events[0]["text"]) == MAX_BYTES - 100

    async def test_binary_frames_end_with_a_json_frame(self, client: Client) -> None:
        message = encode(WORDS, {"text": "a", "times": 1})
        answer = await client.stream(
            REPEAT, frame(message), headers={"Content-Type": "application/connect+proto"}
        )
        assert answer.header("content-type") == "application/connect+proto"
        assert answer.body == frame(encode(WORDS, {"text": "a"})) + frame(b"{}", END)


class TestClientStream:
    async def test_messages_are_read_to_the_end(self, client: Client) -> None:
        answer = await client.stream(JOIN, {"text": "a"}, {"text": "b"})
        assert answer.body == frame(b'{"text":"a b"}') + frame(b"{}", END)
        nothing = await client.stream(JOIN)
        assert nothing.body == bytes.fromhex("00 00000002 7b7d 02 00000002 7b7d")

    async def test_an_error_is_told_before_the_request_ends(self, client: Client) -> None:
        async with Wire.open(client.port) as wire:
            headers = {
                "Content-Type": "application/connect+json",
                "Transfer-Encoding": "chunked",
            }
            wire.send_head("POST", JOIN, headers.items())
            wire.send_chunk(frame(b'{"text":"stop"}'))
            answer = await wire.read_answer()
            assert answer.error == ("aborted", "stopped")

    async def test_frames_may_come_in_any_pieces(self, client: Client) -> None:
        async with Wire.open(client.port) as wire:
            headers = {
                "Content-Type": "application/connect+json",
                "Transfer-Encoding": "chunked",
                "Connect-Timeout-Ms": "1",
            }
            wire.send_head("POST", JOIN, headers.items())
            for byte in frame(b'{"text":"a"}') + frame(b'{"text":"b"}'):
                wire.send_chunk(bytes((byte,)))
                await wire.writer.drain()
            wire.send_chunk(b"")
            assert (await wire.read_answer()).frames[0] == (0, {"text": "a b"})

    async def test_a_client_that_leaves_after_its_last_message_ends_the_handler(
        self, client: Client, echo: Echo
    ) -> None:
        async with Wire.open(client.port) as wire:
            body = frame(b'{"text":"hang"}')
            headers = {
                "Content-Type": "application/connect+json",
                "Content-Length": str(len(body)),
            }
            wire.send_head("POST", JOIN, headers.items())
            wire.writer.write(body)
            await wait_until_async(lambda: echo.hanging == 1)
        await wait_until_async(lambda: echo.cancelled == 1)

    async def test_a_client_that_leaves_in_the_middle_is_forgotten(self, client: Client) -> None:
        async with Wire.open(client.port) as wire:
            headers = {"Content-Type": "application/connect+json", "Content-Length": "1000"}
            wire.send_head("POST", JOIN, headers.items())
            wire.writer.write(frame(b'{"text":"a"}') + b"\0\0")
            await wire.writer.drain()
        assert (await client.stream(JOIN, {"text": "c"})).frames[0] == (0, {"text": "c"})


class TestGrpcWeb:
    HEADERS = {"Content-Type": "application/grpc-web+proto"}

    async def test_unary_and_stream_end_with_trailers(self, client: Client) -> None:
        message = encode(WORDS, {"text": "a", "times": 1})
        trailers = frame(b"grpc-status: 0\r\ngrpc-message: \r\n", TRAILERS)
        unary = await client.stream(SAY, frame(message), headers=self.HEADERS)
        assert unary.body == frame(message) + trailers
        stream = await client.stream(REPEAT, frame(message), headers=self.HEADERS)
        assert stream.body == frame(encode(WORDS, {"text": "a"})) + trailers

    async def test_an_error_without_messages_stands_in_the_headers(self, client: Client) -> None:
        message = encode(WORDS, {"text": "refuse"})
        answer = await client.stream(REPEAT, frame(message), headers=self.HEADERS)
        assert (answer.status, answer.body) == (200, b"")
        assert answer.header("grpc-status") == "5"
        assert answer.header("grpc-message") == "no %3Csuch%3E word & more"


async def test_requests_on_one_connection_follow_each_other(client: Client) -> None:
    async with Wire.open(client.port) as wire:
        for number in range(3):
            body = json.dumps({"times": number + 1}).encode()
            headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
            wire.send_head("POST", SAY, headers.items())
            wire.writer.write(body)
            assert (await wire.read_answer()).json == {"times": number + 1}


def test_the_daemons_methods_are_all_declared() -> None:
    kinds = {
        path: (method.client_streams, method.server_streams)
        for path, method in envd_schema().methods.items()
    }
    assert len(kinds) == 17
    streaming = {path for path, kind in kinds.items() if any(kind)}
    assert streaming == {
        "/process.Process/Start",
        "/process.Process/Connect",
        "/process.Process/StreamInput",
        "/filesystem.Filesystem/WatchDir",
    }
