"""Who asks: the service's schemes, in its order.

API keys are the only credentials that the fake issues, so every bearer and every admin token is
refused as the service refuses a wrong one. Of several refusals the first one tried is reported.

Fact: control.auth
"""

from __future__ import annotations

from collections.abc import Mapping

from fake_e2b.backend.teams import Teams
from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.domain.operations import Operation
from fake_e2b.domain.team import Team

USER_OPERATIONS = frozenset(
    {
        "listTeams",
        "listAPIKeys",
        "createAPIKey",
        "updateAPIKey",
        "deleteAPIKey",
        "createAccessToken",
        "deleteAccessToken",
        "listNodes",
        "getNode",
        "updateNode",
        "killTeamSandboxes",
        "countRunningSandboxes",
        "cancelTeamBuilds",
        "createTeamAPIKey",
        "deleteTeamAPIKey",
    }
)
"""Operations that take no API key but a user's or an administrator's token."""
_USER_HEADERS = ("authorization", "x-admin-token")


def authenticate(teams: Teams, headers: Mapping[str, str]) -> Team:
    """The team that a request is made for.

    Args:
        headers: Names in lower case.

    Raises:
        ControlError: AUTH_MISSING, AUTH_MALFORMED, API_KEY_FORMAT, API_KEY_UNKNOWN,
            BEARER_REJECTED, ADMIN_TOKEN_REJECTED; TEAM_BANNED.
    """
    key = headers.get("x-api-key", "")
    if key:
        team = teams.by_key(key)
        if team.banned:
            raise ControlError(ControlKind.TEAM_BANNED)
        return team
    if headers.get("authorization"):
        raise ControlError(ControlKind.BEARER_REJECTED)
    if headers.get("x-admin-token"):
        raise ControlError(ControlKind.ADMIN_TOKEN_REJECTED)
    raise ControlError(ControlKind.AUTH_MISSING)


def check_user_credentials(headers: Mapping[str, str]) -> None:
    """Refuse a request to one of `USER_OPERATIONS` that brings none of their credentials.

    Raises:
        ControlError: AUTH_MISSING.
    """
    if not any(headers.get(name) for name in _USER_HEADERS):
        raise ControlError(ControlKind.AUTH_MISSING)


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
