"""What a process brings forth, as the messages that Start and Connect stream."""

from __future__ import annotations

from collections.abc import Mapping

from fake_e2b.domain.process import Output, ProcessExit
from fake_e2b.wire.protobuf import Message

SIGNAL_NAMES: Mapping[int, str] = {
    1: "hangup",
    2: "interrupt",
    3: "quit",
    4: "illegal instruction",
    5: "trace/breakpoint trap",
    6: "aborted",
    7: "bus error",
    8: "floating point exception",
    9: "killed",
    10: "user defined signal 1",
    11: "segmentation fault",
    12: "user defined signal 2",
    13: "broken pipe",
    14: "alarm clock",
    15: "terminated",
    16: "stack fault",
    24: "CPU time limit exceeded",
    25: "file size limit exceeded",
    31: "bad system call",
}
"""Linux's numbers in Go's words. Fact: envd.process.end.signal-names"""

KEEPALIVE_EVENT: Message = {"event": {"keepalive": {}}}


def start_event(pid: int) -> Message:
    """The first message of a stream."""
    return {"event": {"start": {"pid": pid}}}


def process_event(item: Output | ProcessExit) -> Message:
    """A chunk of output, or the end."""
    if isinstance(item, Output):
        return {"event": {"data": {item.channel: item.data}}}
    return end_event(item)


def end_event(end: ProcessExit) -> Message:
    """The last message of a stream. Facts: envd.process.end.*"""
    status = status_of(end)
    if end.signal is not None:
        return {"event": {"end": {"exit_code": -1, "status": status, "error": status}}}
    code = end.code or 0
    message: Message = {"exit_code": code, "exited": True, "status": status}
    if code:
        message["error"] = status
    return {"event": {"end": message}}


def status_of(end: ProcessExit) -> str:
    """How it ended, in Go's words: ``exit status 2``, ``signal: killed``."""
    if end.signal is None:
        return f"exit status {end.code or 0}"
    name = SIGNAL_NAMES.get(end.signal, f"signal {end.signal}")
    return f"signal: {name}{' (core dumped)' if end.core_dumped else ''}"
