"""The bash kernel: one long-lived interactive shell without a terminal.

The shell reads commands from a pipe. A cell is one `eval` whose standard input is another pipe
that nobody writes, so `read` waits; a line on a third pipe tells its exit status. Both outputs
are one pipe, sent line by line. Interactive, because only then an interrupt ends the whole cell
and leaves the shell alive.

Facts: interpreter.bash.output, interpreter.bash.status, interpreter.bash.exit
"""

from __future__ import annotations

import json
import os
import select
import shlex
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping
from typing import Any

_READ_BYTES = 65536
# No prompts, no history expansion, no job control; whatever starting up has said is dropped.
_SET_UP = "PS1= PS2= PROMPT_COMMAND=; set +H +m\n"


class BashCells:
    """Runs cells, one at a time.

    Args:
        channel: Where messages go, as lines of JSON.
    """

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._count = 0
        self._partial = b""
        # A handler, unlike "ignore", is not inherited by the shell.
        signal.signal(signal.SIGINT, lambda *_: None)
        self._start_shell()

    def serve(self, receive: Callable[[], Any]) -> None:
        """Obey the server; `receive` gives its next message and ends by EOFError."""
        while True:
            message = receive()
            self._change_variables(message["variables"])
            if (code := message.get("code")) is not None:
                self._run(code)

    def _start_shell(self) -> None:
        # Kept open on this side: it never ends, and nothing ever comes.
        silent_input, self._silent_writer = os.pipe()
        self._status, status = os.pipe()
        self._output, output = os.pipe()
        self._shell = subprocess.Popen(
            ["bash", "--norc", "--noprofile", "--noediting", "-i"],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=[silent_input, status],
        )
        self._tell_status = f"echo $? >&{status}\n"
        self._streams = f"0<&{silent_input} {silent_input}<&- {status}>&-"
        for fd in (silent_input, status, output):
            os.close(fd)
        self._write(_SET_UP)
        self._finish_cell(lambda line: None)

    def _write(self, command: str) -> None:
        """Hand over a command; a shell that is gone shows in its status pipe."""
        assert self._shell.stdin is not None
        try:
            self._shell.stdin.write(command.replace("\0", "").encode(errors="surrogateescape"))
            self._shell.stdin.flush()
        except BrokenPipeError:
            return

    def _change_variables(self, changes: Mapping[str, str | None]) -> None:
        commands = [
            f"unset {shlex.quote(name)}"
            if value is None
            else f"export {shlex.quote(f'{name}={value}')}"
            for name, value in changes.items()
        ]
        if commands:
            self._write("; ".join(commands) + "\n")
            self._finish_cell(lambda line: None)

    def _run(self, code: str) -> None:
        self._count += 1
        self._send(["count", self._count])
        self._write(f"eval {shlex.quote(code)} {self._streams}\n")
        status = self._finish_cell(lambda line: self._send(["stdout", line]))
        if status is None:
            self._shell.wait()
            for fd in (self._silent_writer, self._status, self._output):
                os.close(fd)
            self._send(["stdout", "Restarting Bash"])
            self._start_shell()
        elif status != "0":
            self._send(["error", "", status, []])
        self._send(["end"])

    def _finish_cell(self, take: Callable[[str], None]) -> str | None:
        """Pass on the output until the cell is over; its exit status, None if the shell ended."""
        self._write(self._tell_status)
        status = b""
        while not status.endswith(b"\n"):
            ready, _, _ = select.select([self._output, self._status], [], [])
            if self._output in ready:
                self._pass_on(take)
            if self._status in ready:
                piece = os.read(self._status, 64)
                status += piece
                if not piece:
                    break
        # All that the cell wrote is in the pipe by now.
        while select.select([self._output], [], [], 0)[0] and self._pass_on(take):
            pass
        if self._partial:
            take(self._partial.decode(errors="replace") + "\n")
            self._partial = b""
        return status.decode().strip() or None

    def _pass_on(self, take: Callable[[str], None]) -> bool:
        data = os.read(self._output, _READ_BYTES)
        *lines, self._partial = (self._partial + data).split(b"\n")
        for line in lines:
            take(line.decode(errors="replace") + "\n")
        return bool(data)

    def _send(self, message: list[object]) -> None:
        self._channel.sendall(json.dumps(message).encode() + b"\n")
