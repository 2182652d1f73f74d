"""What users import is sorted, documented, and named in the docs."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PUBLIC = ["fake_e2b", "fake_e2b.testing"]


@pytest.mark.parametrize("name", PUBLIC)
def test_exports_are_sorted_present_and_documented(name: str) -> None:
    module = importlib.import_module(name)
    assert list(module.__all__) == sorted(module.__all__)
    for exported in module.__all__:
        value = getattr(module, exported)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert inspect.getdoc(value), f"{name}.{exported} has no docstring"


def test_public_methods_of_the_handle_are_documented() -> None:
    handle = importlib.import_module("fake_e2b").FakeE2B
    for name, member in inspect.getmembers(handle):
        if not name.startswith("_"):
            assert inspect.getdoc(member), f"FakeE2B.{name} has no docstring"


def test_every_module_says_what_it_is_for() -> None:
    for folder in ("fake_e2b", "conftest_plugin", "contracts"):
        for path in (ROOT / folder).rglob("*.py"):
            first = path.read_text().lstrip()
            if first.startswith("#!"):
                first = first.partition("\n")[2].lstrip()
            assert not first or first.startswith('"""'), path.relative_to(ROOT)


def test_every_export_is_named_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    for exported in importlib.import_module("fake_e2b").__all__:
        assert exported.startswith("__") or exported in readme, exported
