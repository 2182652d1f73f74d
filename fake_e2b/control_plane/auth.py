"""Who asks: the ways that an operation allows, tried in the service's order.

Of several refusals that of the first way whose header is there is reported; a banned team's
comes before all others.

Fact: control.auth
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fake_e2b.backend.accounts import Accounts
from fake_e2b.backend.teams import Teams
from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.domain.credentials import Way, ways_of
from fake_e2b.domain.ids import TeamID
from fake_e2b.domain.operations import Operation
from fake_e2b.domain.team import Team, User
from fake_e2b.domain.uuids import BadUuidError, parse_uuid

_KEY, _BEARER, _ADMIN, _TEAM = "x-api-key", "authorization", "x-admin-token", "x-team-id"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks; which of the two there is depends on what the operation takes."""

    team: Team | None = None
    user: User | None = None


class Authentication:
    """Finds out who asks."""

    def __init__(self, teams: Teams, accounts: Accounts) -> None:
        self._teams = teams
        self._accounts = accounts
        self._ways: Mapping[Way, tuple[str, Callable[[Mapping[str, str]], Caller]]] = {
            Way.API_KEY: (_KEY, self._by_key),
            Way.USER_FOR_TEAM: (_BEARER, self._as_user_for_team),
            Way.ADMIN_FOR_TEAM: (_ADMIN, self._as_admin_for_team),
            Way.ACCESS_TOKEN: (_BEARER, self._by_access_token),
            Way.USER: (_BEARER, self._as_user),
            Way.ADMIN: (_ADMIN, self._as_admin),
        }

    def caller(self, operation: Operation, headers: Mapping[str, str]) -> Caller:
        """Who asks for an operation.

        Args:
            headers: Names in lower case.

        Raises:
            ControlError: AUTH_MISSING, AUTH_MALFORMED, or that a key, a token or a team is none;
                TEAM_BANNED.
        """
        first: ControlError | None = None
        banned = False
        for way in ways_of(operation.name):
            header, find = self._ways[way]
            if not headers.get(header):
                continue
            try:
                found = find(headers)
            except ControlError as error:
                first = first or error
                continue
            if found.team is None or not found.team.banned:
                return found
            banned = True
        if banned:
            raise ControlError(ControlKind.TEAM_BANNED)
        raise first or ControlError(ControlKind.AUTH_MISSING)

    def _by_key(self, headers: Mapping[str, str]) -> Caller:
        return Caller(team=self._teams.by_key(headers[_KEY]))

    def _by_access_token(self, headers: Mapping[str, str]) -> Caller:
        return Caller(user=self._accounts.by_access_token(_bearer(headers)))

    def _as_user(self, headers: Mapping[str, str]) -> Caller:
        return Caller(user=self._accounts.by_user_token(_bearer(headers)))

    def _as_user_for_team(self, headers: Mapping[str, str]) -> Caller:
        user = self._accounts.by_user_token(_bearer(headers))
        try:
            team = self._teams.get(TeamID(parse_uuid(_team(headers))))
        except BadUuidError:
            team = None
        if team is None:
            raise ControlError(ControlKind.BEARER_TEAM_REJECTED)
        return Caller(team, user)

    def _as_admin(self, headers: Mapping[str, str]) -> Caller:
        self._accounts.check_admin(headers[_ADMIN])
        return Caller()

    def _as_admin_for_team(self, headers: Mapping[str, str]) -> Caller:
        self._accounts.check_admin(headers[_ADMIN])
        try:
            team = self._teams.get(TeamID(parse_uuid(_team(headers))))
        except BadUuidError:
            raise ControlError(ControlKind.ADMIN_TEAM_FORMAT) from None
        if team is None:
            raise ControlError(ControlKind.ADMIN_TEAM_UNKNOWN)
        return Caller(team)


def _bearer(headers: Mapping[str, str]) -> str:
    return headers[_BEARER].removeprefix("Bearer ").strip()


def _team(headers: Mapping[str, str]) -> str:
    """What `X-Team-ID` says.

    Raises:
        ControlError: AUTH_MISSING.
    """
    text = headers.get(_TEAM)
    if not text:
        raise ControlError(ControlKind.AUTH_MISSING)
    return text


def check_not_blocked(team: Team, operation: Operation) -> None:
    """Let a blocked team only read and delete.

    Raises:
        ControlError: TEAM_BLOCKED.

    Fact: control.auth.blocked
    """
    if not team.blocked:
        return
    root = operation.path.split("/")[1]
    readable = operation.method == "GET" and root != "events"
    deletable = operation.method == "DELETE" and root not in ("events", "secrets")
    if not readable and not deletable:
        reason = f": {team.blocked_reason}" if team.blocked_reason else ""
        raise ControlError(ControlKind.TEAM_BLOCKED, reason=reason)
