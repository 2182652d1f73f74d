"""Puts the parts of one fake E2B together."""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from collections.abc import Awaitable, Iterable, Mapping
from typing import Any

from fake_e2b._version import __version__
from fake_e2b.admin.app import admin_app
from fake_e2b.admin.parts import AdminParts
from fake_e2b.backend.control import ControlBackend
from fake_e2b.backend.expiry import Expired
from fake_e2b.backend.journal import Journal
from fake_e2b.backend.journal_events import JournalEvents
from fake_e2b.backend.misfortunes import Misfortunes
from fake_e2b.backend.settings import ControlSettings
from fake_e2b.backend.steering import RuleInForce, RuleTable
from fake_e2b.control_plane.app import control_plane_app
from fake_e2b.data_plane.envd.app import envd_app
from fake_e2b.data_plane.interpreter import interpreter_app
from fake_e2b.data_plane.proxy import proxy_app
from fake_e2b.data_plane.volume_content import volume_content_app
from fake_e2b.domain.clock import MovableClock
from fake_e2b.domain.ids import TemplateID
from fake_e2b.domain.plan import plans_of
from fake_e2b.domain.recipe import Definition
from fake_e2b.domain.sandbox import OnTimeout, Sandbox
from fake_e2b.domain.steering.asked import Asked
from fake_e2b.domain.steering.profiles import profile
from fake_e2b.domain.team import Team
from fake_e2b.runtime.clock import SystemClock
from fake_e2b.runtime.host import ThisMachine
from fake_e2b.runtime.select import choose_runtime
from fake_e2b.server.builder.site import BuildSite
from fake_e2b.server.connection import LOGGER
from fake_e2b.server.courier import Courier
from fake_e2b.server.debug_ports import DebugPorts, DebugSandbox
from fake_e2b.server.due import AllDue
from fake_e2b.server.gateway import Gateway, Planes
from fake_e2b.server.index import StoreIndex
from fake_e2b.server.machines import Machines
from fake_e2b.server.patience import LimitedPatience
from fake_e2b.server.reaper import Reaper
from fake_e2b.server.receiver import Receivers
from fake_e2b.server.seeding.service import Seeding
from fake_e2b.server.settings import Address, Settings, client_environment
from fake_e2b.server.state import State
from fake_e2b.server.steering.layer import Steering
from fake_e2b.server.steering.sandbox_acts import SandboxActs
from fake_e2b.server.streams import App, OpenRequests
from fake_e2b.server.stubs.service import Stubs
from fake_e2b.server.template_build import LayerMaker
from fake_e2b.server.timekeeper import Timekeeper
from fake_e2b.wire.openapi import openapi_document
from fake_e2b.wire.signature import sign

FIRST_TEAM = "fake"
"""The slug of the team that the first API key stands for."""
_PATIENCE_S = 60
"""How long traffic is held while its sandbox pauses. Fact: proxy.wake.patience"""
_BECOMES = {OnTimeout.KILL: "killed", OnTimeout.PAUSE: "paused"}


