from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from urllib.parse import urlsplit

import psutil
import pytest

from tests.helpers.processes import lives
from tests.helpers.script import MODULE, SCRIPT, in_terminal, run_script, started_script
from tests.helpers.waiting import wait_until

COUNT_INTERRUPTS = """
import signal, sys
count = 0
def interrupted(number, frame):
    global count
    count += 1
    print("interrupted", flush=True)
signal.signal(signal.SIGINT, interrupted)
print("ready", flush=True)
sys.stdin.readline()
print(f"{count} in all", flush=True)
"""


LEAVE_A_SANDBOX = """
import sys, time
from e2b import Sandbox
Sandbox.create().commands.run(f"exec sleep {sys.argv[1]}", background=True)
print("left", flush=True)
if sys.argv[2] == "stay":
    time.sleep(1000)
"""


def sleepers(seconds):
    """Processes that sleep for just this long, wherever they run."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if process.info["cmdline"] == ["sleep", seconds]
    ]


def is_listening(url):
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname, parts.port), timeout=10).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.mark.parametrize("program", [SCRIPT, MODULE], ids=["script", "module"])
def test_the_command_gets_the_variables_of_a_running_fake(program):
    ask = (
        "import json, os, urllib.request as r; u = os.environ['E2B_API_URL'];"
        "print(u, json.load(r.urlopen(u + '/_fake/health'))['status'])"
    )
    ended = run_script("run", "--", sys.executable, "-c", ask, program=program)
    url, status = ended.stdout.split()
    assert (ended.returncode, status, ended.stderr) == (0, "ok", "")
    assert not is_listening(url)


def test_the_key_that_was_asked_for_is_the_one_it_gets():
    ended = run_script("run", "--api-key", "e2b_ab", "--", "sh", "-c", "echo $E2B_API_KEY")
    assert ended.stdout == "e2b_ab\n"


@pytest.mark.parametrize(
    ("script", "status"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137), ("kill $$", 143)]
)
def test_the_exit_status_is_the_commands(script, status):
    assert run_script("run", "--", "sh", "-c", script).returncode == status


def test_what_cannot_be_started_has_the_statuses_of_a_shell(tmp_path):
    assert run_script("run", "--", "no-such-command").returncode == 127
    (tmp_path / "text").write_text("not a program")
    ended = run_script("run", "--", str(tmp_path / "text"))
    assert ended.returncode == 126
    assert "Permission denied" in ended.stderr


@pytest.mark.parametrize("arguments", [[], ["--"], ["--seed", "1"], ["--seed", "1", "--"]])
def test_without_a_command_the_form_is_shown(arguments):
    ended = run_script("run", *arguments)
    assert ended.returncode == 2
    assert "fake-e2b run [options] -- COMMAND" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "seen"),
    [
        (["--seed", "1", "--", "echo", "-x", "--", "--seed"], "-x -- --seed\n"),
        (["--seed", "1", "echo", "-x", "--", "--seed"], "-x -- --seed\n"),
        (["echo", "--", "--"], "-- --\n"),
        (["--", "echo", "run"], "run\n"),
    ],
)
def test_the_commands_own_dashes_are_left_alone(arguments, seen):
    assert run_script("run", *arguments).stdout == seen


def test_standard_input_reaches_the_command():
    assert run_script("run", "--", "cat", stdin="hello\n").stdout == "hello\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_reaches_the_command(number):
    with started_script("run", "--", "bash", "-c", "echo ready; exec sleep 1000") as process:
        process.stdout.readline()
        process.send_signal(number)
        assert process.wait(30) == 128 + number


def test_a_shell_that_is_told_to_end_takes_along_what_it_started():
    with started_script("run", "--", "bash", "-c", "sleep 1000 & echo $!; wait") as process:
        sleeper = psutil.Process(int(process.stdout.readline()))
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 143
        wait_until(lambda: not lives(sleeper))


def test_a_command_that_catches_the_signal_decides_its_own_status():
    script = "trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done"
    with started_script("run", "--", "bash", "-c", script) as process:
        process.stdout.readline()
        process.terminate()
        assert process.wait(30) == 5


def test_in_a_terminal_the_command_has_the_terminal():
    script = "test -t 0 && test -t 1 && test -t 2 && echo all; read line; echo got $line"
    with in_terminal(*SCRIPT, "run", "--", "bash", "-c", script) as terminal:
        terminal.read_until("all")
        terminal.type("hello\n")
        terminal.read_until("got hello")
        assert terminal.wait() == 0


def test_ctrl_c_reaches_the_command_exactly_once():
    with in_terminal(*SCRIPT, "run", "--", sys.executable, "-c", COUNT_INTERRUPTS) as terminal:
        terminal.read_until("ready")
        terminal.type("\x03")
        terminal.read_until("interrupted")
        terminal.type("\n")
        terminal.read_until("1 in all")
        assert terminal.wait() == 0


def test_ctrl_c_ends_a_command_that_does_not_care():
    with in_terminal(*SCRIPT, "run", "--", "bash", "-c", "echo ready; exec sleep 1000") as terminal:
        terminal.read_until("ready")
        terminal.type("\x03")
        assert terminal.wait() == 130


def test_a_signal_sent_to_us_alone_reaches_the_command_in_a_terminal():
    script = "trap 'echo told; exit 6' TERM; echo ready; while :; do sleep 0.05; done"
    with in_terminal(*SCRIPT, "run", "--", "bash", "-c", script) as terminal:
        terminal.read_until("ready")
        psutil.Process(terminal.pid).terminate()
        terminal.read_until("told")
        assert terminal.wait() == 6


def test_it_can_be_stopped_and_continued_from_a_shell():
    with in_terminal("bash", "--norc", "--noprofile", "-i") as terminal:
        terminal.type("PS1='$ '; " + subprocess.list2cmdline([*SCRIPT, "run", "--", "cat"]) + "\n")
        terminal.type("one\n")
        terminal.read_until("one")
        terminal.type("\x1a")
        terminal.read_until("Stopped")
        # Ctrl-Z throws away what is typed before the terminal is done with it, after "Stopped" too.
        terminal.type_until("fg\ntwo\n", "\r\ntwo\r\n")
        terminal.type("\x04")
        terminal.type("echo status=$?; exit\n")
        terminal.read_until("status=0")
        assert terminal.wait() == 0


@pytest.mark.parametrize("then", ["leave", "stay"])
def test_what_the_command_leaves_in_sandboxes_ends_with_it(then):
    seconds = str(100_000 + os.getpid())
    with started_script(
        "run", "--", sys.executable, "-c", LEAVE_A_SANDBOX, seconds, then
    ) as process:
        assert process.stdout.readline() == "left\n", process.stderr.read()
        if then == "stay":
            wait_until(lambda: sleepers(seconds))  # bash may not have become it yet
            process.terminate()
        assert process.wait(30) == (143 if then == "stay" else 0)
        wait_until(lambda: not sleepers(seconds))


def test_a_fake_with_a_profile():
    ask = (
        "import json, os, urllib.request;"
        "answer = urllib.request.urlopen(os.environ['E2B_API_URL'] + '/_fake/faults');"
        "print(len(json.load(answer)['faults']))"
    )
    options = ("--profile", "strict", "--seed", "7")
    ended = run_script("run", *options, "--", sys.executable, "-c", ask)
    assert ended.stdout.strip() == "5", ended.stderr
