"""Guide: "Interactive Terminal (PTY)"."""

from __future__ import annotations

import pytest
from e2b.sandbox.commands.command_handle import CommandExitException, PtySize
from e2b_code_interpreter import AsyncSandbox, Sandbox

from tests.guide.terminal import Screen, read_until


def test_a_terminal_has_its_variables_folder_and_user() -> None:
    sandbox = Sandbox.create()
    terminal = sandbox.pty.create(
        size=PtySize(rows=24, cols=80),
        envs={"MY_VAR": "hello"},
        cwd="/home/user",
        user="root",
    )
    assert terminal.pid > 0

    sandbox.pty.send_stdin(terminal.pid, b'echo "<$MY_VAR ${PWD##*/} $USER>"\n')

    read_until(terminal, "<hello user root>")


def test_input_is_echoed_and_answered() -> None:
    sandbox = Sandbox.create()
    terminal = sandbox.pty.create(size=PtySize(rows=24, cols=80))

    sandbox.pty.send_stdin(terminal.pid, b'echo "Hello from PTY $((6*7))"\n')

    shown = read_until(terminal, "Hello from PTY 42\r\n")
    assert 'echo "Hello from PTY $((6*7))"' in shown


def test_resize_reaches_the_program() -> None:
    sandbox = Sandbox.create()
    terminal = sandbox.pty.create(size=PtySize(rows=24, cols=80))
    sandbox.pty.send_stdin(terminal.pid, b"stty size\n")
    read_until(terminal, "24 80")

    sandbox.pty.resize(terminal.pid, PtySize(cols=120, rows=40))

    sandbox.pty.send_stdin(terminal.pid, b"stty size\n")
    read_until(terminal, "40 120")


def test_a_terminal_goes_on_while_nobody_listens() -> None:
    sandbox = Sandbox.create()
    terminal = sandbox.pty.create(size=PtySize(rows=24, cols=80))
    pid = terminal.pid
    sandbox.pty.send_stdin(pid, b"kept=$((6*7))\n")
    read_until(terminal, "kept=")
    terminal.disconnect()

    again = sandbox.pty.connect(pid)

    sandbox.pty.send_stdin(pid, b"echo world-$kept\n")
    read_until(again, "world-42")


def test_exit_ends_the_wait_with_the_code() -> None:
    sandbox = Sandbox.create()
    terminal = sandbox.pty.create(size=PtySize(rows=24, cols=80))
    shown: list[bytes] = []

    sandbox.pty.send_stdin(terminal.pid, b"exit\n")

    assert terminal.wait(on_pty=shown.append).exit_code == 0
    assert b"exit" in b"".join(shown)


def test_killing_a_terminal_says_whether_there_was_one() -> None:
    sandbox = Sandbox.create()
    terminal = sandbox.pty.create(size=PtySize(rows=24, cols=80), timeout=0)

    assert sandbox.pty.kill(terminal.pid) is True
    with pytest.raises(CommandExitException) as ended:
        terminal.wait()
    assert ended.value.exit_code == -1
    assert sandbox.pty.kill(terminal.pid) is False


async def test_async_terminal_session() -> None:
    sandbox = await AsyncSandbox.create()
    first, second = Screen(), Screen()
    terminal = await sandbox.pty.create(
        size=PtySize(rows=24, cols=80), on_data=first.on_data, envs={"MY_VAR": "hello"}
    )
    await sandbox.pty.send_stdin(terminal.pid, b'echo "<$MY_VAR>"\n')
    await first.until("<hello>")
    await sandbox.pty.resize(terminal.pid, PtySize(cols=120, rows=40))
    await terminal.disconnect()

    again = await sandbox.pty.connect(terminal.pid, on_data=second.on_data)

    await sandbox.pty.send_stdin(terminal.pid, b"stty size\n")
    await second.until("40 120")
    await sandbox.pty.send_stdin(terminal.pid, b"exit\n")
    assert (await again.wait()).exit_code == 0
    assert "40 120" not in first.shown
