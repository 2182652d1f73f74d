"""What effects do to one frame, or to the answer's head, on its way out."""

from __future__ import annotations

from collections.abc import Mapping

from fake_e2b.backend.steering import RuleInForce
from fake_e2b.domain.steering import effects
from fake_e2b.server.steering.exchange import Act, Exchange, Message
from fake_e2b.server.steering.filters import body
from fake_e2b.wire.connect import ConnectFailure
from fake_e2b.wire.frame_edits import broken_json, corrupted


async def half_frame(exchange: Exchange, rule: RuleInForce) -> None:
    """Send a part of the frame, and break off."""
    effect = rule.rule.effect
    assert isinstance(effect, effects.HalfAnswer)
    frame = _frame(exchange)
    part = frame[: int(len(frame) * effect.share)]
    if part:
        await exchange.forward(body(part))
    await exchange.break_off(reset=effect.reset)


async def malformed_frame(exchange: Exchange, rule: RuleInForce) -> None:
    """The frame is whole, its JSON is not."""
    effect = rule.rule.effect
    assert isinstance(effect, effects.MalformedJson)
    frame = _frame(exchange)
    try:
        exchange.outgoing = [body(broken_json(frame, exchange.kind, effect.share))]
    except ConnectFailure:
        return  # Another rule has damaged it already.


async def end_here(exchange: Exchange, rule: RuleInForce) -> None:
    """End the answer as HTTP does."""
    await exchange.finish()


async def duplicate(exchange: Exchange, rule: RuleInForce) -> None:
    """The same again."""
    effect = rule.rule.effect
    assert isinstance(effect, effects.Duplicate)
    exchange.outgoing = exchange.outgoing * effect.copies


async def corrupt(exchange: Exchange, rule: RuleInForce) -> None:
    """One byte is another."""
    effect = rule.rule.effect
    assert isinstance(effect, effects.Corrupt)
    exchange.outgoing = [body(corrupted(_frame(exchange), exchange.kind, effect.part))]


async def wrong_content_type(exchange: Exchange, rule: RuleInForce) -> None:
    """Another header."""
    effect = rule.rule.effect
    assert isinstance(effect, effects.WrongContentType)
    [start] = exchange.outgoing
    others = [pair for pair in start["headers"] if pair[0].lower() != b"content-type"]
    named = (b"content-type", effect.content_type.encode("ascii"))
    exchange.outgoing = [{**start, "headers": [*others, named]}]


def _frame(exchange: Exchange) -> bytes:
    said: list[Message] = exchange.outgoing
    return b"".join(each["body"] for each in said)


AT_FRAMES: Mapping[type[effects.Effect], Act] = {
    effects.HalfAnswer: half_frame,
    effects.MalformedJson: malformed_frame,
    effects.NoEndFrame: end_here,
    effects.Duplicate: duplicate,
    effects.Corrupt: corrupt,
}
"""Those that do so at a frame only; at `done` a filter may stand for the same effect."""
AT_HEADS: Mapping[type[effects.Effect], Act] = {effects.WrongContentType: wrong_content_type}
