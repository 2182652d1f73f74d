"""Moving `fake.clock`: how, from where, and what happens on the way.

Facts: fake.clock.modes, fake.clock.advance, fake.clock.next-deadline, fake.clock.refusals
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from e2b import AsyncSandbox, Sandbox, SandboxException, SandboxState

from fake_e2b import FakeE2B, UsageError
from fake_e2b.domain.sandbox import State
from fake_e2b.testing import Deadline, Happening
from tests.helpers.waiting import wait_until

PAUSES = {"on_timeout": "pause"}


def told(happened: list[Happening]) -> list[tuple[str, str]]:
    return [(each.outcome, each.sandbox_id) for each in happened]


class TestAdvance:
    def test_everything_on_the_way_happens_at_its_own_instant(self, fake: FakeE2B) -> None:
        late = Sandbox.create(timeout=120)
        kept = Sandbox.create(timeout=30, lifecycle=PAUSES)
        killed = Sandbox.create(timeout=60)
        ends = [each.get_info().end_at for each in (kept, killed)]
        before = fake.clock.now
        happened = fake.clock.advance(seconds=100)
        assert told(happened) == [("paused", kept.sandbox_id), ("killed", killed.sandbox_id)]
        assert [each.at for each in happened] == ends
        assert kept.get_info().end_at == ends[0]
        assert kept.get_info().state is SandboxState.PAUSED
        assert not killed.is_running()
        assert late.is_running()
        assert fake.clock.now - before >= timedelta(seconds=100)

    def test_a_clock_that_stands_still_moves_by_just_so_much(self, still: FakeE2B) -> None:
        before_ns = still.clock.now_ns()
        still.clock.advance(seconds=0.000_001_5)
        assert still.clock.now_ns() - before_ns == 1_500
        assert still.clock.frozen

    def test_one_that_follows_goes_on(self, following: FakeE2B) -> None:
        following.clock.advance(seconds=3600)
        assert not following.clock.frozen
        seen = following.clock.now
        wait_until(lambda: following.clock.now > seen)

    def test_by_small_steps(self, still: FakeE2B) -> None:
        sandbox = Sandbox.create(timeout=3600)
        for _ in range(3):
            assert still.clock.advance(seconds=1000) == []
        assert told(still.clock.advance(seconds=1000)) == [("killed", sandbox.sandbox_id)]

    def test_many_that_are_due_at_once_end_together(self, still: FakeE2B) -> None:
        made = [Sandbox.create(timeout=60) for _ in range(30)]
        made += [Sandbox.create(timeout=60, lifecycle=PAUSES) for _ in range(10)]
        happened = still.clock.advance(seconds=60)
        assert [each.sandbox_id for each in happened] == [each.sandbox_id for each in made]
        assert len({each.at_ns for each in happened}) == 1
        assert {each.sandbox_id for each in still.sandboxes()} == {
            each.sandbox_id for each in made[30:]
        }

    def test_a_running_command_is_cut_off(self, fake: FakeE2B) -> None:
        sandbox = Sandbox.create(timeout=60)
        command = sandbox.commands.run("sleep 600", background=True, timeout=0)
        assert told(fake.clock.advance(seconds=60)) == [("killed", sandbox.sandbox_id)]
        with pytest.raises(SandboxException, match="end of life"):
            command.wait()

    @pytest.mark.parametrize("ending", ["kill", "pause"])
    def test_it_meets_a_sandbox_that_the_client_is_ending(self, fake: FakeE2B, ending: str) -> None:
        for _ in range(5):
            sandbox = Sandbox.create(timeout=60)
            sandbox.commands.run("sleep 600", background=True, timeout=0)
            with ThreadPoolExecutor(1) as threads:
                asked = threads.submit(getattr(sandbox, ending))
                happened = fake.clock.advance(seconds=60)
                refused = asked.exception(20)
            # Whichever came first has happened, and only that; a kill joins a kill.
            assert told(happened) in ([], [("killed", sandbox.sandbox_id)])
            assert refused is None or isinstance(refused, SandboxException)
            paused = ending == "pause" and refused is None
            assert not (paused and happened)
            assert [each.state for each in fake.sandboxes()] == ([State.PAUSED] if paused else [])
            fake.reset()

    def test_a_request_that_was_held_up_meets_what_time_has_done(self, fake: FakeE2B) -> None:
        sandbox = Sandbox.create(timeout=60)
        with fake.gates.hold("Process.Start") as gate, ThreadPoolExecutor(1) as threads:
            asked = threads.submit(sandbox.commands.run, "echo hi")
            gate.wait_arrived()
            assert told(fake.clock.advance(seconds=60)) == [("killed", sandbox.sandbox_id)]
            gate.release()
            assert isinstance(asked.exception(20), SandboxException)

    def test_a_pause_that_is_done_but_not_answered_leaves_nothing_due(self, fake: FakeE2B) -> None:
        sandbox = Sandbox.create(timeout=60)
        with fake.gates.hold("pauseSandbox", at="done") as gate, ThreadPoolExecutor(1) as threads:
            asked = threads.submit(sandbox.pause)
            gate.wait_arrived()
            assert fake.clock.next_deadline() is None
            assert fake.clock.advance(seconds=3600) == []
            gate.release()
            assert asked.result(20) is True

    def test_two_at_once_are_one_after_the_other(self, fake: FakeE2B) -> None:
        made = [Sandbox.create(timeout=10 * n) for n in range(1, 7)]
        before = fake.clock.now
        with ThreadPoolExecutor(4) as threads:
            parts = list(threads.map(lambda _: fake.clock.advance(seconds=15), range(4)))
        assert fake.clock.now - before >= timedelta(seconds=60)
        in_order = sorted((each for part in parts for each in part), key=lambda each: each.at_ns)
        assert told(in_order) == [("killed", each.sandbox_id) for each in made]

    async def test_from_async_code(self, fake: FakeE2B) -> None:
        sandbox = await AsyncSandbox.create(timeout=60, lifecycle=PAUSES)
        doomed = await AsyncSandbox.create(timeout=90)
        running = await doomed.commands.run("sleep 600", background=True, timeout=0)
        assert told(fake.clock.advance(seconds=60)) == [("paused", sandbox.sandbox_id)]
        assert (await sandbox.get_info()).state is SandboxState.PAUSED
        await sandbox.connect(timeout=3600)
        # Beside what the event loop does meanwhile.
        moved, waited = await asyncio.gather(
            asyncio.to_thread(fake.clock.advance, seconds=30),
            running.wait(),
            return_exceptions=True,
        )
        assert isinstance(moved, list)
        assert told(moved) == [("killed", doomed.sandbox_id)]
        assert isinstance(waited, SandboxException)


class TestSet:
    def test_to_an_instant_of_any_zone(self, fake: FakeE2B) -> None:
        sandbox = Sandbox.create(timeout=60)
        moment = fake.clock.now + timedelta(days=2)
        tokyo = moment.astimezone(timezone(timedelta(hours=9)))
        assert told(fake.clock.set(tokyo)) == [("killed", sandbox.sandbox_id)]
        assert moment <= fake.clock.now < moment + timedelta(hours=1)

    def test_exactly(self, still: FakeE2B) -> None:
        moment = still.clock.now + timedelta(days=2, microseconds=1)
        still.clock.set(moment)
        assert still.clock.now == moment
        still.clock.set(still.clock.now)
        assert still.clock.now == moment

    def test_right_to_what_happens_next(self, still: FakeE2B) -> None:
        sandbox = Sandbox.create(timeout=60)
        due = still.clock.next_deadline()
        assert due is not None
        still.clock.set(due.at - timedelta(microseconds=1))
        assert sandbox.is_running()
        assert told(still.clock.set(due.at)) == [("killed", sandbox.sandbox_id)]


class TestModes:
    def test_a_frozen_clock_lets_nobody_die(self, following: FakeE2B) -> None:
        following.clock.freeze()
        following.clock.freeze()
        sandbox = Sandbox.create(timeout=60)
        following.clock.advance(seconds=59.99)
        shown = following.clock.now
        sandbox.commands.run("sleep 0.05")
        assert following.clock.now == shown
        assert sandbox.is_running()
        following.clock.follow()
        wait_until(lambda: not sandbox.is_running())

    def test_one_that_is_let_go_goes_on_from_where_it_stands(self, still: FakeE2B) -> None:
        shown = still.clock.now
        sandbox = Sandbox.create(timeout=60)
        still.clock.advance(seconds=59.99)
        still.clock.follow()
        assert not still.clock.frozen
        wait_until(lambda: not sandbox.is_running())
        assert timedelta(seconds=60) <= still.clock.now - shown < timedelta(hours=1)

    @pytest.mark.parametrize("change", ["freeze", "follow"])
    def test_a_reset_puts_mode_and_time_back(self, fake: FakeE2B, change: str) -> None:
        was_frozen = fake.clock.frozen
        real = fake.clock.now
        Sandbox.create()
        fake.clock.advance(seconds=10 * 86_400)
        getattr(fake.clock, change)()
        fake.reset()
        assert fake.clock.frozen is was_frozen
        assert real <= fake.clock.now < real + timedelta(days=1)
        assert fake.clock.next_deadline() is None
        assert fake.journal.records() == []


class TestNextDeadline:
    def test_it_tells_when_what_happens_to_whom(self, fake: FakeE2B) -> None:
        assert fake.clock.next_deadline() is None
        late = Sandbox.create(timeout=120, lifecycle=PAUSES)
        first = Sandbox.create(timeout=60)
        due = fake.clock.next_deadline()
        assert isinstance(due, Deadline)
        assert (due.action, due.sandbox_id) == ("kill", first.sandbox_id)
        assert due.at == first.get_info().end_at
        first.kill()
        due = fake.clock.next_deadline()
        assert due is not None
        assert (due.action, due.sandbox_id) == ("pause", late.sandbox_id)
        late.pause()
        assert fake.clock.next_deadline() is None

    def test_it_follows_the_sandboxes_time(self, still: FakeE2B) -> None:
        sandbox = Sandbox.create(timeout=60)
        sandbox.set_timeout(600)
        due = still.clock.next_deadline()
        assert due is not None
        assert due.at == still.clock.now + timedelta(seconds=600)


Misuse = Callable[[FakeE2B], object]
MISUSES: dict[str, Misuse] = {
    "advance back": lambda fake: fake.clock.advance(seconds=-1),
    "advance by text": lambda fake: fake.clock.advance(seconds="60"),  # type: ignore[arg-type]
    "advance by true": lambda fake: fake.clock.advance(seconds=True),
    "advance by a timedelta": lambda fake: fake.clock.advance(
        seconds=timedelta(seconds=1)  # type: ignore[arg-type]
    ),
    "advance by nan": lambda fake: fake.clock.advance(seconds=float("nan")),
    "advance for ever": lambda fake: fake.clock.advance(seconds=float("inf")),
    "advance too far": lambda fake: fake.clock.advance(seconds=300 * 366 * 86_400),
    "set back": lambda fake: fake.clock.set(fake.clock.now - timedelta(seconds=1)),
    "set without zone": lambda fake: fake.clock.set(
        (fake.clock.now + timedelta(hours=1)).replace(tzinfo=None)
    ),
    "set to a day": lambda fake: fake.clock.set(date(2100, 1, 1)),  # type: ignore[arg-type]
    "set to a number": lambda fake: fake.clock.set(4_000_000_000),  # type: ignore[arg-type]
    "set too far": lambda fake: fake.clock.set(datetime.max.replace(tzinfo=UTC)),
}
SAYS = {
    "set too far": "2200",
    "advance": r"fake\.clock\.advance\(seconds=60\)",
    "set without": r"fake\.clock\.set\(.*tzinfo=UTC",
    "set to": r"fake\.clock\.set\(.*tzinfo=UTC",
    "set back": "only moves forward",
}


@pytest.mark.parametrize("misuse", MISUSES)
def test_what_is_wrong_is_refused_and_nothing_moves(still: FakeE2B, misuse: str) -> None:
    Sandbox.create(timeout=1)
    before_ns = still.clock.now_ns()
    says = next(text for name, text in SAYS.items() if misuse.startswith(name))
    with pytest.raises(UsageError, match=says):
        MISUSES[misuse](still)
    assert still.clock.now_ns() == before_ns
    assert len(still.sandboxes()) == 1
