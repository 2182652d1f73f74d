from __future__ import annotations

import json
import re

import pytest

from fake_e2b.backend.journal import Journal
from fake_e2b.backend.journal_fields import Condition
from fake_e2b.backend.verification import (
    Count,
    JournalMismatchError,
    Wanted,
    verify,
    verify_order,
)
from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.journal import RecordKind, StreamSummary
from fake_e2b.domain.operations import Plane
from tests.helpers.clock import ManualClock

JSON = [(b"content-type", b"application/json"), (b"x-my-header", b"yes")]


@pytest.fixture
def journal():
    clock = ManualClock(0)
    return Journal(clock, clock)


def ask(journal, path="/sandboxes", method="POST", body=None, status=201, answer=None):
    plane = Plane.ENVD if path.startswith("/process") else Plane.CONTROL
    record = journal.open(method, path, JSON, "127.0.0.1:5")
    journal.identify(record, plane)
    if body is not None:
        journal.keep_body(record, json.dumps(body).encode())
    record.status = status
    journal.close(record, answer=b"" if answer is None else json.dumps(answer).encode(), whole=True)
    return record


def create(journal, user="123", **more):
    body = {"templateID": "base", "timeout": 300, "metadata": {"userId": user, "n": [1, {"a": 2}]}}
    return ask(
        journal, body={**body, **more}, answer={"sandboxID": "i0a", "token": "0123456789abcdef"}
    )


def found(journal, operation="createSandbox", **fields):
    wanted = Wanted.of(operation, fields)
    return wanted.among(journal.records(), journal.metadata)


def failure(journal, operation="createSandbox", times=1, where=None, **fields):
    wanted = Wanted.of(operation, fields, where=where)
    with pytest.raises(JournalMismatchError) as caught:
        verify(journal.records(), wanted, Count.of(times), journal.metadata)
    return caught.value


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"status": 201},
        {"status__gte": 200, "status__lt": 300},
        {"status__in": [200, 201]},
        {"status__ne": 500},
        {"body__metadata__userId": "123"},
        {"body__metadata": {"userId": "123", "n": [1, {"a": 2}]}},
        {"body__metadata__contains": {"userId": "123"}},
        {"body__metadata__contains": "userId"},
        {"body__metadata__n__1__a": 2},
        {"body__metadata__n__len": 2},
        {"body__metadata__userId__matches": r"^\d+$"},
        {"body__metadata__userId__startswith": "1"},
        {"body__metadata__userId__endswith": "3"},
        {"body__templateID__icontains": "BAS"},
        {"body__contains": '"timeout"'},
        {"body__nothing__exists": False, "body__timeout__exists": True},
        {"body__nothing__ne": 5},
        {"body__timeout__gt": 299.5},
        {"answer__sandboxID": "i0a", "sandbox_id": "i0a", "sandboxID": "i0a"},
        {"answer__token": "0123456789abcdef"},
        {"header__x_my_header": "yes"},
        {"header__content_type__startswith": "application/"},
        {"query__a": "1 2"},
        {"method": "POST", "path__contains": "/sandboxes"},
        {"kind": "request", "operation": "createSandbox"},
        {"duration_ms": 0, "durationMs__lte": 1, "traceback": None, "received": 0},
        {"metadata__userId": "123"},
    ],
    ids=str,
)
def test_fields_and_operators(journal, fields):
    journal.metadata.add("i0a", {"userId": "123"})
    record = create(journal)
    record.path = "/sandboxes?a=1%202"
    assert found(journal, **fields) == [record]


@pytest.mark.parametrize(
    "fields",
    [
        {"status": 200},
        {"status__gt": 201},
        {"status": True},
        {"status__lt": "300"},
        {"body__metadata__userId": 123},
        {"body__metadata": {"userId": "123"}},
        {"body__nothing": None},
        {"body__nothing__gt": 1},
        {"body__metadata__n__7": 1},
        {"body__timeout__deeper": 1},
        {"body__timeout__exists": False},
        {"body__timeout__matches": "3"},
        {"answer__token": "another"},
        {"header__missing": "yes"},
        {"metadata__userId": "123"},
        {"frames__start": 1},
        {"command": "echo"},
        {"traceback__exists": True},
    ],
    ids=str,
)
def test_what_does_not_hold(journal, fields):
    create(journal)
    assert found(journal, **fields) == []


