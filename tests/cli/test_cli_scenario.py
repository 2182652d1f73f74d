from __future__ import annotations

import json
import signal
import socket
import subprocess

import pytest

from fake_e2b import FakeE2B
from fake_e2b.cli.main import main
from tests.helpers.script import SCRIPT, clean_environment, run_script
from tests.scenario.stories import FOLDER, HEAD


def scenario(capsys, *arguments):
    status = main(["scenario", *arguments])
    return status, capsys.readouterr()


@pytest.fixture
def failing(tmp_path):
    path = tmp_path / "failing.toml"
    path.write_text(
        HEAD
        + '[[step]]\ndo = "create"\n[[step]]\ndo = "info"\nexpect = { state = "paused" }\n'
        + '[[step]]\ndo = "kill"\n'
    )
    return path


def test_one_that_comes_with_the_package_is_played_by_its_name():
    ended = run_script("scenario", "run", "first_command", "--runtime", "local")
    assert ended.returncode == 0, ended.stderr
    told = ended.stdout.splitlines()
    assert told[0].startswith("First command (")
    assert "seed 1" in told[0]
    assert any("run cat no-such-file" in line and "exit_code = 1" in line for line in told)
    assert told[-1] == "passed: 9 steps"


def test_one_that_fails_says_where_and_why(capsys, failing):
    status, said = scenario(capsys, "run", str(failing), "create_times_out", "--runtime", "local")
    assert status == 1
    assert f"FAILED at {failing}:7: info should show state = 'paused'" in said.out
    assert "1 steps were not played, seed 1" in said.out
    assert said.out.endswith("1 passed, 1 failed\n")


def test_the_report_for_programs(capsys, failing):
    status, said = scenario(capsys, "run", str(failing), "--json", "--seed", "7")
    assert status == 1
    [told] = json.loads(said.out)["scenarios"]
    assert (told["passed"], told["seed"], told["sdk"], told["stepsLeft"]) == (False, 7, "python", 1)
    assert [(each["line"], each["do"]) for each in told["steps"]] == [(5, "create"), (7, "info")]
    assert "state = 'paused'" in told["steps"][1]["problem"]
    assert told["journal"][0].startswith("request createSandbox POST /v2/sandboxes 201")


def test_it_plays_on_a_server_that_runs(capsys):
    with FakeE2B(runtime="local", clock="manual", set_environment=False) as fake:
        status, said = scenario(
            capsys, "run", "timeout_kill", "--target", fake.url, "--reset", "--sdk", "python-async"
        )
    assert status == 0, said.out
    assert "python-async)" in said.out


def test_ctrl_c_takes_back_what_the_story_made(tmp_path):
    path = tmp_path / "long.toml"
    path.write_text(
        HEAD + '[[step]]\ndo = "create"\n[[step]]\ndo = "run"\ncommand = "sleep 600"\ntimeout = 0\n'
    )
    with FakeE2B(runtime="local", set_environment=False) as fake:
        with subprocess.Popen(
            [*SCRIPT, "scenario", "run", str(path), "--target", fake.url],
            env=clean_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as playing:
            try:
                fake.journal.wait_for("processStarted", timeout_s=60)
                playing.send_signal(signal.SIGINT)
                _, said = playing.communicate(timeout=60)
            finally:
                playing.kill()
        assert said == "fake-e2b: interrupted; what the story made is gone\n"
        assert playing.returncode == 128 + signal.SIGINT
        assert not fake.sandboxes()


def test_all_are_listed(capsys):
    status, said = scenario(capsys, "list")
    names = [line.split()[0] for line in said.out.splitlines()]
    assert status == 0
    assert names == sorted(path.stem for path in FOLDER.glob("*.toml"))
    _, said = scenario(capsys, "list", "--json")
    assert [each["name"] for each in json.loads(said.out)["scenarios"]] == names


def test_a_file_is_checked_without_playing(capsys, failing, tmp_path):
    status, said = scenario(capsys, "check", str(failing), "pty_resize")
    assert status == 0
    assert f"{failing}: 3 steps" in said.out
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(HEAD + '[[step]]\ndo = "kil"\n')
    status, said = scenario(capsys, "check", str(wrong))
    assert status == 2
    assert f"{wrong}:5: there is no step 'kil'; did you mean 'kill'?" in said.err


def free_url():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"http://127.0.0.1:{free.getsockname()[1]}"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["first_comand"], "did you mean 'first_command'?"),
        (["none.toml"], "there is no file none.toml"),
        (["first_command", "--reset"], "--reset goes with --target"),
        (["first_command", "--target", "http://a", "--seed", "1"], "--seed goes without --target"),
        (["first_command", "--target", "localhost:3000"], "is no URL"),
        (["first_command", "--target", free_url()], "fake-e2b serve"),
    ],
)
def test_what_cannot_be_is_refused(capsys, arguments, complaint):
    status, said = scenario(capsys, "run", *arguments)
    assert status == 2
    assert complaint in said.err
