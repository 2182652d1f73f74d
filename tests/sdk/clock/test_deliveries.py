"""The retries of webhooks among what the passing of time does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest
from e2b import Sandbox

from fake_e2b.testing import FakeE2B
from tests.helpers.receiver import Receiver, receiving

RETRY = timedelta(seconds=10)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def test_a_retry_is_a_deadline(still: FakeE2B, receiver: Receiver) -> None:
    receiver.statuses = [500]
    webhook = still.webhooks.add(receiver.url, ["created"])
    sandbox = Sandbox.create(timeout=60)
    still.clock.advance(seconds=0)
    due = still.clock.next_deadline()
    assert due is not None
    assert (due.action, due.at) == ("deliver", still.clock.now + RETRY)
    assert (due.sandbox_id, due.webhook_id) == (sandbox.sandbox_id, webhook)
    still.clock.set(due.at)
    due = still.clock.next_deadline()
    assert due is not None
    assert (due.action, due.webhook_id) == ("kill", None)


def test_a_move_tells_of_retries(still: FakeE2B, receiver: Receiver) -> None:
    receiver.statuses = [500, 500]
    webhook = still.webhooks.add(receiver.url, ["created"])
    start = still.clock.now
    sandbox = Sandbox.create(timeout=20)
    happened = still.clock.advance(seconds=3600)
    assert [(each.at, each.outcome, each.webhook_id) for each in happened] == [
        (start + RETRY, "failed", webhook),
        (start + 2 * RETRY, "killed", None),
        (start + 2 * RETRY, "delivered", webhook),
    ]
    assert {each.sandbox_id for each in happened} == {sandbox.sandbox_id}


def test_a_broken_off_retry_is_not_told(still: FakeE2B, receiver: Receiver) -> None:
    receiver.statuses = [500]
    webhook = still.webhooks.add(receiver.url, ["created"])
    Sandbox.create()
    still.clock.advance(seconds=0)
    with httpx.Client(base_url=still.url, headers={"X-API-Key": still.api_key}) as api:
        assert api.delete(f"/events/webhooks/{webhook}").status_code == 200
    due = still.clock.next_deadline()
    assert due is not None
    assert due.action == "kill"
    assert still.clock.advance(seconds=10) == []


def test_the_same_over_http(still: FakeE2B, receiver: Receiver) -> None:
    receiver.statuses = [500]
    webhook = still.webhooks.add(receiver.url, ["created"])
    sandbox = Sandbox.create(timeout=60)
    with httpx.Client(base_url=f"{still.url}/_fake") as admin:
        shown = admin.post("/clock/advance", json={"seconds": 0}).json()["nextDeadline"]
        assert (shown["action"], shown["webhookID"]) == ("deliver", webhook)
        moved = admin.post("/clock/set", json={"to": shown["at"]}).json()
        assert moved["happened"] == [
            {
                "at": shown["at"],
                "outcome": "delivered",
                "sandboxID": sandbox.sandbox_id,
                "webhookID": webhook,
            }
        ]
        assert "webhookID" not in moved["nextDeadline"]
