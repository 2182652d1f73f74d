"""Performs `Refuse`: nobody listens while such a rule is in force."""

from __future__ import annotations

import asyncio
from typing import Protocol

from fake_e2b.backend.steering import RuleInForce, RuleTable
from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.steering.asked import Asked
from fake_e2b.domain.steering.effects import Refuse

_NOBODY = Asked("connect", "", "", {}, 0)


class Door(Protocol):
    """See `fake_e2b.server.host.ServerThread`."""

    def refuse(self) -> None: ...
    def take_again(self) -> None: ...


class Refusal:
    """Watches the rules; used on the server's loop only."""

    def __init__(self, rules: RuleTable) -> None:
        self._rules = rules
        self._in_force: set[str] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._door: Door | None = None
        rules.on_addition(self._begin)
        rules.on_removal(self._end)

    def watch(self, door: Door) -> None:
        """Say what is to be shut."""
        self._door = door

    def _begin(self, each: RuleInForce) -> None:
        effect = each.rule.effect
        if not isinstance(effect, Refuse):
            return
        if self._door is None:
            self._rules.remove(each.rule.name)
            raise UsageError("this server's connections are not the fake's own to refuse")
        each.take(_NOBODY)
        self._in_force.add(each.rule.name)
        self._door.refuse()
        if effect.seconds is not None:
            loop = asyncio.get_running_loop()
            self._timers[each.rule.name] = loop.call_later(effect.seconds, self._end, each)

    def _end(self, each: RuleInForce) -> None:
        timer = self._timers.pop(each.rule.name, None)
        if timer is not None:
            timer.cancel()
        if each.rule.name in self._in_force:
            self._in_force.discard(each.rule.name)
            if not self._in_force and self._door is not None:
                self._door.take_again()
