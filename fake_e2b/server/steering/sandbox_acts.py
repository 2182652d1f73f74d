"""What the effects on sandboxes do at their points."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from fake_e2b.backend.fates import Fates
from fake_e2b.backend.misfortunes import Misfortunes
from fake_e2b.backend.steering import RuleInForce, RuleTable
from fake_e2b.domain.clock import SECOND_NS
from fake_e2b.domain.control_errors import ProxyError, ProxyKind
from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.ids import SandboxID
from fake_e2b.domain.steering import sandbox_effects as effects
from fake_e2b.domain.steering.effect import Effect
from fake_e2b.domain.steering.point import Moment
from fake_e2b.domain.steering.service_effects import PlanLimits
from fake_e2b.server.steering.exchange import Act, Exchange

INSIDE_KEY = "fake_e2b.inside"
"""The scope's key for what a request meets once it has entered its sandbox, in order."""

Hindrance = Callable[[], Awaitable[bool]]
"""Whether the request goes on.

Raises:
    ProxyError: It is refused.
"""


class Connection(Protocol):
    """The client's, see `fake_e2b.server.connection`."""

    lost: asyncio.Event


class SandboxActs:
    """Acts that need the sandboxes.

    Args:
        rules: Those in force.
    """

    def __init__(self, misfortunes: Misfortunes, fates: Fates, rules: RuleTable) -> None:
        self._misfortunes = misfortunes
        self._fates = fates
        self._rules = rules
        self._over: dict[RuleInForce, asyncio.Event] = {}
        self._deaths: set[asyncio.Task[None]] = set()
        rules.on_addition(self._added)
        rules.on_removal(self._removed)
        fates.keeps_files = self._keeps_files
        self.acts: Mapping[type[Effect], Act] = {
            effects.SandboxDies: self._die,
            effects.ProcessKilled: self._kill,
            effects.OutOfMemory: self._kill,
            effects.DiskFull: self._fill_disk,
            effects.GuestUnresponsive: self._hang,
            effects.PortClosed: self._close_port,
            effects.ClockSkew: self._arm,
            effects.ResumeFails: self._arm,
            effects.ResumeSlow: self._arm,
            effects.FilesLost: self._arm,
            effects.PauseConflicts: self._arm,
            effects.ListLags: self._arm,
            PlanLimits: self._arm,
        }

    def _added(self, each: RuleInForce) -> None:
        if isinstance(each.rule.effect, effects.ListLags):
            self._fates.past.begin(round(each.rule.effect.seconds * SECOND_NS))

    def _removed(self, each: RuleInForce) -> None:
        if isinstance(each.rule.effect, effects.ListLags):
            self._fates.past.end(round(each.rule.effect.seconds * SECOND_NS))
        if over := self._over.pop(each, None):
            over.set()

    def _keeps_files(self, sandbox_id: SandboxID) -> bool:
        return any(
            isinstance(each.rule.effect, effects.FilesLost)
            and each.rule.match.sandbox_id in (None, sandbox_id)
            for each in self._rules
        )

    async def _arm(self, exchange: Exchange, each: RuleInForce) -> None:
        """Let it act if it comes to what the effect is about."""
        counts_itself = each.rule.effect.counts_itself
        self._fates.arm(each.rule.effect, lambda: not counts_itself or each.take(exchange.asked))

    async def _die(self, exchange: Exchange, each: RuleInForce) -> None:
        sandbox_id = _sandbox_of(exchange)
        if sandbox_id is None:
            return
        # Its end cuts the requests that are open into it, this one perhaps.
        death = asyncio.create_task(self._misfortunes.die(sandbox_id))
        self._deaths.add(death)
        death.add_done_callback(self._deaths.discard)
        await asyncio.shield(death)

    async def _kill(self, exchange: Exchange, each: RuleInForce) -> None:
        sandbox_id, effect = _sandbox_of(exchange), each.rule.effect
        if sandbox_id is None:
            return
        with contextlib.suppress(UsageError):
            if isinstance(effect, effects.ProcessKilled):
                found = await self._misfortunes.find(sandbox_id, effect, exchange.asked)
                signal = effect.signal
            else:
                found, signal = await self._misfortunes.biggest(sandbox_id), 9
            if found and each.take(exchange.asked):
                await self._misfortunes.kill(sandbox_id, found, signal)

    async def _fill_disk(self, exchange: Exchange, each: RuleInForce) -> None:
        sandbox_id, holder = _sandbox_of(exchange), object()
        if sandbox_id is None:
            return
        with contextlib.suppress(UsageError):
            exchange.at_end(lambda: self._misfortunes.free_disk(sandbox_id, holder))
            await self._misfortunes.fill_disk(sandbox_id, holder)

    async def _hang(self, exchange: Exchange, each: RuleInForce) -> None:
        over = self._over.setdefault(each, asyncio.Event())

        async def until_over() -> bool:
            return each.removed or await outlasts(over, exchange.scope)

        if each.rule.at.moment is Moment.ARRIVED:
            exchange.scope.setdefault(INSIDE_KEY, []).append(until_over)
        elif not await until_over():
            exchange.ended = True

    async def _close_port(self, exchange: Exchange, each: RuleInForce) -> None:
        asked = exchange.asked

        async def closed() -> bool:
            raise ProxyError(
                ProxyKind.PORT_CLOSED,
                sandbox_id=asked.sandbox_id,
                port=asked.port,
                host=asked.headers.get("host", ""),
            )

        exchange.scope.setdefault(INSIDE_KEY, []).append(closed)


async def outlasts(over: asyncio.Event | Any, scope: Mapping[str, Any]) -> bool:
    """Wait for `over`, or for the client to leave; whether the client is still there."""
    connection: Connection | None = scope.get("fake_e2b.connection")
    waits = [asyncio.ensure_future(over.wait())]
    if connection is not None:
        waits.append(asyncio.ensure_future(connection.lost.wait()))
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waits:
            each.cancel()
    return connection is None or not connection.lost.is_set()


def _sandbox_of(exchange: Exchange) -> str | None:
    """The sandbox that a request is about; of a `createSandbox`, the one that its answer names."""
    if exchange.asked.operation != effects.CREATE:
        return exchange.asked.sandbox_id
    try:
        body = json.loads(exchange.outgoing[0]["body"])
        return str(body["sandboxID"])
    except (LookupError, TypeError, ValueError):
        return None
