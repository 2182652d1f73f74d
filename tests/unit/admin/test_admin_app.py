from __future__ import annotations

import json
from dataclasses import dataclass, field

import jsonschema_rs
import pytest

from fake_e2b._version import __version__
from fake_e2b.admin.app import PAGES, admin_app
from fake_e2b.admin.openapi import admin_paths, joined
from fake_e2b.admin.parts import AdminParts
from fake_e2b.backend.journal import Journal
from fake_e2b.backend.steering import RuleTable
from fake_e2b.domain.clock import SECOND_NS, MovableClock
from fake_e2b.domain.due import Deadline, Happening
from fake_e2b.domain.ids import IdSource, SandboxID, TeamID, TemplateID
from fake_e2b.domain.journal import RecordKind, StreamSummary
from fake_e2b.domain.operations import Plane
from fake_e2b.domain.ports import Capability
from fake_e2b.domain.sandbox import Sandbox
from fake_e2b.server.steering.gates import Gates
from fake_e2b.server.stubs.service import Stubs
from tests.helpers.asgi import client_of
from tests.helpers.clock import ManualClock

NOON_NS = 1_800_000_000 * SECOND_NS


@dataclass
class SomeRuntime:
    name: str = "local"
    capabilities: frozenset[Capability] = frozenset({Capability.WATCHERS, Capability.OWN_USERS})


@dataclass
class World:
    """What the pages show, in plain values."""

    clock: MovableClock
    due: Deadline | None = None
    resets: int = 0
    rules: RuleTable = field(
        default_factory=lambda: RuleTable(IdSource(1).dice, lambda each, asked: None)
    )
    gates: Gates = field(default_factory=Gates)
    sandboxes: list[Sandbox] = field(default_factory=list)

    async def advance(self, by_ns: int) -> list[Happening]:
        return await self.set(self.clock.now_ns() + by_ns)

    async def set(self, to_ns: int) -> list[Happening]:
        self.clock.move_to(to_ns)
        return [Happening(to_ns, "paused", SandboxID("i0a"))]

    async def freeze(self) -> None:
        self.clock.freeze()

    async def follow(self) -> None:
        self.clock.follow()

    async def reset(self) -> None:
        self.resets += 1


@pytest.fixture
def world():
    return World(MovableClock(ManualClock(NOON_NS), frozen=True))


@pytest.fixture
def parts(world):
    journal = Journal(world.clock, world.clock)
    return AdminParts(
        clock=world.clock,
        journal=journal,
        runtime=SomeRuntime(),
        seed=7,
        sandboxes=lambda: world.sandboxes,
        env=lambda: {"E2B_API_KEY": "e2b_00"},
        credentials=lambda: {"adminToken": "secret"},
        timekeeper=world,
        next_deadline=lambda: world.due,
        rules=world.rules,
        gate=world.gates.gate,
        stubs=Stubs(world.clock, world.clock, journal),
        misfortunes=None,  # tests/faults/sandboxes/test_over_http.py has these
        note_misfortune=None,
        seeding=None,  # tests/seeding/test_seed_over_http.py has it
        reset=world.reset,
        openapi=lambda: {"openapi": "3.0.0", "paths": {"/sandboxes": {}}, "components": {}},
    )


@pytest.fixture
def client(parts):
    return client_of(admin_app(parts))


def sandbox(**changes):
    return Sandbox(
        **{
            "sandbox_id": SandboxID("i0a"),
            "template_id": TemplateID("t0"),
            "team_id": TeamID("team"),
            "alias": "base",
            "started_at_ns": NOON_NS,
            "end_at_ns": NOON_NS + 300 * SECOND_NS,
            "created_timeout_s": 300,
            "cpu_count": 2,
            "memory_mb": 512,
            "disk_size_mb": 1024,
            "envd_version": "0.6.13",
            "envd_access_token": "0123456789abcdef" * 4,
            "traffic_access_token": None,
            "metadata": {"userId": "<1>"},
            "env_vars": {"SECRET": "s3cr3t"},
            **changes,
        }
    )


