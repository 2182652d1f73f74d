"""What a handler is given: the call that it answers."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from fake_e2b.domain.stubs.call import Command
from fake_e2b.runtime.stubs.line import CallerGoneError, Line

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class RunningCall:
    """A call of a stubbed program, while its handler answers it.

    Attributes:
        argv: The program's name, without a folder, and its arguments.
        cwd: Where it was called.
        env: The environment that it was called with.
        stdin: What is piped or typed into it; nothing is read before it is asked for.
    """

    def __init__(self, command: Command, line: Line, heard: Callable[[bytes], None]) -> None:
        self._line = line
        self.sandbox_id = command.sandbox_id
        self.argv = command.argv
        self.cwd = command.cwd
        self.env: Mapping[str, str] = command.env
        self.stdin = io.BufferedReader(_Stdin(line, heard))

    def write(self, data: bytes | str) -> None:
        """Say something on stdout; waits while nobody reads it.

        Raises:
            CallerGoneError: The program has ended.
        """
        self._line.write(_as_bytes(data))

    def write_err(self, data: bytes | str) -> None:
        """The same on stderr.

        Raises:
            CallerGoneError: The program has ended.
        """
        self._line.write(_as_bytes(data), err=True)

    def sleep(self, seconds: float) -> None:
        """Wait, for as long as the program lives.

        Raises:
            CallerGoneError: It has ended meanwhile.
        """
        if self._line.is_gone(seconds):
            raise CallerGoneError

    @property
    def gone(self) -> bool:
        """Whether the program has ended: by a signal, or with its sandbox."""
        return self._line.is_gone()


class _Stdin(io.RawIOBase):
    """The program's stdin; each read is one of its own."""

    def __init__(self, line: Line, heard: Callable[[bytes], None]) -> None:
        self._line = line
        self._heard = heard

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer)
        data = self._line.read(len(view))
        self._heard(data)
        view[: len(data)] = data
        return len(data)


def _as_bytes(data: bytes | str) -> bytes:
    return data.encode() if isinstance(data, str) else bytes(data)
