"""What can be set of a running sandbox: its end, and where its programs may go.

Facts: control.states.requests, control.network.update
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fake_e2b.backend.admission import HOUR_S
from fake_e2b.backend.lifecycle import Lifecycle
from fake_e2b.backend.moments import Change, Moment
from fake_e2b.backend.store import Record
from fake_e2b.domain.clock import SECOND_NS, Clock
from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.domain.ids import SandboxID
from fake_e2b.domain.network import EGRESS_KEYS, check_egress, checked_egress_proxy, without_empty
from fake_e2b.domain.network_rules import checked_rules
from fake_e2b.domain.sandbox import State, short_id
from fake_e2b.domain.team import Team

MIN_REFRESH_S = 15
_NOT_RUNNING = {
    State.PAUSING: ControlKind.BEING_PAUSED,
    State.SNAPSHOTTING: ControlKind.BEING_SNAPSHOTTED,
    State.KILLING: ControlKind.BEING_KILLED,
    State.PAUSED: ControlKind.SANDBOX_NOT_FOUND,
}


class Changes:
    """Changes it.

    Args:
        find: The record of a team's sandbox, by the text of a path; raises what a path may.
    """

    def __init__(
        self, *, find: Callable[[Team, str], Record], clock: Clock, lifecycle: Lifecycle
    ) -> None:
        self._find = find
        self._clock = clock
        self._lifecycle = lifecycle

    def set_timeout(self, team: Team, text: str, *, timeout_s: int) -> None:
        """Let a running sandbox end `timeout_s` from now; 0 means at once.

        Raises:
            ControlError: INVALID_SANDBOX_ID, SANDBOX_NOT_FOUND (for a paused one too), BEING_…,
                MAX_LENGTH_EXCEEDED.
        """
        record = self._running(team, text)
        self._set_end(record, team, timeout_s, may_shorten=True)
        self._lifecycle.tell(Moment.UPDATED, record.sandbox, change=Change.END)

    def refresh(self, team: Team, text: str, *, duration_s: int) -> None:
        """Let a running sandbox end no earlier than `duration_s` from now, at least 15 s.

        Raises:
            ControlError: As `set_timeout`.
        """
        record = self._running(team, text)
        self.extend(record, team, max(duration_s, MIN_REFRESH_S))

    def update_network(
        self,
        team: Team,
        text: str,
        egress: Mapping[str, Any],
        *,
        allow_internet_access: bool | None = None,
    ) -> None:
        """Replace the egress half of a running sandbox's network object.

        Raises:
            ControlError: BAD_NETWORK, BAD_EGRESS_PROXY; state and ID as `set_timeout`.

        Fact: control.network.update
        """
        parsed_id(text)
        check_egress(egress)
        kept = {key: egress[key] for key in EGRESS_KEYS if egress.get(key) is not None}
        if "egressProxy" in kept:
            kept["egressProxy"] = checked_egress_proxy(kept["egressProxy"])
        if "rules" in kept:
            self._find(team, text)
            kept["rules"] = checked_rules(kept["rules"])
        sandbox = self._running(team, text).sandbox
        ingress = {
            key: value for key, value in (sandbox.network or {}).items() if key not in EGRESS_KEYS
        }
        sandbox.network = ingress | without_empty(kept)
        if allow_internet_access is not None:
            sandbox.allow_internet_access = allow_internet_access
        self._lifecycle.tell(Moment.UPDATED, sandbox, change=Change.EGRESS)

    def _running(self, team: Team, text: str) -> Record:
        record = self._find(team, text)
        kind = _NOT_RUNNING.get(record.sandbox.state)
        if kind is not None:
            raise refusal(kind, record)
        return record

    def extend(self, record: Record, team: Team, seconds: int) -> None:
        """Let a running sandbox end no earlier than `seconds` from now.

        Raises:
            ControlError: MAX_LENGTH_EXCEEDED.
        """
        before_ns = record.sandbox.end_at_ns
        self._set_end(record, team, seconds, may_shorten=False)
        if record.sandbox.end_at_ns != before_ns:
            self._lifecycle.tell(Moment.UPDATED, record.sandbox, change=Change.END)

    def _set_end(self, record: Record, team: Team, seconds: int, *, may_shorten: bool) -> None:
        sandbox = record.sandbox
        now_ns = self._clock.now_ns()
        last_ns = sandbox.started_at_ns + team.max_length_hours * HOUR_S * SECOND_NS
        if now_ns > last_ns:
            raise ControlError(ControlKind.MAX_LENGTH_EXCEEDED)
        end_at_ns = min(now_ns + seconds * SECOND_NS, last_ns)
        if end_at_ns == sandbox.end_at_ns or (end_at_ns < sandbox.end_at_ns and not may_shorten):
            return
        sandbox.end_at_ns = end_at_ns
        self._lifecycle.deadlines.add(record)


def parsed_id(text: str) -> SandboxID:
    """The sandbox ID in the text of a path.

    Raises:
        ControlError: INVALID_SANDBOX_ID.
    """
    sandbox_id = short_id(text)
    if sandbox_id is None:
        raise ControlError(ControlKind.INVALID_SANDBOX_ID)
    return sandbox_id


def refusal(kind: ControlKind, record: Record) -> ControlError:
    """The error that names a record's sandbox."""
    return ControlError(kind, sandbox_id=record.sandbox.sandbox_id)
