"""Starts the real console script, with pipes or in a real terminal, and never leaves it behind."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from ptyprocess import PtyProcess

SCRIPT = [str(Path(sys.executable).with_name("fake-e2b"))]
MODULE = [sys.executable, "-m", "fake_e2b"]
DEADLINE_S = 30.0


def clean_environment() -> dict[str, str]:
    """This process's environment without anything of E2B's."""
    return {name: value for name, value in os.environ.items() if not name.startswith("E2B_")}


def run_script(
    *arguments: str, program: list[str] = SCRIPT, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run it to its end, with pipes."""
    return subprocess.run(
        [*program, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        env=clean_environment(),
        start_new_session=True,
        check=False,
    )


@contextlib.contextmanager
def started_script(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """It with pipes and no terminal; killed with its process group if it outlives the block."""
    process = subprocess.Popen(
        [*SCRIPT, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=clean_environment(),
        start_new_session=True,
    )
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


class Terminal:
    """A program in a real terminal, read by what appears on its screen."""

    def __init__(self, process: PtyProcess) -> None:
        self._process = process
        self._unread = b""
        self.pid: int = process.pid

    def read_until(self, text: str) -> str:
        """All output up to and including `text`.

        Raises:
            AssertionError: The program ended before.
        """
        wanted = text.encode()
        while wanted not in self._unread:
            try:
                self._unread += self._process.read(4096)
            except EOFError:
                raise AssertionError(f"{text!r} never appeared in {self._unread!r}") from None
        seen, _, self._unread = self._unread.partition(wanted)
        return (seen + wanted).decode(errors="replace")

    def type(self, keys: str) -> None:
        """Press keys; `\\x03` is Ctrl-C."""
        self._process.write(keys.encode())

    def type_until(self, keys: str, text: str) -> None:
        """Press keys, and again each second, until `text` appears.

        Raises:
            AssertionError: The program ended before.
        """
        while text.encode() not in self._unread:
            self.type(keys)
            while select.select([self._process], [], [], 1)[0]:
                try:
                    self._unread += self._process.read(4096)
                except EOFError:
                    raise AssertionError(f"{text!r} never appeared in {self._unread!r}") from None
                if text.encode() in self._unread:
                    break
        self.read_until(text)

    def wait(self) -> int:
        """Read to the end; the exit status, or 128 + the signal."""
        with contextlib.suppress(EOFError):
            while True:
                self._unread += self._process.read(4096)
        self._process.wait()
        if self._process.signalstatus is not None:
            return 128 + int(self._process.signalstatus)
        return int(self._process.exitstatus)


@contextlib.contextmanager
def in_terminal(*command: str) -> Iterator[Terminal]:
    """The command in a terminal of its own; killed if it outlives the block."""
    process = PtyProcess.spawn(list(command), env=clean_environment(), echo=False)
    # A reader that waits for ever would hang the run: the alarm is the deadline.
    previous = signal.signal(signal.SIGALRM, _too_late)
    signal.setitimer(signal.ITIMER_REAL, DEADLINE_S)
    try:
        yield Terminal(process)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
        process.close(force=True)


def _too_late(number: int, frame: object) -> None:
    raise TimeoutError(f"the terminal showed nothing of the kind within {DEADLINE_S} s")
