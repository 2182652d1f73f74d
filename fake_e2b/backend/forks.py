"""Forks: new sandboxes that start from a running one's files.

The service copies memory as well; what a machine of processes cannot give is the listed gap
`fork.memory`: a fork's processes are not running.

Facts: control.fork.order, control.fork.inherits
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

from fake_e2b.backend.admission import check_timeout
from fake_e2b.backend.lifecycle import Lifecycle
from fake_e2b.backend.moments import Moment
from fake_e2b.backend.store import Record
from fake_e2b.backend.together import Together
from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.domain.ids import IdSource
from fake_e2b.domain.sandbox import Sandbox, State, short_id
from fake_e2b.domain.team import Team

Fork = Sandbox | ControlError
"""A sandbox that runs, or why that one of the forks does not."""


class Forks:
    """Makes them.

    Args:
        find: The record of a team's sandbox, by the text of a path; raises what a path may.
        together: Awaits several steps at once.
    """

    def __init__(
        self,
        *,
        find: Callable[[Team, str], Record],
        ids: IdSource,
        lifecycle: Lifecycle,
        together: Together,
    ) -> None:
        self._find = find
        self._ids = ids
        self._lifecycle = lifecycle
        self._together = together

    async def fork(self, team: Team, text: str, *, timeout_s: int, count: int) -> list[Fork]:
        """Start `count` sandboxes from a running one, which is held still meanwhile.

        Its ID, time and processes stay as they are.

        Args:
            timeout_s: The forks' time to live.

        Raises:
            ControlError: INVALID_SANDBOX_ID, SANDBOX_NOT_FOUND; the timeout's refusals;
                FORK_COUNT; FORK_PAUSED, CANNOT_FORK; FORK_FAILED.
        """
        if short_id(text) is None:
            raise ControlError(ControlKind.INVALID_SANDBOX_ID)
        check_timeout(timeout_s, team)
        if count >= team.concurrent_sandboxes:
            raise ControlError(ControlKind.FORK_COUNT, limit=team.concurrent_sandboxes)
        record = self._find(team, text)
        source, state = record.sandbox, record.sandbox.state
        if state is State.PAUSED:
            raise ControlError(ControlKind.FORK_PAUSED, sandbox_id=source.sandbox_id)
        if state is not State.RUNNING or record.machine is None:
            raise ControlError(
                ControlKind.CANNOT_FORK, sandbox_id=source.sandbox_id, state=state.value
            )
        forks = [self._child(source) for _ in range(count)]
        outcomes: dict[str, ControlError] = {}

        layer_id = await self._lifecycle.capture(record, ControlKind.FORK_FAILED)
        self._lifecycle.tell(Moment.FORKED, source)

        async def start(fork: Sandbox) -> None:
            try:
                await self._lifecycle.launch(fork, team, timeout_s, base=layer_id)
            except ControlError as refusal:
                outcomes[fork.sandbox_id] = refusal

        try:
            await self._together([start(each) for each in forks])
        finally:
            await self._lifecycle.release(layer_id)
        return [outcomes.get(each.sandbox_id, each) for each in forks]

    def _child(self, source: Sandbox) -> Sandbox:
        sandbox_id = self._ids.sandbox_id()
        copied = deepcopy(source)
        return replace(
            copied,
            sandbox_id=sandbox_id,
            is_fork=True,
            envd_access_token=self._ids.envd_access_token(sandbox_id) if source.secure else None,
            traffic_access_token=(
                None
                if source.traffic_access_token is None
                else self._ids.traffic_access_token(sandbox_id)
            ),
        )
