"""How OpenAPI describes `/_fake/clock` and what moves it."""

from __future__ import annotations

from typing import Any

from fake_e2b.admin.described import (
    INSTANT,
    STRING,
    an_object,
    array,
    ok,
    operation,
    or_null,
    reference,
)
from fake_e2b.domain.clock import LATEST_S

_CLOCK = {
    "mode": {"type": "string", "enum": ["frozen", "following"]},
    "now": INSTANT,
    "nextDeadline": or_null(reference("FakeDeadline")),
}


def clock_paths() -> dict[str, Any]:
    """Its paths."""
    moved, shown = ok("FakeMoved"), ok("FakeClock")
    return {
        "/_fake/clock": {"get": operation("fakeClock", "What time it is for the fake", shown)},
        "/_fake/clock/advance": {
            "post": operation(
                "fakeAdvance", "Move the clock", moved, body="FakeAdvance", can_refuse=True
            )
        },
        "/_fake/clock/set": {
            "post": operation(
                "fakeSetClock",
                "Move the clock to an instant",
                moved,
                body="FakeSetClock",
                can_refuse=True,
            )
        },
        "/_fake/clock/freeze": {
            "post": operation("fakeFreezeClock", "Let the clock stand still", shown)
        },
        "/_fake/clock/follow": {
            "post": operation("fakeFollowClock", "Let the clock go on with real time", shown)
        },
    }


def clock_schemas() -> dict[str, Any]:
    """What they take and give."""
    return {
        "FakeClock": an_object(**_CLOCK),
        "FakeAdvance": {
            **an_object(seconds={"type": "number", "minimum": 0, "maximum": LATEST_S}),
            "additionalProperties": False,
        },
        "FakeSetClock": {**an_object(to=INSTANT), "additionalProperties": False},
        "FakeMoved": an_object(**_CLOCK, happened=array(reference("FakeHappening"))),
        "FakeDeadline": an_object(
            at=INSTANT, action={"type": "string", "enum": ["kill", "pause"]}, sandboxID=STRING
        ),
        "FakeHappening": an_object(
            at=INSTANT,
            outcome={"type": "string", "enum": ["killed", "paused"]},
            sandboxID=STRING,
        ),
    }