async def test_health_names_the_version(client):
    answer = await client.get("/_fake/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "version": __version__})
    assert answer.headers["cache-control"] == "no-store"


async def test_state_shows_what_exists_and_no_secret(client, world):
    world.sandboxes.append(sandbox())
    answer = await client.get("/_fake/state")
    state = answer.json()
    assert state["sandboxes"] == [
        {
            "sandboxID": "i0a",
            "templateID": "t0",
            "alias": "base",
            "teamID": "team",
            "state": "running",
            "startedAt": "2027-01-15T08:00:00Z",
            "endAt": "2027-01-15T08:05:00Z",
            "onTimeout": "kill",
            "autoResume": False,
            "metadata": {"userId": "<1>"},
        }
    ]
    assert state["runtime"] == {"name": "local", "capabilities": ["own_users", "watchers"]}
    assert (state["seed"], state["clock"]["mode"]) == (7, "frozen")
    assert "0123456789abcdef" not in answer.text
    assert "s3cr3t" not in answer.text


async def test_env_gives_the_variables_of_a_client(client):
    assert (await client.get("/_fake/env")).json() == {"E2B_API_KEY": "e2b_00"}


async def test_reset_answers_when_it_is_done(client, world):
    answer = await client.post("/_fake/reset")
    assert (answer.status_code, answer.json(), world.resets) == (200, {"next": 0}, 1)


async def test_the_journal_is_read_with_filters(client, parts):
    for path in ("/sandboxes", "/sandboxes/i0a", "/sandboxes/i0b"):
        record = parts.journal.open("GET", path, [(b"x-api-key", b"k" * 20)], "127.0.0.1:1")
        parts.journal.identify(record, Plane.CONTROL)
        record.status = 200
        parts.journal.close(record)
    everything = (await client.get("/_fake/journal")).json()
    assert (everything["oldest"], everything["next"], len(everything["records"])) == (0, 3, 3)
    assert everything["records"][0]["headers"] == [["x-api-key", "****kkkk"]]

    async def found(query):
        records = (await client.get(f"/_fake/journal?{query}")).json()["records"]
        return [record["sequence"] for record in records]

    assert await found("since=1&until=2") == [1]
    assert await found("operation=getSandbox") == [1, 2]
    assert await found("sandbox=i0b") == [2]
    assert await found("path=/i0") == [1, 2]
    assert await found("method=get&status=200&kind=request&last=1") == [2]
    assert await found("kind=state") == []
    parts.journal.metadata.add("i0b", {"userId": "5", "name": "a&b"})
    assert await found("metadata=userId%3D5%26name%3Da%2526b") == [2]
    assert await found("metadata=userId%3D6") == []
    assert await found("text=sandboxes/i0a") == [1]
    assert await found("operation=*Sandboxes") == [0]
    assert await found("since=2027-01-15T08:00:00Z&until=2027-01-15T08:00:01Z") == [0, 1, 2]
    assert await found("since=2027-01-15T08:00:01Z") == []


async def test_the_journal_is_read_as_lines(client, parts):
    for path in ("/sandboxes", "/sandboxes/i0a"):
        parts.journal.close(parts.journal.open("GET", path, [], ""))
    answer = await client.get("/_fake/journal?format=jsonl&path=i0a")
    assert answer.headers["content-type"] == "application/x-ndjson"
    (line,) = answer.text.splitlines()
    assert json.loads(line)["path"] == "/sandboxes/i0a"


async def test_processes_and_commands_are_found_by_what_they_run(client, parts):
    for command in ("npm install", "npm test"):
        parts.journal.note("processStarted", kind=RecordKind.PROCESS, details={"command": command})

    async def found(query):
        records = (await client.get("/_fake/journal", params=query)).json()["records"]
        return [record["command"] for record in records]

    assert await found({"command": "npm"}) == ["npm install", "npm test"]
    assert await found({"command": "npm i*"}) == ["npm install"]
    assert await found({"command": "re:t$"}) == ["npm test"]
    assert await found({"kind": "process", "last": "1"}) == ["npm test"]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("sinse=1", "known are: command, details, follow, format, kind, last, metadata, method"),
        ("last=1&last=2", "'last' is given twice"),
        ("last=-1", "'last' must be a whole number from 0, e.g. last=20"),
        ("since=" + "9" * 5000, "'since' must be a whole number"),
        ("kind=faults", "did you mean 'fault'?"),
        ("since=2026-11-27", "whole number or an instant such as 2026-11-27T10:00:00Z"),
        ("metadata=userId", "name=value pairs"),
        ("command=re:(", "no regular expression"),
        ("format=csv", "'format' must be json or jsonl, not 'csv'"),
        ("details=yes", "'details' must be true or false"),
        ("follow=true", "goes with format=jsonl"),
        ("format=jsonl&follow=1", "'follow' must be true or false"),
    ],
)
async def test_a_wrong_filter_is_refused_with_the_right_form(client, query, says):
    answer = await client.get(f"/_fake/journal?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, 400)
    assert says in answer.json()["message"]


async def test_the_clock_is_read_and_moved(client, world):
    before = (await client.get("/_fake/clock")).json()
    assert before == {"mode": "frozen", "now": "2027-01-15T08:00:00Z", "nextDeadline": None}
    world.due = Deadline(NOON_NS + 60 * SECOND_NS, "kill", SandboxID("i0b"))
    due = {"at": "2027-01-15T08:01:00Z", "action": "kill", "sandboxID": "i0b"}
    for path, body, now in (
        ("advance", {"seconds": 1.5}, "2027-01-15T08:00:01.5Z"),
        ("set", {"to": "2027-01-15T08:00:02Z"}, "2027-01-15T08:00:02Z"),
        ("set", {"to": "2027-01-15T09:00:03+01:00"}, "2027-01-15T08:00:03Z"),
    ):
        after = await client.post(f"/_fake/clock/{path}", json=body)
        assert after.json() == {
            "mode": "frozen",
            "now": now,
            "nextDeadline": due,
            "happened": [{"at": now, "outcome": "paused", "sandboxID": "i0a"}],
        }


async def test_the_clock_is_let_go_and_frozen(client):
    assert (await client.post("/_fake/clock/follow")).json()["mode"] == "following"
    assert (await client.post("/_fake/clock/freeze")).json()["mode"] == "frozen"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"null",
        b'{"to": 5}',
        b'{"to": "tomorrow"}',
        b'{"to": "2028-01-01"}',
        b'{"to": "2028-01-01T00:00:00"}',
        b'{"to": "2028-13-01T00:00:00Z"}',
        b'{"to": "2028-01-01T00:00:00Z", "seconds": 1}',
    ],
)
async def test_a_wrong_instant_is_refused_and_moves_nothing(client, world, body):
    answer = await client.post("/_fake/clock/set", content=body)
    assert answer.status_code == 400
    assert '{"to": "2030-01-01T00:00:00Z"}' in answer.json()["message"]
    assert world.clock.now_ns() == NOON_NS


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"{}",
        b'{"seconds": "5"}',
        b'{"seconds": true}',
        b'{"seconds": NaN}',
        b'{"seconds": Infinity}',
        b'{"seconds": -1}',
        b'{"seconds": 1e300}',
        b'{"seconds": 1' + b"0" * 400 + b"}",
        b'{"seconds": 1, "minutes": 1}',
        b"[" * 60_000,
        b" " * 70_000,
        b"\xff",
    ],
)
async def test_a_wrong_advance_is_refused_and_moves_nothing(client, world, body):
    answer = await client.post("/_fake/clock/advance", content=body)
    assert answer.status_code == 400
    assert "seconds" in answer.json()["message"]
    assert world.clock.now_ns() == NOON_NS


