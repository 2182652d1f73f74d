"""One entry of the journal: what was asked of the fake, what happened, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from fake_e2b.domain.command_line import command_of
from fake_e2b.domain.journal_curl import curl_command
from fake_e2b.domain.journal_sdk import sdk_call
from fake_e2b.domain.operations import OPERATIONS, UNKNOWN

RECORD_KEY = "fake_e2b.record"
"""The ASGI scope's key under which those who serve a request find its record."""
OUTPUT_SHOWN = 4_000
"""Bytes kept of each of a stream's outputs: half from the beginning, half from the end."""

Output = Literal["stdout", "stderr", "pty"]


class RecordKind(StrEnum):
    """What a record is about."""

    REQUEST = "request"
    """A client asked for something."""
    STATE = "state"
    """A sandbox changed, or the fake did something by itself: an end of time, a reset."""
    PROCESS = "process"
    """A process started or ended in a sandbox."""
    FAULT = "fault"
    """A fault rule was applied to a request, or a test did something to a sandbox."""
    STUB = "stub"
    """A stubbed command was called."""


EVENTS: Mapping[str, RecordKind] = {
    "created": RecordKind.STATE,
    "resumed": RecordKind.STATE,
    "paused": RecordKind.STATE,
    "killed": RecordKind.STATE,
    "updated": RecordKind.STATE,
    "failed": RecordKind.STATE,
    "forked": RecordKind.STATE,
    "snapshotted": RecordKind.STATE,
    "expired": RecordKind.STATE,
    "due": RecordKind.STATE,
    "webhookDelivered": RecordKind.STATE,
    "webhookFailed": RecordKind.STATE,
    "processStarted": RecordKind.PROCESS,
    "processEnded": RecordKind.PROCESS,
    "faultHit": RecordKind.FAULT,
    "misfortune": RecordKind.FAULT,
    "stubCalled": RecordKind.STUB,
}
"""What a record that is no request has as its operation, and of which kind it is then."""

NAMES = frozenset({operation.name for operation in OPERATIONS} | {"port", UNKNOWN} | set(EVENTS))
"""All that records are called, but for a test's own notes."""


class Excerpt:
    """The beginning and the end of an output, and how long it was."""

    __slots__ = ("head", "size", "tail")

    def __init__(self) -> None:
        self.head = b""
        self.tail = b""
        self.size = 0

    def add(self, data: bytes) -> None:
        """More of the output."""
        self.size += len(data)
        room = OUTPUT_SHOWN // 2
        if len(self.head) < room:
            cut = room - len(self.head)
            self.head += data[:cut]
            data = data[cut:]
        if data:
            self.tail = (self.tail + data[-room:])[-room:]

    @property
    def text(self) -> str:
        """The output, with a note in the middle where something is left out."""
        left_out = self.size - len(self.head) - len(self.tail)
        note = f"\n… {left_out} bytes left out …\n".encode() if left_out > 0 else b""
        return (self.head + note + self.tail).decode("utf-8", "replace")


class StreamSummary:
    """What went through a stream, counted as it goes.

    Frames are those that the sandbox's daemon or interpreter wrote; what a fault made of them on
    their way stands in the fault's own record.

    Attributes:
        frames: How many of each kind were written: ``start``, ``data``, ``end``, ``keepalive``
            and the like, and ``failure`` for a last frame with an error.
        received: The same for what the client streamed in; None where it sent one message.
        size: Bytes of the written payloads.
        exit_code: As the last frame gave it.
        error: The last frame's error, e.g. ``"signal: killed"``.
    """

    __slots__ = ("error", "exit_code", "frames", "pty", "received", "size", "stderr", "stdout")

    def __init__(self) -> None:
        self.frames: dict[str, int] = {}
        self.received: dict[str, int] | None = None
        self.size = 0
        self.exit_code: int | None = None
        self.error = ""
        self.stdout: Excerpt | None = None
        self.stderr: Excerpt | None = None
        self.pty: Excerpt | None = None

    def wrote(self, kind: str, size: int) -> None:
        """A frame was written."""
        self.frames[kind] = self.frames.get(kind, 0) + 1
        self.size += size

    def heard(self, kind: str) -> None:
        """A frame came from the client."""
        if self.received is None:
            self.received = {}
        self.received[kind] = self.received.get(kind, 0) + 1

    def add_output(self, output: Output, data: bytes) -> None:
        """Output of what runs."""
        excerpt: Excerpt | None = getattr(self, output)
        if excerpt is None:
            excerpt = Excerpt()
            setattr(self, output, excerpt)
        excerpt.add(data)

    def says(self, text: str) -> bool:
        """Whether the text is in what is kept of an output."""
        needle = text.encode()
        for excerpt in (self.stdout, self.stderr, self.pty):
            if excerpt is not None and (
                needle in excerpt.head or (excerpt.tail and text in excerpt.text)
            ):
                return True
        return False

    def outputs(self) -> dict[Output, str]:
        """What came on each output, bounded; outputs that stayed silent are left out."""
        excerpts: dict[Output, Excerpt | None] = {
            "stdout": self.stdout,
            "stderr": self.stderr,
            "pty": self.pty,
        }
        return {name: excerpt.text for name, excerpt in excerpts.items() if excerpt is not None}


