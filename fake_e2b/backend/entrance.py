"""The way of traffic into a sandbox: who is let in, and what wakes a paused one.

Facts: proxy.order, proxy.auto-resume, proxy.traffic-token
"""

from __future__ import annotations

import hmac
from collections.abc import Callable

from fake_e2b.backend.lifecycle import Lifecycle
from fake_e2b.backend.machine import Machine
from fake_e2b.backend.patience import Endless, Patience
from fake_e2b.backend.store import Record, Store
from fake_e2b.backend.teams import Teams
from fake_e2b.domain.control_errors import ControlError, ControlKind, ProxyError, ProxyKind
from fake_e2b.domain.ids import SandboxID
from fake_e2b.domain.sandbox import Sandbox, State
from fake_e2b.domain.team import Team

ENVD_PORT = 49983
MIN_TIMEOUT_S = 300
"""The shortest time that traffic gives a sandbox it wakes."""
MAX_WAITS = 3


class Entrance:
    """Finds the machine behind a sandbox ID.

    Args:
        store: Where the sandboxes are.
        teams: Whose they are.
        lifecycle: Starts paused ones.
        make_patience: How long each request waits for changes that others began.
    """

    def __init__(
        self,
        store: Store,
        teams: Teams,
        lifecycle: Lifecycle,
        make_patience: Callable[[], Patience] = Endless,
    ) -> None:
        self._store = store
        self._teams = teams
        self._lifecycle = lifecycle
        self._make_patience = make_patience

    async def enter(
        self,
        sandbox_id: str,
        *,
        port: int,
        access_token: str | None,
        traffic_token: str | None,
    ) -> tuple[Sandbox, Machine]:
        """The machine of a running sandbox; a request to a paused one is held while it wakes.

        Raises:
            ProxyError: SANDBOX_NOT_FOUND, RESUME_DENIED, TEAM_LIMIT, STILL_TRANSITIONING;
                TRAFFIC_TOKEN_MISSING, TRAFFIC_TOKEN_INVALID.
        """
        patience = self._make_patience()
        for _ in range(MAX_WAITS + 1):
            record = self._store.get(sandbox_id)
            if record is None or record.sandbox.state is State.KILLING:
                break
            sandbox = record.sandbox
            if sandbox.state in (State.RUNNING, State.SNAPSHOTTING):
                if record.machine is None or not record.machine.guest.alive:
                    break
                self._check_traffic_token(sandbox, port, traffic_token)
                return sandbox, record.machine
            team = self._may_wake(record, port)
            if sandbox.state is State.PAUSING:
                if record.move is not None and not await patience.outlast(record.move.done):
                    raise _refusal(ProxyKind.STILL_TRANSITIONING, sandbox.sandbox_id, port)
                continue
            self._check_wake_tokens(sandbox, port, access_token, traffic_token)
            await self._wake(record, team, port)
        else:
            raise ProxyError(ProxyKind.STILL_TRANSITIONING, sandbox_id=sandbox_id, port=port)
        raise ProxyError(ProxyKind.SANDBOX_NOT_FOUND, sandbox_id=sandbox_id, port=port)

    def _may_wake(self, record: Record, port: int) -> Team:
        sandbox = record.sandbox
        team = self._teams.get(sandbox.team_id)
        can_wake = sandbox.paused_memory and not sandbox.unresponsive_at_pause
        if team is None or not sandbox.auto_resume or not can_wake:
            raise _refusal(ProxyKind.SANDBOX_NOT_FOUND, sandbox.sandbox_id, port)
        if team.banned or team.blocked:
            raise _refusal(ProxyKind.RESUME_DENIED, sandbox.sandbox_id, port)
        return team

    def _check_wake_tokens(
        self, sandbox: Sandbox, port: int, access_token: str | None, traffic_token: str | None
    ) -> None:
        if port == ENVD_PORT:
            expected, given = sandbox.envd_access_token, access_token
        else:
            expected, given = sandbox.traffic_access_token, traffic_token
        if expected is not None and not _equal(expected, given):
            raise _refusal(ProxyKind.RESUME_DENIED, sandbox.sandbox_id, port)

    def _check_traffic_token(self, sandbox: Sandbox, port: int, traffic_token: str | None) -> None:
        expected = sandbox.traffic_access_token
        if expected is None or port == ENVD_PORT:
            return
        if not traffic_token:
            raise _refusal(ProxyKind.TRAFFIC_TOKEN_MISSING, sandbox.sandbox_id, port)
        if not _equal(expected, traffic_token):
            raise _refusal(ProxyKind.TRAFFIC_TOKEN_INVALID, sandbox.sandbox_id, port)

    async def _wake(self, record: Record, team: Team, port: int) -> None:
        sandbox = record.sandbox
        try:
            move = record.move
            if move is not None:
                await move.done.wait()
                if move.error is not None:
                    raise move.error
                return
            longest_s = team.max_length_hours * 3600
            timeout_s = max(min(sandbox.created_timeout_s, longest_s), MIN_TIMEOUT_S)
            await self._lifecycle.start(record, team, timeout_s, cold=False)
        except ControlError as error:
            if error.kind is ControlKind.CONCURRENCY_LIMIT:
                raise ProxyError(
                    ProxyKind.TEAM_LIMIT,
                    sandbox_id=sandbox.sandbox_id,
                    port=port,
                    limit=team.concurrent_sandboxes,
                ) from error
            raise _refusal(ProxyKind.SANDBOX_NOT_FOUND, sandbox.sandbox_id, port) from error


def _refusal(kind: ProxyKind, sandbox_id: SandboxID, port: int) -> ProxyError:
    return ProxyError(kind, sandbox_id=sandbox_id, port=port)


def _equal(expected: str, given: str | None) -> bool:
    return given is not None and hmac.compare_digest(expected.encode(), given.encode())
