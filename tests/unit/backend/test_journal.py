from __future__ import annotations

import json
import re
from base64 import b64encode
from datetime import UTC, datetime

import pytest

from fake_e2b.backend.journal import ANSWER_KEPT, BODY_KEPT, BODY_SHOWN, Journal
from fake_e2b.backend.journal_metadata import SandboxMetadata
from fake_e2b.backend.masking import mask, mask_json, mask_query
from fake_e2b.domain.clock import SECOND_NS, MovableClock
from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.journal import OUTPUT_SHOWN, RecordKind, StreamSummary
from fake_e2b.domain.operations import Plane
from tests.helpers.clock import ManualClock

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
    journal.keep_body(record, b'{"a": "' + b"x" * BODY_KEPT)
    assert len(record.body) == BODY_SHOWN
    assert record.json is None


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
        ('{"my Secret" : "0123456789abcdefgh"}', '{"my Secret" : "****efgh"}'),
        ('{"a":"token","b":"x\\","c":"token"}', '{"a":"token","b":"x\\","c":"token"}'),
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


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/files?signature=v1_0123456789abcdef", "/files?signature=****cdef"),
        ("/x?access_token=0123456789abcdef&a=1", "/x?access_token=****cdef&a=1"),
        ("/x?X-Access-Token=short", "/x?X-Access-Token=****"),
        ("/x?a=e2b_0123456789abcdef", "/x?a=****cdef"),
        ("/v2/sandboxes?nextToken=abc", "/v2/sandboxes?nextToken=abc"),
    ],
)
def test_secrets_in_urls_are_masked(journal, path, shown):
    assert journal.open("GET", path, (), "").path == shown


def test_keys_are_masked_wherever_they_stand(journal):
    record = ask(journal, headers=JSON)
    journal.keep_body(record, b'{"cmd": "curl -H X-API-Key:e2b_0123456789abcdef"}')
    assert record.json == {"cmd": "curl -H X-API-Key:****cdef"}


def test_tokens_that_it_was_told_of_are_masked_wherever_they_stand(journal):
    token, digest = "ab" * 32, "cd" * 32
    journal.secrets.add(token)
    record = ask(journal, headers=JSON)
    journal.keep_body(record, json.dumps({"cmd": f"echo {token} {digest}"}).encode())
    record.stream = StreamSummary()
    record.stream.add_output("stdout", f"{token} {digest}".encode())
    journal.close(record, answer=json.dumps({"seen": token}).encode(), whole=True)
    note = journal.note("said", detail=token)
    assert record.json == {"cmd": f"echo ****abab {digest}"}
    assert record.stdout == f"****abab {digest}"
    assert record.answer_json == {"seen": "****abab"}
    assert note.body == "****abab"
    assert journal.note("said", detail=f"1{token}{digest}").body == "****cdcd"
    assert journal.note("said", detail=digest + digest).body == digest + digest


def test_a_user_without_a_password_is_no_secret(journal):
    bare, secret = b64encode(b"root:").decode(), b64encode(b"root:hidden").decode()
    headers = [(b"authorization", f"Basic {each}".encode()) for each in (bare, secret)]
    assert [value for _, value in ask(journal, headers=headers).headers] == [
        f"Basic {bare}",
        "Basic ****" + secret[-4:],
    ]


def test_records_go_when_they_take_too_much(clock, real_clock):
    journal = Journal(clock, real_clock, max_bytes=50_000)
    for _ in range(50):
        record = ask(journal, headers=JSON)
        journal.keep_body(record, b'{"a": "' + b"x" * 10_000 + b'"}')
        journal.close(record)
    assert 3 <= len(journal.records()) <= 5
    assert journal.size <= 50_000
    assert journal.records(last=1) == [record]
    journal.clear()
    assert journal.size == 0


def test_a_request_that_outlives_its_record_is_closed_all_the_same(journal):
    first = ask(journal)
    for _ in range(9):
        journal.close(ask(journal))
    size = journal.size
    journal.close(first, answer=b"{}", whole=True)
    assert first.duration_ns == 0
    assert journal.size == size


def test_what_many_records_have_in_common_is_kept_once(journal):
    records = [ask(journal, headers=[(b"accept", b"*/*")]) for _ in range(2)]
    for record in records:
        record.stream = StreamSummary()
        record.stream.wrote("start", 1)
        journal.close(record)
    assert records[0].headers is records[1].headers
    assert records[0].stream.frames is records[1].stream.frames


def test_answers_are_kept_whole_or_as_a_beginning(journal):
    whole, long = ask(journal), ask(journal)
    journal.close(whole, answer=b'{"a": 1}', whole=True)
    journal.close(long, answer=b'{"a": "' + b"x" * (ANSWER_KEPT - 8), whole=False)
    assert whole.answer_json == {"a": 1}
    assert (len(long.answer), long.answer_json) == (BODY_SHOWN, None)


