"""Runs a build from its base to its last step, and proves that its start command works.

The root of every image is this machine's own; only what the steps change is kept. The service runs
the start command once and keeps the memory; here it is proven once, and runs in each sandbox.

Facts: templates.build.cache, templates.build.log, templates.build.context
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from fake_e2b.backend.build_requests import Built
from fake_e2b.backend.control import ControlBackend
from fake_e2b.backend.envd import Envd
from fake_e2b.domain.build import (
    BASE_STEP,
    FINAL_STEP,
    BuildFailedError,
    Context,
    Level,
    LogLine,
    Order,
    base_key,
    layer_keys,
)
from fake_e2b.domain.clock import Clock
from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.domain.downloads import NetworkMode
from fake_e2b.domain.ids import IdSource
from fake_e2b.domain.ports import Capability, Guest, LayerID, Runtime
from fake_e2b.domain.records import Records
from fake_e2b.domain.setup import PLAIN, Setup, Start
from fake_e2b.domain.stubs.call import Site
from fake_e2b.domain.team import Team
from fake_e2b.domain.template import Build, Template
from fake_e2b.domain.user import ROOT
from fake_e2b.server.builder.archives import Archives
from fake_e2b.server.builder.cache import Kept, LayerCache
from fake_e2b.server.builder.commands import Hear, Ration
from fake_e2b.server.builder.downloads import Downloads
from fake_e2b.server.builder.steps import Kitchen, do, install, runs_programs, touches_files
from fake_e2b.server.start_command import Starter
from fake_e2b.server.stubs.service import Stubs
from fake_e2b.wire.control_errors import render

LONGEST_S = 3600.0
"""Seconds of real time that a build may take. Fact: templates.build.limits"""
_UNPROTECTED = (
    "The local runtime runs steps as plain programs of this machine: absolute paths in them are "
    "the machine's own, and so is what they remove"
)
_TOO_MUCH = "The build's commands say too much: the rest of it is not kept"
_LEFT_OUT = "Left out: {}: its files are in the image, and no image is pushed to the fake"
_WITH_INTERPRETER = "code-interpreter"

Say = Callable[[LogLine], None]


@dataclass(slots=True)
class _Work:
    """One build under way.

    Attributes:
        layer_id: What its guest was started on, or what stands after the last step done; held by
            the build, for a cache or a template may let it go at any time.
        guest: Where steps are done; None until one is.
        stubbed: Whether a stub answered a step: what stands then is of one test alone.
    """

    team: Team
    template: Template
    order: Order
    say: Callable[..., None]
    setup: Setup
    layer_id: LayerID | None
    context: Context
    name: str
    guest: Guest | None = None
    stubbed: bool = False
    ration: Ration = field(default_factory=Ration)

    @property
    def site(self) -> Site:
        """Where its programs are called, as stubs tell places apart."""
        return Site(None, {}, frozenset({self.template.template_id, self.template.alias}))


class TemplateBuilder:
    """Does builds; see `fake_e2b.backend.build_requests.Builder`.

    Args:
        runtime: Where guests are made; started.
        control: The fake's templates, once they are there.
        longest_s: After so long a build is stopped, in real time.
        stubs: Reaches its guests too.
        network: What becomes of commands that would download.
        records: Where kept layers are written down.
    """

    def __init__(
        self,
        *,
        runtime: Runtime,
        control: Callable[[], ControlBackend],
        clock: Clock,
        ids: IdSource,
        archives: Archives,
        stubs: Stubs,
        network: NetworkMode,
        records: Records,
        longest_s: float = LONGEST_S,
    ) -> None:
        self._runtime = runtime
        self._control = control
        self._clock = clock
        self._ids = ids
        self._archives = archives
        self._stubs = stubs
        self._network = network
        self._longest_s = longest_s
        self._numbers = itertools.count()
        self._starter = Starter()
        self.cache = LayerCache(runtime.release, records, network)

    async def build(self, team: Team, template: Template, order: Order, say: Say) -> Built:
        """Do all of it.

        Raises:
            BuildFailedError: It says at which step, and why.
            OSError: The machine failed; why is none of the client's business.
        """

        def tell(message: str, step: str | None = None, level: Level = Level.INFO) -> None:
            say(LogLine(self._clock.now_ns(), message, level, step))

        try:
            async with asyncio.timeout(self._longest_s):
                return await self._build(team, template, order, tell)
        except TimeoutError as error:
            raise BuildFailedError("build timed out", None) from error

    async def _build(
        self, team: Team, template: Template, order: Order, say: Callable[..., None]
    ) -> Built:
        base = self._base(team, order)
        key = base_key(order, None if base is None else base.build_id)
        cached = "CACHED " if base is not None else ""
        say(f"{cached}[base] FROM {order.base} [{key}]", BASE_STEP)
        if base is None:
            say("The root is made from this machine's own files: no image is pulled", BASE_STEP)
        for instruction in order.left_out:
            say(_LEFT_OUT.format(instruction), BASE_STEP, Level.WARN)
        if Capability.PROTECTED_HOST not in self._runtime.capabilities:
            say(_UNPROTECTED, BASE_STEP, Level.WARN)
        setup = PLAIN if base is None else base.setup
        if base is None and _WITH_INTERPRETER in order.from_image:
            setup = Setup(interpreter=True)
        layer_id = None if base is None else await self._layer_of(base)
        context = Context(setup.user, setup.workdir, setup.env_vars, setup.services)
        if base is None:
            context = Context("user" if order.user_by_default else "root")
            if order.user_by_default:
                say("[base] DEFAULT USER user", BASE_STEP)
        if layer_id is not None:
            await self._runtime.hold(layer_id)
        work = _Work(
            team, template, order, say, setup, layer_id, context, f"build-{next(self._numbers)}"
        )
        try:
            async with self._ending(work):
                await self._steps(work, key)
                setup = await self._finish(work)
        except BaseException:
            if work.layer_id is not None:
                await self._runtime.release(work.layer_id)
            raise
        return Built(work.layer_id, setup)

    def _base(self, team: Team, order: Order) -> Build | None:
        if not order.from_template:
            return None
        try:
            return self._control().templates.resolve(team, order.from_template)[1]
        except ControlError as error:
            text = str(render(error).body["message"])
            if error.kind is ControlKind.BAD_TEMPLATE_REFERENCE:
                text = text[0].lower() + text[1:]
            raise BuildFailedError(text, BASE_STEP) from error

    async def _layer_of(self, base: Build) -> LayerID | None:
        try:
            return await self._control().builds.layer(base)
        except ControlError as error:
            raise BuildFailedError(
                "error getting base template, you may need to rebuild it first", BASE_STEP
            ) from error

    async def _steps(self, work: _Work, first_key: str) -> None:
        steps = work.order.steps
        cached = not work.order.force
        for at, (step, key) in enumerate(
            zip(steps, layer_keys(first_key, steps), strict=True), start=1
        ):
            number = str(at)
            cached = cached and not step.force
            stubbed = self._stubs.programs(work.site) if runs_programs(step) else frozenset()
            kept = self.cache.find(work.team.team_id, key, stubbed) if cached else None
            cached = kept is not None
            prefix = "CACHED " if cached else ""
            work.say(f"{prefix}[builder {at}/{len(steps)}] {step.shown} [{key}]", number)
            if kept is not None:
                await self._stand_on(work, kept.layer_id)
                work.context = kept.context
                continue
            guest = await self._guest(work)
            hear = _hearing(work, f"[builder {at}/{len(steps)}]", number)
            kitchen = Kitchen(guest, self._archives, work.team.team_id, number, hear)
            downloads = await self._stand_in(work, guest) if runs_programs(step) else None
            work.context = await do(step, work.context, kitchen)
            if downloads is not None and downloads.services:
                work.context = await install(downloads.services, work.context, kitchen)
            if touches_files(step):
                work.layer_id, before = await self._capture(work.name), work.layer_id
                if before is not None:
                    await self._runtime.release(before)
            if downloads is None:
                await self._keep(work, key)
            else:
                work.stubbed = work.stubbed or downloads.stubbed
                watched = downloads.programs | (stubbed & self._stubs.programs(work.site))
                await self._keep(work, key, watched, frozenset(downloads.called))

    async def _stand_on(self, work: _Work, layer_id: LayerID | None) -> None:
        """Hold that layer in place of the one so far; nothing happens between."""
        if layer_id is not None:
            await self._runtime.hold(layer_id)
        if work.layer_id is not None:
            await self._runtime.release(work.layer_id)
        work.layer_id = layer_id

    async def _keep(
        self,
        work: _Work,
        key: str,
        watched: frozenset[str] = frozenset(),
        called: frozenset[str] = frozenset(),
    ) -> None:
        """Keep what stands after a step that was done, if it would come of it again."""
        if work.stubbed:
            return
        if work.layer_id is not None:
            await self._runtime.hold(work.layer_id)
        kept = Kept(work.layer_id, work.context, watched, called)
        await self.cache.keep(work.team.team_id, key, kept)

    async def _capture(self, name: str) -> LayerID:
        """A guest's files as a layer; of a build that is cancelled meanwhile, none stays."""
        capturing = asyncio.ensure_future(self._runtime.capture(name))
        try:
            return await asyncio.shield(capturing)
        except asyncio.CancelledError:
            await asyncio.shield(self._drop(capturing))
            raise

    async def _drop(self, capturing: asyncio.Future[LayerID]) -> None:
        with suppress(OSError):
            await self._runtime.release(await capturing)

    async def _guest(self, work: _Work) -> Guest:
        if work.guest is None:
            creating = asyncio.ensure_future(self._runtime.create(work.name, base=work.layer_id))
            try:
                work.guest = await asyncio.shield(creating)
            except asyncio.CancelledError:
                # Half made it would be lost; whole it ends with the build.
                with suppress(OSError):
                    work.guest = await asyncio.shield(creating)
                raise
        return work.guest

    async def _finish(self, work: _Work) -> Setup:
        order, context = work.order, work.context
        work.say("[finalize] Finalizing template build", FINAL_STEP)
        start = work.setup.start
        if order.start_command or order.ready_command:
            start = Start(
                order.start_command,
                order.ready_command,
                user=context.user,
                workdir=context.workdir,
                env_vars=context.env_vars,
            )
        setup = Setup(
            work.setup.interpreter,
            context.user,
            context.workdir,
            context.env_vars,
            start,
            context.services,
            desktop=work.setup.desktop,
        )
        if start is not None:
            await self._prove(work, setup, start)
        return setup

    async def _prove(self, work: _Work, setup: Setup, start: Start) -> None:
        """Run the start command once, as the service does, and wait until it is ready."""
        guest = await self._guest(work)
        envd = Envd(
            guest,
            self._clock,
            self._ids,
            sandbox_id=work.name,
            template_id=work.template.template_id,
            access_token=None,
            env_vars={},
            setup=setup,
        )
        if start.command:
            work.say(f"Running start command: {start.command}", FINAL_STEP)
        if start.ready_command:
            work.say(f"Waiting for template to be ready: {start.ready_command}", FINAL_STEP)
        await self._stand_in(work, guest)
        try:
            await self._starter.serve(guest, setup.services)
            await self._starter.run(envd, start)
        except ControlError as error:
            raise BuildFailedError(str(error.fields["reason"]), FINAL_STEP) from error
        work.say("Template is ready", FINAL_STEP)

    async def _stand_in(self, work: _Work, guest: Guest) -> Downloads:
        """Stand in for programs that would download, and for what tests have stubbed.

        What stands in stays in the guest for the next step; it is not kept with the files.
        """
        owner = guest.lookup_user(work.context.user) or ROOT
        # Where ports are the machine's own, so would be its services.
        has_services = Capability.OWN_PORTS in self._runtime.capabilities
        downloads = Downloads(self._network, guest, owner, has_services=has_services)
        await self._stubs.reach(work.site, guest, downloads)
        return downloads

    @asynccontextmanager
    async def _ending(self, work: _Work) -> AsyncIterator[None]:
        """Whatever becomes of a build, its guest ends with it."""
        try:
            yield
        finally:
            if work.guest is not None:
                await asyncio.shield(work.guest.kill())


def _hearing(work: _Work, prefix: str, number: str) -> Hear:
    """Logs what a step's commands say, until they have said too much."""

    def hear(stream: str, line: str) -> None:
        if work.ration.left <= 0:
            return
        if work.ration.take(line):
            work.say(f"{prefix} [{stream}]: {line}", number)
        else:
            work.say(f"{prefix} {_TOO_MUCH}", number, Level.WARN)

    return hear
