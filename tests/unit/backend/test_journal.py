from __future__ import annotations

import json

import pytest

from fake_e2b.backend.journal import BODY_SHOWN, Journal
from fake_e2b.backend.masking import mask, mask_json, mask_query
from fake_e2b.domain.clock import ManualClock
from fake_e2b.domain.journal import RecordKind
from fake_e2b.domain.operations import Plane

JSON = [(b"content-type", b"application/json")]


@pytest.fixture
def clock():
    return ManualClock(1_000)


@pytest.fixture
def real_clock():
    return ManualClock(5_000)


@pytest.fixture
def journal(clock, real_clock):
    return Journal(clock, real_clock, capacity=4)


def ask(journal, path="/sandboxes", method="POST", headers=(), plane=Plane.CONTROL):
    record = journal.open(method, path, headers, "127.0.0.1:5")
    journal.identify(record, plane)
    return record


def test_a_record_holds_both_clocks_and_the_time_it_took(journal, clock, real_clock):
    clock.move_to(2_000)
    record = ask(journal)
    real_clock.move_to(8_000)
    assert record.duration_ns is None
    journal.close(record)
    assert (record.at_ns, record.real_ns, record.duration_ns) == (2_000, 5_000, 3_000)


def test_an_open_request_is_already_named(journal):
    ask(journal, "/process.Process/Start?x=1", plane=Plane.ENVD)
    (record,) = journal.records()
    assert (record.operation, record.status, record.path) == (
        "Process.Start",
        None,
        "/process.Process/Start?x=1",
    )


def test_the_sandbox_is_known_from_the_path_or_from_the_server(journal):
    ask(journal, "/sandboxes/i0a/pause")
    record = journal.open("POST", "/execute", (), "")
    journal.identify(record, Plane.INTERPRETER, sandbox_id="i0b")
    assert [record.sandbox_id for record in journal.records()] == ["i0a", "i0b"]


def test_the_oldest_records_make_room_for_new_ones(journal):
    for number in range(11):
        ask(journal, f"/sandboxes/i{number}")
    assert [record.sequence for record in journal.records()] == [7, 8, 9, 10]
    assert (journal.oldest, journal.mark()) == (7, 11)


def test_clearing_keeps_counting(journal):
    for _ in range(6):
        ask(journal)
    journal.clear()
    assert (list(journal.records()), journal.oldest) == ([], 6)
    for _ in range(5):
        ask(journal)
    assert [record.sequence for record in journal.records()] == [7, 8, 9, 10]


def test_records_are_found_by_any_of_their_fields(journal):
    create = ask(journal)
    create.status = 201
    mark = journal.mark()
    kill = ask(journal, "/sandboxes/i0a", "DELETE")
    kill.status = 404
    note = journal.note("expired", sandbox_id="i0a", detail="killed")
    assert journal.records(since=mark) == [kill, note]
    assert journal.records(until=mark) == [create]
    assert journal.records(kind=RecordKind.STATE) == [note]
    assert journal.records(operation="createSandbox") == [create]
    assert journal.records(method="DELETE") == [kill]
    assert journal.records(path="/i0a") == [kill]
    assert journal.records(sandbox_id="i0a") == [kill, note]
    assert journal.records(status=404) == [kill]
    assert journal.records(last=1) == [note]
    assert journal.records(last=0) == []
    assert journal.records(last=9) == [create, kill, note]


def test_keys_and_tokens_are_masked_in_headers(journal):
    key, token = b"e2b_0123456789abcdef0123", b"fedcba9876543210fedcba9876543210"
    record = ask(
        journal,
        headers=[
            (b"x-api-key", key),
            (b"x-access-token", token),
            (b"e2b-traffic-access-token", token),
            (b"authorization", b"Bearer sk_e2b_0123456789abcdef"),
            (b"x-admin-token", b"short"),
            (b"user-agent", b"python"),
        ],
    )
    assert dict(record.headers) == {
        "x-api-key": "****0123",
        "x-access-token": "****3210",
        "e2b-traffic-access-token": "****3210",
        "authorization": "Bearer ****cdef",
        "x-admin-token": "****",
        "user-agent": "python",
    }


def test_a_journal_full_of_distinct_headers_forgets_them(journal):
    for number in range(5_000):
        record = ask(journal, headers=[(b"x-number", str(number).encode())])
    assert record.headers == (("x-number", "4999"),)


def test_json_bodies_are_shown_with_their_secrets_masked(journal):
    record = ask(journal, headers=JSON)
    body = {"envs": {"OPENAI_API_KEY": "sk-0123456789abcdef"}, "accessToken": "x", "timeout": 5}
    journal.keep_body(record, json.dumps(body).encode())
    assert json.loads(record.body) == {
        "envs": {"OPENAI_API_KEY": "****cdef"},
        "accessToken": "****",
        "timeout": 5,
    }


def test_long_bodies_are_cut(journal):
    record = ask(journal, headers=JSON)
    journal.keep_body(record, b'{"a": "' + b"x" * 4_000)
    assert len(record.body) == BODY_SHOWN


@pytest.mark.parametrize(
    ("content_type", "body", "shown"),
    [
        (b"application/json; charset=utf-8", b'{"a":1}', '{"a":1}'),
        (b"application/connect+json", b"\0\0\0\0\7" + b'{"a":1}', '{"a":1}'),
        (b"application/connect+proto", b"\0\0\0\0\1\x08", "(application/connect+proto)"),
        (b"multipart/form-data; boundary=x", b"--x", "(multipart/form-data)"),
        (b"text/plain", b"\xff", "\N{REPLACEMENT CHARACTER}"),
        (b"", b"abc", "(no content type)"),
        (b"application/json", b"", ""),
    ],
)
def test_bodies_are_shown_as_far_as_a_person_can_read_them(journal, content_type, body, shown):
    record = ask(journal, headers=[(b"content-type", content_type)])
    journal.keep_body(record, body)
    assert record.body == shown


def test_a_refusals_text_is_kept(journal):
    record = ask(journal)
    journal.close(record, answer=b'{"code":404,"message":"sandbox not found"}')
    assert record.answer == '{"code":404,"message":"sandbox not found"}'


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ('{"token": "0123456789abcdefgh', '{"token": "****efgh'),
        ('{"Password":"hunter2"}', '{"Password":"****"}'),
        (r'{"secret":"a\"b0123456789abcdef"}', '{"secret":"****cdef"}'),
        ('{"key": 5, "cmd": "echo token"}', '{"key": 5, "cmd": "echo token"}'),
    ],
)
def test_secrets_in_json_are_masked_even_when_it_is_cut(text, masked):
    assert mask_json(text) == masked


def test_signatures_of_urls_are_masked():
    assert (
        mask_query("/files?path=%2Fa&signature=v1_0123456789abcdef&signature_expiration=5")
        == "/files?path=%2Fa&signature=****cdef&signature_expiration=5"
    )


def test_a_short_secret_is_hidden_wholly():
    assert mask("0123456789abcde") == "****"
