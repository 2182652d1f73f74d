"""The requests that are open into each sandbox, so that they can be cut when it goes."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class OpenRequests:
    """Runs requests into sandboxes and breaks those of a sandbox whose run ended.

    Clients learn of a killed sandbox by the broken connection and ask `/health` next, so the
    connection is aborted: a stream that merely ended would look complete to them.

    Fact: proxy.departure.streams-break
    """

    def __init__(self) -> None:
        self._open: defaultdict[str, set[asyncio.Task[object]]] = defaultdict(set)
        self._cut: set[asyncio.Task[object]] = set()

    def count(self, sandbox_id: str) -> int:
        """How many are open into the sandbox."""
        return len(self._open.get(sandbox_id, ()))

    async def run(
        self, sandbox_id: str, app: App, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Run `app`; returns early, with the connection broken, after `cut(sandbox_id)`."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a request runs in a task of its own")
        self._open[sandbox_id].add(task)
        try:
            await app(scope, receive, send)
        except asyncio.CancelledError:
            if task not in self._cut:
                raise
            task.uncancel()
            await break_connection(scope)
        finally:
            self._cut.discard(task)
            tasks = self._open[sandbox_id]
            tasks.discard(task)
            if not tasks:
                del self._open[sandbox_id]

    def cut(self, sandbox_id: str) -> None:
        """Break every request that is open into the sandbox."""
        for task in self._open.get(sandbox_id, set()) - self._cut:
            self._cut.add(task)
            task.cancel()


async def break_connection(scope: Scope) -> None:
    """Abort the client's connection and wait until it is gone.

    Served by something else than our own server thread, there is no handle to abort with; the
    request then ends by cancellation.

    Raises:
        asyncio.CancelledError: There is no handle.
    """
    connection = scope.get("fake_e2b.connection")
    if connection is None:
        raise asyncio.CancelledError
    connection.abort()
    await connection.lost.wait()
