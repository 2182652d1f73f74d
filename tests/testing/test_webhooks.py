"""`fake.webhooks`: making them, and looking at what was delivered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import httpx
import pytest
from e2b import Sandbox

from fake_e2b import FakeE2B, UsageError
from tests.helpers.receiver import Receiver, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def fake() -> Iterator[FakeE2B]:
    with FakeE2B(runtime="local", clock="manual") as fake:
        yield fake


def test_every_try_is_there(fake: FakeE2B, receiver: Receiver) -> None:
    receiver.statuses = [503]
    webhook = fake.webhooks.add(receiver.url, ["sandbox.lifecycle.created"], secret="s" * 32)
    sandbox = Sandbox.create()
    [failed] = fake.webhooks.deliveries()
    assert (failed.number, failed.delivered, failed.status) == (1, False, 503)
    assert failed.error == "the receiver answered 503"
    fake.clock.advance(seconds=10)
    [same, taken] = fake.webhooks.deliveries()
    assert same == failed
    assert (taken.number, taken.delivered, taken.status, taken.error) == (2, True, 200, None)
    assert taken.at - failed.at == timedelta(seconds=10)
    assert (taken.webhook_id, taken.url) == (webhook, receiver.url)
    assert (taken.sandbox_id, taken.event) == (sandbox.sandbox_id, "sandbox.lifecycle.created")
    assert taken.event_id == failed.event_id == taken.json["id"]
    assert taken.body == receiver.received[1].body
    assert taken.headers["e2b-signature"] == receiver.received[1].headers["e2b-signature"]
    fake.reset()
    assert fake.webhooks.deliveries() == []


def test_they_are_found_by_what_they_are(fake: FakeE2B, receiver: Receiver) -> None:
    receiver.statuses = [500]
    every = fake.webhooks.add(receiver.url)
    first = Sandbox.create()
    fake.clock.advance(seconds=0)
    with httpx.Client(base_url=fake.url, headers={"X-API-Key": fake.api_key}) as api:
        body = {
            "name": "mine",
            "url": receiver.url,
            "events": ["sandbox.lifecycle.killed"],
            "signatureSecret": "s" * 32,
        }
        kills = api.post("/events/webhooks", json=body).json()["id"]
    second = Sandbox.create()
    second.kill()
    look = fake.webhooks.deliveries
    assert [each.sandbox_id for each in look(delivered=False)] == [first.sandbox_id]
    assert {each.webhook_id for each in look(event="killed")} == {every, kills}
    assert [each.event for each in look(webhook=kills)] == ["sandbox.lifecycle.killed"]
    assert len(look(sandbox=second)) == 3
    assert len(look(sandbox=first.sandbox_id)) == 1


@pytest.mark.parametrize(
    ("ask", "text"),
    [
        (lambda hooks: hooks.add("ftp://x"), "no absolute http"),
        (lambda hooks: hooks.add("http://x", ["born"]), "no event 'sandbox.lifecycle.born'"),
        (lambda hooks: hooks.add("http://x", []), "events is empty"),
        (lambda hooks: hooks.deliveries(event="kiled"), "killed"),
    ],
)
def test_what_cannot_be_meant(fake: FakeE2B, ask: Callable[..., object], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        ask(fake.webhooks)
