"""Tables that must be whole: codes, refusals, ends of processes."""

from __future__ import annotations

import string

import pytest

from fake_e2b.domain.envd_errors import EnvdError, EnvdKind
from fake_e2b.domain.process import Output, ProcessExit
from fake_e2b.wire.connect import GRPC_STATUS, HTTP_STATUS, Code
from fake_e2b.wire.envd_errors import TABLE, http_answer, rpc_failure
from fake_e2b.wire.process_events import end_event, process_event


def test_every_code_has_its_status() -> None:
    assert set(HTTP_STATUS) == set(GRPC_STATUS) == set(Code)
    assert (GRPC_STATUS[Code.NOT_FOUND], GRPC_STATUS[Code.UNAUTHENTICATED]) == (5, 16)


def test_every_refusal_has_a_row() -> None:
    assert set(TABLE) == set(EnvdKind)


@pytest.mark.parametrize("kind", EnvdKind)
def test_every_row_can_be_filled(kind: EnvdKind) -> None:
    row = TABLE[kind]
    texts = row.text + (row.http_text or "")
    names = {name for _, name, _, _ in string.Formatter().parse(texts) if name}
    error = EnvdError(kind, **{name: f"<{name}>" for name in names})
    assert rpc_failure(error).code is row.code
    status, text = http_answer(error)
    assert 400 <= status < 600
    assert "{" not in text.replace("{}", "")


def test_values_with_braces_stay_as_they_are() -> None:
    error = EnvdError(EnvdKind.CWD_MISSING, cwd="/{x}/{0}")
    assert rpc_failure(error).message == "cwd '/{x}/{0}' does not exist"


def test_an_unknown_user_reads_differently_on_the_two_kinds_of_routes() -> None:
    error = EnvdError(EnvdKind.UNKNOWN_USER, name="x")
    assert str(rpc_failure(error)) == "unauthenticated: invalid username: 'x'"
    assert http_answer(error) == (401, "error looking up user 'x': user: unknown user x")


@pytest.mark.parametrize(
    ("end", "status"),
    [
        (ProcessExit(None, 6, core_dumped=True), "signal: aborted (core dumped)"),
        (ProcessExit(None, 25), "signal: file size limit exceeded"),
        (ProcessExit(None, 34), "signal: signal 34"),
    ],
)
def test_ends_by_signal(end: ProcessExit, status: str) -> None:
    message = {"exit_code": -1, "status": status, "error": status}
    assert process_event(end) == end_event(end) == {"event": {"end": message}}


def test_output_keeps_its_channel() -> None:
    assert process_event(Output("pty", b"x")) == {"event": {"data": {"pty": b"x"}}}
