"""Joining two streams: who may still speak after whose end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

from .arguments import Arguments
from .frames import ProtocolError
from .streams import Stream, WebSocket


class Relay:
    """Joins pairs of streams as the command line says.

    Raises:
        ArgumentError: A number is none.
    """

    def __init__(self, arguments: Arguments) -> None:
        self._exit_on_eof = arguments.on("exit-on-eof")
        self._forth = not arguments.on("unidirectional-reverse")
        self._back = not arguments.on("unidirectional")
        self._one_message = arguments.on("one-message")
        self._ping_s = arguments.number("ping-interval")
        self._pong_s = arguments.number("ping-timeout")

    async def join(self, first: Stream, second: Stream) -> None:
        """Copy both ways until both are at their end, or the first of them with exit-on-eof.

        Raises:
            OSError, ProtocolError: A side failed. Both are closed.
        """
        ways: list[Coroutine[None, None, None]] = []
        if self._forth:
            ways.append(self._copy(first, second))
        if self._back:
            ways.append(self._copy(second, first))
        tasks = {asyncio.create_task(way): number for number, way in enumerate(ways)}
        pingers = [
            asyncio.create_task(self._keep_alive(stream))
            for stream in (first, second)
            if isinstance(stream, WebSocket) and self._ping_s
        ]
        failed = True
        try:
            await self._wait(set(tasks), set(pingers), (first, second))
            failed = False
        finally:
            for task in (*tasks, *pingers):
                task.cancel()
            await asyncio.gather(*tasks, *pingers, return_exceptions=True)
            closings = (stream.close(failed=failed) for stream in (first, second))
            await asyncio.gather(*closings, return_exceptions=True)

    async def _wait(
        self,
        ways: set[asyncio.Task[None]],
        pingers: set[asyncio.Task[None]],
        streams: tuple[Stream, Stream],
    ) -> None:
        while ways:
            done, _ = await asyncio.wait(ways | pingers, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            ways -= done
            pingers -= done
            closed = any(isinstance(stream, WebSocket) and stream.read_to_end for stream in streams)
            if self._exit_on_eof or closed:
                return

    async def _copy(self, source: Stream, sink: Stream) -> None:
        while (piece := await source.read()) is not None:
            await sink.write(piece)
            if self._one_message and piece.complete:
                return
        await sink.finish()

    async def _keep_alive(self, stream: WebSocket) -> None:
        assert self._ping_s is not None
        loop = asyncio.get_running_loop()
        stream.last_pong = loop.time()
        while True:
            await asyncio.sleep(self._ping_s)
            if self._pong_s and loop.time() - stream.last_pong > self._pong_s:
                raise ProtocolError("no pong came in time")
            await stream.ping()