@dataclass(slots=True, eq=False)
class JournalRecord:
    """A request, or something that happened.

    A request is recorded when it arrives and completed when its answer ends, so a stream that
    hangs is there to be seen: until then `status` (before the headers) and `duration_ns` are None.

    Attributes:
        sequence: Position in the journal, from 0; never reused, not even after a reset.
        at_ns: The instant by the fake's clock, see `domain.clock`.
        real_ns: The same by the machine's clock.
        operation: As in the API (`domain.operations`), ``"unknown"`` for what the API lacks; of
            what is no request, a word of `EVENTS`.
        path: As sent, with its query; signatures and tokens are masked.
        sandbox_id: The sandbox it was for, whichever way the request named it; the one that it
            made.
        duration_ns: Real time from arrival to the end of the answer.
        client: ``"address:port"``.
        headers: As sent, names in lower case; keys and tokens are masked.
        body: A JSON body or message whole where it is not too long, else the beginning of what a
            person can read; of what is no request, a JSON object with the details. Secrets are
            masked.
        received: Bytes of the request's body.
        sent: Bytes of the answer's body.
        answer: A JSON answer, whole where it is not too long; the beginning of any answer whose
            status is 400 or above. Secrets are masked.
        traceback: Where the fake itself failed; None when it did not.
        stream: What went through a streamed answer; None for any other.
    """

    sequence: int
    at_ns: int
    real_ns: int
    kind: RecordKind
    operation: str
    method: str = ""
    path: str = ""
    sandbox_id: str | None = None
    status: int | None = None
    duration_ns: int | None = None
    client: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    received: int = 0
    sent: int = 0
    answer: str = ""
    traceback: str | None = None
    stream: StreamSummary | None = field(default=None, repr=False)

    @property
    def is_open(self) -> bool:
        """Whether its answer has not ended yet."""
        return self.duration_ns is None

    @property
    def json(self) -> Any:
        """The body, parsed; None where it is no JSON or was too long to keep."""
        return parsed(self.body)

    @property
    def answer_json(self) -> Any:
        """The answer, parsed; None where it is no JSON or was too long to keep."""
        return parsed(self.answer)

    @property
    def command(self) -> str | None:
        """The command line or the code that it runs; None where nothing runs."""
        if self.operation in ("Process.Start", "execute"):
            return command_of(self.operation, self.json)
        if self.kind in (RecordKind.PROCESS, RecordKind.STUB):
            found = self.json
            command = found.get("command") if isinstance(found, dict) else None
            return command if isinstance(command, str) else None
        return None

    @property
    def stdout(self) -> str | None:
        """The stdout that a stream brought, bounded; None where there was none."""
        return self.stream.outputs().get("stdout") if self.stream else None

    @property
    def stderr(self) -> str | None:
        """The stderr that a stream brought, bounded; None where there was none."""
        return self.stream.outputs().get("stderr") if self.stream else None

    @property
    def exit_code(self) -> int | None:
        """How a stream's process ended, or the one that this record is about."""
        if self.stream is not None:
            return self.stream.exit_code
        if self.kind in (RecordKind.PROCESS, RecordKind.STUB) and (found := self.json):
            code = found.get("exitCode")
            return code if isinstance(code, int) else None
        return None

    def as_curl(self) -> str:
        """The request as a command for a POSIX shell, secrets as variables such as `$E2B_API_KEY`.

        What is no request, or whose body was not kept, becomes a comment that says so.
        """
        return curl_command(self)

    def as_sdk_call(self) -> str:
        """The call of the Python SDK that makes such a request.

        ``sandbox`` stands for the sandbox at hand. What no method of the SDK makes becomes a
        comment that says so.
        """
        return sdk_call(self)


def parsed(text: str) -> Any:
    """JSON, parsed; None where it is none."""
    if not text:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
