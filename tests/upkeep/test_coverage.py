"""The coverage page is what the code and the SDKs say, and names a gap for all that is missing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "scripts" / "coverage"


@pytest.fixture(scope="module")
def coverage() -> Iterator[Any]:
    """The modules of the script, which is no package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        import page
        import sdks
        import served

        yield SimpleNamespace(page=page, sdks=sdks, served=served)
        for name in ("page", "sdks", "served"):
            del sys.modules[name]


@pytest.fixture(scope="module")
def methods(coverage: Any) -> Any:
    """Of every SDK that is here; JavaScript's may be missing."""
    parts = [coverage.sdks.python_methods(), coverage.sdks.javascript_methods() or {}]
    return coverage.page.together(*parts)


def test_the_page_is_what_the_code_says(coverage: Any) -> None:
    if coverage.sdks.javascript_methods() is None:
        pytest.skip("the JavaScript SDK is not installed (scripts/test installs it where npm is)")
    checked = subprocess.run(
        [sys.executable, FOLDER, "--check"], capture_output=True, text=True, timeout=60
    )
    assert checked.returncode == 0, checked.stderr


def test_every_method_has_a_row_of_known_operations(coverage: Any, methods: Any) -> None:
    known = coverage.served.operations()
    wrong = []
    for owner, name in methods:
        try:
            wrong += [each for each in coverage.served.needs(owner, name) if each not in known]
        except coverage.served.NoRowError as error:
            wrong.append(str(error))
    assert wrong == []


def test_a_method_without_a_row_is_named(coverage: Any) -> None:
    with pytest.raises(coverage.served.NoRowError, match=r"Sandbox\.fly has no row"):
        coverage.page.page({("Sandbox", "fly"): {"Python"}})


def test_what_is_missing_has_a_gap_and_gaps_name_what_is(coverage: Any, methods: Any) -> None:
    known = coverage.served.operations()
    answer = coverage.served.Answer
    unexplained = [
        name
        for name, each in known.items()
        if each.answer in (answer.NO, answer.PARTLY) and not each.gaps + each.routes
    ]
    assert unexplained == []
    for gap in coverage.served.gaps():
        assert set(gap.get("operations", ())) <= known.keys(), gap["id"]
        assert set(gap.get("methods", ())) <= {".".join(key) for key in methods}, gap["id"]


def test_what_is_called_refused_is_what_no_client_reaches(coverage: Any) -> None:
    known = coverage.served.operations()
    refused = [name for name, each in known.items() if each.answer == "refused"]
    assert sorted(refused) == [
        "envd.collapse",
        "envd.freeze",
        "envd.fsfreeze",
        "envd.fsthaw",
        "envd.init",
        "envd.unfreeze",
        "envd.upgrade",
    ]


def test_only_what_the_sdks_show_is_listed(coverage: Any) -> None:
    python = coverage.sdks.python_methods()
    assert python["Volume", "get_info"] == {"Python", "Python async"}
    assert python["CommandInputHandle", "send"] == {"Python async"}
    assert python["Git", "clone"] == {"Python", "Python async"}
    javascript = coverage.sdks.javascript_methods()
    if javascript is not None:
        assert ("Template", "from_aws_registry") in javascript
        assert ("Sandbox", "run_code") in javascript
        assert ("Template", "serialize") not in javascript, "it is private"
