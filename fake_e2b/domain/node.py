"""The machine on which sandboxes run, as the service tells of it: a node of its cluster."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

LOCAL_CLUSTER = "00000000-0000-0000-0000-000000000000"
"""The ID of the one cluster there is."""


class NodeStatus(StrEnum):
    """What a node is up to; only a ready one is given sandboxes. Fact: nodes.placement"""

    READY = "ready"
    DRAINING = "draining"
    CONNECTING = "connecting"
    UNHEALTHY = "unhealthy"
    STANDBY = "standby"


@dataclass(frozen=True, slots=True)
class Processor:
    """What the machine says of its CPU, in its own words; empty where it says nothing."""

    family: str = ""
    model: str = ""
    model_name: str = ""
    architecture: str = ""


@dataclass(frozen=True, slots=True)
class HugePages:
    """Counts of pages, and how many bytes one has."""

    total: int = 0
    used: int = 0
    reserved: int = 0
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Disk:
    """A file system of the machine; sizes in bytes."""

    mount_point: str
    device: str
    filesystem_type: str
    used_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class HostState:
    """The machine as it is now, the fake's sandboxes and everything else on it together.

    Attributes:
        cpu_percent: How busy all its CPUs together were, 0 to 100, since it was last looked at.
        memory_used_bytes: What programs could not have.
    """

    processor: Processor
    cpu_count: int
    cpu_percent: int
    memory_used_bytes: int
    memory_total_bytes: int
    huge_pages: HugePages
    disks: tuple[Disk, ...]


@dataclass(frozen=True, slots=True)
class NodeReport:
    """All that is told of a node.

    Attributes:
        sandbox_count: Those that run; paused ones are on no node.
        starting_count: Starts in progress, resumes and forks as well.
        create_successes: Starts that ended well, since the fake began or was reset.
        create_fails: Those that did not.
        allocated_cpu: What the sandboxes that run say that they have.
        allocated_memory_bytes: The same of memory.
        cached_builds: IDs of the template builds whose files are here.
    """

    node_id: str
    service_instance_id: str
    version: str
    status: NodeStatus
    status_changed_at_ns: int
    sandbox_count: int
    starting_count: int
    create_successes: int
    create_fails: int
    allocated_cpu: int
    allocated_memory_bytes: int
    cached_builds: tuple[str, ...]
    host: HostState
