"""The laws of paging and of refusal."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from contracts.laws import errors, pagination
from contracts.strategies import NO_TOKENS
from contracts.target import Target

# The target is shared by all examples on purpose: each cleans up what it made.
shared_target = settings(suppress_health_check=[*HealthCheck])


@shared_target
@given(
    start=st.integers(0, 6),
    limit=st.integers(1, 4),
    steps=pagination.STEPS,
    ascending=st.booleans(),
)
@example(start=3, limit=1, steps=["page", "kill newest", "page"], ascending=False)
@example(start=3, limit=1, steps=["page", "create", "page"], ascending=True)
@example(start=4, limit=2, steps=["page", "pause oldest", "page"], ascending=True)
@example(start=2, limit=2, steps=[], ascending=False)
def test_a_walk_shows_each_once(
    cheap_target: Target, start: int, limit: int, steps: list[str], ascending: bool
) -> None:
    pagination.a_walk_shows_each_once(
        cheap_target, start=start, limit=limit, steps=steps, ascending=ascending
    )


@shared_target
@given(token=NO_TOKENS)
def test_a_made_up_token_is_refused(target: Target, token: str) -> None:
    pagination.a_made_up_token_is_refused(target, token=token)


@pytest.mark.parametrize("limit", ["-1", "0", "1", "99", "100", "101", "9" * 30, "1.5", "ten"])
def test_a_limit_out_of_range_is_refused(target: Target, limit: str) -> None:
    pagination.a_limit_out_of_range_is_refused(target, limit=limit)


@shared_target
@given(sandbox_id=errors.UNKNOWN_IDS, operation=errors.BY_ID)
def test_an_unknown_sandbox_is_not_found(
    target: Target, sandbox_id: str, operation: tuple[str, str]
) -> None:
    errors.an_unknown_sandbox_is_not_found(target, sandbox_id=sandbox_id, operation=operation)


@shared_target
@given(
    sandbox_id=errors.UNKNOWN_IDS,
    operation=errors.BY_ID,
    key=st.sampled_from([None, "", "e2b_", "e2b_" + "0" * 40, "nonsense"]),
)
def test_without_a_key_nothing_is_told(
    target: Target, sandbox_id: str, operation: tuple[str, str], key: str | None
) -> None:
    errors.without_a_key_nothing_is_told(
        target, sandbox_id=sandbox_id, operation=operation, key=key
    )


@shared_target
@given(path=st.sampled_from(["/sandboxes", "/v2/sandboxes"]), body=errors.BODIES)
def test_a_malformed_body_is_refused(target: Target, path: str, body: bytes) -> None:
    errors.a_malformed_body_is_refused(target, path=path, body=body)


def test_the_sdk_raises_its_own_types(target: Target) -> None:
    errors.the_sdk_raises_its_own_types(target, sandbox_id="i" + "0" * 20)
