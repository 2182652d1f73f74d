"""What steps name must be there when they are played: checked while a story is read."""

from __future__ import annotations

import re
from typing import Any

from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.forms import nearest
from fake_e2b.scenario.steps import FORMS, WITHOUT_DEFAULT, Kind
from fake_e2b.scenario.story import StartSandbox, Step

PLACE = re.compile(r"\{\{(\w+)\}\}")
"""Where a remembered value is written into a text."""

TARGET = "target"
"""What every story may write in such a place: the server's URL."""


class References:
    """The names that a story has made so far."""

    def __init__(self) -> None:
        self._made: dict[Kind, set[str]] = {kind: set() for kind in Kind}
        self._kept: set[str] = {TARGET}
        self._waiting: dict[str, int] = {}

    def started(self, sandbox: StartSandbox) -> StartSandbox:
        """Note sandboxes that are there before the first step; returns them.

        Raises:
            UsageError: The name is taken.
        """
        for name in sandbox.names:
            if name in self._made[Kind.SANDBOX]:
                raise UsageError(f"there is a sandbox {name!r} already")
            self._made[Kind.SANDBOX].add(name)
        return sandbox

    def followed(self, step: Step) -> Step:
        """Check what a step names and note what it makes; returns it.

        Raises:
            UsageError: It names what no earlier step made, or leaves nobody who waits for it.
        """
        form = FORMS[step.do]
        for kind in Kind:
            named = step.arguments.get(kind)
            if named is not None and kind is not form.makes:
                self._require(step, kind, named)
        for name in _places(step.arguments):
            if name not in self._kept:
                raise UsageError(f"no step before keeps {name!r}{nearest(name, self._kept)}")
        if form.makes is not None:
            key = "name" if form.makes in WITHOUT_DEFAULT else form.makes.value
            if key in step.arguments:
                self._made[form.makes].add(step.arguments[key])
        self._kept.update(step.keep.values())
        if step.do == "wait":
            self._end_of(step.arguments["for"])
        if step.background is not None:
            if step.background in self._waiting:
                raise UsageError(f"a step {step.background!r} is in the background already")
            self._waiting[step.background] = step.line
        return step

    def check_end(self) -> None:
        """Refuse a story that leaves steps in the background.

        Raises:
            UsageError: It does.
        """
        for name, line in self._waiting.items():
            raise UsageError(
                f"nobody waits for the step {name!r} of line {line}: "
                f'add do = "wait", for = "{name}"'
            )

    def _require(self, step: Step, kind: Kind, name: str) -> None:
        made = self._made[kind]
        if name not in made:
            makers = " or ".join(word for word, form in FORMS.items() if form.makes is kind)
            raise UsageError(
                f"step {step.do!r} needs a {kind.value}, and there is none called {name!r}"
                f"{nearest(name, made)}; make one first: {makers}"
            )

    def _end_of(self, name: str) -> None:
        if name not in self._waiting:
            raise UsageError(f"no step {name!r} is in the background{nearest(name, self._waiting)}")
        del self._waiting[name]


def _places(value: Any) -> set[str]:
    if isinstance(value, str):
        return set(PLACE.findall(value))
    if isinstance(value, dict):
        return {name for each in value.values() for name in _places(each)}
    if isinstance(value, list):
        return {name for each in value for name in _places(each)}
    return set()
