"""The facts, the tests that hold them and the docstrings that cite them belong together."""

from __future__ import annotations

import ast
import re
import tomllib
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ["fake_e2b", "contracts", "conftest_plugin"]
FACT_ID = re.compile(r"[a-z0-9]+(?:[.-][a-z0-9]+)+")
CITED_ID = r"[a-z0-9]+(?:[.-](?:[a-z0-9]+|\*))+"
CITATION = re.compile(rf"\bFacts?:\s+({CITED_ID}(?:,\s+{CITED_ID})*)")
KEYS = {"id", "statement", "source", "checked"}


def facts() -> list[tuple[str, dict[str, Any]]]:
    """Every fact with the name of its file."""
    return [
        (path.name, fact)
        for path in sorted((ROOT / "contracts").glob("facts*.toml"))
        for fact in tomllib.loads(path.read_text())["fact"]
    ]


@cache
def names_in(path: str) -> frozenset[str]:
    """Names of a file's tests: `test_x`, `TestX::test_y`; of a JavaScript one, its titles."""
    file = ROOT / path
    if not file.is_file():
        return frozenset()
    if file.suffix == ".mjs":
        return frozenset(re.findall(r"^test\('([^']+)'", file.read_text(), re.MULTILINE))
    found = set()
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{name}" for name in _functions(node.body)}
        found |= _functions([node])
    return frozenset(found)


def _functions(body: list[ast.stmt]) -> set[str]:
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return {node.name for node in body if isinstance(node, kinds)}


def cited() -> dict[str, str]:
    """Every fact that a docstring or comment cites, with one place where it does.

    `Fact: a.b` and `Facts: a.b, a.c` are understood, and `a.*` for a whole group.
    """
    found = {}
    for folder in SOURCES:
        for path in (ROOT / folder).rglob("*.py"):
            for listed in CITATION.findall(path.read_text()):
                for fact in re.split(r",\s+", listed):
                    found[fact] = str(path.relative_to(ROOT))
    return found


def is_known(cited_id: str, known: set[str]) -> bool:
    if cited_id.endswith(".*"):
        return any(fact.startswith(cited_id[:-1]) for fact in known)
    return cited_id in known


def test_there_are_facts() -> None:
    assert facts()


def test_every_id_stands_once() -> None:
    ids = [fact["id"] for _, fact in facts()]
    assert sorted({name for name in ids if ids.count(name) > 1}) == []


@pytest.mark.parametrize(("file", "fact"), facts(), ids=lambda value: str(value)[:60])
def test_a_fact_says_what_where_from_and_when(file: str, fact: dict[str, Any]) -> None:
    assert fact.keys() >= KEYS, f"{file}: {fact.get('id')} lacks {KEYS - fact.keys()}"
    assert ("tests" in fact) != ("gap" in fact), f"{fact['id']} needs tests, or else a gap"
    assert fact.keys() <= KEYS | {"tests", "gap"}
    assert FACT_ID.fullmatch(fact["id"])
    assert fact["statement"].endswith(".")
    assert isinstance(fact["checked"], date)


def test_every_named_test_exists() -> None:
    missing = [
        f"{fact['id']}: {test}"
        for _, fact in facts()
        for test in fact.get("tests", ())
        if test.partition("[")[0].partition("::")[2] not in names_in(test.partition("::")[0])
    ]
    assert missing == []


def test_every_cited_fact_is_written_down() -> None:
    known = {fact["id"] for _, fact in facts()}
    assert {fact: place for fact, place in cited().items() if not is_known(fact, known)} == {}


def test_every_story_leans_on_known_facts() -> None:
    known = {fact["id"] for _, fact in facts()}
    for path in (ROOT / "scenarios").glob("*.toml"):
        named = set(tomllib.loads(path.read_text())["facts"])
        assert named <= known, f"{path.name} names {sorted(named - known)}"
