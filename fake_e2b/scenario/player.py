"""Plays a scenario, step by step, through an SDK's driver and the fake's own pages."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

from fake_e2b.domain.errors import FakeE2BError
from fake_e2b.scenario import played_journal
from fake_e2b.scenario.drivers.port import Driver, Outcome
from fake_e2b.scenario.expectations import differences
from fake_e2b.scenario.pages import ask
from fake_e2b.scenario.references import PLACE, TARGET
from fake_e2b.scenario.stage import Stage, begin, check
from fake_e2b.scenario.steps import FORMS
from fake_e2b.scenario.story import Scenario, SdkName, Step, Table

STEP_TIMEOUT_S = 120.0
"""How long a step may take before the story is given up."""

MakeDriver = Callable[[Mapping[str, str]], Driver]
OnStep = Callable[["PlayedStep"], None]


class StoryError(FakeE2BError):
    """A step did not show what the scenario expects; the text says what it showed."""


@dataclass(frozen=True, slots=True)
class PlayedStep:
    """What came of a step.

    Attributes:
        shown: What it showed; empty for one that goes on in the background.
        raised: The exception it ended with, as it was told to.
        problem: What is wrong; None when all is as expected.
        goes_on: Whether it was only begun.
    """

    step: Step
    took_s: float
    shown: Table = field(default_factory=dict)
    raised: str | None = None
    problem: str | None = None
    goes_on: bool = False


@dataclass(slots=True)
class Performance:
    """A story as it was played.

    Attributes:
        seed: The fake's; None where it is not known.
        steps: As far as it came: the one with a problem is the last.
        journal: What the fake was asked, masked, a line for each record; None where it tells none.
    """

    scenario: Scenario
    sdk: SdkName
    seed: int | None
    steps: list[PlayedStep] = field(default_factory=list)
    journal: list[str] | None = None

    @property
    def problem(self) -> str | None:
        """What went wrong, with its line; None when nothing did."""
        last = self.steps[-1] if self.steps else None
        if last is None or last.problem is None:
            return None
        return f"{self.scenario.path}:{last.step.line}: {last.step.do} {last.problem}"

    @property
    def transcript(self) -> list[str]:
        """One line for each step, masked: two runs with one seed give the same."""
        return [
            played_journal.masked(
                f"{each.step.line} {each.step.do} "
                f"{json.dumps(each.shown, sort_keys=True)} {each.raised or ''}".rstrip()
            )
            for each in self.steps
        ]


def play(
    scenario: Scenario,
    on_stage: AbstractContextManager[Stage],
    make_driver: MakeDriver,
    on_step: OnStep = lambda each: None,
) -> Performance:
    """Play the story to its end, or to its first problem.

    Whatever comes, nothing of it stays: a fake of its own ends, elsewhere its sandboxes are killed
    and its rules and gates are taken back.

    Args:
        on_stage: Gives the server for the time of the story.

    Raises:
        UsageError: It can't be played there, or that SDK is not installed.
    """
    with ExitStack() as after, ExitStack() as whole:
        stage = whole.enter_context(on_stage)
        check(scenario, stage)
        driver = make_driver(stage.variables)
        # After the fake has ended: what still waits for an answer ends with it.
        after.callback(driver.close)
        player = _Player(scenario, stage, driver)
        whole.callback(player.clean_up)
        player.start()
        performance = Performance(scenario, driver.sdk, stage.seed)
        for step in scenario.steps:
            played = player.play(step)
            performance.steps.append(played)
            on_step(played)
            if played.problem is not None:
                break
        if stage.powers is not None:
            performance.journal = played_journal.told(stage.powers.journal())
        return performance


class _Player:
    def __init__(self, scenario: Scenario, stage: Stage, driver: Driver) -> None:
        self._scenario = scenario
        self._stage = stage
        self._driver = driver
        self._ids: dict[str, str] = {}
        self._kept: dict[str, Any] = {TARGET: stage.url}
        self._running: dict[str, tuple[Step, Table, Future[Outcome]]] = {}

    def start(self) -> None:
        """Bring about what is there before the first step."""
        begin(self._scenario, self._stage, self._ids)
        self._adopt()

    def clean_up(self) -> None:
        """Leave nothing on a server that goes on."""
        # What cannot be taken back any more is gone with its fake.
        with suppress(FakeE2BError):
            if self._stage.powers is not None:
                self._stage.powers.take_back()
        if not self._stage.is_own:
            self._adopt()
            self._driver.begin("clean_up", {}).result(STEP_TIMEOUT_S)

    def _adopt(self) -> None:
        """Tell the driver of all sandboxes."""
        if self._ids:
            self._driver.begin("adopt", {"sandboxes": self._ids}).result(STEP_TIMEOUT_S)

    def play(self, step: Step) -> PlayedStep:
        """Play one step, or begin it."""
        begun = time.monotonic()
        try:
            shown, raised = self._perform(step)
        except (FakeE2BError, TimeoutError) as error:
            problem = str(error) or f"was not done within {STEP_TIMEOUT_S:g} s"
            return PlayedStep(step, time.monotonic() - begun, problem=problem)
        took_s = time.monotonic() - begun
        return PlayedStep(step, took_s, shown, raised, goes_on=step.background is not None)

    def _perform(self, step: Step) -> tuple[Table, str | None]:
        arguments: Table = _filled(step.arguments, self._kept)
        if step.background is not None:
            begun = self._driver.begin(step.do, arguments)
            self._running[step.background] = step, arguments, begun
            return {}, None
        if step.do == "wait":
            return self._ended(*self._running.pop(arguments["for"]))
        if step.do == "fetch":
            return self._judged(step, Outcome(shown=_fetched(**arguments)))
        if FORMS[step.do].of_the_fake:
            assert self._stage.powers is not None, "check looks at every step"
            shown = self._stage.powers.perform(step.do, arguments, self._ids)
            return self._judged(step, Outcome(shown=shown))
        return self._ended(step, arguments, self._driver.begin(step.do, arguments))

    def _ended(
        self, step: Step, arguments: Table, playing: Future[Outcome]
    ) -> tuple[Table, str | None]:
        outcome = playing.result(STEP_TIMEOUT_S)
        if outcome.shown is not None and "sandbox_id" in outcome.shown:
            self._ids[arguments["sandbox"]] = outcome.shown["sandbox_id"]
        return self._judged(step, outcome)

    def _judged(self, step: Step, outcome: Outcome) -> tuple[Table, str | None]:
        """Compare with what the step expects; returns what it showed and what it raised.

        Raises:
            StoryError: It expects something else.
        """
        wanted, raised = step.raises, outcome.raised
        if wanted is None and raised is not None:
            raise StoryError(f"raised {raised}")
        shown = outcome.shown or {}
        if wanted is not None:
            name = wanted.class_for(self._driver.sdk)
            if raised is None:
                raise StoryError(f"should raise {name}, but shows {shown!r}")
            if name not in raised.classes:
                raise StoryError(f"should raise {name}, but raised {raised}")
            if wanted.text is not None and wanted.text not in raised.text:
                raise StoryError(f"should raise {name} that says {wanted.text!r}, but: {raised}")
            return {}, str(raised)
        if found := differences(step.expect, shown):
            raise StoryError("; ".join(found))
        self._kept.update({name: shown[key] for key, name in step.keep.items()})
        return shown, None


def _fetched(
    url: str, method: str = "GET", headers: Mapping[str, str] | None = None, body: str | None = None
) -> Table:
    answer = ask(url, method=method, headers=headers, body=None if body is None else body.encode())
    return {"status": answer.status, "text": answer.text}


def _filled(value: Any, kept: Mapping[str, Any]) -> Any:
    """The value with what was remembered in its places."""
    if isinstance(value, str):
        return PLACE.sub(lambda found: str(kept[found[1]]), value)
    if isinstance(value, dict):
        return {key: _filled(each, kept) for key, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, kept) for each in value]
    return value
