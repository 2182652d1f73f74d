"""The control plane's operations of one fake, put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fake_e2b.backend.accounts import Accounts
from fake_e2b.backend.administration import Administration
from fake_e2b.backend.api_keys import ApiKeys
from fake_e2b.backend.build_requests import Building, BuildRequests
from fake_e2b.backend.build_reservations import BuildReservations
from fake_e2b.backend.deliveries import Deliveries
from fake_e2b.backend.dockerfile_builds import DockerfileBuilds
from fake_e2b.backend.egress import Egress
from fake_e2b.backend.events import Events
from fake_e2b.backend.fates import Fates, Wait
from fake_e2b.backend.idempotency import Idempotency
from fake_e2b.backend.listing import Listing
from fake_e2b.backend.logs import Logs
from fake_e2b.backend.machine import MachineFactory
from fake_e2b.backend.metrics import Metrics
from fake_e2b.backend.node import Node
from fake_e2b.backend.patience import Endless, Patience
from fake_e2b.backend.rates import Rates
from fake_e2b.backend.sandboxes import Sandboxes, Sign
from fake_e2b.backend.secrets import Secrets
from fake_e2b.backend.settings import ControlSettings
from fake_e2b.backend.store import Store
from fake_e2b.backend.team_metrics import TeamMetrics
from fake_e2b.backend.teams import Teams
from fake_e2b.backend.template_builds import MakeLayer, TemplateBuilds
from fake_e2b.backend.template_catalog import TemplateCatalog
from fake_e2b.backend.template_tags import TemplateTags
from fake_e2b.backend.templates import Templates
from fake_e2b.backend.together import Together, one_by_one
from fake_e2b.backend.volumes import Volumes
from fake_e2b.backend.webhooks import Webhooks
from fake_e2b.domain.clock import Clock
from fake_e2b.domain.ids import IdSource
from fake_e2b.domain.ports import Event, Host, LayerID, Recovered, Remembered, Runtime
from fake_e2b.domain.recipe import Recipe
from fake_e2b.domain.records import NoRecords, Records
from fake_e2b.domain.sandbox import Sandbox
from fake_e2b.domain.volume import Volume


async def _at_once(seconds: float) -> None:
    """Waits for nothing."""


async def _no_layer(recipe: Recipe, base: LayerID | None) -> LayerID:
    raise OSError("nothing makes layers here")


class ControlBackend:
    """What `fake_e2b.control_plane.app` is made on.

    Teams and templates outlive `reset`, and the keys that came with them; `teams` starts empty.

    Args:
        clock: What every rule reads.
        ids: Makes every ID and token.
        runtime: Makes guests; started by the server.
        host: The machine, as administrators see it.
        version: Of the fake.
        machines: Puts envd and the interpreter on a guest.
        make_event: Makes the flags that waiting requests await (`asyncio.Event`).
        make_layer: Makes the files of templates that users define.
        sign: `fake_e2b.wire.signature.sign`.
        settings: Limits.
        together: Awaits several steps at once.
        make_patience: How long each request waits for a sandbox that changes its state.
        wait: Waits in real time.
        building: What builds templates through the API; None where nothing does.
        records: What outlives it; nothing does by default. `restore` and `recover` follow.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        ids: IdSource,
        runtime: Runtime,
        host: Host,
        version: str,
        machines: MachineFactory,
        make_event: Callable[[], Event],
        sign: Sign,
        make_layer: MakeLayer = _no_layer,
        settings: ControlSettings | None = None,
        together: Together = one_by_one,
        make_patience: Callable[[], Patience] = Endless,
        wait: Wait = _at_once,
        building: Building | None = None,
        records: Records | None = None,
    ) -> None:
        records = records or NoRecords()
        settings = settings or ControlSettings()
        store = Store()
        self._records = records
        self._runtime = runtime
        self.clock = clock
        self.together = together
        self.teams = Teams(ids, settings, clock, records)
        self.rates = Rates(clock)
        self.accounts = Accounts(ids, clock, records, access_tokens=settings.access_tokens)
        self.api_keys = ApiKeys(self.teams)
        self.templates = Templates(ids, clock.now_ns(), records)
        self.builds = TemplateBuilds(
            templates=self.templates,
            ids=ids,
            clock=clock,
            make_layer=make_layer,
            make_event=make_event,
        )
        self.catalog = TemplateCatalog(self.templates, clock)
        self.tags = TemplateTags(self.templates, ids, clock)
        self.fates = Fates(store, clock, runtime, make_event, wait)
        self.teams.as_seen = self.fates.plan_of
        self._listing = Listing(store)
        self.build_requests = BuildRequests(
            templates=self.templates,
            catalog=self.catalog,
            clock=clock,
            building=building,
            release=runtime.release,
        )
        self.build_reservations = BuildReservations(
            templates=self.templates,
            ids=ids,
            clock=clock,
            most_builds=settings.concurrent_builds,
        )
        self.dockerfile_builds = DockerfileBuilds(
            self.build_reservations, self.build_requests, self.templates, self.catalog
        )
        self.templates.on_removed = self.build_requests.cancel_of
        self.metrics = Metrics(store, clock)
        self.logs = Logs(clock, records)
        self.idempotency = Idempotency(clock, settings.idempotency_window_s)
        self.node = Node(
            store=store,
            clock=clock,
            ids=ids,
            host=host,
            cached_builds=self.templates.cached_builds,
            version=version,
        )
        self.volumes = Volumes(ids, clock, runtime, records, token_s=settings.volume_token_s)
        self.sandboxes = Sandboxes(
            store=store,
            clock=clock,
            ids=ids,
            runtime=runtime,
            machines=machines,
            templates=self.templates,
            builds=self.builds,
            teams=self.teams,
            volumes=self.volumes,
            make_event=make_event,
            sign=sign,
            together=together,
            make_patience=make_patience,
            before_pause=self.metrics.sample,
            fates=self.fates,
            node=self.node,
            records=records,
        )
        self.sandboxes.on_event(self.logs.note)
        self.events = Events(ids, clock, records)
        self.sandboxes.on_event(self.events.note)
        self.team_metrics = TeamMetrics(store, clock)
        self.sandboxes.on_event(self.team_metrics.note)
        self.administration = Administration(
            self.teams, self.sandboxes, self.build_requests, together
        )
        self.deliveries = Deliveries(clock)
        self.webhooks = Webhooks(
            ids, clock, self.deliveries, most=settings.webhooks, records=records
        )
        self.events.on_event(self.webhooks.note)
        self.secrets = Secrets(ids, clock, records)
        self.egress = Egress(store, self.secrets, ids, clock)

    @property
    def listing(self) -> Listing:
        """The lists of the sandboxes, as the request that asks for them is to see them."""
        past = self.fates.listed_store()
        return self._listing if past is None else Listing(past)

    async def reset(self) -> None:
        """Kill every sandbox; forget all that was asked for or told, but teams.

        API keys and access tokens are as they were at the start.
        """
        self.webhooks.clear()
        await self.build_requests.reset()
        await self.sandboxes.reset()
        self.node.reset()
        self.metrics.clear()
        self.team_metrics.clear()
        self.logs.clear()
        self.events.clear()
        self.idempotency.clear()
        self.rates.clear()
        self.secrets.clear()
        self.teams.reset()
        self.accounts.reset()
        await self.volumes.reset()
        self._records.clear()
        self._keep_all()

    def _keep_all(self) -> None:
        self.teams.keep_all()
        self.accounts.keep_all()
        self.templates.keep_all()

    def restore(self) -> None:
        """Have what was recorded and needs no files; its teams and keys were added before."""
        self.teams.restore()
        self.accounts.restore()
        self.templates.restore()
        self.build_requests.restore(self.templates)
        self.secrets.restore()
        self.webhooks.restore()
        self.events.restore()
        self.logs.restore()
        self.templates.keep_all()

    async def recover(self, layers: Sequence[LayerID] = ()) -> Recovered:
        """Have what was recorded and needs files; what has lost them is forgotten.

        Args:
            layers: What others hold beside the templates.

        Raises:
            UsageError: The files are another runtime's.
            OSError: They cannot be read.
        """
        volumes, paused = self._records.all(Volume), self._records.all(Sandbox)
        found = await self._runtime.recover(
            Remembered(
                [*self.templates.layers(), *layers],
                [each.volume_id for each in volumes],
                [each.sandbox_id for each in paused],
            )
        )
        self.templates.drop_all_but(found.layers)
        self.volumes.restore(volumes, found.volumes)
        self.sandboxes.restore(paused, found.sandboxes)
        return found

    async def close(self) -> None:
        """End everything under way; what outlives the server stays in the records."""
        await self.build_requests.close()
        await self.sandboxes.close()
        self._keep_all()
