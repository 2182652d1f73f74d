"""Lines of `/execute`: what only odd values show."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fake_e2b.domain.clock import SECOND_NS
from fake_e2b.domain.kernel import Failed, Shown, Text
from fake_e2b.wire.interpreter import CREATE_CONTEXT_BODY, InvalidBodyError, line, parse_body


def shown(data: dict[str, object]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(line(Shown(data, is_main=True), 0))
    return found


@pytest.mark.parametrize(
    ("instant_ns", "text"),
    [
        (1_763_850_340 * SECOND_NS, "2025-11-22T22:25:40+00:00"),
        (1_763_850_340 * SECOND_NS + 1_999, "2025-11-22T22:25:40.000001+00:00"),
    ],
)
def test_timestamps(instant_ns: int, text: str) -> None:
    assert json.loads(line(Text("stdout", "x"), instant_ns))["timestamp"] == text


@pytest.mark.parametrize(
    ("text", "stripped"),
    [
        ("'a'", "a"),
        ('"a"', "a"),
        ("'a\"", "'a\""),
        ("''", ""),
        ("'", ""),
        ("", ""),
        ("'a' + 'b'", "a' + 'b"),
    ],
)
def test_quote_marks(text: str, stripped: str) -> None:
    assert shown({"text/plain": text})["text"] == stripped


def test_only_plain_text_loses_its_quotes() -> None:
    assert shown({"text/html": "'a'"})["html"] == "'a'"


def test_fields_stand_in_their_order() -> None:
    data = {"x/y": 1, "e2b/chart": {}, "application/json": [], "image/png": "p", "text/plain": "t"}
    found = shown(dict(data))
    assert list(found) == ["type", "text", "png", "json", "chart", "extra", "is_main_result"]


def test_a_traceback_is_joined_by_nothing() -> None:
    found = json.loads(line(Failed("E", "v", ("a", "b")), 0))
    assert found == {"type": "error", "name": "E", "value": "v", "traceback": "ab"}


def test_lone_surrogates_and_nan_pass_through() -> None:
    assert line(Text("stdout", "\udc80"), 0).startswith(b'{"type": "stdout", "text": "\\udc80"')
    assert b'"json": NaN' in line(Shown({"application/json": float("nan")}, is_main=False), 0)


@pytest.mark.parametrize(
    ("content_type", "data", "status"),
    [
        ("application/json", b"\xff\xff", 400),
        ("application/json", b"null", 422),
        ("text/plain", b"{}", 422),
        ("application/problem+json; charset=utf-8", b"[", 422),
    ],
)
def test_bodies_that_are_refused(content_type: str, data: bytes, status: int) -> None:
    with pytest.raises(InvalidBodyError) as raised:
        parse_body(CREATE_CONTEXT_BODY, content_type, data)
    assert raised.value.status == status
    json.dumps(raised.value.detail)


def test_an_other_kind_of_json_is_json() -> None:
    body = parse_body(CREATE_CONTEXT_BODY, "application/vnd.api+json", b'{"cwd": "/tmp"}')
    assert body.cwd == "/tmp"
