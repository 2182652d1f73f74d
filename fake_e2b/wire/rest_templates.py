"""The REST shapes of templates, their builds and tags; see `rest`."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from fake_e2b.wire.rest import Absent, Instant, Int32, Shape

BuildStatusName: TypeAlias = Literal["waiting", "building", "ready", "error"]
TagSort: TypeAlias = Literal["latest_desc", "latest_asc", "name_asc", "name_desc"]
Uuid = Annotated[str, Field(json_schema_extra={"format": "uuid"})]
PageSize = Annotated[int, Field(ge=1, le=100, json_schema_extra={"format": "int32"})]


# -- what requests contain -------------------------------------------------------------------------


class TemplatesQuery(Shape):
    """Whose templates."""

    team_id: str | Absent = None


class TemplatesPageQuery(TemplatesQuery):
    """One page of them."""

    limit: PageSize = 100
    next_token: str | Absent = None


class TemplateQuery(Shape):
    """One page of a template's builds."""

    limit: PageSize = 100
    next_token: str | Absent = None


class TemplateUpdateRequest(Shape):
    """What can be changed of a template."""

    public: bool | Absent = None


class AssignTemplateTagsRequest(Shape):
    """Which build gets which tags."""

    target: str
    tags: list[str]


class DeleteTemplateTagsRequest(Shape):
    """Which tags are to mean nothing any more."""

    name: str
    tags: list[str]


class TagExistsQuery(Shape):
    """The tag that is asked for."""

    tag: str


class TagGroupsQuery(Shape):
    """One page of tags."""

    assignment_limit: int | Absent = None
    tags_limit: int | Absent = None
    tags_cursor: str | Absent = None
    search: str | Absent = None
    sort: str | Absent = None


class TagAssignmentsQuery(Shape):
    """One page of a tag's history."""

    cursor: str | Absent = None
    limit: int | Absent = None


# -- what answers contain --------------------------------------------------------------------------


class Template(Shape):
    """One item of a list of templates."""

    template_id: str
    build_id: str
    cpu_count: Int32
    memory_mb: Int32
    disk_size_mb: Int32
    public: bool
    aliases: list[str]
    names: list[str]
    created_at: Instant
    updated_at: Instant
    created_by: dict[str, Any] | None
    last_spawned_at: Instant | None
    spawn_count: Annotated[int, Field(json_schema_extra={"format": "int64"})]
    build_count: Int32
    envd_version: str
    build_status: BuildStatusName
    is_default: bool | Absent = None
    description: str | Absent = None


class TemplateBuild(Shape):
    """One build."""

    build_id: Uuid
    status: BuildStatusName
    created_at: Instant
    updated_at: Instant
    finished_at: Instant | Absent = None
    cpu_count: Int32
    memory_mb: Int32
    disk_size_mb: Int32 | Absent = None
    envd_version: str | Absent = None


class TemplateWithBuilds(Template):
    """One template and its builds, the newest first."""

    builds: list[TemplateBuild]


class TemplateUpdateResponse(Shape):
    """The names by which the template is known."""

    names: list[str]


class TemplateAliasResponse(Shape):
    """That there is such a template."""

    template_id: str
    public: bool


class AssignedTemplateTags(Shape):
    """Which build the tags mean now."""

    tags: list[str]
    build_id: Uuid


class TemplateTag(Shape):
    """One tag and its build."""

    tag: str
    build_id: Uuid
    created_at: Instant


class TagCount(Shape):
    """How many tags mean a ready build."""

    total: int


class TagExists(Shape):
    """Whether a tag means a ready build."""

    exists: bool
    normalized_tag: str


class TagAssignment(Shape):
    """That a tag meant a build from an instant on."""

    assignment_id: Annotated[str, Field(alias="assignmentId")]
    build_id: Annotated[str, Field(alias="buildId")]
    assigned_at: Instant
    build_created_at: Instant
    build_finished_at: Instant | None


class TagGroup(Shape):
    """A tag and its newest assignments."""

    tag: str
    assignments: list[TagAssignment]
    has_more: bool


class TagGroups(Shape):
    """One page of tags."""

    tags: list[TagGroup]
    next_cursor: str | None


class TagAssignments(Shape):
    """One page of a tag's history."""

    data: list[TagAssignment]
    next_cursor: str | None
