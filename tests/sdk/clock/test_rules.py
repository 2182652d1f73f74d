"""Every rule of the service that has to do with time, by the fake's clock.

docs/clock.md lists them.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest
from e2b import AsyncSandbox, NotFoundException, RateLimitException, Sandbox, SandboxState

from fake_e2b import FakeE2B, effects
from tests.helpers.waiting import wait_until

DAY_S = 86_400
YEAR_S = 366 * DAY_S


@pytest.fixture(autouse=True)
def far_ahead(fake: FakeE2B) -> None:
    """So that whatever takes the machine's time instead shows."""
    fake.clock.advance(seconds=YEAR_S)


def ask(fake: FakeE2B, method: str, path: str, **options: Any) -> httpx.Response:
    headers = {"X-API-Key": fake.api_key, **options.pop("headers", {})}
    answer = httpx.request(
        method, f"{fake.url}{path}", headers=headers, trust_env=False, timeout=60, **options
    )
    answer.raise_for_status()
    return answer


def is_now(fake: FakeE2B, moment: datetime | str) -> bool:
    """Whether it is the fake's time and not the machine's, which is a year behind."""
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    return abs(fake.clock.now - moment) < timedelta(hours=1)


def test_starts_and_ends(fake: FakeE2B) -> None:
    info = Sandbox.create(timeout=60).get_info()
    assert is_now(fake, info.started_at)
    assert info.end_at - info.started_at == timedelta(seconds=60)


async def test_a_pause_at_the_end_and_the_time_after_traffic_wakes_it(fake: FakeE2B) -> None:
    sandbox = await AsyncSandbox.create(
        timeout=60, lifecycle={"on_timeout": "pause", "auto_resume": True}
    )
    fake.clock.advance(seconds=60)
    assert (await sandbox.get_info()).state is SandboxState.PAUSED
    fake.clock.advance(seconds=DAY_S)
    assert (await sandbox.commands.run("echo awake")).stdout == "awake\n"
    info = await sandbox.get_info()
    assert is_now(fake, info.started_at)
    assert info.end_at - info.started_at == timedelta(seconds=300)
    [paused] = fake.clock.advance(seconds=300)
    assert paused.outcome == "paused"


def test_extensions_count_from_now(fake: FakeE2B) -> None:
    sandbox = Sandbox.create(timeout=60)
    fake.clock.advance(seconds=50)
    sandbox.connect(timeout=60)
    assert fake.clock.advance(seconds=30) == []
    sandbox.set_timeout(10)
    ask(fake, "POST", f"/sandboxes/{sandbox.sandbox_id}/refreshes", json={"duration": 60})
    assert fake.clock.advance(seconds=30) == []
    assert len(fake.clock.advance(seconds=30)) == 1


def test_the_longest_run(fake: FakeE2B) -> None:
    sandbox = Sandbox.create(timeout=DAY_S)
    assert fake.clock.advance(seconds=DAY_S - 3600) == []
    sandbox.set_timeout(DAY_S)
    [killed] = fake.clock.advance(seconds=3600)
    assert killed.sandbox_id == sandbox.sandbox_id


def test_signed_urls(fake: FakeE2B) -> None:
    sandbox = Sandbox.create(timeout=3600)
    sandbox.files.write("note.txt", "text")
    # The client signs with the machine's clock, which is a year behind.
    url = sandbox.download_url("note.txt", use_signature_expiration=YEAR_S + 600)
    assert httpx.get(url, trust_env=False).text == "text"
    fake.clock.advance(seconds=700)
    refused = httpx.get(url, trust_env=False)
    assert (refused.status_code, refused.json()["message"]) == (401, "signature is already expired")


def test_keys_and_tokens_last(fake: FakeE2B) -> None:
    paused = Sandbox.create()
    paused.files.write("note.txt", "text")
    paused.pause()
    fake.clock.advance(seconds=100 * YEAR_S)
    again = paused.connect()
    assert again.files.read("note.txt") == "text"


def test_pages_go_by_the_start_while_some_die(fake: FakeE2B) -> None:
    made = []
    for number in range(6):
        made.append(Sandbox.create(timeout=60 + 60 * number))
        fake.clock.advance(seconds=1)
    pages = Sandbox.list(limit=2)
    found = [each.sandbox_id for each in pages.next_items()]
    # The one that the next page begins after may be gone by then.
    fake.clock.advance(seconds=60)
    made[4].kill()
    while pages.has_next:
        found += [each.sandbox_id for each in pages.next_items()]
    assert found == [made[number].sandbox_id for number in (5, 4, 3, 2, 1)]