def test_streams_processes_and_commands_have_fields_of_their_own(journal):
    body = {"process": {"cmd": "/bin/bash", "args": ["-l", "-c", "npm test"]}}
    record = ask(journal, "/process.Process/Start", body=body, status=200)
    record.stream = StreamSummary()
    record.stream.wrote("start", 5)
    record.stream.add_output("stderr", b"bad\n")
    record.stream.exit_code = 1
    ended = journal.note(
        "processEnded", kind=RecordKind.PROCESS, details={"command": "npm i", "exitCode": 2}
    )
    fields = {"command__contains": "npm", "exit_code": 1, "stderr": "bad\n", "frames__start": 1}
    assert found(journal, "Process.Start", stdout=None, pty=None, error="", **fields) == [record]
    assert found(journal, "processEnded", exit_code=2, command="npm i", body__exitCode=2) == [ended]
    assert found(journal, "[Pp]rocess*", command__contains="npm") == [record, ended]


def test_a_masked_value_is_compared_by_what_is_left_of_it(journal):
    record = create(journal, envVars={"OPENAI_KEY": "sk-0123456789abcdef"})
    assert found(journal, body__envVars__OPENAI_KEY="sk-0123456789abcdef") == [record]
    assert found(journal, body__envVars={"OPENAI_KEY": "sk-0123456789abcdef"}) == [record]
    assert found(journal, body__envVars__OPENAI_KEY="sk-0123456789abcxyz") == []


def test_a_secret_that_is_hidden_wholly_cannot_be_compared(journal):
    create(journal, envVars={"PASSWORD": "hunter2"})
    error = failure(journal, body__envVars__PASSWORD="hunter2")
    assert "'****' (masked; a secret as short as this cannot be compared)" in str(error)


@pytest.mark.parametrize(
    ("operation", "fields", "says"),
    [
        ("createSandox", {}, "did you mean 'createSandbox'?"),
        ("Process.Strat", {}, "did you mean 'Process.Start'?"),
        ("Proces.*", {}, "no operation or event 'Proces.*'"),
        ("procesEnded", {}, "did you mean 'processEnded'?"),
        ("createSandbox", {"boddy__x": 1}, "did you mean 'body'?"),
        ("createSandbox", {"status__gtt": 1}, "'gtt' is no operator"),
        ("createSandbox", {"status__code": 1}, "status has no parts"),
        ("createSandbox", {"body____x": 1}, "a part of the path is empty"),
        ("createSandbox", {"body__x__matches": "("}, "no regular expression"),
        ("createSandbox", {"status__in": 5}, "needs a list"),
        ("createSandbox", {"status__in": "201"}, "needs a list"),
        ("createSandbox", {"path__startswith": 5}, "needs a text"),
        ("createSandbox", {"body__len": -1}, "whole number"),
        ("createSandbox", {"body__exists": 1}, "True or False"),
    ],
)
def test_what_does_not_exist_is_refused_at_once(operation, fields, says):
    with pytest.raises(UsageError, match=re.escape(says)):
        Wanted.of(operation, fields)


@pytest.mark.parametrize(
    "given",
    [
        {"times": -1},
        {"times": True},
        {"times": 1, "at_least": 1},
        {"at_least": 3, "at_most": 2},
        {"at_most": 1.5},
    ],
)
def test_impossible_counts_are_refused(given):
    with pytest.raises(UsageError):
        Count.of(**given)


@pytest.mark.parametrize(
    ("given", "fits"),
    [
        ({}, [1]),
        ({"times": 0}, [0]),
        ({"times": 2}, [2]),
        ({"at_least": 2}, [2, 3]),
        ({"at_most": 1}, [0, 1]),
        ({"at_least": 1, "at_most": 2}, [1, 2]),
    ],
)
def test_counts(given, fits):
    count = Count.of(**given)
    assert [number for number in range(4) if number in count] == fits


