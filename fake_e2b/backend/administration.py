"""What administrators do to teams that misbehave, and what they count.

Fact: teams.admin
"""

from __future__ import annotations

from collections.abc import Sequence

from fake_e2b.backend.build_requests import BuildRequests
from fake_e2b.backend.sandboxes import Sandboxes
from fake_e2b.backend.store import Record
from fake_e2b.backend.teams import Teams
from fake_e2b.backend.together import Together
from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.domain.event import KillReason
from fake_e2b.domain.ids import TeamID
from fake_e2b.domain.sandbox import LISTED_AS, State


class Administration:
    """Over all teams.

    Args:
        together: Awaits several steps at once.
    """

    def __init__(
        self, teams: Teams, sandboxes: Sandboxes, builds: BuildRequests, together: Together
    ) -> None:
        self._teams = teams
        self._sandboxes = sandboxes
        self._builds = builds
        self._together = together

    def _running(self) -> Sequence[Record]:
        return [
            each
            for each in self._sandboxes.records()
            if LISTED_AS[each.sandbox.state] is State.RUNNING
        ]

    async def kill_sandboxes(self, team_id: str) -> tuple[int, int]:
        """Kill the running sandboxes of a team; paused ones stay.

        Returns:
            How many are gone, and how many could not be killed.
        """
        team = self._teams.get(TeamID(team_id))
        if team is None:
            return 0, 0
        outcomes: list[bool] = []

        async def kill(sandbox_id: str) -> None:
            try:
                await self._sandboxes.kill(team, sandbox_id, KillReason.ADMIN)
            except ControlError as error:
                # One that has just ended by itself is gone as well.
                outcomes.append(error.kind is ControlKind.SANDBOX_NOT_FOUND)
            else:
                outcomes.append(True)

        mine = [each.sandbox for each in self._running() if each.sandbox.team_id == team.team_id]
        await self._together([kill(each.sandbox_id) for each in mine])
        return outcomes.count(True), outcomes.count(False)

    def cancel_builds(self, team_id: str) -> tuple[int, int]:
        """End the builds of a team that are under way; how many, and how many could not be."""
        team = self._teams.get(TeamID(team_id))
        return (0, 0) if team is None else (self._builds.cancel_all(team), 0)

    def running_counts(self) -> dict[str, int]:
        """How many sandboxes run, for each team that has one."""
        counts: dict[str, int] = {}
        for each in self._running():
            team_id = str(each.sandbox.team_id)
            counts[team_id] = counts.get(team_id, 0) + 1
        return counts
