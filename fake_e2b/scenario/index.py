"""The index of a folder of scenarios, as its README shows it.

`python -m fake_e2b.scenario.index scenarios > scenarios/README.md` writes it anew.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from fake_e2b.scenario.expectations import CONDITIONS
from fake_e2b.scenario.loader import load
from fake_e2b.scenario.steps import GROUPS, OF_EVERY_STEP, WITHOUT_DEFAULT, StepForm
from fake_e2b.scenario.story import Scenario

_HEAD = """\
# Scenarios

Stories that can be replayed: a seed, a starting state, steps, and what each must show. Play one
through a published SDK with `fake-e2b scenario run first_command`, see
[docs/scenarios.md](../docs/scenarios.md). This page is generated from the files; a test compares
the two.

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
    lines += ["", "## Steps", "", *_words("any step may say", OF_EVERY_STEP)]
    for title, forms in GROUPS.items():
        lines += ["", f"### {title}", "", "| step | does | needs | takes | shows |"]
        lines.append("|---|---|---|---|---|")
        for name in forms:
            columns = (_keys(_needs(forms[name])), _keys(_takes(forms[name])))
            shows = _keys(forms[name].shows)
            lines.append(f"| `{name}` | {forms[name].about} | {' | '.join(columns)} | {shows} |")
    lines += ["", "### Conditions", "", *_words("in place of an expected value", CONDITIONS)]
    return _HEAD + "\n".join(lines) + "\n"


def _words(title: str, words: Mapping[str, str]) -> list[str]:
    rows = [f"| `{word}` | {about} |" for word, about in words.items()]
    return [f"| {title} | |", "|---|---|", *rows]


def _needs(form: StepForm) -> list[str]:
    return [*(kind.value for kind in form.uses if kind in WITHOUT_DEFAULT), *form.needs]


def _takes(form: StepForm) -> list[str]:
    kinds = dict.fromkeys((*form.uses, *((form.makes,) if form.makes else ())))
    return [*(kind.value for kind in kinds if kind not in WITHOUT_DEFAULT), *form.takes]


def _keys(keys: Iterable[str]) -> str:
    return ", ".join(f"`{key}`" for key in keys) or "–"


if __name__ == "__main__":
    sys.stdout.write(render(stories_in(Path(sys.argv[1]))))
