"""Webhooks: how long a thousand of them take to hear of one event."""

from __future__ import annotations

import asyncio
import statistics
import threading
import time
from collections.abc import Iterator

import httpx
from measures import sandbox_on
from rows import Row
from servers import Server, server

WEBHOOKS = 1000
MOST_MS = 2000
_ROUNDS = 5
_WAIT_S = 60


class _Receiver:
    """Answers each connection's one request at once; counts in a thread of its own."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self._seen = 0
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(
            asyncio.start_server(self._answer, "127.0.0.1", 0, backlog=512)
        )
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/"
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def restart(self) -> None:
        self._seen = 0
        self.done.clear()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        await reader.readexactly(length)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        writer.close()
        self._seen += 1
        if self._seen == WEBHOOKS:
            self.done.set()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._server.close()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()


def delivered(fake: Server, canned: Server, samples: int) -> Iterator[Row]:
    receiver = _Receiver()
    try:
        with server("local") as own, sandbox_on(own) as sandbox:
            headers = {"X-API-Key": own.api_key}
            with httpx.Client(base_url=own.url, headers=headers) as client:
                for number in range(WEBHOOKS):
                    body = {
                        "name": f"n{number}",
                        "url": receiver.url,
                        "events": ["sandbox.lifecycle.updated"],
                        "signatureSecret": "0" * 32,
                    }
                    client.post("/events/webhooks", json=body).raise_for_status()
                path = f"/sandboxes/{sandbox.sandbox_id}/timeout"
                taken = [_round(client, path, receiver, n) for n in range(_ROUNDS)]
    finally:
        receiver.close()
    measured = statistics.median(taken)
    yield Row(
        "an event delivered to 1,000 webhooks",
        measured,
        "ms",
        None,
        "",
        f"≤ {MOST_MS} ms",
        measured <= MOST_MS,
    )


def _round(client: httpx.Client, path: str, receiver: _Receiver, number: int) -> float:
    receiver.restart()
    began = time.perf_counter()
    client.post(path, json={"timeout": 600 + number}).raise_for_status()
    if not receiver.done.wait(_WAIT_S):
        raise TimeoutError("not all webhooks heard of the event")
    return (time.perf_counter() - began) * 1000


MEASURES = (delivered,)
