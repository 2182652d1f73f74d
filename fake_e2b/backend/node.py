"""The one node that a fake has: what is asked of it, and whether it takes sandboxes.

Facts: nodes.placement, nodes.counts
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from fake_e2b.backend.store import Record, Store
from fake_e2b.domain.clock import Clock
from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.domain.ids import IdSource
from fake_e2b.domain.node import LOCAL_CLUSTER, NodeReport, NodeStatus
from fake_e2b.domain.ports import Host
from fake_e2b.domain.sandbox import State

_MEGABYTE = 1 << 20


@dataclass(slots=True)
class _Counts:
    starting: int = 0
    successes: int = 0
    fails: int = 0


class Node:
    """The machine of a fake.

    Args:
        cached_builds: IDs of the builds whose files are on it.
        version: Of what runs on it.
    """

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        ids: IdSource,
        host: Host,
        cached_builds: Callable[[], Iterable[str]],
        version: str,
    ) -> None:
        self._store = store
        self._clock = clock
        self._host = host
        self._cached_builds = cached_builds
        self._version = version
        self._service_instance_id = ids.uuid_of("node's service")
        self._status = NodeStatus.READY
        self._changed_at_ns = clock.now_ns()
        self._counts = _Counts()
        self.node_id = ids.uuid_of("node")[:8]

    # -- what is asked ----------------------------------------------------------------------------

    async def list(self, cluster_id: str | None) -> tuple[NodeReport, ...]:
        """The nodes of a cluster: this one, or none when it is another cluster's ID."""
        return (await self._report(),) if _is_local(cluster_id) else ()

    async def get(self, node_id: str, cluster_id: str | None) -> NodeReport:
        """One node.

        Raises:
            ControlError: NODE_NOT_FOUND.
        """
        self._check(node_id, cluster_id)
        return await self._report()

    def update(self, node_id: str, cluster_id: str | None, status: NodeStatus) -> None:
        """Set its status; every change is allowed.

        Raises:
            ControlError: NODE_NOT_FOUND.
        """
        self._check(node_id, cluster_id)
        if status is not self._status:
            self._status = status
            self._changed_at_ns = self._clock.now_ns()

    def _check(self, node_id: str, cluster_id: str | None) -> None:
        if node_id != self.node_id or not _is_local(cluster_id):
            raise ControlError(ControlKind.NODE_NOT_FOUND)

    async def _report(self) -> NodeReport:
        host = await self._host.look()
        running = [each.sandbox for each in self._store.records.values() if _is_here(each)]
        return NodeReport(
            node_id=self.node_id,
            service_instance_id=self._service_instance_id,
            version=self._version,
            status=self._status,
            status_changed_at_ns=self._changed_at_ns,
            sandbox_count=len(running),
            starting_count=self._counts.starting,
            create_successes=self._counts.successes,
            create_fails=self._counts.fails,
            allocated_cpu=sum(each.cpu_count for each in running),
            allocated_memory_bytes=sum(each.memory_mb for each in running) * _MEGABYTE,
            cached_builds=tuple(self._cached_builds()),
            host=host,
        )

    # -- what starts on it ------------------------------------------------------------------------

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Around the start of a sandbox, which it counts.

        Raises:
            ControlError: NO_CAPACITY: the node takes none now, and there is no other.
        """
        if self._status is not NodeStatus.READY:
            raise ControlError(ControlKind.NO_CAPACITY)
        counts = self._counts  # those of before a reset that comes meanwhile are gone with it
        counts.starting += 1
        try:
            yield
        except BaseException:
            counts.fails += 1
            raise
        else:
            counts.successes += 1
        finally:
            counts.starting -= 1

    def reset(self) -> None:
        """Ready again, and nothing counted."""
        self._counts = _Counts()
        if self._status is not NodeStatus.READY:
            self._status = NodeStatus.READY
            self._changed_at_ns = self._clock.now_ns()


def _is_local(cluster_id: str | None) -> bool:
    return cluster_id in (None, LOCAL_CLUSTER)


def _is_here(record: Record) -> bool:
    return record.sandbox.state is not State.PAUSED
