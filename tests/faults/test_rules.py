"""Rules on requests: which they hit, when, how often; by the published SDK."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from e2b import AsyncSandbox, NotFoundException, RateLimitException, Sandbox, SandboxException

from fake_e2b import FakeE2B, UsageError, effects


def test_a_status_in_place_of_the_answer(fake: FakeE2B) -> None:
    fault = fake.faults.add("createSandbox", effects.Status(429, message="slow down"))
    with pytest.raises(RateLimitException, match="slow down"):
        Sandbox.create()
    assert fault.hits == 1
    assert not fake.sandboxes()


async def test_a_status_in_async_clients(fake: FakeE2B) -> None:
    fake.faults.add("createSandbox", effects.Status(429), times=1)
    with pytest.raises(RateLimitException):
        await AsyncSandbox.create()
    sandbox = await AsyncSandbox.create()
    assert await sandbox.kill()


def test_after_the_work_and_before_the_answer(fake: FakeE2B) -> None:
    fake.faults.add("createSandbox", effects.Status(500), at="done")
    with pytest.raises(SandboxException):
        Sandbox.create()
    assert len(fake.sandboxes()) == 1


def test_a_client_that_may_try_again_does(fake: FakeE2B) -> None:
    fault = fake.faults.add(
        "createSandbox", effects.Status(503, should_retry=True, retry_after_s=0), times=2
    )
    Sandbox.create().kill()
    assert fault.hits == 2


def test_by_the_command_line(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    fault = fake.faults.add("Process.Start", effects.Status(500), command="rm *")
    assert sandbox.commands.run("echo rm it").stdout == "rm it\n"
    with pytest.raises(SandboxException):
        sandbox.commands.run("rm -rf /tmp/x")
    assert fault.hits == 1


def test_by_the_sandbox(fake: FakeE2B) -> None:
    first = Sandbox.create(metadata={"user": "1"})
    second = Sandbox.create(metadata={"user": "2"})
    by_metadata = fake.faults.add("files.*", effects.Status(500), metadata={"user": "1"})
    by_id = fake.faults.add("Process.Start", effects.Status(500), sandbox_id=second.sandbox_id)
    with pytest.raises(SandboxException):
        first.files.write("a", "b")
    second.files.write("a", "b")
    with pytest.raises(SandboxException):
        second.commands.run("true")
    first.commands.run("true")
    assert (by_metadata.hits, by_id.hits) == (1, 1)


def test_by_what_a_create_asks_for(fake: FakeE2B) -> None:
    fake.faults.add("createSandbox", effects.Status(500), metadata={"user": "1"}, template="base")
    Sandbox.create(metadata={"user": "2"})
    with pytest.raises(SandboxException):
        Sandbox.create(metadata={"user": "1", "more": "x"})


def test_by_a_predicate(fake: FakeE2B) -> None:
    fake.faults.add(
        "createSandbox", effects.Status(500), where=lambda asked: asked.body["timeout"] > 1000
    )
    Sandbox.create(timeout=60)
    with pytest.raises(SandboxException):
        Sandbox.create(timeout=1001)


def test_a_predicate_that_fails_is_named(fake: FakeE2B) -> None:
    fake.faults.add("createSandbox", effects.Status(500), where=lambda asked: asked.body["nope"])
    with pytest.raises(SandboxException) as caught:
        Sandbox.create()
    text = str(caught.value)
    assert "this is a bug in the test" in text
    assert "<lambda> (" in text
    assert "test_rules.py, line " in text
    assert "raised KeyError: 'nope'" in text
    assert "KeyError: 'nope'" in str(fake.journal.records(operation="createSandbox")[-1].traceback)


def test_a_predicate_may_fail_the_test(fake: FakeE2B) -> None:
    def where(asked: object) -> bool:
        pytest.fail("never to be asked")

    fake.faults.add("createSandbox", effects.Status(500), where=where)
    with pytest.raises(SandboxException, match="raised Failed: never to be asked"):
        Sandbox.create()
    fake.faults.reset()
    Sandbox.create()


def test_the_nth_and_every_nth(fake: FakeE2B) -> None:
    nth = fake.faults.add("getSandbox", effects.Latency(0), nth=2)
    every = fake.faults.add("getSandbox", effects.Latency(0), every=3)
    sandbox = Sandbox.create()
    for _ in range(7):
        sandbox.get_info()
    assert (nth.hits, every.hits, every.seen) == (1, 2, 7)


def test_the_same_seed_throws_the_same(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    fate = []
    for _ in range(2):
        with fake.faults.add("getSandbox", effects.Status(500), probability=0.5, name="dice"):
            fate.append([_is_refused(sandbox) for _ in range(20)])
    assert fate[0] == fate[1]
    assert set(fate[0]) == {True, False}


def _is_refused(sandbox: Sandbox) -> bool:
    try:
        sandbox.get_info()
    except SandboxException:
        return True
    return False


def test_between_two_instants(fake: FakeE2B) -> None:
    now = datetime.fromtimestamp(fake.clock.now_ns() / 1e9, UTC)
    past = fake.faults.add("getHealth", effects.Latency(0), until=now - timedelta(hours=1))
    future = fake.faults.add("getHealth", effects.Latency(0), since=now + timedelta(hours=1))
    present = fake.faults.add("getHealth", effects.Latency(0), since=now - timedelta(hours=1))
    assert httpx.get(f"{fake.url}/health").status_code == 200
    assert (past.hits, future.hits, present.hits) == (0, 0, 1)


@pytest.mark.parametrize("effect", [effects.Reset(), effects.Close()])
@pytest.mark.parametrize("at", ["arrived", "done"])
def test_a_connection_that_breaks(fake: FakeE2B, effect: effects.Effect, at: str) -> None:
    fake.faults.add("getHealth", effect, at=at)
    broken = httpx.ReadError if effect == effects.Reset() else httpx.RemoteProtocolError
    with pytest.raises(broken):
        httpx.get(f"{fake.url}/health")


def test_a_stream_that_breaks_before_a_frame(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    # Frames: the start, then one of each output, in either order.
    fake.faults.add("Process.Start", effects.Reset(), at="frame=3")
    shown: list[str] = []
    with pytest.raises(Exception, match=r"(?i)reset|connection|body"):
        sandbox.commands.run(
            "echo one; echo two >&2; sleep 600",
            on_stdout=shown.append,
            on_stderr=shown.append,
            timeout=0,
        )
    assert len(shown) == 1


@pytest.mark.parametrize("at", ["arrived", "done", "frame=2"])
def test_an_rpc_fails_as_envd_says_it(fake: FakeE2B, at: str) -> None:
    sandbox = Sandbox.create()
    fake.faults.add("Process.Start", effects.RpcError("not_found", "no such thing"), at=at)
    with pytest.raises(NotFoundException, match="no such thing"):
        sandbox.commands.run("echo hi")


async def test_a_unary_rpc_fails_likewise(fake: FakeE2B) -> None:
    sandbox = await AsyncSandbox.create()
    fake.faults.add("Filesystem.ListDir", effects.RpcError("permission_denied", "hands off"))
    with pytest.raises(SandboxException, match="hands off"):
        await sandbox.files.list("/")


def test_what_is_not_there_is_said(fake: FakeE2B) -> None:
    fault = fake.faults.add("getHealth", effects.Latency(0), name="slow health")
    with pytest.raises(UsageError, match="did you mean 'slow health'"):
        fake.faults.remove("slow helth")
    fault.remove()
    with pytest.raises(UsageError, match="no rule at all"):
        fault.remove()
    assert not fake.faults.list()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"operation": "createSandbx"}, "did you mean 'createSandbox'"),
        ({"operation": "Proces.*"}, "there is no operation"),
        ({"at": "frame=0"}, "frames are counted from 1"),
        ({"at": "later"}, 'at is "arrived", "done" or "frame=3"'),
        ({"at": "frame=2"}, "status cannot act at frame=2; it acts at arrived, done"),
        ({"command": "re:("}, "is no regular expression"),
        ({"times": 0}, "times is at least 1"),
        ({"nth": 0}, "nth counts from 1"),
        ({"probability": 1.5}, "above 0 and at most 1"),
        ({"since": datetime(2026, 1, 1)}, "needs a time zone"),  # noqa: DTZ001
        ({"name": "a/b"}, "without '/'"),
        ({"effect": effects.RpcError("internal")}, r"acts on Process.\* and Filesystem.\* only"),
    ],
)
def test_what_can_never_be_is_refused(
    fake: FakeE2B, arguments: dict[str, object], text: str
) -> None:
    given = {"operation": "createSandbox", "effect": effects.Status(500), **arguments}
    with pytest.raises(UsageError, match=text):
        fake.faults.add(**given)  # type: ignore[arg-type]
    assert not fake.faults.list()


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ({"efect": {}}, "did you mean 'effect'"),
        ({}, "effect must be a table with a kind: one of status"),
        ({"effect": {"kind": "statsu"}}, "did you mean 'status'"),
        ({"effect": {"kind": "status"}}, "effect 'status' needs 'status'"),
        ({"effect": {"kind": "status", "status": "500"}}, "must be a whole number"),
        ({"effect": {"kind": "latency", "seconds": -1}}, "seconds is from 0"),
        ({"effect": {"kind": "status", "status": 500, "retryAfter": 1}}, "'retryAfterS'|retry_aft"),
        ({"match": {"sandbox": "x"}, "effect": {"kind": "close"}}, "match does not know 'sandbox'"),
    ],
)
def test_tables_are_read_as_strictly(fake: FakeE2B, table: dict[str, object], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        fake.faults.add_table(table)


def test_a_table_says_the_same_as_python(fake: FakeE2B) -> None:
    fault = fake.faults.add_table(
        {
            "match": {"operation": "createSandbox", "metadata": {"user": "1"}},
            "effect": {"kind": "status", "status": 429, "retryAfterS": 2},
            "times": 1,
        }
    )
    other = fake.faults.add(
        "createSandbox", effects.Status(429, retry_after_s=2), metadata={"user": "1"}, times=1
    )
    assert (fault.rule.match, fault.rule.effect) == (other.rule.match, other.rule.effect)


def test_every_hit_is_in_the_journal(fake: FakeE2B) -> None:
    fake.faults.add("getHealth", effects.Status(503), name="ill")
    httpx.get(f"{fake.url}/health")
    [hit] = fake.journal.records(operation="faultHit")
    [asked] = fake.journal.records(operation="getHealth")
    assert hit.json == {
        "rule": "ill",
        "effect": "status",
        "operation": "getHealth",
        "request": asked.sequence,
        "at": "arrived",
    }


def test_what_an_answer_says_of_retrying(fake: FakeE2B) -> None:
    said = []
    for effect in (
        effects.Status(429),
        effects.Status(503, should_retry=True),
        effects.Status(503, retry_after_s=2),
        effects.Status(500),
        effects.Status(429, headers={"Should-Retry": "maybe", "X-More": "1"}, body={"a": 1}),
    ):
        with fake.faults.add("getHealth", effect):
            answer = httpx.get(f"{fake.url}/health")
            said.append((answer.headers.get("Retry-After"), answer.headers.get("Should-Retry")))
    assert said == [(None, "false"), (None, "true"), ("2", None), (None, None), (None, "maybe")]
    assert (answer.json(), answer.headers["X-More"]) == ({"a": 1}, "1")
