"""The coverage page: what the fake has of the API and of the SDKs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from importlib.metadata import version

import served
from sdks import PYTHON_PACKAGES, SDKS, Methods, javascript_versions
from served import Coverage

from fake_e2b.domain.network_fields import NETWORK_FIELDS
from fake_e2b.domain.operations import OPERATIONS, Plane

_HEAD = """# What the fake has of E2B

Made by `python scripts/coverage` from the tables of routes, the list of [known gaps][gaps] and
the installed SDKs; a test compares. *Partly* means that it works but for what the named gap says.
*Refused* is what the service keeps for itself: clients get its 404, here as there. On the control
plane a *no* answers 501 with the header `X-Fake-E2B-Gap`.

[gaps]: ../contracts/known_gaps.toml
"""
_ORDER = ("yes", "partly", "refused", "no")
_PLANES = {
    Plane.CONTROL: "The control plane",
    Plane.ENVD: "Inside a sandbox",
    Plane.INTERPRETER: "The code interpreter",
}


def together(*parts: Methods) -> Methods:
    """The methods of several SDKs as one table."""
    found: Methods = {}
    for part in parts:
        for key, names in part.items():
            found[key] = found.get(key, set()) | names
    return found


def page(methods: Methods) -> str:
    """The whole page.

    Raises:
        served.NoRowError: A method has no row.
    """
    known = served.operations()
    of_methods = {key: served.method(*key, served.needs(*key), known) for key in sorted(methods)}
    lines = [_HEAD, *_counts(known, methods, of_methods)]
    for plane, title in _PLANES.items():
        lines += ["", f"## {title}", "", *_operations(plane, known)]
    lines += ["", "## A sandbox's network settings", "", *_network()]
    lines += ["", "## The SDKs' methods", "", *_legend()]
    for owner in sorted({owner for owner, _ in methods}):
        mine = {name: of_methods[owner, name] for each, name in sorted(methods) if each == owner}
        lines += ["", f"### {owner}", "", *_methods(owner, mine, methods)]
    used = {
        gap for each in (*known.values(), *of_methods.values()) for gap in each.gaps + each.routes
    }
    lines += ["", "## The gaps", "", *_gaps(used)]
    return "\n".join(lines) + "\n"


def _counts(
    known: dict[str, Coverage], methods: Methods, of_methods: dict[tuple[str, str], Coverage]
) -> Iterator[str]:
    yield "| | yes | partly | refused | no |"
    yield "|---|---|---|---|---|"
    for plane, title in _PLANES.items():
        names = {each.name for each in OPERATIONS if each.plane is plane}
        yield _count(title, (known[name] for name in names))
    for sdk in SDKS:
        yield _count(sdk, (of_methods[key] for key, have in methods.items() if sdk in have))


def _count(title: str, found: Iterable[Coverage]) -> str:
    counted = Counter(map(str, found))
    return f"| {title} | {' | '.join(str(counted[each]) for each in _ORDER)} |"


def _operations(plane: Plane, known: dict[str, Coverage]) -> Iterator[str]:
    yield "| operation | requests | | gaps |"
    yield "|---|---|---|---|"
    for name in dict.fromkeys(each.name for each in OPERATIONS if each.plane is plane):
        requests = "<br>".join(
            f"`{each.method} {each.path}`" for each in OPERATIONS if each.name == name
        )
        yield f"| {name} | {requests} | {known[name]} | {_named(known[name])} |"


def _network() -> Iterator[str]:
    yield (
        "All are checked as by the service (but that no proxy's name is looked up), kept over a "
        "pause, and shown back as they were given."
    )
    yield ""
    yield "| setting | in the API | | how, or why not |"
    yield "|---|---|---|---|"
    for each in NETWORK_FIELDS:
        answer = "enforced" if each.enforced else "kept only"
        yield f"| `{each.name}` | `{each.wire}` | {answer} | {each.how} |"


def _legend() -> Iterator[str]:
    python = ", ".join(f"`{name}` {version(name)}" for name in PYTHON_PACKAGES)
    javascript = ", ".join(f"`{name}` {number}" for name, number in javascript_versions())
    yield f"Of {python} (Python) and {javascript} (JavaScript)."
    yield "Names are Python's; a dash stands where an SDK has no such method."


def _methods(owner: str, mine: dict[str, Coverage], methods: Methods) -> Iterator[str]:
    yield f"| method | {' | '.join(SDKS)} | operations | gaps |"
    yield "|---" * (len(SDKS) + 3) + "|"
    for name, coverage in mine.items():
        cells = [str(coverage) if sdk in methods[owner, name] else "–" for sdk in SDKS]
        needed = ", ".join(served.needs(owner, name))
        yield f"| `{name}` | {' | '.join(cells)} | {needed} | {_named(coverage)} |"


def _named(coverage: Coverage) -> str:
    return ", ".join(f"[{gap}](#{_anchor(gap)})" for gap in (*coverage.gaps, *coverage.routes))


def _gaps(used: set[str]) -> Iterator[str]:
    for gap in served.gaps():
        if gap["id"] in used:
            yield f'- <a id="{_anchor(gap["id"])}"></a>**{gap["id"]}**: {gap["what"]} {gap["why"]}'


def _anchor(gap: str) -> str:
    return "gap-" + gap.replace(".", "-")
