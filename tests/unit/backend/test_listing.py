"""Order, filters and pages of lists."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fake_e2b.backend.listing import Filter, Listing
from fake_e2b.backend.store import Record, Store
from fake_e2b.domain.ids import SandboxID, TeamID, TemplateID
from fake_e2b.domain.sandbox import Sandbox, State

TEAM = TeamID("team")


def sandbox(
    sandbox_id: str,
    started_at_ns: int,
    *,
    state: State = State.RUNNING,
    metadata: dict[str, str] | None = None,
) -> Sandbox:
    return Sandbox(
        sandbox_id=SandboxID(sandbox_id),
        template_id=TemplateID("t"),
        team_id=TEAM,
        alias="",
        started_at_ns=started_at_ns,
        end_at_ns=started_at_ns,
        created_timeout_s=1,
        cpu_count=1,
        memory_mb=1,
        disk_size_mb=1,
        envd_version="0.6.13",
        envd_access_token=None,
        traffic_access_token=None,
        metadata=metadata,
        env_vars={},
        state=state,
    )


def listing_of(*sandboxes: Sandbox) -> Listing:
    store = Store()
    for each in sandboxes:
        store.add(Record(each, None))
    return Listing(store)


def ids(sandboxes: list[Sandbox]) -> list[str]:
    return [each.sandbox_id for each in sandboxes]


def test_the_newest_comes_first_and_ties_follow_the_id() -> None:
    # b and a differ within one microsecond only.
    listing = listing_of(sandbox("b", 5_999), sandbox("a", 5_000), sandbox("c", 6_000))
    assert ids(listing.page(TEAM, Filter(), limit=9).sandboxes) == ["c", "a", "b"]
    assert ids(listing.page(TEAM, Filter(), limit=9, ascending=True).sandboxes) == ["b", "a", "c"]


def test_states_in_between_are_listed_as_what_they_become() -> None:
    listing = listing_of(
        sandbox("a", 4000, state=State.PAUSING),
        sandbox("b", 3000, state=State.KILLING),
        sandbox("c", 2000, state=State.SNAPSHOTTING),
        sandbox("d", 1000, state=State.PAUSED),
        sandbox("e", 0),
    )
    page = listing.page(TEAM, Filter(), limit=9)
    assert ids(page.sandboxes) == ["a", "d", "e"]
    assert page.total_running == 1
    paused = listing.page(TEAM, Filter(states=frozenset({State.PAUSED})), limit=9)
    assert ids(paused.sandboxes) == ["a", "d"]
    assert paused.total_running is None
    assert ids(listing.running(TEAM, None)) == ["e"]


def test_metadata_must_hold_every_pair() -> None:
    listing = listing_of(
        sandbox("a", 3000, metadata={"k": "v", "l": "w"}),
        sandbox("b", 2000, metadata={"k": "v"}),
        sandbox("c", 1000),
    )
    both = Filter(metadata={"k": "v", "l": "w"})
    assert ids(listing.page(TEAM, both, limit=9).sandboxes) == ["a"]
    assert ids(listing.running(TEAM, {"k": "v"})) == ["a", "b"]


def test_started_after_is_inclusive_to_the_microsecond() -> None:
    listing = listing_of(sandbox("a", 2_500), sandbox("b", 1_500))
    assert ids(listing.page(TEAM, Filter(started_after_ns=2_999), limit=9).sandboxes) == ["a"]


def test_the_total_does_not_depend_on_the_page() -> None:
    listing = listing_of(*(sandbox(f"s{at}", at * 1000) for at in range(5)))
    page = listing.page(TEAM, Filter(started_after_ns=1000), limit=1)
    assert page.total_running == 4
    assert page.last is not None
    after = (page.last.started_at_ns, page.last.sandbox_id)
    assert listing.page(TEAM, Filter(), limit=1, after=after).total_running == 5


@given(
    starts=st.lists(st.integers(0, 5_000), max_size=12),
    limit=st.integers(1, 5),
    ascending=st.booleans(),
)
def test_pages_put_together_are_the_whole_list(
    starts: list[int], limit: int, ascending: bool
) -> None:
    listing = listing_of(*(sandbox(f"s{at}", start) for at, start in enumerate(starts)))
    whole = listing.page(TEAM, Filter(), limit=100, ascending=ascending)
    assert whole.last is None
    seen: list[str] = []
    after: tuple[int, str] | None = None
    while True:
        page = listing.page(TEAM, Filter(), limit=limit, ascending=ascending, after=after)
        seen += ids(page.sandboxes)
        if page.last is None:
            break
        assert len(page.sandboxes) == limit
        after = (page.last.started_at_ns, page.last.sandbox_id)
    assert seen == ids(whole.sandboxes)
