"""What was played, for people and as JSON."""

from __future__ import annotations

import json
from typing import Any

from fake_e2b.scenario.player import Performance, PlayedStep
from fake_e2b.scenario.story import Scenario, SdkName

_SHOWN_WIDTH = 100
_VALUE_WIDTH = 28
_ABOUT = (
    "command",
    "path",
    "text",
    "sandbox",
    "process",
    "terminal",
    "gate",
    "fault",
    "name",
    "for",
    "seconds",
    "url",
)
"""Arguments by which people tell steps of one kind apart, the most telling first."""


def heading(scenario: Scenario, sdk: SdkName, seed: int | None) -> str:
    """The line above a story's steps."""
    told = [scenario.path, sdk] if seed is None else [scenario.path, sdk, f"seed {seed}"]
    return f"{scenario.title} ({', '.join(told)})"


def line(played: PlayedStep) -> str:
    """One line for a step; a second one for what is wrong with it."""
    step = played.step
    mark = "FAIL" if played.problem else "..." if played.goes_on else "ok"
    about = next((str(step.arguments[key]) for key in _ABOUT if key in step.arguments), "")
    begun = f"  {mark:<4} {step.line:>4}  {step.do} {_short(about, 40)}".rstrip()
    told = f"{begun:<62} {played.took_s * 1000:6.0f} ms"
    if played.problem:
        return f"{told}\n       {played.problem}"
    shown = ", ".join(
        f"{key} = {_short(repr(value), _VALUE_WIDTH)}" for key, value in played.shown.items()
    )
    return f"{told}  {_short(played.raised or shown, _SHOWN_WIDTH)}".rstrip()


def verdict(performance: Performance) -> str:
    """The line below a story's steps."""
    scenario = performance.scenario
    if performance.problem is None:
        return f"passed: {len(performance.steps)} steps"
    left = len(scenario.steps) - len(performance.steps)
    seed = "" if performance.seed is None else f", seed {performance.seed}"
    return f"FAILED at {performance.problem}\n{left} steps were not played{seed}"


def as_table(performance: Performance) -> dict[str, Any]:
    """A story as JSON; durations in milliseconds, the journal masked."""
    return {
        "name": performance.scenario.name,
        "title": performance.scenario.title,
        "path": performance.scenario.path,
        "sdk": performance.sdk,
        "seed": performance.seed,
        "passed": performance.problem is None,
        "problem": performance.problem,
        "steps": [
            {
                "line": each.step.line,
                "do": each.step.do,
                "shown": each.shown,
                "raised": each.raised,
                "problem": each.problem,
                "goesOn": each.goes_on,
                "tookMs": round(each.took_s * 1000, 3),
            }
            for each in performance.steps
        ],
        "stepsLeft": len(performance.scenario.steps) - len(performance.steps),
        "journal": performance.journal,
    }


def as_json(performances: list[Performance]) -> str:
    """Several stories as one document."""
    return json.dumps({"scenarios": [as_table(each) for each in performances]}, indent=2)


def _short(text: str, width: int) -> str:
    told = text if text.isprintable() else repr(text)[1:-1]
    return told if len(told) <= width else f"{told[: width - 1]}…"