async def test_the_index_escapes_what_clients_sent(client, parts, world):
    world.sandboxes.append(sandbox(alias="<script>"))
    parts.journal.open("GET", "/<script>alert(1)</script>", [], "")
    page = await client.get("/_fake/")
    assert page.headers["content-type"].startswith("text/html")
    assert "<script>" not in page.text
    assert "&lt;script&gt;" in page.text
    assert (await client.get("/_fake")).text == page.text


async def test_an_unknown_page_names_those_that_exist(client):
    answer = await client.get("/_fake/jornal")
    assert answer.status_code == 404
    assert "/_fake/journal" in answer.json()["message"]


async def test_a_wrong_method_names_the_right_one(client):
    answer = await client.get("/_fake/reset")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_pages_of_other_sites_may_not_steer_the_fake(client, world):
    for origin in ("http://evil.example", "null"):
        answer = await client.post("/_fake/reset", headers={"Origin": origin})
        assert answer.status_code == 403
    assert world.resets == 0
    own = await client.post("/_fake/reset", headers={"Origin": "http://127.0.0.1:3000"})
    assert own.status_code == 200


async def test_the_document_describes_every_page_beside_the_api(client):
    document = (await client.get("/_fake/openapi.json")).json()
    assert "/sandboxes" in document["paths"]
    described = {path: {method.upper() for method in document["paths"][path]} for path in PAGES}
    assert described == {path: set(pages) for path, pages in PAGES.items()}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/_fake/health", None),
        ("GET", "/_fake/state", None),
        ("GET", "/_fake/env", None),
        ("GET", "/_fake/journal", None),
        ("GET", "/_fake/journal?details=true", None),
        ("GET", "/_fake/journal?last=x", None),
        ("POST", "/_fake/journal/expect", {"operation": "unknown", "times": 2}),
        ("POST", "/_fake/journal/expect", {"operation": "unknown", "fields": {"body__a": 1}}),
        ("POST", "/_fake/journal/expect", {"operation": "unknwon"}),
        ("POST", "/_fake/journal/expect", {"inOrder": [{"operation": "expired"}]}),
        ("GET", "/_fake/clock", None),
        ("POST", "/_fake/clock/advance", {"seconds": 1}),
        ("POST", "/_fake/clock/advance", {}),
        ("POST", "/_fake/clock/set", {"to": "2028-01-01T00:00:00Z"}),
        ("POST", "/_fake/clock/set", {"to": "x"}),
        ("POST", "/_fake/clock/freeze", None),
        ("POST", "/_fake/clock/follow", None),
        ("POST", "/_fake/reset", None),
        ("GET", "/_fake/faults", None),
        ("POST", "/_fake/faults", {"effect": {"kind": "status", "status": 503}, "times": 2}),
        ("POST", "/_fake/faults", {"effect": {"kind": "no such"}}),
        ("GET", "/_fake/profiles", None),
        ("POST", "/_fake/profiles", {"name": "slow-start", "seed": 7}),
        ("POST", "/_fake/profiles", {"name": "slow-strat"}),
        ("GET", "/_fake/gates", None),
        ("POST", "/_fake/gates", {"match": {"operation": "Process.*"}, "at": "frame=2"}),
        ("POST", "/_fake/gates", {"effect": {"kind": "hold"}}),
        ("GET", "/_fake/stubs", None),
        ("POST", "/_fake/stubs", {"command": "npm install", "exitCode": 1, "times": 2}),
        ("POST", "/_fake/stubs", {"command": "cd /tmp"}),
    ],
)
async def test_every_answer_is_as_the_document_says(client, parts, world, method, path, body):
    world.sandboxes.append(sandbox(metadata=None))
    world.due = Deadline(NOON_NS, "pause", SandboxID("i0a"))
    parts.journal.open("GET", "/sandboxes", [(b"accept", b"*/*")], "127.0.0.1:1")
    parts.journal.note("expired", sandbox_id="i0a")
    streamed = parts.journal.open("POST", "/process.Process/Start", [], "")
    streamed.stream = StreamSummary()
    streamed.stream.wrote("start", 1)
    answer = await client.request(method, path, json=body)
    document = (await client.get("/_fake/openapi.json")).json()
    operation = document["paths"][path.partition("?")[0]][method.lower()]
    described = operation["responses"][str(answer.status_code)]["content"]["application/json"]
    validator = jsonschema_rs.validator_for(
        {**described["schema"], "components": document["components"]}, validate_formats=True
    )
    assert [str(error) for error in validator.iter_errors(answer.json())] == []


def test_every_schema_that_is_referred_to_exists():
    document = joined({})
    text = json.dumps(document)
    referred = {part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert referred <= set(document["components"]["schemas"])
    assert admin_paths().keys() == PAGES.keys()
