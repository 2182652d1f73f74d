"""Terminals as people use them: jobs, full screens, pastes; by the published SDK."""

from __future__ import annotations

import hashlib
import shutil

import pytest
from e2b import CommandExitException, Sandbox, TimeoutException
from e2b.sandbox.commands.command_handle import PtySize
from e2b.sandbox_sync.commands.command_handle import CommandHandle

from fake_e2b import FakeE2B
from tests.guide.terminal import read_until
from tests.helpers.waiting import wait_until

STANDARD_PATH = "/usr/local/bin:/usr/bin:/bin"
INTERRUPT, SUSPEND, END, ESCAPE = b"\x03", b"\x1a", b"\x04", b"\x1b"
SIZE = PtySize(rows=24, cols=80)


class Terminal:
    """A terminal at which somebody types, with a prompt of its own.

    Nothing that is typed holds what is waited for: the echo shows the keys as well.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.handle: CommandHandle = sandbox.pty.create(size=SIZE, timeout=30)
        self._rest = ""
        self.type(b"PS1='ready''> '; cd ~\n")
        self.see("ready> ")

    @property
    def pid(self) -> int:
        return self.handle.pid

    def type(self, keys: bytes) -> None:
        self.sandbox.pty.send_stdin(self.pid, keys)

    def see(self, wanted: str) -> str:
        """What is shown up to and with `wanted`; the rest is for the next call."""
        shown = self._rest
        if wanted not in shown:
            shown += read_until(self.handle, wanted, shown)
        found, _, self._rest = shown.partition(wanted)
        return found + wanted


@pytest.fixture
def sandbox(fake: FakeE2B) -> Sandbox:
    return Sandbox.create()


@pytest.fixture
def terminal(sandbox: Sandbox) -> Terminal:
    return Terminal(sandbox)


def needs_program(name: str) -> None:
    if shutil.which(name, path=STANDARD_PATH) is None:
        pytest.skip(f"{name} is not installed")


def test_an_interrupt_ends_the_job_and_not_the_shell(terminal: Terminal) -> None:
    # A program that says so is in the foreground; a shell between two commands may miss the key.
    terminal.type(b"sh -c 'echo start\"\"ed; exec sleep 1000'\n")
    terminal.see("started\r\n")
    terminal.type(INTERRUPT)
    terminal.see("ready> ")
    terminal.type(b"echo status=$?\n")
    terminal.see("status=130")


def test_a_job_is_stopped_and_brought_back(terminal: Terminal) -> None:
    terminal.type(b"sed -u s/^/got-/\n")
    terminal.type(b"one\n")
    terminal.see("got-one")
    terminal.type(SUSPEND)
    terminal.see("Stopped")
    terminal.see("ready> ")  # else the shell may throw away what is typed
    terminal.type(b"jobs | wc -l | sed s/^/jobs=/\n")
    terminal.see("jobs=1")
    terminal.see("ready> ")
    terminal.type(b"fg\n")
    terminal.see("sed -u s/^/got-/\r\n")
    terminal.type(b"two\n")
    terminal.see("got-two")
    terminal.type(END)
    terminal.see("ready> ")


def test_the_shell_ends_with_its_status(terminal: Terminal) -> None:
    terminal.type(b"(exit 5)\n")
    # The key means the end to a shell that reads; one that still runs something would miss it.
    terminal.see("ready> ")
    terminal.type(END)
    with pytest.raises(CommandExitException) as ended:
        terminal.handle.wait()
    assert ended.value.exit_code == 5


def test_it_is_a_terminal_with_colours_and_a_size(terminal: Terminal) -> None:
    terminal.type(b"echo term=$TERM; tput cols; ls --color=auto -d /; [ -t 1 ] && echo is''one\n")
    shown = terminal.see("isone")
    assert "term=xterm-256color" in shown
    assert "\r\n80\r\n" in shown
    assert "\x1b[" in shown


def test_characters_may_be_cut_anywhere(terminal: Terminal) -> None:
    for key in "echo gr\u00fc\u00dfe-\u6f22-\U0001f600-$((6*7))\n".encode():
        terminal.type(bytes([key]))
    terminal.see("gr\u00fc\u00dfe-\u6f22-\U0001f600-42\r\n")
    terminal.type(b"printf '<\\303'; sleep 0.2; printf '\\274>\\n'\n")
    terminal.see("<\u00fc>")


def test_a_paste_of_a_megabyte_arrives_whole(terminal: Terminal) -> None:
    text = b"".join(b"%06d %s\n" % (number, b"x" * 57) for number in range(16384))
    assert len(text) > 1 << 20
    terminal.type(b"stty -echo; echo pas''te; cat > pasted; stty echo\n")
    terminal.see("paste\r\n")
    terminal.type(text)
    terminal.type(END)
    terminal.see("ready> ")
    pasted = terminal.sandbox.files.read("pasted", format="bytes")
    assert hashlib.sha256(pasted).digest() == hashlib.sha256(text).digest()


def test_a_program_hears_of_a_new_size(terminal: Terminal) -> None:
    program = "trap 'stty size' WINCH; echo waiting; while :; do sleep 0.05; done"
    terminal.sandbox.files.write("watch", program)
    terminal.type(b"bash watch\n")
    terminal.see("waiting\r\n")
    terminal.sandbox.pty.resize(terminal.pid, PtySize(rows=40, cols=120))
    terminal.see("40 120\r\n")
    terminal.type(INTERRUPT)


def test_vim_edits_a_file(terminal: Terminal) -> None:
    needs_program("vim")
    terminal.type(b"vim -u NONE -N note\n")
    terminal.see("\x1b[?1049h")
    terminal.type(b"ihello from vim" + ESCAPE + b":wq\r")
    terminal.see("ready> ")
    assert terminal.sandbox.files.read("note") == "hello from vim\n"


def test_less_pages_through_a_file(terminal: Terminal) -> None:
    needs_program("less")
    lines = [f"line {number}" for number in range(1000)]
    terminal.sandbox.files.write("long", "\n".join(lines))
    terminal.type(b"less long\n")
    assert "line 900" not in terminal.see("line 22")
    terminal.type(b"G")
    terminal.see("line 999")
    terminal.type(b"q")
    terminal.see("ready> ")


def test_top_shows_a_screen(terminal: Terminal) -> None:
    needs_program("top")
    terminal.type(b"top\n")
    terminal.see("COMMAND")
    terminal.type(b"q")
    terminal.see("ready> ")


def test_two_look_at_one_terminal(terminal: Terminal) -> None:
    other = terminal.sandbox.pty.connect(terminal.pid)
    terminal.type(b"echo sh''ared\n")
    terminal.see("shared")
    read_until(other, "shared")


def test_it_ends_with_its_time(sandbox: Sandbox) -> None:
    terminal = sandbox.pty.create(size=SIZE, timeout=1)
    with pytest.raises(TimeoutException):
        terminal.wait()
    wait_until(lambda: terminal.pid not in [found.pid for found in sandbox.commands.list()])
    assert sandbox.pty.kill(terminal.pid) is False


def test_what_ran_in_it_ends_with_it(terminal: Terminal) -> None:
    terminal.type(b"trap '' HUP; echo star''ted; sleep 1000\n")
    terminal.see("started")
    assert terminal.sandbox.pty.kill(terminal.pid) is True
    with pytest.raises(CommandExitException) as ended:
        terminal.handle.wait()
    assert ended.value.exit_code == -1


def test_ten_terminals_are_ten(sandbox: Sandbox) -> None:
    terminals = [Terminal(sandbox) for _ in range(10)]
    for number, terminal in enumerate(terminals):
        terminal.type(b"mine=%d; tty\n" % number)
    for number, terminal in enumerate(terminals):
        terminal.type(b"echo mine-is-$mine\n")
        terminal.see(f"mine-is-{number}\r\n")
