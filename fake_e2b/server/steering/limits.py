"""How much passes: bytes in a second, requests in a window."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from fake_e2b.backend.steering import RuleInForce
from fake_e2b.data_plane.proxy import UPWARDS_KEY, Shape
from fake_e2b.domain.rate import Rate, Window
from fake_e2b.domain.steering import effects
from fake_e2b.server.steering.error_bodies import error_body
from fake_e2b.server.steering.exchange import FAULT_HEADER, Exchange
from fake_e2b.server.steering.filters import Throttle, at_pace
from fake_e2b.wire.control_errors import OVER_RATE

_TOO_MANY = 429


async def bandwidth(exchange: Exchange, rule: RuleInForce) -> None:
    """Slow down what comes and what goes."""
    effect = rule.rule.effect
    assert isinstance(effect, effects.Bandwidth)
    if effect.direction != "down":
        receive = exchange.receive

        async def slowly() -> Any:
            message = await receive()
            size = len(message.get("body", b""))
            if size and not rule.removed:
                await asyncio.sleep(size / effect.bytes_per_s)
            return message

        further: Shape | None = exchange.scope.get(UPWARDS_KEY)

        async def upwards(data: bytes, write: Callable[[bytes], None]) -> None:
            async for piece in at_pace(data, rule, effect.bytes_per_s):
                if further is None:
                    write(piece)
                else:
                    await further(piece, write)

        exchange.receive = slowly
        exchange.scope[UPWARDS_KEY] = upwards
    if effect.direction != "up":
        exchange.filter(Throttle(exchange, rule, effect.bytes_per_s))


def is_over_rate(exchange: Exchange, rule: RuleInForce) -> bool:
    """Whether the request is one too many; counts it if not.

    What is left is told in the headers of the service. Fact: fake.faults.rate-limit
    """
    effect = rule.rule.effect
    assert isinstance(effect, effects.RateLimit)
    whose = ""
    if effect.by == "key":
        whose = exchange.asked.api_key or ""
    elif effect.by == "address":
        whose = (exchange.scope.get("client") or ("",))[0]
    window: Window = rule.memory.setdefault(whose, Window(Rate(effect.requests, effect.per_s)))
    left = window.take(exchange.asked.at_ns)
    shown = {"limit": left.limit, "remaining": left.remaining, "reset": left.reset_s}
    exchange.more_headers += [
        (b"ratelimit-" + name.encode(), str(value).encode()) for name, value in shown.items()
    ]
    return left.over


async def rate_limit(exchange: Exchange, rule: RuleInForce) -> None:
    """Refuse the request, and say when to come again."""
    [reset] = [value for name, value in exchange.more_headers[-3:] if name == b"ratelimit-reset"]
    headers = [
        (b"content-type", b"application/json; charset=utf-8"),
        (b"retry-after", reset),
        (FAULT_HEADER, rule.rule.name.encode()),
    ]
    await exchange.answer(_TOO_MANY, headers, error_body(exchange.asked, _TOO_MANY, OVER_RATE))
