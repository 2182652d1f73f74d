"""Nodes as REST shapes; the names come from the models of `rest_nodes`."""

from __future__ import annotations

from fake_e2b.domain.node import LOCAL_CLUSTER, HostState, NodeReport
from fake_e2b.wire import rest_nodes
from fake_e2b.wire.rest_render import Object, Writer
from fake_e2b.wire.timestamps import format_instant

_BASE = Writer(rest_nodes.NodeBase)
_MACHINE = Writer(rest_nodes.MachineInfo)
_METRICS = Writer(rest_nodes.NodeMetrics)
_DISK = Writer(rest_nodes.DiskMetrics)


def listed(report: NodeReport) -> Object:
    """One item of the list of nodes."""
    return _node(report) | {"sandboxStartingCount": report.starting_count}


def detail(report: NodeReport) -> Object:
    """One node, with the builds whose files it has."""
    return _node(report) | {"cachedBuilds": list(report.cached_builds)}


def _node(report: NodeReport) -> Object:
    return _BASE(
        id=report.node_id,
        service_instance_id=report.service_instance_id,
        cluster_id=LOCAL_CLUSTER,
        version=report.version,
        commit="",  # a released version is of one
        status=report.status.value,
        status_changed_at=format_instant(report.status_changed_at_ns),
        machine_info=_machine(report.host),
        metrics=_metrics(report),
        sandbox_count=report.sandbox_count,
        create_successes=report.create_successes,
        create_fails=report.create_fails,
    )


def _machine(host: HostState) -> Object:
    return _MACHINE(
        cpu_family=host.processor.family,
        cpu_model=host.processor.model,
        cpu_model_name=host.processor.model_name,
        cpu_architecture=host.processor.architecture,
    )


def _metrics(report: NodeReport) -> Object:
    host = report.host
    return _METRICS(
        allocated_cpu=report.allocated_cpu,
        cpu_percent=host.cpu_percent,
        cpu_count=host.cpu_count,
        allocated_memory_bytes=report.allocated_memory_bytes,
        memory_used_bytes=host.memory_used_bytes,
        memory_total_bytes=host.memory_total_bytes,
        huge_pages_total=host.huge_pages.total,
        huge_pages_used=host.huge_pages.used,
        huge_pages_reserved=host.huge_pages.reserved,
        huge_page_size_bytes=host.huge_pages.size_bytes,
        disks=[
            _DISK(
                mount_point=each.mount_point,
                device=each.device,
                filesystem_type=each.filesystem_type,
                used_bytes=each.used_bytes,
                total_bytes=each.total_bytes,
            )
            for each in host.disks
        ],
    )
