"""Puts the parts of one fake E2B together."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

from fake_e2b.backend.journal import Journal
from fake_e2b.domain.clock import Clock, ManualClock
from fake_e2b.domain.control_errors import ProxyError, ProxyKind
from fake_e2b.domain.errors import GapError
from fake_e2b.domain.ids import IdSource
from fake_e2b.runtime.clock import SystemClock
from fake_e2b.server.gateway import Gateway, Planes
from fake_e2b.server.settings import Settings
from fake_e2b.server.streams import App, OpenRequests, Receive, Scope, Send


class Fake:
    """One fake E2B: state, planes and life; `app` answers its requests while it is entered."""

    def __init__(self, settings: Settings) -> None:
        real_clock = SystemClock()
        self.settings = settings
        self.clock: Clock = (
            ManualClock(real_clock.now_ns()) if settings.clock == "manual" else real_clock
        )
        self.ids = IdSource(settings.seed)
        self.api_key = f"e2b_{self.ids.hex_token(40)}"
        self.access_token = f"sk_e2b_{self.ids.hex_token(40)}"
        self.journal = Journal(self.clock, real_clock)
        self.open_requests = OpenRequests()
        self.app: App = Gateway(
            Planes(
                control=missing("the control plane"),
                admin=missing("the admin pages"),
                envd=missing("envd"),
                interpreter=missing("the code interpreter"),
                proxy=missing("opened ports"),
            ),
            entrance=_Nobody(),
            index=_Nobody(),
            open_requests=self.open_requests,
            journal=self.journal,
            clock=self.clock,
            any_host=settings.any_host,
        )
        self._life = AsyncExitStack()

    async def __aenter__(self) -> Fake:
        await self._life.__aenter__()
        return self

    async def __aexit__(self, *exc: Any) -> None:
        await self._life.__aexit__(*exc)

    async def reset(self) -> None:
        """As after the start."""
        self.journal.clear()

    async def advance(self, by_ns: int) -> list[Any]:
        """Move the manual clock; returns what happened, in order."""
        return []


class _Nobody:
    async def enter(self, sandbox_id: str, *, port: int, **tokens: Any) -> Any:
        raise ProxyError(ProxyKind.SANDBOX_NOT_FOUND, sandbox_id=sandbox_id, port=port)

    def by_token(self, token: str) -> str | None:
        return None

    def by_signature(self, signed: Any) -> str | None:
        return None


def missing(name: str) -> App:
    """A plane that says that it is not built."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise GapError(name)

    return app
