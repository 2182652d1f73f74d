"""What each effect does at its point."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Mapping

from fake_e2b.backend.steering import RuleInForce
from fake_e2b.data_plane.connect import failure_of_rpc
from fake_e2b.domain.ids import Dice
from fake_e2b.domain.steering import effects
from fake_e2b.domain.steering.point import Moment
from fake_e2b.server.steering.error_bodies import error_body
from fake_e2b.server.steering.exchange import FAULT_HEADER, Act, Exchange
from fake_e2b.server.steering.frame_acts import AT_FRAMES, AT_HEADS
from fake_e2b.server.steering.limits import bandwidth, is_over_rate, rate_limit
from fake_e2b.wire.connect import Code, ConnectFailure

_JSON = b"application/json; charset=utf-8"
_FINAL = frozenset({429, 503})
"""Clients would try again, unless told not to; a rule says so itself where it wants them to."""


async def status(exchange: Exchange, rule: RuleInForce) -> None:
    """Answer in place of the real answer."""
    effect = rule.rule.effect
    assert isinstance(effect, effects.Status)
    given = {name.lower(): value for name, value in effect.headers.items()}
    body, content_type = _body(exchange, effect)
    headers = {b"content-type": content_type}
    headers |= {k.encode("latin-1"): v.encode("latin-1") for k, v in given.items()}
    if effect.retry_after_s is not None:
        headers[b"retry-after"] = str(effect.retry_after_s).encode()
    should_retry = effect.should_retry
    if should_retry is None and effect.retry_after_s is None and effect.status in _FINAL:
        should_retry = False
    if should_retry is not None and b"should-retry" not in headers:
        headers[b"should-retry"] = b"true" if should_retry else b"false"
    headers[FAULT_HEADER] = rule.rule.name.encode("utf-8")
    await exchange.answer(effect.status, list(headers.items()), body)


def _body(exchange: Exchange, effect: effects.Status) -> tuple[bytes, bytes]:
    if effect.body is None:
        return error_body(exchange.asked, effect.status, effect.message), _JSON
    if isinstance(effect.body, str):
        return effect.body.encode(), b"text/plain; charset=utf-8"
    return json.dumps(effect.body).encode(), _JSON


async def rpc_error(exchange: Exchange, rule: RuleInForce) -> None:
    """Refuse as envd does: a unary RPC by its status, a stream by its last frame."""
    effect = rule.rule.effect
    assert isinstance(effect, effects.RpcError)
    failure = ConnectFailure(Code(effect.code), effect.message)
    started = rule.rule.at.moment is Moment.FRAME
    said = await failure_of_rpc(exchange.scope, failure, started=started)
    body = b"".join(each.get("body", b"") for each in said)
    if started:
        await exchange.finish(body)
    else:
        fault = (FAULT_HEADER, rule.rule.name.encode("utf-8"))
        headers = [pair for pair in said[0]["headers"] if pair[0] != b"content-length"]
        await exchange.answer(said[0]["status"], [*headers, fault], body)


async def latency(exchange: Exchange, rule: RuleInForce) -> None:
    """Wait."""
    effect = rule.rule.effect
    assert isinstance(effect, effects.Latency)
    await asyncio.sleep(seconds_of(effect, rule.dice))


def seconds_of(effect: effects.Latency, dice: Dice) -> float:
    """How long, by the rule's own dice."""
    if effect.most_s is not None:
        return dice.uniform(effect.seconds, effect.most_s)
    if effect.sigma is not None:
        drawn = effect.seconds * math.exp(dice.gauss(0, effect.sigma))
        return min(drawn, effects.LONGEST_S)
    return effect.seconds


async def reset(exchange: Exchange, rule: RuleInForce) -> None:
    """Reset the connection."""
    await exchange.break_off(reset=True)


async def close(exchange: Exchange, rule: RuleInForce) -> None:
    """Close the connection."""
    await exchange.break_off(reset=False)


ACTS: Mapping[type[effects.Effect], Act] = {
    effects.Status: status,
    effects.RpcError: rpc_error,
    effects.Latency: latency,
    effects.Reset: reset,
    effects.Close: close,
    effects.Bandwidth: bandwidth,
    effects.RateLimit: rate_limit,
    **AT_HEADS,
}
"""Those that need nothing but the exchange."""


def act_of(rule: RuleInForce) -> Act | None:
    """What to do for a rule at its point; None where a filter does it."""
    effect, moment = type(rule.rule.effect), rule.rule.at.moment
    if moment is Moment.FRAME and effect in AT_FRAMES:
        return AT_FRAMES[effect]
    return ACTS.get(effect)


def is_due(exchange: Exchange, rule: RuleInForce) -> bool:
    """Whether there is anything to do for a rule now."""
    if isinstance(rule.rule.effect, effects.RateLimit):
        return is_over_rate(exchange, rule)
    return True
