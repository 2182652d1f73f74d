"""`FakeE2B`: a whole E2B in this process, for the length of a block."""

from __future__ import annotations

import contextlib
import copy
import os
import socket
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, get_args

from fake_e2b.domain.downloads import NetworkMode
from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.finding import Finding
from fake_e2b.domain.forms import refuse_unknown
from fake_e2b.domain.sandbox import Sandbox
from fake_e2b.domain.seed.outcome import Filled
from fake_e2b.server.app import Fake
from fake_e2b.server.debug_ports import listen_for_debug
from fake_e2b.server.host import ServerThread, listen
from fake_e2b.server.resolver import LocalhostNames
from fake_e2b.server.settings import (
    DEFAULT_DOMAIN,
    Address,
    ClockName,
    RuntimeName,
    Settings,
)
from fake_e2b.server.state import State, open_state
from fake_e2b.server.tls import Tls
from fake_e2b.testing.clock import FakeClock
from fake_e2b.testing.commands import FakeCommands
from fake_e2b.testing.environment import Environment
from fake_e2b.testing.faults import FakeFaults
from fake_e2b.testing.gates import FakeGates
from fake_e2b.testing.journal import FakeJournal
from fake_e2b.testing.kept_transports import forget_transports
from fake_e2b.testing.leaks import look_for_findings
from fake_e2b.testing.reachable import Reachable, Started
from fake_e2b.testing.sandbox import SandboxHandle, SandboxLike
from fake_e2b.testing.sdk_age import TlsChoice, wants_tls
from fake_e2b.testing.templates import SandboxTemplate
from fake_e2b.testing.webhooks import FakeWebhooks
from fake_e2b.wire.webhook_letter import WebhookKeys

if TYPE_CHECKING:
    from fake_e2b.testing.seed_file import LoadedSeed, SeedSource


def _checked(mode: NetworkMode) -> NetworkMode:
    refuse_unknown(mode, get_args(NetworkMode), "build_network")
    return mode


def _checked_keys(keys: WebhookKeys) -> WebhookKeys:
    refuse_unknown(keys, get_args(WebhookKeys), "webhook_keys")
    return keys


def _loaded(source: SeedSource) -> LoadedSeed:
    # Imported only here, as few fakes are filled: it brings the reader of TOML with it.
    from fake_e2b.testing.seed_file import load_seed

    return load_seed(source)


def _close(sockets: list[socket.socket]) -> None:
    for listening in sockets:
        listening.close()