class Fake:
    """One fake E2B: state, planes and life.

    An async context manager, entered on the event loop that serves `app`.

    Args:
        variables: What clients need besides those that name this fake.
        state: What it has of an earlier one, and leaves to a later one; closed by the caller.

    Raises:
        UsageError: A setting cannot be fulfilled on this machine.
    """

    def __init__(
        self,
        settings: Settings,
        address: Address,
        variables: Mapping[str, str] | None = None,
        state: State | None = None,
    ) -> None:
        self._state = state = state or State()
        real_clock = SystemClock()
        self.settings = settings
        self.clock = MovableClock(real_clock, frozen=settings.clock == "manual")
        state.follow_clock(self.clock)
        self.ids = state.ids(settings.seed)
        self.journal = Journal(self.clock, real_clock)
        self.happened = JournalEvents(self.journal)
        self.runtime = choose_runtime(
            settings.runtime, folder=state.folder, at_start=True, outlived=state.records.last
        )
        self.stubs = Stubs(self.clock, real_clock, self.journal)
        self._machines = Machines(
            self.clock, self.ids, self.happened.processes, self.stubs, self.runtime
        )
        self._site = BuildSite(
            runtime=self.runtime,
            control=lambda: self.backend,
            clock=self.clock,
            ids=self.ids,
            base_url=address.api_url,
            stubs=self.stubs,
            network=settings.build_network,
            longest_s=settings.build_timeout_s,
            records=state.records,
        )
        self.backend = ControlBackend(
            clock=self.clock,
            ids=self.ids,
            runtime=self.runtime,
            host=ThisMachine(),
            version=__version__,
            machines=self._machines.boot,
            make_event=asyncio.Event,
            make_layer=LayerMaker(self.runtime).make,
            sign=sign,
            settings=ControlSettings(
                concurrent_builds=settings.max_builds,
                webhooks=settings.max_webhooks,
                access_tokens=settings.access_tokens,
            ),
            together=_together,
            make_patience=lambda: LimitedPatience(_PATIENCE_S),
            wait=asyncio.sleep,
            building=self._site.building,
            records=state.records,
        )
        self.api_key = self._make_teams()
        self.access_token = state.known("access token", lambda: f"sk_e2b_{self.ids.hex_token(40)}")
        self.backend.accounts.add_access_token(self.access_token)
        self.backend.restore()
        for definition in settings.templates:
            self.add_template(definition, lasting=True)
        self.backend.builds.restore(self.backend.teams.get)
        self.seeding = Seeding(
            self.backend,
            settings.fill,
            api_key=self.api_key,
            access_token=self.access_token,
        )
        self.user_token = self.backend.accounts.user_token
        self.admin_token = self.backend.accounts.admin_token
        self.team_id = str(next(iter(self.backend.teams)).team_id)
        self.env = {
            **client_environment(address, api_key=self.api_key, access_token=self.access_token),
            **(variables or {}),
        }
        self._machines.clock_of = self.backend.fates.clock_of
        self.misfortunes = Misfortunes(self.backend.sandboxes, self.backend.fates)
        rules = RuleTable(self.ids.dice, self._note_fault)
        self.steering = Steering(
            rules,
            self.clock,
            self._find_sandbox,
            SandboxActs(self.misfortunes, self.backend.fates, rules).acts,
        )
        self._profile = None if settings.profile is None else profile(settings.profile)
        self._begin_profile()
        open_requests = OpenRequests()
        self.backend.sandboxes.on_departure(open_requests.cut)
        self.backend.sandboxes.on_expiry(self._note_expiry)
        self.backend.sandboxes.on_event(self.happened.lifecycle)
        self.courier = Courier(
            self.backend.deliveries,
            Receivers(remote=settings.remote_webhooks, timeout_s=settings.webhook_timeout_s),
            ids=self.ids,
            clock=self.clock,
            keys=settings.webhook_keys,
            note=self.happened.delivery,
            on_error=self._note_failure,
        )
        self.due = AllDue(self.backend.sandboxes, self.backend.deliveries)
        self._reaper = Reaper(self.due, self.clock, self._note_failure)
        self.timekeeper = Timekeeper(self.clock, self.due, self._reaper, self.courier.settle)
        self._index = StoreIndex(self.backend.sandboxes)
        self.app: App = Gateway(
            Planes(
                control=control_plane_app(self.backend, volume_content_app(self.backend.volumes)),
                admin=admin_app(self._admin_parts()),
                envd=envd_app(),
                interpreter=interpreter_app(),
                proxy=proxy_app,
                uploads=self._site.uploads,
            ),
            entrance=self.backend.sandboxes,
            index=self._index,
            open_requests=open_requests,
            journal=self.journal,
            clock=self.clock,
            steering=self.steering,
            fates=self.backend.fates,
            rates=self.backend.rates,
            any_host=settings.any_host,
            max_connections=settings.max_connections,
            domain=address.domain_name,
        )
        if settings.debug_ports:
            self.app = DebugPorts(self.app, DebugSandbox(self.backend))
        self._life = contextlib.AsyncExitStack()

    def _make_teams(self) -> str:
        teams, settings = self.backend.teams, self.settings
        plans = plans_of(settings.plan, (FIRST_TEAM, *settings.teams))
        if plans:
            self.backend.rates.expect_plans()

        def add_team(slug: str) -> Team:
            return teams.add_team(
                slug,
                max_length_hours=settings.max_length_hours,
                concurrent_sandboxes=settings.max_sandboxes,
                plan=plans.get(slug),
            )

        first = add_team(FIRST_TEAM)
        api_key = self._state.known("API key", lambda: teams.add_key(first))
        teams.add_key(first, api_key)
        for key in settings.api_keys:
            teams.add_key(first, key)
        for slug, keys in settings.teams.items():
            team = add_team(slug)
            for key in keys:
                teams.add_key(team, key)
        return api_key

    def add_template(self, definition: Definition, *, lasting: bool = False) -> TemplateID:
        """Give the first team a template, over every reset or until the next one.

        Raises:
            UsageError: Its base does not exist.
        """
        team = next(iter(self.backend.teams))
        return self.backend.builds.define(team, definition, lasting=lasting).template_id

    def _admin_parts(self) -> AdminParts:
        return AdminParts(
            clock=self.clock,
            journal=self.journal,
            runtime=self.runtime,
            seed=self.ids.seed,
            sandboxes=self.sandboxes,
            env=lambda: self.env,
            credentials=self._credentials,
            timekeeper=self.timekeeper,
            next_deadline=self.due.next_deadline,
            rules=self.steering.rules,
            stubs=self.stubs,
            gate=self.steering.gates.gate,
            misfortunes=self.misfortunes,
            note_misfortune=self.happened.misfortune,
            seeding=self.seeding,
            reset=self.reset,
            openapi=openapi_document,
        )

    def _credentials(self) -> dict[str, Any]:
        return {
            "teamID": self.team_id,
            "apiKey": self.api_key,
            "accessToken": self.access_token,
            "userToken": self.user_token,
            "adminToken": self.admin_token,
            "teams": [{"teamID": team.team_id, "name": team.slug} for team in self.backend.teams],
        }

    async def __aenter__(self) -> Fake:
        async with contextlib.AsyncExitStack() as life:
            life.push_async_callback(self.runtime.close)
            await self.runtime.start()
            if self._state.records.last:
                await self._recover()
            life.push_async_callback(self._machines.close)
            life.push_async_callback(self.stubs.close)
            life.push_async_callback(self._close)
            life.push_async_callback(self._stop_deliveries)
            reaping = asyncio.create_task(self._reaper.run(), name="fake-e2b reaper")
            life.push_async_callback(_end, reaping)
            if self.settings.fill is not None:
                await self.seeding.begin()
                self.journal.clear()
            self._life = life.pop_all()
        return self

    async def _recover(self) -> None:
        found = await self.backend.recover(self._site.cache.recorded())
        self._site.cache.restore(found.layers)

    async def _close(self) -> None:
        if not self._state.records.last:
            await self.backend.build_requests.reset()
            await self.backend.sandboxes.reset()
            return
        await self.backend.close()
        self._state.keep_clock(self.clock)

    async def __aexit__(self, *exc: object) -> None:
        await self._life.aclose()

    def sandboxes(self) -> list[Sandbox]:
        """Those that exist, running and paused, oldest first."""
        return [record.sandbox for record in self.backend.sandboxes.records()]

    async def reset(self) -> None:
        """Kill every sandbox and forget everything but teams and keys; start the clock anew.

        What the fake was filled with at its start is there again.
        """
        self.steering.rules.clear()
        async with self.seeding.resetting():
            await self._stop_deliveries()
            await self.backend.reset()
            self.seeding.forget()
            await self.timekeeper.restart()
            await self.stubs.reset()
            self._index.clear()
            await self.seeding.begin()
        self.journal.clear()
        self._begin_profile()

    async def _stop_deliveries(self) -> None:
        # First, so that nobody is told of the end of what is then ended.
        self.backend.webhooks.clear()
        await self.courier.close()

    def _begin_profile(self) -> None:
        if self._profile is not None:
            self.steering.rules.add_profile(self._profile, self.ids.seed)

    def _find_sandbox(self, sandbox_id: str) -> Sandbox | None:
        record = self.backend.sandboxes.record(sandbox_id)
        return None if record is None else record.sandbox

    def _note_fault(self, each: RuleInForce, asked: Asked) -> None:
        rule = each.rule
        self.happened.fault(rule.name, rule.effect.kind, asked=asked, details={"at": str(rule.at)})

    def _note_expiry(self, expired: Expired) -> None:
        details = {"becomes": _BECOMES[expired.action]}
        self.journal.note("expired", sandbox_id=expired.sandbox_id, details=details)

    def _note_failure(self, error: BaseException) -> None:
        LOGGER.error("what was due failed", exc_info=error)
        self.journal.note(
            "due",
            details={"error": f"{type(error).__name__}: {error}"},
            traceback="".join(traceback.format_exception(error)),
        )


async def _together(steps: Iterable[Awaitable[None]]) -> None:
    """All steps at once; the first failure is raised when the last step has ended."""
    for outcome in await asyncio.gather(*steps, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
