"""What happens in a fake beside requests, written into its journal."""

from __future__ import annotations

from collections.abc import Mapping

from fake_e2b.backend.journal import Journal
from fake_e2b.backend.moments import LifecycleEvent, Moment
from fake_e2b.backend.processes import Started
from fake_e2b.domain.command_line import command_line
from fake_e2b.domain.journal import JournalRecord, RecordKind
from fake_e2b.domain.process import ProcessExit
from fake_e2b.domain.sandbox import Sandbox
from fake_e2b.domain.steering.asked import Asked
from fake_e2b.domain.webhook import Attempt

_NS_PER_MS = 1_000_000


class JournalEvents:
    """Listens to the parts of a fake."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def lifecycle(self, event: LifecycleEvent) -> None:
        """A moment of a sandbox's life; its secrets are known from its first one on."""
        sandbox, details = event.sandbox, dict[str, object]()
        if event.moment is Moment.CREATED:
            self._journal.secrets.add(sandbox.envd_access_token)
            self._journal.secrets.add(sandbox.traffic_access_token)
            self._journal.metadata.add(sandbox.sandbox_id, sandbox.metadata or {})
            details = {"templateID": sandbox.template_id, "alias": sandbox.alias}
            if sandbox.metadata:
                details["metadata"] = sandbox.metadata
        if event.moment is Moment.PAUSED:
            details = {"memory": sandbox.paused_memory}
        if event.cause is not None:
            details = {"error": f"{type(event.cause).__name__}: {event.cause}"}
        self._journal.note(event.moment.value, sandbox_id=sandbox.sandbox_id, details=details)

    def delivery(self, attempt: Attempt) -> JournalRecord:
        """An event was delivered to a webhook, or was not."""
        delivery, reply = attempt.delivery, attempt.reply
        details: dict[str, object] = {
            "webhook": delivery.webhook.webhook_id,
            "name": delivery.webhook.name,
            "event": delivery.event.type.value,
            "try": delivery.number,
            "status": reply.status,
        }
        if reply.error_message is not None:
            details["error"] = reply.error_message
        return self._journal.note(
            "webhookDelivered" if reply.is_success else "webhookFailed",
            sandbox_id=delivery.event.sandbox_id,
            details=details,
        )

    def fault(
        self,
        rule: str,
        effect: str,
        *,
        asked: Asked,
        details: Mapping[str, object] | None = None,
    ) -> JournalRecord:
        """A fault rule was applied.

        Args:
            rule: Its name.
            effect: The effect's kind, as JSON and TOML name it.
            asked: The request that it hit.
            details: What else there is to say, e.g. at which point.
        """
        hit = {"rule": rule, "effect": effect, "operation": asked.operation}
        return self._journal.note(
            "faultHit",
            kind=RecordKind.FAULT,
            sandbox_id=asked.sandbox_id,
            details={**hit, "request": asked.sequence, **(details or {})},
        )

    def misfortune(self, sandbox_id: str, what: str) -> JournalRecord:
        """A test did something to a sandbox by `fake.sandbox(…)`.

        Args:
            what: Its method's name, in words.
        """
        return self._journal.note(
            "misfortune", kind=RecordKind.FAULT, sandbox_id=sandbox_id, details={"what": what}
        )

    def processes(self, sandbox: Sandbox) -> ProcessNotes:
        """What a sandbox's process table tells."""
        return ProcessNotes(self._journal, sandbox.sandbox_id)


class ProcessNotes:
    """Starts and ends of the processes of one boot of a sandbox."""

    def __init__(self, journal: Journal, sandbox_id: str) -> None:
        self._journal = journal
        self._sandbox_id = sandbox_id
        self._started_ns: dict[int, int] = {}

    def started(self, started: Started) -> None:
        """A process runs."""
        record = self._note("processStarted", started, {})
        self._started_ns[started.pid] = record.real_ns

    def ended(self, started: Started, end: ProcessExit | None) -> None:
        """It ended; None: it went with its sandbox."""
        details: dict[str, object] = {"exitCode": None, "signal": None}
        if end is None:
            details["withSandbox"] = True
        else:
            details = {"exitCode": end.code, "signal": end.signal}
        since_ns = self._started_ns.pop(started.pid, None)
        self._note("processEnded", started, details, since_ns)

    def _note(
        self,
        operation: str,
        started: Started,
        details: Mapping[str, object],
        since_ns: int | None = None,
    ) -> JournalRecord:
        shown: dict[str, object] = {"pid": started.pid, "command": command_line(started.config)}
        if started.tag is not None:
            shown["tag"] = started.tag
        return self._journal.note(
            operation,
            kind=RecordKind.PROCESS,
            sandbox_id=self._sandbox_id,
            details={**shown, **details},
            since_ns=since_ns,
        )
