"""Guide: "Listing Sandboxes"."""

from __future__ import annotations

from datetime import timedelta

import pytest
from e2b.exceptions import SandboxException
from e2b_code_interpreter import AsyncSandbox, Sandbox, SandboxQuery, SandboxState

from tests.guide.wall_clock import now


def test_the_first_page_shows_the_new_sandbox() -> None:
    sandbox = Sandbox.create(metadata={"name": "My Sandbox"})

    paginator = Sandbox.list()
    [running] = paginator.next_items()

    assert running.metadata == {"name": "My Sandbox"}
    assert running.sandbox_id == sandbox.sandbox_id
    assert running.state == SandboxState.RUNNING
    assert running.template_id
    assert abs(running.started_at - now()) < timedelta(minutes=1)
    assert not paginator.has_next


def test_asking_for_a_page_after_the_last_raises() -> None:
    paginator = Sandbox.list()
    paginator.next_items()
    with pytest.raises(Exception, match="No more items"):
        paginator.next_items()


def test_all_pages_together_hold_each_sandbox_once() -> None:
    created = [Sandbox.create().sandbox_id for _ in range(5)]

    paginator = Sandbox.list(limit=2)
    sizes, listed = [], []
    while paginator.has_next:
        items = paginator.next_items()
        sizes.append(len(items))
        listed += [item.sandbox_id for item in items]

    assert sizes == [2, 2, 1]
    assert listed == created[::-1]
    assert paginator.next_token is None


def test_a_token_starts_a_second_paginator_where_the_first_stopped() -> None:
    created = [Sandbox.create().sandbox_id for _ in range(3)]
    first = Sandbox.list(limit=2)
    first.next_items()

    second = Sandbox.list(limit=100, next_token=first.next_token)

    assert [item.sandbox_id for item in second.next_items()] == created[:1]


def test_a_token_that_never_was_one_is_refused() -> None:
    with pytest.raises(SandboxException, match="Invalid next token"):
        Sandbox.list(next_token="<base64-token>").next_items()


def test_the_state_filter_tells_running_from_paused() -> None:
    running, paused = Sandbox.create(), Sandbox.create()
    paused.pause()

    def listed(*states: SandboxState) -> set[str]:
        query = SandboxQuery(state=list(states))
        return {item.sandbox_id for item in Sandbox.list(query=query).next_items()}

    assert listed(SandboxState.RUNNING) == {running.sandbox_id}
    assert listed(SandboxState.PAUSED) == {paused.sandbox_id}
    both = {running.sandbox_id, paused.sandbox_id}
    assert listed(SandboxState.RUNNING, SandboxState.PAUSED) == both


def test_the_metadata_filter_wants_every_pair() -> None:
    sandbox = Sandbox.create(metadata={"userId": "123", "env": "dev", "app": "my-app"})
    Sandbox.create(metadata={"userId": "123", "env": "prod"})

    paginator = Sandbox.list(query=SandboxQuery(metadata={"userId": "123", "env": "dev"}))

    assert [item.sandbox_id for item in paginator.next_items()] == [sandbox.sandbox_id]


def test_metadata_of_any_characters_is_found_again() -> None:
    odd = {"a key=&%": "ü & = % + / ?", "plain": "x=y"}
    sandbox = Sandbox.create(metadata=odd)

    [found] = Sandbox.list(query=SandboxQuery(metadata=odd)).next_items()

    assert (found.sandbox_id, found.metadata) == (sandbox.sandbox_id, odd)


def test_state_and_metadata_filters_combine() -> None:
    running = Sandbox.create(metadata={"userId": "123"})
    Sandbox.create(metadata={"userId": "123"}).pause()
    Sandbox.create(metadata={"userId": "456"})

    query = SandboxQuery(state=[SandboxState.RUNNING], metadata={"userId": "123"})

    found = Sandbox.list(query=query).next_items()
    assert [item.sandbox_id for item in found] == [running.sandbox_id]


def test_template_start_time_and_order_filter_too() -> None:
    base = Sandbox.create("base")
    interpreter = Sandbox.create()

    query = SandboxQuery(template="base")
    assert [item.sandbox_id for item in Sandbox.list(query=query).next_items()] == [base.sandbox_id]
    later = SandboxQuery(started_after=now() + timedelta(hours=1))
    assert Sandbox.list(query=later).next_items() == []
    ascending = Sandbox.list(order="asc").next_items()
    assert [item.sandbox_id for item in ascending] == [base.sandbox_id, interpreter.sandbox_id]


async def test_async_pages_hold_each_sandbox_once() -> None:
    created = [(await AsyncSandbox.create()).sandbox_id for _ in range(3)]

    paginator = AsyncSandbox.list(limit=2)
    listed = []
    while paginator.has_next:
        listed += [item.sandbox_id for item in await paginator.next_items()]

    assert listed == created[::-1]


async def test_async_filters_combine() -> None:
    sandbox = await AsyncSandbox.create(metadata={"userId": "123", "env": "dev"})
    paused = await AsyncSandbox.create(metadata={"userId": "123", "env": "dev"})
    await paused.pause()

    query = SandboxQuery(state=[SandboxState.RUNNING], metadata={"userId": "123"})

    found = await AsyncSandbox.list(query=query).next_items()
    assert [item.sandbox_id for item in found] == [sandbox.sandbox_id]
