"""What a new sandbox is made of: a build of its template, and what its request says."""

from __future__ import annotations

from typing import Any

from fake_e2b.backend.admission import CreateRequest, admit
from fake_e2b.backend.lifecycle import Lifecycle
from fake_e2b.backend.template_builds import TemplateBuilds
from fake_e2b.backend.templates import Templates
from fake_e2b.backend.volumes import Volumes
from fake_e2b.domain.clock import Clock
from fake_e2b.domain.ids import IdSource
from fake_e2b.domain.sandbox import OnTimeout, Sandbox
from fake_e2b.domain.team import Team
from fake_e2b.domain.template import Build, Template


class Creation:
    """Makes sandboxes as they are asked for.

    Args:
        clock: Gives starts and ends.
        ids: Makes IDs and tokens.
        templates: What sandboxes start from.
        builds: Makes their files.
        volumes: What can be mounted in them.
        lifecycle: Starts them.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        ids: IdSource,
        templates: Templates,
        builds: TemplateBuilds,
        volumes: Volumes,
        lifecycle: Lifecycle,
    ) -> None:
        self._clock = clock
        self._ids = ids
        self._templates = templates
        self._builds = builds
        self._volumes = volumes
        self._lifecycle = lifecycle

    async def create(self, team: Team, request: CreateRequest) -> Sandbox:
        """A new running sandbox.

        Raises:
            ControlError: The first check that fails, see `fake_e2b.backend.admission`.
        """
        template, build = self._templates.resolve(team, request.template)
        network = admit(request, team, template, has_volume=self._volumes.has(team))
        sandbox = self._new_sandbox(team, template, build, request, network)
        base = await self._builds.layer(build)
        await self._lifecycle.launch(sandbox, team, request.timeout_s, base=base)
        self._templates.note_start(template, sandbox.started_at_ns)
        return sandbox

    def _new_sandbox(
        self,
        team: Team,
        template: Template,
        build: Build,
        request: CreateRequest,
        network: dict[str, Any] | None,
    ) -> Sandbox:
        sandbox_id = self._ids.sandbox_id()
        is_private = network is not None and network["allowPublicTraffic"] is False
        now_ns = self._clock.now_ns()
        return Sandbox(
            sandbox_id=sandbox_id,
            template_id=template.template_id,
            team_id=team.team_id,
            alias=template.alias,
            started_at_ns=now_ns,
            end_at_ns=now_ns,
            created_timeout_s=request.timeout_s,
            cpu_count=build.cpu_count,
            memory_mb=build.memory_mb,
            disk_size_mb=build.disk_size_mb,
            envd_version=template.envd_version,
            envd_access_token=self._ids.envd_access_token(sandbox_id) if request.secure else None,
            traffic_access_token=(
                self._ids.traffic_access_token(sandbox_id) if is_private else None
            ),
            metadata=None if request.metadata is None else dict(request.metadata),
            env_vars=dict(request.env_vars),
            on_timeout=OnTimeout.PAUSE if request.auto_pause else OnTimeout.KILL,
            auto_pause_memory=request.auto_pause_memory,
            auto_resume=request.auto_resume,
            allow_internet_access=request.allow_internet_access,
            network=network,
            iam_tokens={name: dict(token) for name, token in request.iam_tokens.items()},
            volume_mounts=[dict(mount) for mount in request.volume_mounts],
            mounts=self._volumes.mounts(team, request.volume_mounts),
            limits=template.limits,
            setup=build.setup,
            build_id=build.build_id,
        )
