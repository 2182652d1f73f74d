"""The REST shapes of events, which spell `Id` unlike others; see `fake_e2b.wire.rest`."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from fake_e2b.wire.rest import Absent, Instant, Shape

EventTypeName: TypeAlias = Literal[
    "sandbox.lifecycle.created",
    "sandbox.lifecycle.killed",
    "sandbox.lifecycle.paused",
    "sandbox.lifecycle.resumed",
    "sandbox.lifecycle.updated",
    "sandbox.lifecycle.checkpointed",
]


class EventsQuery(Shape):
    """Some events."""

    offset: Annotated[int, Field(ge=0, json_schema_extra={"format": "int32"})] = 0
    limit: Annotated[int, Field(ge=1, le=100, json_schema_extra={"format": "int32"})] = 10
    order_asc: bool = False
    types: list[EventTypeName] | Absent = Field(None, json_schema_extra={"explode": True})


class SandboxEvent(Shape):
    """One event."""

    id: str
    version: str
    type: EventTypeName
    event_category: str
    event_label: str | Absent = None
    event_data: dict[str, Any] | None
    timestamp: Instant
    sandbox_id: str = Field(alias="sandboxId")
    sandbox_execution_id: str = Field(alias="sandboxExecutionId")
    sandbox_template_id: str = Field(alias="sandboxTemplateId")
    sandbox_build_id: str = Field(alias="sandboxBuildId")
    sandbox_team_id: str = Field(alias="sandboxTeamId")
