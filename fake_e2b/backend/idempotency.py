"""Create requests that come twice under one key.

Only successes are remembered. Fact: control.create.idempotency
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

from fake_e2b.domain.clock import SECOND_NS, Clock
from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.domain.ids import TeamID

Answer = TypeVar("Answer")

KEYS_REMEMBERED = 10_000
"""More than these push the oldest out."""


@dataclass(slots=True)
class _Seen:
    request: Hashable
    until_ns: int
    answer: Any = None
    answered: bool = False


class Idempotency:
    """The answers given under idempotency keys.

    Args:
        clock: Ends the memory of each.
        window_s: How long an answer is remembered.
    """

    def __init__(self, clock: Clock, window_s: int) -> None:
        self._clock = clock
        self._window_ns = window_s * SECOND_NS
        self._seen: dict[tuple[TeamID, str], _Seen] = {}

    async def once(
        self,
        team_id: TeamID,
        key: str,
        request: Hashable,
        run: Callable[[], Coroutine[Any, Any, Answer]],
    ) -> Answer:
        """The answer remembered for `key`, or the one that `run` gives.

        Args:
            request: What was asked; another request under the same key is refused.

        Raises:
            ControlError: IDEMPOTENCY_MISMATCH, IDEMPOTENCY_IN_PROGRESS; what `run` raises.
        """
        now_ns = self._clock.now_ns()
        self._forget_old(now_ns)
        seen = self._seen.get((team_id, key))
        if seen is not None:
            if seen.request != request:
                raise ControlError(ControlKind.IDEMPOTENCY_MISMATCH)
            if not seen.answered:
                raise ControlError(ControlKind.IDEMPOTENCY_IN_PROGRESS)
            remembered: Answer = seen.answer
            return remembered
        seen = self._seen[team_id, key] = _Seen(request, now_ns + self._window_ns)
        try:
            answer = seen.answer = await run()
            seen.answered = True
        finally:
            if not seen.answered and self._seen.get((team_id, key)) is seen:
                del self._seen[team_id, key]
        return answer

    def _forget_old(self, now_ns: int) -> None:
        # Oldest first, and all live equally long.
        while self._seen:
            key, oldest = next(iter(self._seen.items()))
            if oldest.until_ns > now_ns and len(self._seen) < KEYS_REMEMBERED:
                return
            del self._seen[key]

    def clear(self) -> None:
        """Forget every key."""
        self._seen.clear()
