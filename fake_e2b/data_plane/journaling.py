"""What a sandbox's planes write into the journal beside what passes by on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from fake_e2b.backend.journal import JOURNAL_KEY, Journal
from fake_e2b.data_plane.asgi import Scope
from fake_e2b.domain.journal import RECORD_KEY, JournalRecord, Output, StreamSummary
from fake_e2b.domain.kernel import Accepted, Failed, KernelMessage, Text
from fake_e2b.wire.connect import ConnectFailure, Opening
from fake_e2b.wire.proto_schema import MessageType
from fake_e2b.wire.protobuf import Message, ProtoError
from fake_e2b.wire.protojson import to_json

_NOTHING: tuple[str, dict[str, Any]] = ("empty", {})
_MOST_BYTES = 4096
"""Of a message that is shown; longer ones are seldom read, and rendering them takes time."""


def open_stream(scope: Scope) -> StreamSummary | None:
    """The summary of the stream that a request is answered with; None outside a journal."""
    record: JournalRecord | None = scope.get(RECORD_KEY)
    if record is None:
        return None
    if record.stream is None:
        record.stream = StreamSummary()
    return record.stream


def keep_message(scope: Scope, opening: Opening, kind: MessageType, message: Message) -> None:
    """Show a request's message, where its bytes are nothing that a person can read."""
    if opening.content_type.codec == "json" and not opening.request_gzip:
        return
    record: JournalRecord | None = scope.get(RECORD_KEY)
    if record is None:
        return
    journal: Journal = scope[JOURNAL_KEY]
    if record.received > _MOST_BYTES:
        return
    try:
        journal.keep_text(record, to_json(kind, message).decode())
    except ProtoError:
        return  # It came through the decoder, so it is shown as far as its bytes can be.


def count_message(summary: StreamSummary, message: Message, size: int) -> None:
    """A message of an RPC's stream was written: `Process.Start`'s and the watchers'."""
    kind = next(iter(message), "empty")
    if kind != "event":
        summary.wrote(kind, size)
        return
    kind, value = next(iter(message["event"].items()), _NOTHING)
    summary.wrote(kind, size)
    if kind == "data":
        for output, data in value.items():
            summary.add_output(cast(Output, output), data)
    elif kind == "end":
        summary.exit_code = value.get("exit_code", 0)
        summary.error = value.get("error", "")


def count_failure(summary: StreamSummary, failure: ConnectFailure) -> None:
    """A stream's last frame says why it failed."""
    summary.wrote("failure", 0)
    summary.error = f"{failure.code.value}: {failure.message}"


def count_lines(
    summary: StreamSummary, messages: Sequence[KernelMessage], lines: Sequence[bytes]
) -> None:
    """Lines of an `/execute` answer were written."""
    for message, line in zip(messages, lines, strict=True):
        size = len(line)
        if isinstance(message, Text):
            summary.wrote(message.stream, size)
            summary.add_output(message.stream, message.text.encode("utf-8", "replace"))
        elif isinstance(message, Failed):
            summary.wrote("error", size)
            summary.error = f"{message.name}: {message.value}"
        elif isinstance(message, Accepted):
            summary.wrote("number_of_executions", size)
        else:
            summary.wrote("result", size)
