"""Teams, keys and tokens as REST shapes; the names come from the models of `rest_teams`."""

from __future__ import annotations

from fake_e2b.domain.clock import SECOND_NS
from fake_e2b.domain.team import ACCESS_TOKEN_PREFIX, API_KEY_PREFIX, AccessToken, ApiKey, Mask
from fake_e2b.wire import rest_teams
from fake_e2b.wire.rest_render import Object, Writer
from fake_e2b.wire.timestamps import format_instant

_TEAM = Writer(rest_teams.Team)
_MASK = Writer(rest_teams.IdentifierMaskingDetails)
_KEY = Writer(rest_teams.TeamAPIKey)
_TOKEN = Writer(rest_teams.CreatedAccessToken)
_METRIC = Writer(rest_teams.TeamMetric)
_MAX = Writer(rest_teams.MaxTeamMetric)
_KILLED = Writer(rest_teams.AdminSandboxKillResult)
_CANCELLED = Writer(rest_teams.AdminBuildCancelResult)


def team(minted: ApiKey, *, is_default: bool) -> Object:
    """One of a user's teams, with the key that was made for it."""
    return _TEAM(
        team_id=minted.team.team_id,
        name=minted.team.slug,
        api_key=minted.key,
        is_default=is_default,
    )


def _mask(token: str, prefix: str) -> Object:
    mask = Mask.of(token, prefix)
    return _MASK(
        prefix=mask.prefix,
        value_length=mask.length,
        masked_value_prefix=mask.head,
        masked_value_suffix=mask.tail,
    )


def api_key(shown: ApiKey) -> Object:
    """One item of a list of keys; who made it and its last use are there even if null."""
    used_ns = shown.last_used_ns
    return _KEY(
        id=shown.key_id,
        name=shown.name,
        mask=_mask(shown.key, API_KEY_PREFIX),
        created_at=format_instant(shown.created_at_ns),
    ) | {
        "createdBy": None if shown.created_by is None else {"id": shown.created_by, "email": None},
        "lastUsed": None if used_ns is None else format_instant(used_ns),
    }


def created_api_key(made: ApiKey) -> Object:
    """A new key, the only time that all of it is shown."""
    return api_key(made) | {"key": made.key}


def created_access_token(made: AccessToken) -> Object:
    """A new token, the only time that all of it is shown."""
    return _TOKEN(
        id=made.token_id,
        name=made.name,
        token=made.token,
        mask=_mask(made.token, ACCESS_TOKEN_PREFIX),
        created_at=format_instant(made.created_at_ns),
    )


def metric(unix_s: int, concurrent: int, start_rate: float) -> Object:
    """One span of time."""
    return _METRIC(
        timestamp=format_instant(unix_s * SECOND_NS),
        timestamp_unix=unix_s,
        concurrent_sandboxes=concurrent,
        sandbox_start_rate=start_rate,
    )


def max_metric(unix_s: int, value: float) -> Object:
    """The highest value."""
    return _MAX(timestamp=format_instant(unix_s * SECOND_NS), timestamp_unix=unix_s, value=value)


def killed(counts: tuple[int, int]) -> Object:
    """How many sandboxes are gone, and how many are not."""
    return _KILLED(killed_count=counts[0], failed_count=counts[1])


def cancelled(counts: tuple[int, int]) -> Object:
    """How many builds have ended, and how many have not."""
    return _CANCELLED(cancelled_count=counts[0], failed_count=counts[1])
