"""The words of a scenario: which steps there are, and what each takes and shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Table = dict[str, Any]
"""A TOML table."""


@dataclass(frozen=True, slots=True)
class StepForm:
    """What a step may say.

    Attributes:
        about: One line for the reader.
        needs: Keys that must be there, with their types.
        takes: Keys that may be there.
        shows: Keys that `expect` may name.
    """

    about: str
    needs: dict[str, type]
    takes: dict[str, type]
    shows: dict[str, type]


FORMS: dict[str, StepForm] = {
    "create": StepForm(
        "make the story's sandbox",
        needs={},
        takes={"template": str, "timeout": int, "metadata": dict, "envs": dict},
        shows={"state": str, "metadata": dict},
    ),
    "run": StepForm(
        "run a command to its end",
        needs={"command": str},
        takes={"envs": dict, "cwd": str, "user": str, "timeout": int},
        shows={"stdout": str, "stderr": str, "exit_code": int},
    ),
    "write": StepForm("write a file", {"path": str, "text": str}, {}, {"path": str}),
    "read": StepForm("read a file", {"path": str}, {}, {"text": str}),
    "terminal": StepForm(
        "open a terminal; the later terminal steps mean the last one opened",
        needs={"cols": int, "rows": int},
        takes={"envs": dict, "cwd": str, "user": str},
        shows={},
    ),
    "type": StepForm("send keys to the terminal", {"text": str}, {}, {}),
    "see": StepForm("wait until the terminal shows a text", {"text": str}, {}, {}),
    "resize": StepForm("change the terminal's size", {"cols": int, "rows": int}, {}, {}),
    "leave": StepForm("wait until the terminal ends", {}, {}, {"exit_code": int}),
    "pause": StepForm("pause the sandbox", {}, {}, {"paused": bool}),
    "connect": StepForm("connect to it again, which wakes it", {}, {}, {"state": str}),
    "kill": StepForm("kill the sandbox", {}, {}, {"killed": bool}),
}
"""Every step by its name; `do = "<name>"` in a scenario."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step as written.

    Attributes:
        line: Where it begins in its file, from 1.
        arguments: What it takes, `do` and `expect` left out.
        expect: What the result must show; values are compared as they are.
    """

    line: int
    do: str
    arguments: Table
    expect: Table


@dataclass(frozen=True, slots=True)
class Scenario:
    """A story.

    Attributes:
        name: The file's name without its ending.
        seed: For the fake's identifiers, so that the story can be replayed.
        facts: IDs of the facts that it leans on.
    """

    name: str
    title: str
    about: str
    seed: int
    facts: tuple[str, ...]
    steps: tuple[Step, ...]
    path: str