def test_metrics(fake: FakeE2B) -> None:
    sandbox = Sandbox.create(timeout=3600)
    [first] = sandbox.get_metrics()
    assert is_now(fake, first.timestamp)
    fake.clock.advance(seconds=600)
    assert len(sandbox.get_metrics(start=fake.clock.now - timedelta(seconds=60))) == 1
    assert len(sandbox.get_metrics()) == 2


def test_the_daemons_metrics(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    url = f"http://{sandbox.get_host(49983)}/metrics"
    headers = {"X-Access-Token": sandbox._envd_access_token or ""}
    reading = httpx.get(url, headers=headers, trust_env=False).json()
    assert abs(fake.clock.now.timestamp() - reading["ts"]) < 3600


def test_logs_and_how_long_they_are_kept(fake: FakeE2B) -> None:
    sandbox = Sandbox.create(timeout=60)
    fake.clock.advance(seconds=3600)

    def logs() -> list[Any]:
        answer = ask(fake, "GET", f"/v2/sandboxes/{sandbox.sandbox_id}/logs")
        return list(answer.json()["logs"])

    killed, created = logs()
    assert [created["message"], killed["message"]] == ["Sandbox created", "Sandbox killed"]
    apart = datetime.fromisoformat(killed["timestamp"]) - datetime.fromisoformat(
        created["timestamp"]
    )
    assert timedelta(seconds=59) < apart < timedelta(seconds=120)
    assert is_now(fake, created["timestamp"]) or is_now(fake, killed["timestamp"])
    fake.clock.advance(seconds=7 * DAY_S)
    assert logs() == []


def test_idempotency_keys(fake: FakeE2B) -> None:
    def create() -> str:
        answer = ask(
            fake,
            "POST",
            "/v2/sandboxes",
            json={"templateID": "base", "timeout": 60},
            headers={"Idempotency-Key": "once"},
        )
        made: str = answer.json()["sandboxID"]
        return made

    first = create()
    fake.clock.advance(seconds=DAY_S - 60)
    assert create() == first
    fake.clock.advance(seconds=60)
    assert create() != first


def test_how_long_an_ended_process_is_known(fake: FakeE2B) -> None:
    sandbox = Sandbox.create(timeout=3600)
    handle = sandbox.commands.run("exit 0", background=True)
    handle.wait()
    wait_until(lambda: handle.pid not in {each.pid for each in sandbox.commands.list()})
    fake.clock.advance(seconds=20)
    assert sandbox.commands.connect(handle.pid).wait().exit_code == 0
    fake.clock.advance(seconds=10)
    with pytest.raises(NotFoundException):
        sandbox.commands.connect(handle.pid)


def test_the_date_of_answers(fake: FakeE2B) -> None:
    assert is_now(fake, parsedate_to_datetime(ask(fake, "GET", "/v2/sandboxes").headers["date"]))


def test_snapshots(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    older = sandbox.create_snapshot()
    fake.clock.advance(seconds=1)
    newer = sandbox.create_snapshot()
    listed = Sandbox.list_snapshots().next_items()
    assert [each.snapshot_id for each in listed] == [newer.snapshot_id, older.snapshot_id]


def test_faults_between_two_instants(fake: FakeE2B) -> None:
    begin = fake.clock.now + timedelta(hours=2)
    busy = effects.Status(429)
    fake.faults.add("createSandbox", busy, since=begin, until=begin + timedelta(hours=2))
    Sandbox.create()
    fake.clock.set(begin)
    with pytest.raises(RateLimitException):
        Sandbox.create()
    fake.clock.advance(seconds=2 * 3600)
    Sandbox.create()


def test_the_journal_has_both_times(fake: FakeE2B) -> None:
    Sandbox.create(timeout=60)
    fake.clock.advance(seconds=60)
    records = fake.journal.records()
    create = next(each for each in records if each.operation == "createSandbox")
    expired = next(each for each in records if each.operation == "expired")
    assert 59 * 10**9 < expired.at_ns - create.at_ns < 3600 * 10**9
    for each in (create, expired):
        assert each.at_ns - each.real_ns > (YEAR_S - 3600) * 10**9
