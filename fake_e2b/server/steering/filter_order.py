"""Which filters an answer passes, and in which order."""

from __future__ import annotations

from collections.abc import Sequence

from fake_e2b.backend.steering import RuleInForce
from fake_e2b.domain.steering import effects
from fake_e2b.domain.steering.point import Moment
from fake_e2b.server.steering import allowed, filters
from fake_e2b.server.steering.exchange import Exchange

_ORDER: Sequence[tuple[type[effects.Effect], type[filters.Filter]]] = (
    # Those that know frames come before those that cut or break them.
    (effects.NoEndFrame, filters.NoEndFrame),
    (effects.DropKeepalives, filters.DropKeepalives),
    (effects.Shuffle, allowed.Shuffle),
    (effects.UnknownFields, allowed.UnknownFields),
    (effects.SplitCharacters, allowed.SplitCharacters),
    (effects.Keepalives, allowed.Keepalives),
    (effects.MalformedJson, filters.MalformedJson),
    (effects.HalfAnswer, filters.HalfAnswer),
    (effects.Chunks, allowed.Chunks),
    (effects.Drip, filters.Drip),
)
_FILTERS = dict(_ORDER)
_RANK = {effect: rank for rank, (effect, _) in enumerate(_ORDER)}


def filters_of(exchange: Exchange, rules: Sequence[RuleInForce]) -> Sequence[filters.Filter]:
    """The filters of those rules that act on the answer as a whole."""
    found = [
        each
        for each in rules
        if type(each.rule.effect) in _FILTERS and each.rule.at.moment is Moment.DONE
    ]
    found.sort(key=lambda each: _RANK[type(each.rule.effect)])
    return [_FILTERS[type(each.rule.effect)](exchange, each) for each in found]
