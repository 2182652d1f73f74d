"""The REST shapes of templates, their builds and tags; see `rest`."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from fake_e2b.wire.rest import Absent, Instant, Int32, LogLevelName, Shape

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


class TemplateBuildRequestV3(Shape):
    """What is to be built, under which name."""

    name: Annotated[str, Field(max_length=128)] | Absent = None
    tags: list[str] | Absent = None
    alias: Annotated[str, Field(max_length=128)] | Absent = None
    team_id: str | Absent = None
    cpu_count: Annotated[int, Field(ge=1, json_schema_extra={"format": "int32"})] | Absent = None
    memory_mb: Annotated[int, Field(ge=128, json_schema_extra={"format": "int32"})] | Absent = None
    min_free_disk_mb: (
        Annotated[int, Field(ge=0, json_schema_extra={"format": "int32"})] | Absent
    ) = Field(None, alias="minFreeDiskMb")


class TemplateBuildRequestV2(Shape):
    """The same, second generation."""

    alias: Annotated[str, Field(max_length=128)]
    team_id: str | Absent = None
    cpu_count: Annotated[int, Field(ge=1, json_schema_extra={"format": "int32"})] | Absent = None
    memory_mb: Annotated[int, Field(ge=128, json_schema_extra={"format": "int32"})] | Absent = None


class TemplateBuildRequest(Shape):
    """The same, first generation: from a Dockerfile."""

    dockerfile: str
    alias: Annotated[str, Field(max_length=128)] | Absent = None
    team_id: str | Absent = None
    start_cmd: str | Absent = None
    ready_cmd: str | Absent = None
    cpu_count: Annotated[int, Field(ge=1, json_schema_extra={"format": "int32"})] | Absent = None
    memory_mb: Annotated[int, Field(ge=128, json_schema_extra={"format": "int32"})] | Absent = None


class TemplateStep(Shape):
    """One instruction of a build."""

    type: str
    args: list[str] | Absent = None
    force: bool = False
    files_hash: str | Absent = None


class GeneralRegistry(Shape):
    """How to get at an image of a registry."""

    type: Literal["registry"]
    username: str
    password: str


class AwsRegistry(Shape):
    """How to get at an image of Amazon's registry."""

    type: Literal["aws"]
    aws_access_key_id: Annotated[str, Field(alias="awsAccessKeyId")]
    aws_secret_access_key: str
    aws_region: str


class GcpRegistry(Shape):
    """How to get at an image of Google's registry."""

    type: Literal["gcp"]
    service_account_json: str


Registry = Annotated[GeneralRegistry | AwsRegistry | GcpRegistry, Field(discriminator="type")]


class TemplateBuildStartV2(Shape):
    """What a reserved build is to do."""

    from_image: str | Absent = None
    from_template: str | Absent = None
    from_image_registry: Registry | Absent = None
    force: bool = False
    steps: list[TemplateStep] | Absent = None
    start_cmd: str | Absent = None
    ready_cmd: str | Absent = None


class BuildStatusQuery(Shape):
    """Which lines of a build's log."""

    logs_offset: Annotated[int, Field(ge=0, json_schema_extra={"format": "int32"})] = 0
    limit: Annotated[int, Field(ge=0, le=100, json_schema_extra={"format": "int32"})] = 100
    level: LogLevelName | Absent = None


class BuildLogsQuery(Shape):
    """Which lines of a build's log, from an instant on or back from it."""

    cursor: Annotated[int, Field(ge=0, json_schema_extra={"format": "int64"})] | Absent = None
    limit: Annotated[int, Field(ge=0, le=100, json_schema_extra={"format": "int32"})] = 100
    direction: Literal["forward", "backward"] = "forward"
    level: LogLevelName | Absent = None
    source: Literal["temporary", "persistent"] | Absent = None


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


class TemplateRequestResponseV3(Shape):
    """A reserved build."""

    template_id: str
    build_id: str
    public: bool
    names: list[str]
    aliases: list[str]
    tags: list[str]


class TemplateBuildFileUpload(Shape):
    """Whether an archive is there, and where it is to be sent."""

    present: bool
    url: str | Absent = None
    headers: dict[str, str] | Absent = None


class BuildLogEntry(Shape):
    """One line of a build's log."""

    timestamp: Instant
    message: str
    level: LogLevelName
    step: str | Absent = None


class BuildStatusReason(Shape):
    """Why a build failed."""

    message: str
    step: str | Absent = None
    log_entries: list[BuildLogEntry] | Absent = None


class TemplateBuildInfo(Shape):
    """How far a build is, and what it tells."""

    template_id: str
    build_id: str
    status: BuildStatusName
    logs: list[str]
    log_entries: list[BuildLogEntry]
    reason: BuildStatusReason | Absent = None


class TemplateBuildLogsResponse(Shape):
    """A page of a build's log."""

    logs: list[BuildLogEntry]
