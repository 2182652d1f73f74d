"""The API keys of teams, as their users and administrators see them.

Facts: teams.list, teams.api-keys
"""

from __future__ import annotations

from dataclasses import replace

from fake_e2b.backend.teams import Teams
from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.domain.ids import TeamID
from fake_e2b.domain.team import ApiKey, Team, User
from fake_e2b.domain.uuids import BadUuidError, parse_uuid

MINTED = "CLI login/configure"
"""The name of a key that a list of teams has made."""


class ApiKeys:
    """Lists, makes, renames and deletes keys; they are refused from the next request on."""

    def __init__(self, teams: Teams) -> None:
        self._teams = teams

    def mint_for_all(self, user: User) -> list[ApiKey]:
        """A new key for each of the user's teams, the default team first."""
        return [self._teams.make_key(team, MINTED, user.user_id) for team in self._teams]

    def of(self, team: Team) -> list[ApiKey]:
        """The team's keys, the oldest first."""
        return self._teams.keys_of(team)

    def create(self, team: Team, name: str, user: User | None) -> ApiKey:
        """A new key of the team.

        Args:
            user: Who makes it; None for an administrator.
        """
        return self._teams.make_key(team, name, None if user is None else user.user_id)

    def rename(self, team: Team, text: str, name: str) -> None:
        """Give a key another name.

        Raises:
            ControlError: BAD_API_KEY_ID, ID_NOT_FOUND.
        """
        made = self._find(team, _parsed(text))
        self._teams.keep(replace(made, name=name))
        made.name = name

    def delete(self, team: Team, text: str) -> None:
        """Refuse a key from now on.

        Raises:
            ControlError: BAD_API_KEY_ID, ID_NOT_FOUND.
        """
        self._teams.drop_key(self._find(team, _parsed(text)))

    def create_for(self, team_id: str, name: str) -> ApiKey:
        """The same by an administrator.

        Raises:
            ControlError: TEAM_NOT_FOUND, TEAM_BANNED, TEAM_BLOCKED.
        """
        return self.create(self._usable(team_id), name, None)

    def delete_for(self, team_id: str, key_id: str) -> None:
        """The same by an administrator.

        Raises:
            ControlError: TEAM_NOT_FOUND, TEAM_BANNED, API_KEY_NOT_FOUND.
        """
        team = self._usable(team_id, deletes=True)
        try:
            made = self._find(team, key_id)
        except ControlError:
            raise ControlError(ControlKind.API_KEY_NOT_FOUND) from None
        self._teams.drop_key(made)

    def _usable(self, team_id: str, *, deletes: bool = False) -> Team:
        team = self._teams.get(TeamID(team_id))
        if team is None:
            raise ControlError(ControlKind.TEAM_NOT_FOUND)
        if team.banned:
            raise ControlError(ControlKind.TEAM_BANNED)
        if team.blocked and not deletes:
            reason = f": {team.blocked_reason}" if team.blocked_reason else ""
            raise ControlError(ControlKind.TEAM_BLOCKED, reason=reason)
        return team

    def _find(self, team: Team, key_id: str) -> ApiKey:
        for made in self._teams.keys_of(team):
            if made.key_id == key_id:
                return made
        raise ControlError(ControlKind.ID_NOT_FOUND)


def _parsed(text: str) -> str:
    try:
        return parse_uuid(text)
    except BadUuidError as error:
        raise ControlError(ControlKind.BAD_API_KEY_ID, reason=str(error)) from None
