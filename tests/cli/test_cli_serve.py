from __future__ import annotations

import json
import shlex
import signal
import socket
import subprocess
import urllib.error
import urllib.request

import psutil
import pytest

from tests.helpers.script import SCRIPT, in_terminal, run_script, started_script
from tests.helpers.waiting import wait_until


def variables_in(text):
    pairs = (shlex.split(line)[1].partition("=") for line in text.splitlines())
    return {name: value for name, _, value in pairs}


def read_variables(process):
    """The export lines, read from a pipe while the server goes on."""
    lines = []
    while not (lines and lines[-1].startswith("export E2B_DEBUG=")):
        line = process.stdout.readline()
        assert line, process.stderr.read()
        lines.append(line)
    return variables_in("".join(lines))


def answers(url):
    try:
        with urllib.request.urlopen(f"{url}/_fake/health", timeout=10) as answer:
            return json.load(answer)["status"] == "ok"
    except urllib.error.URLError:
        return False


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 0), (signal.SIGHUP, 129)]
)
def test_it_serves_until_a_signal_and_leaves_nothing_behind(number, status):
    with started_script("serve", "--port", "0") as process:
        variables = read_variables(process)
        assert answers(variables["E2B_API_URL"])
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(number)
        assert process.wait(30) == status
    assert not answers(variables["E2B_API_URL"])
    assert not [child for child in children if child.is_running()]


def test_the_export_lines_alone_are_on_standard_output():
    with started_script("serve", "--port", "0", "--api-key", "e2b_abcdef") as process:
        variables = read_variables(process)
        process.terminate()
        rest, notes = process.communicate(timeout=30)
    assert variables["E2B_API_KEY"] == "e2b_abcdef"
    assert all(line.startswith("export ") for line in rest.splitlines())
    assert f"serves at {variables['E2B_API_URL']}" in notes


def test_a_shell_can_read_the_ready_file(tmp_path):
    ready = tmp_path / "ready"
    with started_script("serve", "--port", "0", "--ready-file", str(ready)) as process:
        wait_until(lambda: ready.exists() or process.poll() is not None)
        said = subprocess.run(
            ["bash", "-c", '. "$1"; echo "$E2B_API_URL"', "-", str(ready)],
            capture_output=True,
            text=True,
            check=True,
        )
        assert answers(said.stdout.strip())
        assert ready.stat().st_mode & 0o777 == 0o600
        assert [path.name for path in tmp_path.iterdir()] == ["ready"]
        process.terminate()
        process.wait(30)
    assert list(tmp_path.iterdir()) == []


def test_a_ready_file_that_cannot_be_written_is_refused(tmp_path):
    ended = run_script("serve", "--port", "0", "--ready-file", str(tmp_path / "no" / "ready"))
    assert ended.returncode == 2
    assert "cannot write --ready-file" in ended.stderr


def test_a_port_that_is_taken_is_named_with_the_way_out():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run_script("serve", "--port", str(port))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert f"port {port}" in ended.stderr
    assert "--port 0" in ended.stderr


def test_other_machines_are_kept_out_without_the_second_flag():
    ended = run_script("serve", "--host", "0.0.0.0", "--port", "0")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "--allow-remote" in ended.stderr


def test_with_the_second_flag_it_warns():
    with started_script("serve", "--host", "0.0.0.0", "--port", "0", "--allow-remote") as process:
        variables = read_variables(process)
        assert answers(variables["E2B_API_URL"])
        process.terminate()
        assert "warning: listening on 0.0.0.0" in process.communicate(timeout=30)[1]


@pytest.mark.parametrize(
    "options",
    [["--port", "65536"], ["--port", "x"], ["--seed", "-1"], ["--runtime", "vm"], ["--hots", "x"]],
)
def test_wrong_options_are_refused(options):
    ended = run_script("serve", *options)
    assert ended.returncode == 2
    assert "error:" in ended.stderr


def test_ctrl_c_in_a_terminal_ends_it():
    with in_terminal(*SCRIPT, "serve", "--port", "0") as terminal:
        terminal.read_until("export E2B_DEBUG=false")
        terminal.type("\x03")
        assert terminal.wait() == 130


def test_it_writes_its_journal_to_a_file(tmp_path):
    path = tmp_path / "journal.jsonl"
    with started_script("serve", "--port", "0", "--journal", str(path)) as process:
        variables = read_variables(process)
        request = urllib.request.Request(
            f"{variables['E2B_API_URL']}/v2/sandboxes",
            headers={"X-API-Key": variables["E2B_API_KEY"]},
        )
        urllib.request.urlopen(request, timeout=20).close()
        line = json.loads(wait_until(path.read_text))
        process.terminate()
        assert process.wait(30) == 0
    assert (line["operation"], line["status"]) == ("listSandboxes", 200)
    assert variables["E2B_API_KEY"] not in path.read_text()


def test_a_journal_that_cannot_be_written_ends_it_at_once(tmp_path):
    finished = run_script("serve", "--port", "0", "--journal", str(tmp_path / "missing" / "file"))
    assert finished.returncode == 2
    assert "cannot write the journal to" in finished.stderr
