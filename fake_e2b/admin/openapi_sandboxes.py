"""How OpenAPI describes `/_fake/sandboxes/{sandboxID}`."""

from __future__ import annotations

from typing import Any

from fake_e2b.admin.described import STRING, WHOLE, an_object, array, ok, operation, reference
from fake_e2b.admin.sandboxes import ACTIONS, Skew
from fake_e2b.domain.forms import camel, schema
from fake_e2b.domain.steering.sandbox_effects import ProcessKilled

_BODIES = {"kill-process": "FakeKilling", "skew-clock": "FakeSkew"}
_SHOW_PROGRAMS = frozenset({"kill-process", "out-of-memory"})


def sandbox_paths() -> dict[str, Any]:
    """The paths."""
    show = operation("fakePrograms", "What runs in it", ok("FakePrograms"), can_refuse=True)
    paths = {"programs": {"get": show}}
    for name, page in ACTIONS.items():
        paths[name] = {
            "post": operation(
                camel(f"fake_{name.replace('-', '_')}"),
                (page.__doc__ or "").partition("\n")[0].rstrip("."),
                ok("FakePrograms" if name in _SHOW_PROGRAMS else "FakeSandboxNamed"),
                body=_BODIES.get(name),
                can_refuse=True,
            )
        }
    parameter = {"name": "sandboxID", "in": "path", "required": True, "schema": STRING}
    return {
        f"/_fake/sandboxes/{{sandboxID}}/{name}": {
            method: {**described, "parameters": [parameter]}
            for method, described in methods.items()
        }
        for name, methods in paths.items()
    }


def sandbox_schemas() -> dict[str, Any]:
    """The schemas."""
    program = an_object(pid=WHOLE, argv=array(STRING), memory=WHOLE)
    return {
        "FakeProgram": program,
        "FakePrograms": an_object(programs=array(reference("FakeProgram"))),
        "FakeSandboxNamed": an_object(sandboxID=STRING),
        "FakeKilling": schema(ProcessKilled),
        "FakeSkew": schema(Skew),
    }