def test_the_nearest_miss_is_shown_field_by_field(journal):
    ask(journal, body={"templateID": "base"}, status=400)
    near = create(journal, user="124")
    create(journal, user="something else", timeout=5)
    error = failure(journal, body__metadata__userId="123", body__timeout=300, status__gte=200)
    assert error.nearest is near
    assert [(each.field, each.wanted, each.got) for each in error.differences] == [
        ("body.metadata.userId", "'123'", "124")
    ]
    assert str(error).splitlines() == [
        "expected exactly 1 × createSandbox with body.metadata.userId = '123' and "
        "body.timeout = 300 and status ≥ 200; found 0",
        "nearest of 3 × createSandbox: #1 createSandbox POST /sandboxes → 201 [i0a]",
        "    field                 wanted  got",
        "    body.metadata.userId  '123'   '124'",
    ]


def test_a_name_that_is_not_in_the_body_is_answered_with_those_that_are(journal):
    create(journal)
    error = failure(journal, body__metdata__userId="123")
    assert "(missing); there is metadata, templateID, timeout; did you mean 'metadata'?" in str(
        error
    )


def test_what_was_asked_at_all_is_shown_when_nothing_is_near(journal):
    assert str(failure(journal)).endswith("found 0\nnothing was asked of the fake")
    ask(journal, "/sandboxes/i0a", "DELETE")
    ask(journal, "/sandboxes/i0b", "DELETE")
    journal.note("killed")
    assert str(failure(journal)).splitlines()[1:] == [
        "asked: 2 × killSandbox",
        "happened: 1 × killed",
    ]


def test_too_many_are_listed(journal):
    for number in range(12):
        create(journal, user=str(number))
    error = failure(journal, times=0)
    lines = str(error).splitlines()
    assert lines[0] == "expected no × createSandbox; found 12:"
    assert lines[1] == "    #0 createSandbox POST /sandboxes → 201 [i0a]"
    assert lines[-1] == "    … and 2 more"
    assert len(error.matched) == 12
    assert error.nearest is None


def test_too_few_show_those_that_fit_and_the_nearest_other(journal):
    create(journal)
    create(journal, user="x")
    text = str(failure(journal, times=2, body__metadata__userId="123"))
    assert "found 1:\n    #0 createSandbox" in text
    assert "nearest of 2 × createSandbox: #1" in text


def test_a_predicate_is_named(journal):
    create(journal)

    def has_a_long_life(record):
        return record.json["timeout"] > 1000

    text = str(failure(journal, where=has_a_long_life))
    assert "createSandbox with where has_a_long_life; found 0" in text
    assert "has_a_long_life(record)  False" in text


def test_an_order_is_kept_with_others_between(journal):
    first = create(journal)
    ask(journal, "/sandboxes/i0a", "GET")
    second = ask(journal, "/sandboxes/i0a", "DELETE")
    steps = [Wanted.of("createSandbox", {"status": 201}), Wanted.of("killSandbox", {})]
    assert verify_order(journal.records(), steps, journal.metadata) == [first, second]


def test_a_step_that_comes_too_early_is_shown(journal):
    ask(journal, "/sandboxes/i0a", "DELETE", status=204)
    create(journal)
    steps = [Wanted.of(name, {}) for name in ("createSandbox", "killSandbox", "listSandboxes")]
    with pytest.raises(JournalMismatchError) as caught:
        verify_order(journal.records(), steps, journal.metadata)
    assert str(caught.value).splitlines() == [
        "expected in this order:",
        "  1. createSandbox: #1 createSandbox POST /sandboxes → 201 [i0a]",
        "  2. killSandbox: not after that, but before: #0 killSandbox DELETE /sandboxes/i0a → 204",
        "  3. listSandboxes",
    ]


def test_a_step_that_is_missing_shows_the_nearest_later_one(journal):
    create(journal)
    ask(journal, "/sandboxes/i0a", "DELETE", status=404)
    steps = [Wanted.of("createSandbox", {}), Wanted.of("killSandbox", {"status": 204})]
    with pytest.raises(JournalMismatchError) as caught:
        verify_order(journal.records(), steps, journal.metadata)
    assert "2. killSandbox with status = 204: not found after that" in str(caught.value)
    assert "status  204     404" in str(caught.value)


def test_conditions_are_shown_as_people_write_them():
    shown = [
        str(Condition.of(name, value))
        for name, value in (("body__a__b", 1), ("status__in", [1]), ("body__a__exists", False))
    ]
    assert shown == ["body.a.b = 1", "status in [1]", "body.a not there"]
