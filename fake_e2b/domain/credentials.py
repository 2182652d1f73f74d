"""Which credentials an operation of the control plane takes: the service's ways, in its order.

Fact: control.auth.ways
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto


class Way(Enum):
    """How a request says who asks."""

    API_KEY = auto()
    USER_FOR_TEAM = auto()  # a user's bearer token and X-Team-ID
    ADMIN_FOR_TEAM = auto()  # X-Admin-Token and X-Team-ID
    ACCESS_TOKEN = auto()  # a personal access token as the bearer
    USER = auto()  # a user's bearer token alone
    ADMIN = auto()  # X-Admin-Token alone


_OF_A_TEAM = (Way.API_KEY, Way.USER_FOR_TEAM, Way.ADMIN_FOR_TEAM)
_OF_A_TEAMS_USERS = (Way.USER_FOR_TEAM, Way.ADMIN_FOR_TEAM)
_OTHERS: Mapping[str, tuple[Way, ...]] = {
    "listTeams": (Way.ACCESS_TOKEN, Way.USER),
    "listAPIKeys": _OF_A_TEAMS_USERS,
    "createAPIKey": (Way.USER_FOR_TEAM,),
    "updateAPIKey": _OF_A_TEAMS_USERS,
    "deleteAPIKey": _OF_A_TEAMS_USERS,
    "createAccessToken": (Way.USER,),
    "deleteAccessToken": (Way.USER,),
    "listNodes": (Way.ADMIN,),
    "getNode": (Way.ADMIN,),
    "updateNode": (Way.ADMIN,),
    "killTeamSandboxes": (Way.ADMIN,),
    "countRunningSandboxes": (Way.ADMIN,),
    "cancelTeamBuilds": (Way.ADMIN,),
    "createTeamAPIKey": (Way.ADMIN,),
    "deleteTeamAPIKey": (Way.ADMIN,),
}


def ways_of(operation: str) -> tuple[Way, ...]:
    """What an operation takes; the first way that a request goes and that holds counts."""
    return _OTHERS.get(operation, _OF_A_TEAM)
