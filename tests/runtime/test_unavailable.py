"""Machines that do not grant what the isolated runtime needs, each made for real."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from fake_e2b.runtime.isolated.probe import probe
from tests.helpers.script import SCRIPT

ROOT_FOLDER = Path(__file__).parents[2]
SECCOMP = [sys.executable, str(ROOT_FOLDER / "tests" / "helpers" / "seccomp.py")]
IN_NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount", "--", "/bin/sh", "-ec"]
ASK = """
import asyncio, json, sys
from fake_e2b.domain.errors import RuntimeUnavailableError
from fake_e2b.runtime.select import choose_runtime, survey
folder = sys.argv[1]

async def auto():
    runtime = choose_runtime("auto", folder=folder)
    await runtime.start()
    try:
        guest = await runtime.create("i0")
        await guest.kill()
        return runtime.name
    finally:
        await runtime.close()

def demanded():
    try:
        return choose_runtime("isolated", folder=folder) and None
    except RuntimeUnavailableError as error:
        return str(error)

async def twice():
    return [await auto(), await auto()]

names = asyncio.run(twice())
found = survey(folder=folder)
findings = [(each.text, each.held, each.advice) for each in found.findings]
parts = {each.name: each.held for each in found.parts}
print(json.dumps({"auto": names, "refusal": demanded(), "findings": findings, "parts": parts}))
"""


@dataclass
class Answers:
    """What the program found out, and what it said on the way."""

    auto: list[str]
    refusal: str | None
    findings: list[tuple[str, bool, str]]
    parts: dict[str, bool]
    said: str


def ask(folder: Path, *prefix: str) -> Answers:
    """Run the program behind `prefix`; it must leave nothing in `folder`."""
    asked = subprocess.run(
        [*prefix, sys.executable, "-c", ASK, str(folder)],
        capture_output=True,
        text=True,
        cwd=ROOT_FOLDER,
        check=False,
    )
    assert asked.returncode == 0, asked.stderr
    assert list(folder.glob("fake-e2b-*/*")) == []
    return Answers(**json.loads(asked.stdout), said=asked.stderr)


@pytest.fixture
def granted(tmp_path: Path) -> Path:
    """A folder on a machine that grants everything, so that refusals are this test's own."""
    if (refusal := probe(str(tmp_path)).refusal) is not None:
        pytest.skip(f"namespaces are refused here anyway: {refusal}")
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare")
    return tmp_path


def assert_falls_back(answers: Answers, part: str, reason: str, remedy: str) -> None:
    assert answers.auto == ["local", "local"]
    assert answers.refusal is not None
    for text in (answers.refusal, answers.said, answers.findings[1][2]):
        assert reason in text
        assert remedy in text
    assert answers.said.count("runs sandboxes as plain programs") == 1
    assert not answers.parts[part]
    needed = list(answers.parts)[: list(answers.parts).index(part)]
    assert all(answers.parts[name] for name in needed), "what came before was granted"
    assert [held for _, held, _ in answers.findings[:2]] == [True, False]


def test_a_seccomp_filter_as_dockers(granted: Path) -> None:
    answers = ask(granted, *SECCOMP, "namespaces,mount")
    assert_falls_back(answers, "namespaces", "clone: Operation not permitted", "seccomp=unconfined")


def test_mounts_alone_are_refused_as_by_apparmor(granted: Path) -> None:
    answers = ask(granted, *SECCOMP, "mount")
    assert_falls_back(answers, "overlay", "Operation not permitted", "AppArmor")


def test_no_user_namespaces_at_all(granted: Path) -> None:
    limit = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"'
    answers = ask(granted, *IN_NAMESPACE, limit, "-")
    assert_falls_back(
        answers, "namespaces", "No space left on device", "sysctl user.max_user_namespaces"
    )


def test_in_a_chroot(granted: Path) -> None:
    root = granted / "root"
    root.mkdir()
    inside = f'cd {ROOT_FOLDER}; exec "$@"'
    enter = f"mount --rbind / {root}; exec chroot {root} /bin/sh -c '{inside}' - \"$@\""
    answers = ask(granted, *IN_NAMESPACE, enter, "-")
    assert_falls_back(answers, "namespaces", "clone: Operation not permitted", "chroot")


