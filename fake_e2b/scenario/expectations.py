"""What a step must show: a value as it is, or a table of conditions.

``expect = { stdout = "hi\\n", count = { at_least = 3 }, text = { contains = "quota" } }``
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.forms import refuse_unknown
from fake_e2b.scenario.story import Table

CONDITIONS: Mapping[str, str] = {
    "contains": "a text that it holds, or one of its items",
    "lacks": "a text that it must not hold",
    "matches": "a regular expression that is found in it",
    "at_least": "the smallest number",
    "at_most": "the largest number",
}


def check_expectation(wanted: Any, kind: type) -> None:
    """Refuse what a value of that kind can never show.

    Raises:
        UsageError: An unknown condition, a bad pattern, or another kind of value.
    """
    if isinstance(wanted, dict) and kind is not dict:
        for condition, operand in wanted.items():
            refuse_unknown(condition, CONDITIONS, "condition")
            if condition == "matches":
                try:
                    re.compile(operand)
                except (re.error, TypeError) as error:
                    raise UsageError(f"{operand!r} is no regular expression: {error}") from error
            elif condition in ("at_least", "at_most") and type(operand) not in (int, float):
                raise UsageError(f"{condition} is a number, not {operand!r}")
            elif condition in ("contains", "lacks") and not isinstance(operand, str):
                raise UsageError(f"{condition} is a text, not {operand!r}")
    elif type(wanted) is not kind:
        raise UsageError(f"it is a {kind.__name__}, so it never shows {wanted!r}")


def differences(expect: Table, shown: Table) -> list[str]:
    """What was expected and is not shown, each as half a sentence."""
    return [
        found
        for key, wanted in expect.items()
        if (found := _difference(key, wanted, shown[key])) is not None
    ]


def _difference(key: str, wanted: Any, shown: Any) -> str | None:
    if isinstance(wanted, dict) and not isinstance(shown, dict):
        failed = [
            f"{condition} {operand!r}"
            for condition, operand in wanted.items()
            if not _holds(condition, operand, shown)
        ]
        if failed:
            return f"should show {key} that {' and '.join(failed)}, but shows {shown!r}"
        return None
    return None if wanted == shown else f"should show {key} = {wanted!r}, but shows {shown!r}"


def _holds(condition: str, operand: Any, shown: Any) -> bool:
    match condition:
        case "contains":
            return operand in shown
        case "lacks":
            return operand not in shown
        case "matches":
            return re.search(operand, str(shown)) is not None
        case "at_least":
            return bool(shown >= operand)
        case _:
            return bool(shown <= operand)
