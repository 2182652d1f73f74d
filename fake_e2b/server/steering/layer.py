"""The layer itself: understands a request as far as rules ask, and runs it through their acts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from fake_e2b.admin.recorder import record_of
from fake_e2b.backend.steering import RuleInForce, RuleTable
from fake_e2b.domain.clock import Clock
from fake_e2b.domain.command_line import command_of
from fake_e2b.domain.sandbox import Sandbox
from fake_e2b.domain.steering.asked import Asked
from fake_e2b.domain.steering.effects import Effect, Hold, Stall
from fake_e2b.server.steering.acts import act_of, is_due
from fake_e2b.server.steering.exchange import Act, Exchange
from fake_e2b.server.steering.filter_order import filters_of
from fake_e2b.server.steering.gates import Gates
from fake_e2b.server.steering.peek import Peek
from fake_e2b.server.steering.refusal import Refusal
from fake_e2b.server.streams import App, Receive, Scope, Send

Lookup = Callable[[str], Sandbox | None]


class Steering:
    """Rules in force, performed.

    Args:
        lookup: Finds a sandbox by its ID.
        acts: Those besides `acts.act_of`, by their effects.
    """

    def __init__(
        self, rules: RuleTable, clock: Clock, lookup: Lookup, acts: Mapping[type[Effect], Act]
    ) -> None:
        self.rules = rules
        self._acts = acts
        self.gates = Gates()
        self.refusal = Refusal(rules)
        self._clock = clock
        self._lookup = lookup
        rules.on_removal(lambda each: self.gates.end(each.rule.name))

    async def serve(
        self,
        app: App,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        operation: str,
        sandbox_id: str | None,
        port: int | None,
    ) -> None:
        """Serve a request by `app`, with the rules that are about it.

        Raises:
            PredicateFailedError: A rule's predicate raised something.
        """
        if not self.rules.concerns(operation):
            await app(scope, receive, send)
            return
        peek = Peek(receive)
        asked = await self._understand(scope, peek, operation, sandbox_id, port)
        rules = self.rules.plan(asked)
        if not rules:
            await app(scope, peek.receive, send)
            return
        exchange = Exchange(asked, scope, peek.receive, send, rules, self._act, is_due)
        await exchange.run(app, filters_of(exchange, rules))

    def _act(self, each: RuleInForce) -> Act | None:
        if isinstance(each.rule.effect, Hold):
            return self._hold
        if isinstance(each.rule.effect, Stall):
            return self._stall
        return self._acts.get(type(each.rule.effect)) or act_of(each)

    async def _hold(self, exchange: Exchange, each: RuleInForce) -> None:
        await self.gates.gate(each.rule.name).hold(exchange.asked)

    async def _stall(self, exchange: Exchange, each: RuleInForce) -> None:
        """Wait for the time, the rule's removal or the client's leave."""
        effect = each.rule.effect
        assert isinstance(effect, Stall)
        waits = [
            asyncio.ensure_future(self.gates.gate(each.rule.name).hold(exchange.asked)),
            asyncio.ensure_future(exchange.client_left()),
        ]
        try:
            await asyncio.wait(waits, timeout=effect.seconds, return_when=asyncio.FIRST_COMPLETED)
            # What the client never waited for need not be done.
            exchange.ended = waits[1].done()
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    async def _understand(
        self, scope: Scope, peek: Peek, operation: str, sandbox_id: str | None, port: int | None
    ) -> Asked:
        headers = scope["fake_e2b.headers"]
        path = scope["raw_path"].decode("latin-1")
        body = await peek.message(path, headers) if self.rules.reads_body(operation) else None
        sandbox = None if sandbox_id is None else self._lookup(sandbox_id)
        wanted = body if operation == "createSandbox" and isinstance(body, dict) else {}
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        record = record_of(scope)
        return Asked(
            operation=operation,
            method=scope["method"],
            path=path,
            headers=headers,
            at_ns=self._clock.now_ns(),
            sandbox_id=sandbox_id,
            metadata=_pairs(wanted.get("metadata") if sandbox is None else sandbox.metadata),
            template=wanted.get("templateID") if sandbox is None else sandbox.template_id,
            template_alias=None if sandbox is None else sandbox.alias,
            api_key=headers.get("x-api-key") or bearer or None,
            command=command_of(operation, body),
            body=body,
            port=port,
            sequence=None if record is None else record.sequence,
        )


def _pairs(metadata: object) -> dict[str, str]:
    return metadata if isinstance(metadata, dict) else {}
