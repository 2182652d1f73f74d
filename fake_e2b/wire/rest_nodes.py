"""The REST shapes of nodes; see `rest`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from fake_e2b.domain.node import NodeStatus
from fake_e2b.wire.rest import Absent, Instant, Int32, Shape

Unsigned = Annotated[int, Field(ge=0, json_schema_extra={"format": "uint64"})]


class NodesQuery(Shape):
    """Of which cluster."""

    cluster_id: str | Absent = None


class NodeStatusChange(Shape):
    """What a node is to be up to."""

    status: NodeStatus
    cluster_id: str | Absent = None


class MachineInfo(Shape):
    """What a machine says of its CPU."""

    cpu_family: str
    cpu_model: str
    cpu_model_name: str
    cpu_architecture: str


class DiskMetrics(Shape):
    """A file system, in bytes."""

    mount_point: str
    device: str
    filesystem_type: str
    used_bytes: Unsigned
    total_bytes: Unsigned


class NodeMetrics(Shape):
    """What a machine has, what of it is used, and what sandboxes were promised."""

    allocated_cpu: Annotated[int, Field(alias="allocatedCPU")]
    cpu_percent: Int32
    cpu_count: Int32
    allocated_memory_bytes: Unsigned
    memory_used_bytes: Unsigned
    memory_total_bytes: Unsigned
    huge_pages_total: Unsigned
    huge_pages_used: Unsigned
    huge_pages_reserved: Unsigned
    huge_page_size_bytes: Unsigned
    disks: list[DiskMetrics]


class NodeBase(Shape):
    """What lists and details of nodes have in common."""

    id: Annotated[str, Field(alias="id")]
    service_instance_id: str
    cluster_id: str
    version: str
    commit: str
    status: NodeStatus
    status_changed_at: Instant
    machine_info: MachineInfo
    metrics: NodeMetrics
    sandbox_count: Int32
    create_successes: Unsigned
    create_fails: Unsigned


class Node(NodeBase):
    """One item of a list."""

    sandbox_starting_count: Int32


class NodeDetail(NodeBase):
    """One node."""

    cached_builds: list[str]
