"""Puts together what builds need of the server."""

from __future__ import annotations

from collections.abc import Callable

from fake_e2b.backend.build_requests import Building
from fake_e2b.backend.control import ControlBackend
from fake_e2b.domain.clock import Clock
from fake_e2b.domain.downloads import NetworkMode
from fake_e2b.domain.ids import IdSource
from fake_e2b.domain.ports import Runtime
from fake_e2b.domain.records import Records
from fake_e2b.server.builder.archives import Archives
from fake_e2b.server.builder.builder import TemplateBuilder
from fake_e2b.server.builder.tasks import BuildTasks
from fake_e2b.server.builder.uploads import upload_url, uploads_app
from fake_e2b.server.stubs.service import Stubs


class BuildSite:
    """Where templates are built.

    Args:
        runtime: Where their guests are made.
        control: The fake's templates, once they are there.
        base_url: Of the fake, for those who upload.
        stubs: Reach their guests as well.
        network: What becomes of commands that would download.
        longest_s: How long one build may take, in real time.
        records: Where kept layers are written down.
    """

    def __init__(
        self,
        *,
        runtime: Runtime,
        control: Callable[[], ControlBackend],
        clock: Clock,
        ids: IdSource,
        base_url: str,
        stubs: Stubs,
        network: NetworkMode,
        longest_s: float,
        records: Records,
    ) -> None:
        self._archives = Archives()
        self._tasks = BuildTasks()
        self._builder = TemplateBuilder(
            runtime=runtime,
            control=control,
            clock=clock,
            ids=ids,
            archives=self._archives,
            stubs=stubs,
            network=network,
            longest_s=longest_s,
            records=records,
        )
        self.cache = self._builder.cache
        self.uploads = uploads_app(self._archives, ids, clock)
        self.building = Building(
            builder=self._builder,
            archives=self._archives,
            begin=self._tasks.begin,
            upload_url=upload_url(base_url, ids),
            end=self._tasks.close,
            forget=self.forget,
        )

    async def forget(self) -> None:
        """End the builds under way; forget archives and cached layers."""
        await self._tasks.close()
        await self._builder.cache.clear()
        self._archives.clear()
