"""The index of a folder of scenarios, as its README shows it.

`python -m fake_e2b.scenario.index scenarios > scenarios/README.md` writes it anew.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from fake_e2b.scenario.loader import load
from fake_e2b.scenario.steps import FORMS, Scenario

_HEAD = """\
# Scenarios

Stories that can be replayed: a seed, steps, and what each step must show. They are played with the
published Python SDK, on the fake or on any other server. This page is generated from the files;
a test compares the two.

"""


def stories_in(folder: Path) -> list[Scenario]:
    """All scenarios of a folder, by name.

    Raises:
        UsageError: One of them can't be understood.
    """
    return [load(path) for path in sorted(folder.glob("*.toml"))]


def render(stories: Iterable[Scenario]) -> str:
    """The page: the stories with the facts they lean on, then the steps there are."""
    lines = ["| story | what it shows | facts |", "|---|---|---|"]
    for story in stories:
        facts = "<br>".join(f"`{fact}`" for fact in story.facts)
        lines.append(f"| [{story.title}]({story.name}.toml) | {story.about} | {facts} |")
    lines += [
        "",
        "## Steps",
        "",
        "| step | does | needs | takes | shows |",
        "|---|---|---|---|---|",
    ]
    for name, form in FORMS.items():
        columns = (_names(form.needs), _names(form.takes), _names(form.shows))
        lines.append(f"| `{name}` | {form.about} | {' | '.join(columns)} |")
    return _HEAD + "\n".join(lines) + "\n"


def _names(keys: Iterable[str]) -> str:
    return ", ".join(f"`{key}`" for key in keys) or "–"


if __name__ == "__main__":
    sys.stdout.write(render(stories_in(Path(sys.argv[1]))))