class FakeE2B(Reachable):
    """A fake E2B on a loopback port, with real sandboxes behind it.

    A context manager, plain or ``async``; inside the block every E2B SDK finds the fake by the
    environment variables of `env`, which are put back exactly afterwards. All methods may be
    called from any thread, and from an event loop: the server has a thread and loop of its own.

    ```python
    with FakeE2B():
        sandbox = Sandbox.create()
        assert sandbox.commands.run("echo hi").stdout == "hi\\n"
    ```

    Args:
        runtime: ``"isolated"`` (Linux namespaces), ``"local"`` (plain processes) or ``"auto"``,
            the first of these that the machine can do.
        clock: ``"manual"`` stands still until the test moves it with `clock`; no sandbox expires
            before. ``"real"`` follows the machine's, and can be moved as well.
        seed: The same seed gives the same IDs and tokens in the same order.
        host: Where to listen; anything but loopback needs `allow_remote`.
        port: 0 takes a free one.
        tls: Take TLS besides plain HTTP, on the same port, and let clients find the fake by
            `E2B_DOMAIN` alone; needs ``fake-e2b[tls]`` or the program openssl. ``"auto"`` does so
            where an installed SDK is too old to know `E2B_SANDBOX_URL`.
        domain: What stands behind ``<port>-<sandboxID>.`` in host names. Names that do not end in
            ``.localhost`` have to lead here by means of your own; say ``name:port`` where
            something in front of the fake listens for them.
        debug_ports: Listen at the fixed ports of clients with ``E2B_DEBUG=true`` too (3000, 49983,
            49999), with one sandbox behind them. ``localhost:<port>`` is what such a client takes
            for the sandbox's own ports, so ``runtime="auto"`` means ``"local"`` then.
        api_keys: Further valid keys of the fake's own team.
        teams: Further teams: slug → their keys.
        plan: Which of the service's plans holds, ``"hobby"`` or ``"pro"``, with its limits and
            rates; for all teams, or by their slugs: ``{"fake": "hobby", "other": "pro"}``. None,
            the default, limits no rate. See docs/plans.md.
        max_sandboxes: How many sandboxes a team may have running at once; None for what its plan
            says, 1,100 without one.
        max_connections: How many requests into one sandbox may be open at once, WebSockets
            included; more are answered with 429. None, as on the service, allows any number.
        max_length_hours: How long one run of a sandbox may last; None for what the plan says, 24
            without one.
        max_builds: How many template builds a team may have open at once.
        build_network: What becomes of a template build's commands that would download (`apt-get`,
            `pip`, `npm`, `curl`, …): ``"record"`` says so in the build's log and does nothing,
            ``"fail"`` refuses, ``"allow"`` lets them try: with ``runtime="local"`` they have this
            machine's network, with ``"isolated"`` none.
        build_timeout_s: How long a template build may take, in seconds of real time.
        max_webhooks: How many webhooks a team may have.
        remote_webhooks: Permit deliveries of events to other machines; without it, those to URLs
            that do not lead to loopback are recorded as not sent.
        webhook_keys: Whether the keys of delivered events are ``"snake"`` or ``"camel"`` case.
        webhook_timeout_s: How long a receiver may take to answer, in seconds of real time.
        access_tokens: Whether personal access tokens are taken and made; the service has
            deprecated them, and refuses them where they are switched off.
        fill: A file, or a mapping of its form, with what is in the fake from the start and after
            every `reset`, see docs/seeding.md.
        templates: Of the fake's own team; each after those it starts from.
        state: A folder in which templates, volumes, snapshots, secrets, paused sandboxes' files and
            the API's records outlive this fake, and where it finds those of an earlier one; made
            if missing. Without one all is gone at the end. See ``docs/state.md``.
        profile: A set of faults that is in force from the start and after every `reset`, see
            `fake_e2b.profiles`; its dice are the fake's seed's.
        set_environment: Whether the block sets `env` in this process, and lets it resolve
            ``*.localhost`` names such as those of `get_host()`.
        allow_remote: Permit a `host` that other machines reach. They can run commands then.

    Raises:
        UsageError: At `start`: an option cannot be fulfilled here; the text says why.
    """

    def __init__(
        self,
        *,
        runtime: RuntimeName = "auto",
        clock: ClockName = "real",
        seed: int | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: TlsChoice = "auto",
        domain: str = DEFAULT_DOMAIN,
        debug_ports: bool = False,
        api_keys: Sequence[str] = (),
        teams: Mapping[str, Sequence[str]] | None = None,
        plan: str | Mapping[str, str] | None = None,
        max_sandboxes: int | None = None,
        max_connections: int | None = None,
        max_length_hours: int | None = None,
        max_builds: int = 1_000,
        build_network: NetworkMode = "record",
        build_timeout_s: float = 3600.0,
        max_webhooks: int = 1_000,
        remote_webhooks: bool = False,
        webhook_keys: WebhookKeys = "snake",
        webhook_timeout_s: float = 10.0,
        access_tokens: bool = True,
        fill: SeedSource | None = None,
        templates: Sequence[SandboxTemplate] = (),
        state: str | os.PathLike[str] | None = None,
        profile: str | None = None,
        set_environment: bool = True,
        allow_remote: bool = False,
    ) -> None:
        self._fill = None if fill is None else _loaded(fill)
        self._settings = Settings(
            fill=None if self._fill is None else self._fill.seed,
            runtime="local" if debug_ports and runtime == "auto" else runtime,
            clock=clock,
            seed=seed,
            api_keys=tuple(api_keys),
            teams={slug: tuple(keys) for slug, keys in (teams or {}).items()},
            plan=plan,
            max_sandboxes=max_sandboxes,
            max_connections=max_connections,
            max_length_hours=max_length_hours,
            max_builds=max_builds,
            build_network=_checked(build_network),
            build_timeout_s=build_timeout_s,
            max_webhooks=max_webhooks,
            remote_webhooks=remote_webhooks,
            webhook_keys=_checked_keys(webhook_keys),
            webhook_timeout_s=webhook_timeout_s,
            access_tokens=access_tokens,
            debug_ports=debug_ports,
            any_host=allow_remote,
            templates=tuple(each.definition() for each in templates),
            profile=profile,
        )
        self._state_folder = state
        self._state: State | None = None
        self._host = host
        self._port = port
        self._allow_remote = allow_remote
        self._set_environment = set_environment
        self._tls_choice: TlsChoice = tls
        self._domain = domain
        self._tls: Tls | None = None
        self._environment: Environment | None = None
        self._names: LocalhostNames | None = None
        self._journal: FakeJournal | None = None
        self.clock = FakeClock(self)
        self.faults = FakeFaults(self._fake_and_thread)
        self.gates = FakeGates(self._fake_and_thread, self.faults)
        self.commands = FakeCommands(self._fake_and_thread)
        self.webhooks = FakeWebhooks(self._fake_and_thread)

    # -- life ------------------------------------------------------------------------------------

    def start(self) -> FakeE2B:
        """Start the server; returns itself, ready to be asked.

        Raises:
            UsageError: It runs already, or an option cannot be fulfilled.
        """
        if self._running is not None:
            raise UsageError("this fake is running already")
        over_tls = wants_tls(self._tls_choice)
        with contextlib.ExitStack() as undo:
            sockets = listen(self._host, self._port, allow_remote=self._allow_remote)
            undo.callback(_close, sockets)
            bound, port = sockets[0].getsockname()[:2]
            if self._settings.debug_ports:
                sockets += listen_for_debug("127.0.0.1", port)
            host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bound, bound)
            address = Address(host, port, self._domain, over_tls)
            tls = Tls(address.domain_name, host) if over_tls else None
            if tls is not None:
                undo.callback(tls.close)
            state = open_state(self._state_folder)
            undo.callback(state.close)
            fake = Fake(self._settings, address, tls.variables if tls else None, state)
            thread = ServerThread(fake.app, fake, sockets, tls.context if tls else None)
            fake.steering.refusal.watch(thread)
            with contextlib.nullcontext() if self._fill is None else self._fill.placed():
                thread.start()
            undo.pop_all()
        self._tls = tls
        self._state = state
        self._running = Started(fake, thread, address, tls.ca_file if tls else None)
        self._journal = FakeJournal(fake.journal, thread)
        if self._set_environment:
            self._environment = Environment(self.env())
            self._environment.set()
            if tls is not None:
                forget_transports()
            self._names = LocalhostNames(address.names_below)
            self._names.install()
        return self

    def stop(self) -> None:
        """End every sandbox and the server, put the environment back. Twice is fine."""
        environment, self._environment = self._environment, None
        if environment is not None:
            environment.restore()
        names, self._names = self._names, None
        if names is not None:
            names.uninstall()
        running, self._running = self._running, None
        tls, self._tls = self._tls, None
        try:
            if running is not None:
                running.thread.stop()
        finally:
            state, self._state = self._state, None
            if state is not None:
                state.close()
            if self._journal is not None:
                self._journal.close()
            if tls is not None:
                tls.close()

    def __enter__(self) -> FakeE2B:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    async def __aenter__(self) -> FakeE2B:
        return self.start()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    # -- what tests ask of it --------------------------------------------------------------------

    @property
    def journal(self) -> FakeJournal:
        """The record of everything that was asked and that happened."""
        self._started()
        assert self._journal is not None
        return self._journal

    def sandboxes(self) -> list[Sandbox]:
        """Every sandbox that exists, running and paused, oldest first; copies."""
        fake = self._fake()

        async def copies() -> list[Sandbox]:
            return [copy.copy(sandbox) for sandbox in fake.sandboxes()]

        return self._thread().call(copies)

    def sandbox(self, sandbox: SandboxLike) -> SandboxHandle:
        """What a test can do to one sandbox: let it die, fill its disk, kill its programs, …

        Args:
            sandbox: An SDK's, one of `sandboxes`, or its ID.

        Raises:
            UsageError: There is no such sandbox.
        """
        return SandboxHandle(self._fake_and_thread, self.faults, sandbox)

    def add_template(self, template: SandboxTemplate) -> str:
        """Define a template, or one more build of it, until `reset`.

        Returns:
            Its ID.

        Raises:
            UsageError: Its base does not exist.
        """
        fake, definition = self._fake(), template.definition()

        async def add() -> str:
            return fake.add_template(definition)

        return self._thread().call(add)

    def fill(self, source: SeedSource) -> Filled:
        """Make what a file names and is not there yet, until `reset`; all of it or nothing.

        Args:
            source: A TOML or JSON file, or a mapping of its form, see docs/seeding.md.

        Raises:
            SeedError: Something in it is wrong.
            SeedConflictError: Something is there already, and is something else.
            SeedFailedError: Something could not be made.
        """
        loaded, seeding = _loaded(source), self._fake().seeding

        async def fill() -> Filled:
            return await seeding.fill(loaded.seed)

        with loaded.placed():
            return self._thread().call(fill)

    def outgoing_headers(
        self, sandbox_id: str, host: str, headers: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        """The headers that an HTTPS request from a sandbox would have after its network rules.

        Nothing leaves a sandbox of the fake, so no rule is ever seen at work; this says what one
        would do now: secrets at their current version, workload tokens freshly minted.

        Args:
            host: Where the request goes, such as ``"api.example.com"``.
            headers: What the program in the sandbox set.

        Raises:
            UsageError: There is no such sandbox, or a secret that its rule names.
        """
        egress = self._fake().backend.egress

        async def ask() -> dict[str, str]:
            return egress.headers(sandbox_id, host, headers or {})

        return self._thread().call(ask)

    @property
    def seed(self) -> int:
        """What replays its IDs and the dice of its rules; chosen by itself where none was given."""
        return self._fake().ids.seed

    def leaks(self, *, since: int = 0) -> Sequence[Finding]:
        """What was left behind or misused: sandboxes, streams, gates, timeouts, …

        Args:
            since: Where in the journal to begin, from `Journal.mark`.
        """
        fake = self._fake()

        async def look() -> Sequence[Finding]:
            return look_for_findings(fake, since)

        return self._thread().call(look)

    def reset(self) -> None:
        """Kill every sandbox and forget everything, as after `start`; keys stay valid.

        The clock is in its first mode again and shows the machine's time, be it earlier than what
        the last test moved it to: clients sign with the machine's time, and nothing is left that
        could be younger than now. The journal's numbers go on, and no ID comes twice.
        """
        fake = self._fake()
        self._thread().call(fake.reset)
