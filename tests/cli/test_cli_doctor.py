from __future__ import annotations

import json
import sys

import pytest

from fake_e2b._version import __version__
from fake_e2b.cli.main import main
from fake_e2b.domain.ports import Capability
from fake_e2b.runtime.interpreter.host import KernelHost
from fake_e2b.runtime.local import LocalRuntime
from tests.helpers.script import MODULE, SCRIPT, in_terminal, run_script


def test_it_says_of_each_capability_whether_it_holds_here():
    ended = run_script("doctor")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert f"fake-e2b {__version__}" in ended.stdout
    for capability in Capability:
        assert capability.value in ended.stdout
    assert "E2B's SDKs: e2b " in ended.stdout


def test_programs_read_it_as_json():
    report = json.loads(run_script("doctor", "--json").stdout)
    by_name = {finding["capability"]: finding for finding in report["findings"]}
    assert {capability.name.lower() for capability in Capability} == by_name.keys() - {None}
    local = {capability.name.lower() for capability in LocalRuntime().capabilities}
    assert {name for name, each in by_name.items() if "local" in each["runtimes"]} >= local
    assert report["version"] == __version__
    assert report["interpreter"]["held"] is (KernelHost().available is None)
    assert report["sdks"]["e2b"]


def test_it_says_whether_old_sdks_can_be_served(monkeypatch, tmp_path, capsys):
    report = json.loads(run_script("doctor", "--json").stdout)
    assert report["tls"] == {"held": True, "advice": "", "for": ""}
    (tmp_path / "e2b-1.5.6.dist-info").mkdir()
    metadata = "Metadata-Version: 2.1\nName: e2b\nVersion: 1.5.6\n"
    (tmp_path / "e2b-1.5.6.dist-info" / "METADATA").write_text(metadata)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(sys.modules, "trustme", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "no   certificates for the run; taken by itself, because e2b 1.5.6 is installed" in said
    assert 'pip install "fake-e2b[tls]"' in said


def test_it_says_what_a_desktop_lacks(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "no   an X server and its tools" in said
    assert "missing: Xvfb, xdpyinfo, pgrep, " in said
    assert "apt-get install xvfb x11-utils procps " in said


def test_it_takes_the_isolated_runtime_apart():
    report = json.loads(run_script("doctor", "--json").stdout)
    parts = {part["name"]: part for part in report["parts"]}
    assert {"namespaces", "overlay", "proc", "ids", "memory", "processes"} <= parts.keys()
    isolated = report["findings"][1]["held"]
    assert isolated is all(parts[name]["held"] for name in ("namespaces", "overlay", "proc"))
    separate = next(f for f in report["findings"] if f["capability"] == "separate_users")
    assert separate["held"] is (isolated and parts["ids"]["held"])
    shown = run_script("doctor").stdout
    for part in parts.values():
        assert part["text"] in shown
        assert part["held"] or part["advice"] in shown


def test_it_lists_the_gaps_that_no_machine_closes():
    shown = run_script("doctor").stdout
    assert "fork.memory: The processes and the memory of a forked sandbox" in shown


def test_what_does_not_hold_comes_with_the_reason():
    report = json.loads(run_script("doctor", "--json").stdout)
    assert all(finding["held"] or finding["advice"] for finding in report["findings"])


def test_a_terminal_shows_the_same():
    with in_terminal(*SCRIPT, "doctor") as terminal:
        terminal.read_until("Runtimes")
        terminal.read_until("E2B's SDKs:")
        assert terminal.wait() == 0


@pytest.mark.parametrize("program", [SCRIPT, MODULE], ids=["script", "module"])
def test_the_version_is_the_packages(program):
    ended = run_script("--version", program=program)
    assert (ended.returncode, ended.stdout) == (0, f"fake-e2b {__version__}\n")


@pytest.mark.parametrize("arguments", [[], ["sreve"], ["doctor", "--jsno"]])
def test_a_wrong_command_line_is_refused_with_the_form(arguments):
    ended = run_script(*arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "usage: fake-e2b" in ended.stderr


def test_a_reader_that_has_had_enough_is_no_error():
    ended = run_script("run", "--", "bash", "-c", f"{SCRIPT[0]} doctor | true")
    assert ended.stderr == ""
