"""How OpenAPI describes faults, profiles and gates: from the declared values themselves."""

from __future__ import annotations

from typing import Any

from fake_e2b.admin.described import (
    BOOLEAN,
    STRING,
    WHOLE,
    an_object,
    answer,
    array,
    ok,
    operation,
    or_null,
    reference,
)
from fake_e2b.admin.gates import NOT_COME, Releasing, Waiting
from fake_e2b.admin.profiles import ChosenProfile
from fake_e2b.domain.forms import schema
from fake_e2b.domain.steering.effects import effect_schema
from fake_e2b.domain.steering.match import RequestMatch

_AT = {"type": "string", "pattern": "^(arrived|done|frame=[0-9]+)$"}
_TIMES = {"type": "integer", "minimum": 1}
_RULE = {"name": STRING, "match": reference("FakeMatch"), "at": _AT, "times": _TIMES, "seed": WHOLE}
_SHOWN = {
    "name": STRING,
    "match": reference("FakeMatch"),
    "at": _AT,
    "times": or_null(_TIMES),
    "seed": or_null(WHOLE),
}


def steering_paths() -> dict[str, Any]:
    """The paths of all."""
    return {
        "/_fake/faults": {
            "get": operation("fakeFaults", "The rules in force", ok("FakeFaults")),
            "post": operation(
                "fakeAddFault",
                "Put a rule in force",
                {"201": answer("FakeFault", "In force")},
                body="FakeRule",
                can_refuse=True,
            ),
            "delete": operation("fakeResetFaults", "Take all rules back", ok("FakeFaults")),
        },
        "/_fake/faults/{name}": {
            "get": operation("fakeFault", "One rule", ok("FakeFault"), can_refuse=True, named=True),
            "delete": operation(
                "fakeRemoveFault", "Take a rule back", ok("FakeFault"), can_refuse=True, named=True
            ),
        },
        "/_fake/profiles": {
            "get": operation("fakeProfiles", "Named sets of rules", ok("FakeProfiles")),
            "post": operation(
                "fakeAddProfile",
                "Put a set of rules in force",
                {"201": answer("FakeProfile", "In force")},
                body="FakeChosenProfile",
                can_refuse=True,
            ),
        },
        "/_fake/profiles/{name}": {
            "delete": operation(
                "fakeRemoveProfile",
                "Take a set of rules back",
                ok("FakeProfile"),
                can_refuse=True,
                named=True,
            ),
        },
        "/_fake/gates": {
            "get": operation("fakeGates", "The gates there are", ok("FakeGates")),
            "post": operation(
                "fakeAddGate",
                "Hold requests from now on",
                {"201": answer("FakeGate", "In force")},
                body="FakeGateRule",
                can_refuse=True,
            ),
            "delete": operation("fakeRemoveGates", "Open all gates", ok("FakeGates")),
        },
        "/_fake/gates/{name}": {
            "get": operation("fakeGate", "One gate", ok("FakeGate"), can_refuse=True, named=True),
            "delete": operation(
                "fakeRemoveGate", "Open a gate", ok("FakeGate"), can_refuse=True, named=True
            ),
        },
        "/_fake/gates/{name}/wait": {
            "post": operation(
                "fakeWaitAtGate",
                "Answer when requests came to the gate",
                {**ok("FakeGate"), str(NOT_COME): answer("FakeGate", "They did not come")},
                body="FakeWaiting",
                body_required=False,
                can_refuse=True,
                named=True,
            )
        },
        "/_fake/gates/{name}/release": {
            "post": operation(
                "fakeReleaseGate",
                "Let requests go",
                ok("FakeReleased"),
                body="FakeReleasing",
                body_required=False,
                can_refuse=True,
                named=True,
            )
        },
    }


def steering_schemas() -> dict[str, Any]:
    """The schemas of all."""
    counts = {"hits": WHOLE, "seen": WHOLE, "spent": BOOLEAN}
    asked = an_object(operation=STRING, method=STRING, path=STRING, sandboxID=or_null(STRING))
    gate = {**_SHOWN, "open": BOOLEAN, "held": WHOLE, "arrived": array(asked)}
    return {
        "FakeMatch": schema(RequestMatch),
        "FakeEffect": effect_schema(),
        "FakeRule": {
            "type": "object",
            "properties": {**_RULE, "effect": reference("FakeEffect")},
            "required": ["effect"],
            "additionalProperties": False,
        },
        "FakeGateRule": {"type": "object", "properties": _RULE, "additionalProperties": False},
        "FakeFault": an_object(**_SHOWN, effect=reference("FakeEffect"), **counts),
        "FakeFaults": an_object(faults=array(reference("FakeFault"))),
        "FakeProfile": an_object(name=STRING, about=STRING, faults=array(reference("FakeFault"))),
        "FakeProfiles": an_object(profiles=array(reference("FakeProfile"))),
        "FakeChosenProfile": schema(ChosenProfile),
        "FakeGate": an_object(**gate),
        "FakeGates": an_object(gates=array(reference("FakeGate"))),
        "FakeReleased": an_object(**gate, released=WHOLE),
        "FakeWaiting": schema(Waiting),
        "FakeReleasing": schema(Releasing),
    }
