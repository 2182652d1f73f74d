"""The stand-in for websocat, against the `websockets` package and against itself."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
import trustme
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.helpers.http import connected, read_answer
from tests.runtime.websocat.conftest import DEADLINE_S, ended, serving, started

pytestmark = pytest.mark.asyncio
SOME_MB = 8 << 20


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


@asynccontextmanager
async def tcp_service(greeting: bytes = b"") -> AsyncIterator[int]:
    """Greets, then gives back what it gets until that ends."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


class TestBridge:
    """`websocat -b --exit-on-eof ws-l:… tcp:…`, as the guide starts it."""

    async def test_bytes_go_both_ways_and_the_server_may_speak_first(self) -> None:
        async with (
            tcp_service(b"SSH-2.0-hello\r\n") as port,
            serving("-b", "--exit-on-eof", "ws-l:127.0.0.1:0", f"tcp:127.0.0.1:{port}") as bridge,
            connect(f"ws://127.0.0.1:{bridge}/any?path") as client,
        ):
            assert await client.recv() == b"SSH-2.0-hello\r\n"
            await client.send(b"\x00\xff bytes")
            assert await client.recv() == b"\x00\xff bytes"

    async def test_many_at_once(self) -> None:
        async with (
            tcp_service() as port,
            serving("-b", "-E", "ws-l:127.0.0.1:0", f"tcp:127.0.0.1:{port}") as bridge,
        ):

            async def one(number: int) -> None:
                async with connect(f"ws://127.0.0.1:{bridge}") as client:
                    for turn in range(5):
                        await client.send(f"{number} {turn}".encode())
                        assert await client.recv() == f"{number} {turn}".encode()

            await asyncio.gather(*(one(number) for number in range(40)))

    async def test_the_end_of_the_connection_inside_closes_the_websocket(self) -> None:
        async def once(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"last words")
            writer.close()

        server = await asyncio.start_server(once, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with (
            server,
            serving("-b", "-E", "ws-l:127.0.0.1:0", f"tcp:127.0.0.1:{port}") as bridge,
            connect(f"ws://127.0.0.1:{bridge}") as client,
        ):
            assert await client.recv() == b"last words"
            with pytest.raises(ConnectionClosed) as closed:
                await client.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1000

    async def test_a_client_that_closes_ends_the_connection_inside(self) -> None:
        gone = asyncio.Event()

        async def watch(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            assert await reader.read() == b"x"
            gone.set()
            writer.close()

        server = await asyncio.start_server(watch, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with (
            server,
            serving("-b", "-E", "ws-l:127.0.0.1:0", f"tcp:127.0.0.1:{port}") as bridge,
        ):
            async with connect(f"ws://127.0.0.1:{bridge}") as client:
                await client.send(b"x")
            async with asyncio.timeout(DEADLINE_S):
                await gone.wait()

    async def test_nobody_listening_inside_closes_the_websocket_and_serves_on(self) -> None:
        async with serving("-b", "-E", "ws-l:127.0.0.1:0", "tcp:127.0.0.1:1") as bridge:
            for _ in range(2):
                async with connect(f"ws://127.0.0.1:{bridge}") as client:
                    with pytest.raises(ConnectionClosed) as closed:
                        await client.recv()
                    assert closed.value.rcvd is not None
                    assert closed.value.rcvd.code == 1011

    async def test_pings_are_answered_and_fragments_joined(self) -> None:
        async with (
            tcp_service() as port,
            serving("-b", "-E", "ws-l:127.0.0.1:0", f"tcp:127.0.0.1:{port}") as bridge,
            connect(f"ws://127.0.0.1:{bridge}") as client,
        ):
            await (await client.ping(b"there?"))
            await client.send([b"in ", b"three ", b"parts"])
            got = b""
            while got != b"in three parts":
                message = await client.recv()
                assert isinstance(message, bytes)
                got += message

    async def test_one_that_does_not_read_is_waited_for_with_little_memory(self) -> None:
        async def flood(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for _turn in range(64):
                writer.write(b"x" * (1 << 20))
                await writer.drain()
            writer.close()

        server = await asyncio.start_server(flood, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        arguments = ("--stdout-announce-listening-ports", "-b", "-E", "ws-l:127.0.0.1:0")
        async with server, started(*arguments, f"tcp:127.0.0.1:{port}") as process:
            assert process.stdout is not None
            bridge = int((await process.stdout.readline()).rpartition(b"=")[2])
            before = psutil.Process(process.pid).memory_info().rss
            total = 0
            async with connect(f"ws://127.0.0.1:{bridge}", max_queue=1) as client:
                while total < 64 << 20:
                    total += len(await client.recv())
                    most = psutil.Process(process.pid).memory_info().rss
            assert total == 64 << 20
            assert most - before < 16 << 20

    async def test_other_requests_are_refused_in_words(self) -> None:
        async with serving("-b", "-E", "ws-l:127.0.0.1:0", "mirror:") as bridge:

            def ask() -> tuple[int, bytes]:
                with connected(bridge) as connection:
                    connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                    status, _, body = read_answer(connection)
                return status, body

            status, body = await asyncio.to_thread(ask)
            assert (status, body) == (400, b"Only WebSocket connections are welcome here\n")


class TestClient:
    """`websocat --binary -B 65536 - ws://…`, as the guide's ProxyCommand."""

    async def test_a_large_transfer_arrives_whole(self) -> None:
        data = bytes(range(256)) * (SOME_MB // 256)
        wanted, got, largest = hashlib.sha256(data), hashlib.sha256(), 0

        async def receive(connection: ServerConnection) -> None:
            nonlocal largest
            async for message in connection:
                assert isinstance(message, bytes)
                largest = max(largest, len(message))
                got.update(message)

        async with serve(receive, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with started("--binary", "-B", "65536", "-", f"ws://127.0.0.1:{port}") as client:
                assert await ended(client, data) == (0, b"", "")
        assert got.digest() == wanted.digest()
        assert largest <= 65536

    async def test_what_the_server_says_is_printed_to_its_close(self) -> None:
        data = bytes(range(256)) * (SOME_MB // 256)

        async def speak(connection: ServerConnection) -> None:
            for start in range(0, len(data), 1 << 20):
                await connection.send(data[start : start + (1 << 20)])

        async with serve(speak, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with started("-b", "-", f"ws://127.0.0.1:{port}") as client:
                assert await ended(client) == (0, data, "")

    async def test_lines_are_text_messages(self) -> None:
        async with serve(echo, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with started("-E", "-n", f"ws://127.0.0.1:{port}") as client:
                assert client.stdin is not None
                assert client.stdout is not None
                client.stdin.write("grüße\nnochmal\n".encode())
                async with asyncio.timeout(DEADLINE_S):
                    assert (await client.stdout.readline()).decode() == "grüße\n"
                    assert (await client.stdout.readline()).decode() == "nochmal\n"

    async def test_headers_protocol_and_path_reach_the_server(self) -> None:
        async def tell(connection: ServerConnection) -> None:
            assert connection.request is not None
            seen = connection.request.headers
            names = ("Host", "X-One", "X-Two", "Origin")
            told = [connection.request.path, *(seen[name] for name in names)]
            await connection.send(f"{'|'.join(told)}|{connection.subprotocol}")

        async with serve(tell, "127.0.0.1", 0, subprotocols=["chat"]) as server:  # type: ignore[list-item]
            port = server.sockets[0].getsockname()[1]
            options = ["-H=X-One: 1", "--header", "X-Two:2", "-H", "Host: other:1"]
            options += ["--protocol", "chat", "--origin=http://o", "-1"]
            async with started(*options, f"ws://127.0.0.1:{port}/a/b?c=d") as client:
                _, out, _ = await ended(client, b"")
            assert out == b"/a/b?c=d|other:1|1|2|http://o|chat\n"

    async def test_localhost_names_are_this_machine(self) -> None:
        async with serve(echo, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with started("-1", f"ws://8081-abc.e2b.localhost:{port}") as client:
                assert await ended(client, b"hi\n") == (0, b"hi\n", "")

    async def test_certificates_are_checked_unless_told_not_to(self, tmp_path: Path) -> None:
        authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("abc.e2b.localhost").configure_cert(context)
        async with serve(echo, "127.0.0.1", 0, ssl=context) as server:
            url = f"wss://abc.e2b.localhost:{server.sockets[0].getsockname()[1]}"
            async with started("-1", url) as client:
                status, _, complaint = await ended(client, b"hi\n")
            assert status == 1
            assert "certificate verify failed" in complaint
            async with started("-1", "-k", url) as client:
                assert (await ended(client, b"hi\n"))[:2] == (0, b"hi\n")

    async def test_refusals_are_said_and_end_it(self) -> None:
        async def refuse(connection: ServerConnection) -> None:
            await connection.close(1011, "no room")

        async with serve(refuse, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with started("-b", f"ws://127.0.0.1:{port}") as client:
                assert "1011 no room" in (await ended(client))[2]
        async with serving("--restrict-uri=/ws", "-b", "ws-l:127.0.0.1:0", "mirror:") as port:
            async with started("-b", f"ws://127.0.0.1:{port}/else") as client:
                status, _, complaint = await ended(client)
            assert (status, "404 Not Found" in complaint) == (1, True)
        async with started("-b", "ws://127.0.0.1:1/") as client:
            status, _, complaint = await ended(client)
        assert (status, "Connection refused (os error 111)" in complaint) == (1, True)


class TestOtherAddresses:
    async def test_a_local_port_leads_through_a_websocket(self) -> None:
        async with (
            tcp_service(b"hello ") as port,
            serving("-b", "-E", "ws-l:127.0.0.1:0", f"tcp:127.0.0.1:{port}") as bridge,
            serving("-b", "-E", "tcp-l:127.0.0.1:0", f"ws://127.0.0.1:{bridge}") as local,
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", local)
            writer.write(b"you")
            async with asyncio.timeout(DEADLINE_S):
                assert await reader.readexactly(9) == b"hello you"
            writer.close()
            await writer.wait_closed()

    async def test_a_program_behind_a_websocket(self) -> None:
        async with (
            serving("-b", "-E", "ws-l:127.0.0.1:0", "sh-c:echo ready; tr a-z A-Z") as port,
            connect(f"ws://127.0.0.1:{port}") as client,
        ):
            assert await client.recv() == b"ready\n"
            await client.send(b"quiet\n")
            await client.close()

    async def test_one_websocket_over_a_socket_of_ones_own(self) -> None:
        async with serve(echo, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            options = ["-1", "--ws-c-uri=ws://8081-abc.test/", "-"]
            async with started(*options, f"ws-c:tcp:127.0.0.1:{port}") as client:
                assert await ended(client, b"hi\n") == (0, b"hi\n", "")

    async def test_the_published_websocat_understands_it(self) -> None:
        if not (real := shutil.which("websocat")):
            pytest.skip("websocat is not installed")
        async with serving("-b", "-E", "ws-l:127.0.0.1:0", "mirror:") as port:
            pipe = asyncio.subprocess.PIPE
            words = (real, "-b", "-1", f"ws://127.0.0.1:{port}")
            client = await asyncio.create_subprocess_exec(*words, stdin=pipe, stdout=pipe)
            async with asyncio.timeout(DEADLINE_S):
                out, _ = await client.communicate(b"hi")
            assert out == b"hi"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "No URL specified"),
        (("-",), "Specify ws:// or wss:// URI"),
        (("--nope", "ws://x"), "Found argument '--nope'"),
        (("foo:", "bar:"), "Unknown address or overlay type of `foo:`"),
        (("-B", "many", "ws://x"), "Invalid value for '--buffer-size'"),
        (("-", "tcp:nowhere"), "invalid socket address 'nowhere'"),
        (("-H=oops", "ws://x"), "Invalid value for '--header'"),
        (("ws-l:127.0.0.1:0", "tcp-l:127.0.0.1:0"), "only one of the addresses may listen"),
    ],
)
async def test_a_wrong_command_line_is_named(arguments: tuple[str, ...], complaint: str) -> None:
    async with started(*arguments) as process:
        status, out, said = await ended(process)
    assert (status, out) == (1, b"")
    assert complaint in said


async def test_it_tells_its_options_and_what_it_is() -> None:
    async with started("--help") as process:
        status, out, _ = await ended(process)
    assert status == 0
    assert b"ws-l:HOST:PORT" in out
    async with started("-V") as process:
        assert (await ended(process))[1].startswith(b"websocat 1.")


async def test_a_path_that_is_not_served_is_refused() -> None:
    async with serving("--restrict-uri", "/ws", "-b", "ws-l:127.0.0.1:0", "mirror:") as port:
        with pytest.raises(InvalidStatus):
            await connect(f"ws://127.0.0.1:{port}/other")
        async with connect(f"ws://127.0.0.1:{port}/ws") as client:
            await client.send(b"in")
            assert await client.recv() == b"in"
