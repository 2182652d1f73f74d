"""Which runtime is chosen, and what is said when it cannot run."""

from __future__ import annotations

from pathlib import Path

import pytest

from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.ports import Capability
from fake_e2b.runtime.isolated.probe import probe
from fake_e2b.runtime.select import choose_runtime, survey


def test_local_is_always_there(tmp_path: Path) -> None:
    assert choose_runtime("local", folder=str(tmp_path)).name == "local"


async def test_auto_is_isolated_where_the_machine_allows_it(tmp_path: Path) -> None:
    reason = probe(str(tmp_path)).refusal
    runtime = choose_runtime("auto", folder=str(tmp_path))
    assert runtime.name == "auto"
    await runtime.start()
    try:
        await runtime.create("i0")
        assert runtime.name == ("isolated" if reason is None else "local")
        assert Capability.WATCHERS in runtime.capabilities
    finally:
        await runtime.close()
    assert list(tmp_path.glob("fake-e2b-*/*")) == []


def test_an_unknown_name_is_refused_with_the_right_ones() -> None:
    with pytest.raises(UsageError, match="auto, local or isolated"):
        choose_runtime("docker")


def test_the_survey_names_every_capability_and_every_way_to_it(tmp_path: Path) -> None:
    findings = survey(folder=str(tmp_path)).findings
    assert {finding.capability for finding in findings} == {None, *Capability}
    assert all(finding.held or finding.advice for finding in findings)
    assert list(tmp_path.glob("fake-e2b-*/*")) == []


def test_the_environment_says_what_auto_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FAKE_E2B_RUNTIME", "local")
    assert choose_runtime("auto", folder=str(tmp_path)).name == "local"
    monkeypatch.setenv("FAKE_E2B_RUNTIME", "docker")
    with pytest.raises(UsageError, match="FAKE_E2B_RUNTIME"):
        choose_runtime("auto", folder=str(tmp_path))
    # Who names one in the program means it.
    assert choose_runtime("local", folder=str(tmp_path)).name == "local"
