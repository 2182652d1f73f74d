"""How OpenAPI describes `/_fake/clock` and what moves it."""

from __future__ import annotations

from typing import Any, get_args

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
from fake_e2b.domain.due import Action, Outcome

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
        "FakeDeadline": _maybe_a_webhooks(at=INSTANT, action=_one_of(Action), sandboxID=STRING),
        "FakeHappening": _maybe_a_webhooks(at=INSTANT, outcome=_one_of(Outcome), sandboxID=STRING),
    }


def _one_of(names: Any) -> dict[str, Any]:
    return {"type": "string", "enum": list(get_args(names))}


def _maybe_a_webhooks(**properties: Any) -> dict[str, Any]:
    """An object with all of these, and the ID of a webhook where an event went to one."""
    made = an_object(**properties)
    made["properties"]["webhookID"] = STRING
    return made
