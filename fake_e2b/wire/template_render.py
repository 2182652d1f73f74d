"""Templates, builds and tags as REST shapes; the names come from the models of `rest_templates`."""

from __future__ import annotations

from collections.abc import Sequence

from fake_e2b.domain.build import Level, LogLine
from fake_e2b.domain.template import DEFAULT_TAG, Assignment, Build, BuildStatus, Template
from fake_e2b.wire import rest_templates
from fake_e2b.wire.rest_render import Object, Writer
from fake_e2b.wire.timestamps import format_instant

NO_BUILD = "00000000-0000-0000-0000-000000000000"
"""The build of a template that has no ready one. Fact: templates.list"""

_TEMPLATE = Writer(rest_templates.Template)
_WITH_BUILDS = Writer(rest_templates.TemplateWithBuilds)
_BUILD = Writer(rest_templates.TemplateBuild)
_TAG = Writer(rest_templates.TemplateTag)
_LOG_ENTRY = Writer(rest_templates.BuildLogEntry)
_REASON = Writer(rest_templates.BuildStatusReason)
_BUILD_INFO = Writer(rest_templates.TemplateBuildInfo)
_LEVELS = {
    Level.DEBUG: "debug",
    Level.INFO: "info",
    Level.WARN: "warn",
    Level.ERROR: "error",
}
_ASSIGNMENT = Writer(rest_templates.TagAssignment)


def template(shown: Template, *, foreign: bool = False) -> Object:
    """One item of a list.

    Args:
        foreign: Another team's: nobody else is told how often it is used.
    """
    return _TEMPLATE(**_fields(shown, foreign=foreign)) | _nulls(shown, foreign=foreign)


def template_with_builds(shown: Template, builds: Sequence[Build]) -> Object:
    """One template and a page of its builds."""
    return _WITH_BUILDS(
        **_fields(shown, foreign=False), builds=[build(shown, each) for each in builds]
    ) | _nulls(shown, foreign=False)


def build(owner: Template, shown: Build) -> Object:
    """One build."""
    return _BUILD(
        build_id=shown.build_id,
        status=shown.status.value,
        created_at=format_instant(shown.created_at_ns),
        updated_at=format_instant(shown.updated_at_ns),
        finished_at=(
            None if shown.finished_at_ns is None else format_instant(shown.finished_at_ns)
        ),
        cpu_count=shown.cpu_count,
        memory_mb=shown.memory_mb,
        disk_size_mb=shown.disk_size_mb,
        envd_version=owner.envd_version if shown.status is BuildStatus.READY else None,
    )


def tag(shown: Assignment) -> Object:
    """One tag and its build."""
    return _TAG(
        tag=shown.tag, build_id=shown.build.build_id, created_at=format_instant(shown.at_ns)
    )


def assignment(shown: Assignment) -> Object:
    """One entry of a tag's history."""
    finished_ns = shown.build.finished_at_ns
    finished = None if finished_ns is None else format_instant(finished_ns)
    return _ASSIGNMENT(
        assignment_id=shown.assignment_id,
        build_id=shown.build.build_id,
        assigned_at=format_instant(shown.at_ns),
        build_created_at=format_instant(shown.build.created_at_ns),
    ) | {"buildFinishedAt": finished}


def _fields(shown: Template, *, foreign: bool) -> dict[str, object]:
    ready = shown.builds.get(DEFAULT_TAG)
    newest = shown.tags.get(DEFAULT_TAG)
    if newest is None:
        status = shown.history[-1].status if shown.history else BuildStatus.WAITING
    else:
        status = newest.build.status
    return {
        "template_id": shown.template_id,
        "build_id": NO_BUILD if ready is None else ready.build_id,
        "cpu_count": 0 if ready is None else ready.cpu_count,
        "memory_mb": 0 if ready is None else ready.memory_mb,
        "disk_size_mb": 0 if ready is None else ready.disk_size_mb,
        "public": shown.public,
        "aliases": sorted(shown.aliases),
        "names": shown.names,
        "created_at": format_instant(shown.created_at_ns),
        "updated_at": format_instant(shown.updated_at_ns),
        "spawn_count": 0 if foreign else shown.spawned,
        "build_count": 0 if foreign else len(shown.history),
        "envd_version": "" if ready is None else shown.envd_version,
        "build_status": status.value,
        "is_default": True if shown.is_default else None,
    }


def _nulls(shown: Template, *, foreign: bool) -> Object:
    """What must be there even when it is null."""
    last_ns = None if foreign else shown.last_spawned_at_ns
    return {
        "createdBy": None,
        "lastSpawnedAt": None if last_ns is None else format_instant(last_ns),
    }


def log_entry(shown: LogLine) -> Object:
    """One line of a build's log."""
    return _LOG_ENTRY(
        timestamp=format_instant(shown.at_ns),
        message=shown.message,
        level=_LEVELS[shown.level],
        step=shown.step,
    )


def build_info(owner: Template, shown: Build, page: Sequence[LogLine]) -> Object:
    """How far a build is, with a page of its log."""
    reason = None
    if shown.reason is not None:
        reason = _REASON(
            message=shown.reason.message,
            step=shown.reason.step,
            log_entries=None
            if shown.reason.step is None
            else [
                log_entry(each)
                for each in page
                if each.level >= Level.WARN and each.step == shown.reason.step
            ],
        )
    return _BUILD_INFO(
        template_id=owner.template_id,
        build_id=shown.build_id,
        status=shown.status.value,
        logs=[],
        log_entries=[log_entry(each) for each in page],
        reason=reason,
    )