def test_a_masked_proc(granted: Path) -> None:
    mask = 'mount -t tmpfs none /proc/acpi 2>/dev/null || mount -t tmpfs none /proc/tty; exec "$@"'
    answers = ask(granted, *IN_NAMESPACE, mask, "-")
    assert_falls_back(answers, "proc", "mount proc", "masked")


def test_no_more_processes(granted: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("no limit of processes holds for root")
    asked = subprocess.run(
        [sys.executable, "-c",
         "import resource, sys; from fake_e2b.runtime.isolated.probe import probe; "
         "resource.setrlimit(resource.RLIMIT_NPROC, (1, 1)); "
         "print(probe(sys.argv[1]).refusal)", str(granted)],
        capture_output=True,
        text=True,
        cwd=ROOT_FOLDER,
        check=True,
    )  # fmt: skip
    assert "Resource temporarily unavailable" in asked.stdout
    assert "ulimit -u" in asked.stdout
    assert list(granted.glob("fake-e2b-*/*")) == []


@pytest.mark.parametrize(
    ("demand", "variables"),
    [(["--runtime", "isolated"], {}), ([], {"FAKE_E2B_RUNTIME": "isolated"})],
    ids=["option", "variable"],
)
def test_a_command_that_demands_it_says_what_is_missing(
    granted: Path, demand: list[str], variables: dict[str, str]
) -> None:
    ended = subprocess.run(
        [*SECCOMP, "namespaces", *SCRIPT, "run", *demand, "--", "echo", "ran"],
        capture_output=True,
        text=True,
        env={**os.environ, "TMPDIR": str(granted), **variables},
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "isolated runtime cannot run here" in ended.stderr
    assert "seccomp" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert list(granted.glob("fake-e2b-*/*")) == []


def test_a_test_run_that_demands_it_says_what_is_missing(granted: Path) -> None:
    (granted / "test_mine.py").write_text("def test_mine(fake_e2b):\n    pass\n")
    ended = subprocess.run(
        [*SECCOMP, "namespaces", sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
         "--fake-e2b-runtime", "isolated", "--rootdir", str(granted), str(granted)],
        capture_output=True,
        text=True,
        env={**os.environ, "TMPDIR": str(granted)},
        cwd=granted,
        check=False,
    )  # fmt: skip
    assert ended.returncode == 1
    assert "RuntimeUnavailableError: the isolated runtime cannot run here: clone" in ended.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="takes rights away from root")
@pytest.mark.parametrize(
    ("rights", "mode"),
    [("-sys_admin", "HOST"), ("-setuid,-setgid", "SINGLE")],
)
def test_root_without_its_rights_has_sandboxes_all_the_same(
    granted: Path, rights: str, mode: str
) -> None:
    if shutil.which("setpriv") is None:
        pytest.skip("needs setpriv")
    without = ["setpriv", f"--bounding-set={rights}", f"--inh-caps={rights}", "--"]
    answers = ask(granted, *without)
    assert (answers.auto, answers.refusal) == (["isolated", "isolated"], None)
    (apart,) = [held for text, held, _ in answers.findings if "different rights" in text]
    assert apart is (mode == "HOST")


@pytest.mark.skipif(os.geteuid() != 0, reason="takes rights away from root")
def test_root_without_any_rights(granted: Path) -> None:
    if shutil.which("setpriv") is None:
        pytest.skip("needs setpriv")
    answers = ask(granted, "setpriv", "--bounding-set=-all", "--inh-caps=-all", "--")
    assert_falls_back(
        answers, "namespaces", "the map of ids: Operation not permitted", "CAP_SETFCAP"
    )


def test_newuidmap_that_does_not_work_leaves_one_id(granted: Path) -> None:
    """As under no_new_privs, or where /etc/subuid and the tool disagree."""
    if not probe(str(granted)).ids.delegated:
        pytest.skip("this user has no range of ids")
    answers = ask(granted, "setpriv", "--no-new-privs", "--")
    assert (answers.auto, answers.refusal) == (["isolated", "isolated"], None)
    (advice,) = [advice for text, _, advice in answers.findings if "different rights" in text]
    assert "no_new_privs" in advice
