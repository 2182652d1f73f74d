"""The operations on templates and their tags; see `endpoints`."""

from __future__ import annotations

from fake_e2b.wire import rest_templates as rest
from fake_e2b.wire.endpoint import Endpoint

_FOUND = (400, 403, 404)

TEMPLATE_ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "GET",
        "/templates",
        "List templates (first generation)",
        {200: rest.Template},
        query=rest.TemplatesQuery,
        is_list=True,
    ),
    Endpoint(
        "GET",
        "/v2/templates",
        "List templates",
        {200: rest.Template},
        query=rest.TemplatesPageQuery,
        is_list=True,
    ),
    Endpoint(
        "GET",
        "/default-templates",
        "List the platform's templates",
        {200: rest.Template},
        is_list=True,
        refusals=(),
    ),
    Endpoint(
        "GET",
        "/templates/{templateID}",
        "A template and its builds",
        {200: rest.TemplateWithBuilds},
        query=rest.TemplateQuery,
        refusals=_FOUND,
    ),
    Endpoint(
        "PATCH",
        "/templates/{templateID}",
        "Change a template (first generation)",
        {200: None},
        body=rest.TemplateUpdateRequest,
        body_required=True,
        refusals=(*_FOUND, 409, 413),
    ),
    Endpoint(
        "PATCH",
        "/v2/templates/{templateID}",
        "Change a template",
        {200: rest.TemplateUpdateResponse},
        body=rest.TemplateUpdateRequest,
        body_required=True,
        refusals=(*_FOUND, 413),
    ),
    Endpoint(
        "DELETE",
        "/templates/{templateID}",
        "Delete a template or a snapshot",
        {204: None},
        refusals=_FOUND,
    ),
    Endpoint(
        "GET",
        "/templates/aliases/{alias}",
        "Whether there is a template of that name",
        {200: rest.TemplateAliasResponse},
        refusals=_FOUND,
    ),
    Endpoint(
        "POST",
        "/templates/tags",
        "Let tags mean a build",
        {201: rest.AssignedTemplateTags},
        body=rest.AssignTemplateTagsRequest,
        body_required=True,
        refusals=(*_FOUND, 413),
    ),
    Endpoint(
        "DELETE",
        "/templates/tags",
        "Let tags mean nothing any more",
        {204: None},
        body=rest.DeleteTemplateTagsRequest,
        body_required=True,
        refusals=(*_FOUND, 413),
    ),
    Endpoint(
        "GET",
        "/templates/{templateID}/tags",
        "A template's tags",
        {200: rest.TemplateTag},
        is_list=True,
        refusals=_FOUND,
    ),
    Endpoint(
        "GET",
        "/templates/{templateID}/tags/count",
        "How many tags mean a ready build",
        {200: rest.TagCount},
        refusals=_FOUND,
    ),
    Endpoint(
        "GET",
        "/templates/{templateID}/tags/exists",
        "Whether a tag means a ready build",
        {200: rest.TagExists},
        query=rest.TagExistsQuery,
        refusals=_FOUND,
    ),
    Endpoint(
        "GET",
        "/templates/{templateID}/tags/groups",
        "A template's tags with their newest assignments",
        {200: rest.TagGroups},
        query=rest.TagGroupsQuery,
        refusals=_FOUND,
    ),
    Endpoint(
        "GET",
        "/templates/{templateID}/tags/{tag}/assignments",
        "What a tag meant, and when",
        {200: rest.TagAssignments},
        query=rest.TagAssignmentsQuery,
        refusals=_FOUND,
    ),
)
