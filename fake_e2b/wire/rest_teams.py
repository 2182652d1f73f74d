"""The REST shapes of teams, keys, tokens and administration; see `rest`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from fake_e2b.wire.rest import Absent, Instant, Int32, Shape

UnixSeconds = Annotated[int, Field(ge=0, json_schema_extra={"format": "int64"})]


# -- what requests contain -------------------------------------------------------------------------


class NewTeamAPIKey(Shape):
    """A key's name."""

    name: str


class UpdateTeamAPIKey(Shape):
    """A key's new name."""

    name: str


class NewAccessToken(Shape):
    """A token's name."""

    name: str


class TeamMetricsQuery(Shape):
    """A range of whole seconds."""

    start: UnixSeconds | Absent = None
    end: UnixSeconds | Absent = None


class MaxTeamMetricQuery(TeamMetricsQuery):
    """The same, and of what."""

    metric: Literal["concurrent_sandboxes", "sandbox_start_rate"]


# -- what answers contain --------------------------------------------------------------------------


class Team(Shape):
    """A team, with a key that was made for this answer."""

    team_id: str
    name: str
    api_key: Annotated[str, Field(alias="apiKey")]
    is_default: bool


class TeamMetric(Shape):
    """What ran and started in one span of time."""

    timestamp: Instant
    timestamp_unix: UnixSeconds
    concurrent_sandboxes: Int32
    sandbox_start_rate: float


class MaxTeamMetric(Shape):
    """The highest value of a metric, and when it was."""

    timestamp: Instant
    timestamp_unix: UnixSeconds
    value: float


class IdentifierMaskingDetails(Shape):
    """What may be shown of a key."""

    prefix: str
    value_length: int
    masked_value_prefix: str
    masked_value_suffix: str


class TeamUser(Shape):
    """Who made a key."""

    id: Annotated[str, Field(alias="id", json_schema_extra={"format": "uuid"})]
    email: str | None = None


class TeamAPIKey(Shape):
    """A key without its secret part."""

    id: Annotated[str, Field(alias="id", json_schema_extra={"format": "uuid"})]
    name: str
    mask: IdentifierMaskingDetails
    created_at: Instant
    created_by: TeamUser | None = None
    last_used: Annotated[str, Field(json_schema_extra={"format": "date-time"})] | None = None


class CreatedTeamAPIKey(TeamAPIKey):
    """The same, with the key."""

    key: str


class CreatedAccessToken(Shape):
    """A token that was just made."""

    id: Annotated[str, Field(alias="id", json_schema_extra={"format": "uuid"})]
    name: str
    token: str
    mask: IdentifierMaskingDetails
    created_at: Instant


class AdminSandboxKillResult(Shape):
    """How many sandboxes were killed."""

    killed_count: Int32
    failed_count: Int32


class AdminBuildCancelResult(Shape):
    """How many builds were cancelled."""

    cancelled_count: Int32
    failed_count: Int32


class AdminTeamRunningSandboxCounts(Shape):
    """Sandboxes that run, by the ID of their team."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Int32]