def test_a_sandboxs_metadata_find_its_records_and_those_that_asked_for_it(journal):
    journal.metadata.add("i0a", {"userId": "1", "team": "a"})
    inside = ask(journal, "/sandboxes/i0a", "DELETE")
    refused = ask(journal, headers=JSON)
    journal.keep_body(refused, b'{"metadata": {"userId": "1", "team": "a"}}')
    ask(journal, "/sandboxes/i0b", "DELETE")
    assert journal.records(metadata={"userId": "1"}) == [inside, refused]
    assert journal.records(metadata={"userId": "1", "team": "b"}) == []


def test_records_are_found_by_command_text_and_predicate(journal):
    started = ask(journal, "/process.Process/Start", headers=JSON, plane=Plane.ENVD)
    body = {"process": {"cmd": "/bin/bash", "args": ["-l", "-c", 'echo "é" && npm test']}}
    journal.keep_body(started, json.dumps(body).encode())
    ended = journal.note("processEnded", kind=RecordKind.PROCESS, details={"command": "npm i"})
    ask(journal, "/sandboxes/npm")
    assert started.command == 'echo "é" && npm test'
    assert journal.records(command="npm") == [started, ended]
    assert journal.records(command='echo "é"*') == [started]
    assert journal.records(command="npm ?") == [ended]
    assert journal.records(command="re:^npm|é") == [started, ended]
    assert journal.records(text="npm i") == [ended]
    assert journal.records(where=lambda record: record.command == "npm i") == [ended]
    assert journal.records(operation="process*") == [ended]


def test_records_are_found_between_instants(journal, clock):
    first = ask(journal)
    clock.move_to(3 * SECOND_NS)
    second = ask(journal)
    instant = datetime.fromtimestamp(3, UTC)
    assert journal.records(since=instant) == [second]
    assert journal.records(until=instant) == [first]


@pytest.mark.parametrize(
    ("conditions", "says"),
    [
        ({"comand": "x"}, "did you mean 'command'?"),
        ({"kind": "requests"}, "did you mean 'request'?"),
        ({"operation": "creatSandbox"}, "did you mean 'createSandbox'?"),
        ({"since": datetime(2026, 1, 1)}, "no time zone"),  # noqa: DTZ001
        ({"command": "re:("}, "no regular expression"),
    ],
)
def test_a_condition_that_does_not_exist_is_refused(journal, conditions, says):
    with pytest.raises(UsageError, match=re.escape(says)):
        journal.records(**conditions)


def test_listeners_hear_of_every_change_until_they_are_ended(journal):
    heard = []
    end = journal.on_change(lambda record: heard.append((record.operation, record.is_open)))
    record = ask(journal, headers=JSON)
    journal.keep_body(record, b"{}")
    journal.close(record)
    journal.note("paused")
    end()
    journal.note("resumed")
    assert heard == [
        ("createSandbox", True),
        ("createSandbox", True),
        ("createSandbox", False),
        ("paused", False),
    ]


def test_a_long_output_shows_its_beginning_and_its_end(journal):
    record = ask(journal)
    record.stream = StreamSummary()
    for number in range(5_000):
        record.stream.add_output("stdout", f"{number}\n".encode())
    assert record.stdout is not None
    assert record.stdout.startswith("0\n1\n")
    assert record.stdout.endswith("4998\n4999\n")
    assert f"… {23_890 - OUTPUT_SHOWN} bytes left out …" in record.stdout
    assert len(record.stdout) < OUTPUT_SHOWN + 50
    assert record.stderr is None
    assert record.stream.says("4999")
    assert not record.stream.says("3000\n")


def test_no_part_of_a_token_is_left_where_an_output_is_cut(journal):
    token = "0123456789abcdef" * 4
    journal.secrets.add(token)
    for before, after in ((OUTPUT_SHOWN // 2 - 20, 100), (OUTPUT_SHOWN // 2 - 20, OUTPUT_SHOWN)):
        record = ask(journal)
        record.stream = StreamSummary()
        record.stream.add_output("stdout", b"." * before + token.encode() + b"." * after)
        journal.close(record)
        assert record.stdout is not None
        assert "0123456789" not in record.stdout
        assert "****" in record.stdout


def test_metadata_have_a_bound_of_their_own():
    metadata = SandboxMetadata(max_characters=100)
    for number in range(50):
        metadata.add(f"i{number}", {"number": f"{number:04}"})
    assert metadata.of("i49") == {"number": "0049"}
    assert metadata.having({}) == {f"i{number}" for number in range(40, 50)}
    assert metadata.having({"number": "0001"}) == set()
    metadata.add("i51", {})
    assert metadata.of("i51") is None


def test_the_instants_of_both_clocks_are_one_number_while_they_agree():
    real = ManualClock(5_000_000)
    clock = MovableClock(real, frozen=False)
    journal = Journal(clock, real)
    together = ask(journal)
    assert together.at_ns is together.real_ns
    clock.move_to(9_000_000)
    apart = ask(journal)
    assert (apart.at_ns, apart.real_ns) == (9_000_000, 5_000_000)
    journal.clear()
    assert journal.size == 0


def test_a_note_may_be_called_nearly_like_something_else(journal):
    assert journal.records(operation="my own words") == []
    note = journal.note("createSandboxes")
    assert journal.records(operation="createSandboxes") == [note]
