"""The laws of paging: whatever happens between two pages, a walk shows each sandbox once."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Literal

from e2b import Sandbox, SandboxQuery
from e2b.exceptions import SandboxException
from hypothesis import strategies as st

from ..raw import is_error_shape, send
from ..refusal import refusal_of
from ..target import Target

Step = Literal["page", "create", "kill oldest", "kill newest", "pause oldest"]
STEPS = st.lists(
    st.sampled_from(["page", "page", "create", "kill oldest", "kill newest", "pause oldest"]),
    max_size=8,
)


def a_walk_shows_each_once(
    target: Target, *, start: int, limit: int, steps: Sequence[str], ascending: bool
) -> None:
    """Walk the pages while sandboxes come and go.

    Every sandbox that lives through the walk is shown exactly once (one created on the way may
    be missing), none twice, no page is longer than `limit`, and the order by start is kept.

    Fact: control.pages.cursor
    Fact: control.list.order
    """
    options = target.connection()
    tag = {"contract-run": uuid.uuid4().hex}  # noqa: TID251  names this run on a shared account
    alive: list[str] = []
    created: list[str] = []
    steady: set[str] = set()

    def create() -> None:
        sandbox = Sandbox.create("base", metadata=tag, timeout=120, **options)
        alive.append(sandbox.sandbox_id)
        created.append(sandbox.sandbox_id)

    try:
        for _ in range(start):
            create()
        steady = set(alive)
        order: Literal["asc", "desc"] = "asc" if ascending else "desc"
        paginator = Sandbox.list(
            query=SandboxQuery(metadata=tag), limit=limit, order=order, **options
        )
        shown: list[str] = []

        def page() -> None:
            if paginator.has_next:
                items = [item.sandbox_id for item in paginator.next_items()]
                assert len(items) <= limit
                shown.extend(items)

        for step in steps:
            match step:
                case "page":
                    page()
                case "create":
                    create()
                case "kill oldest" | "kill newest" if alive:
                    victim = alive.pop(0 if step == "kill oldest" else -1)
                    Sandbox.kill(victim, **options)
                    steady.discard(victim)
                case "pause oldest" if alive:
                    Sandbox.pause(alive[0], **options)
        while paginator.has_next:
            page()
    finally:
        for sandbox_id in alive:
            Sandbox.kill(sandbox_id, **options)

    assert len(shown) == len(set(shown)), "a sandbox was shown twice"
    assert steady <= set(shown), "a sandbox that lived all along was missed"
    by_start = sorted(shown, key=created.index, reverse=not ascending)
    assert shown == by_start, "the order was not kept"


def a_made_up_token_is_refused(target: Target, *, token: str) -> None:
    """A token that no page gave is a 400, never a page.

    Fact: control.pages.invalid-cursor
    """
    paginator = Sandbox.list(next_token=token, **target.connection())
    refusal = str(refusal_of(SandboxException, paginator.next_items))
    assert refusal.startswith("400"), refusal
    assert "Invalid next token" in refusal


def a_limit_out_of_range_is_refused(target: Target, *, limit: str) -> None:
    """1 to 100 is a page size; all else is a 400 and is not clamped.

    Fact: control.pages.limit
    """
    response = send(target, "GET", f"/v2/sandboxes?limit={limit}", key=target.api_key)
    if limit.isdecimal() and 1 <= int(limit) <= 100:
        assert response.status_code == 200, response.text
        assert len(response.json()) <= int(limit)
    else:
        assert response.status_code == 400, response.text
        assert is_error_shape(response)
