"""Waits for texts in what a command or a terminal puts out, as each SDK hands it over."""

from __future__ import annotations

import asyncio
import codecs
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from fake_e2b.scenario.drivers.port import DriverError

SEE_TIMEOUT_S = 30.0


class Watch(Protocol):
    """One stream of output."""

    def callbacks(self, *, terminal: bool) -> Mapping[str, Any]:
        """What to hand to the SDK when it begins to listen."""
        ...

    def listen(self, handle: Any) -> None:
        """Take output from this handle from now on."""
        ...

    def until(self, text: str) -> Any:
        """Wait (an awaitable where the SDK is asynchronous) until it showed a text.

        Raises:
            DriverError: The output ended without it, or it did not come in time.
        """
        ...


class SyncWatch:
    """The plain SDK hands output over when it is asked to: by iteration."""

    def __init__(self) -> None:
        self._unread = _Unread()
        self._pieces: Iterator[Any] = iter(())

    def callbacks(self, *, terminal: bool) -> Mapping[str, Any]:
        """None are needed."""
        return {}

    def listen(self, handle: Any) -> None:
        """Take output from this handle from now on."""
        self._pieces = iter(handle)

    def until(self, text: str) -> None:
        """Read until the text was there.

        Raises:
            DriverError: The output ended without it.
        """
        while not self._unread.take(text):
            piece = next(self._pieces, None)
            if piece is None:
                raise DriverError(self._unread.complaint("the output ended", text))
            for part in piece:
                if part is not None:
                    self._unread.add(part)


class AsyncWatch:
    """The asynchronous SDK calls back with each piece, in the event loop."""

    def __init__(self) -> None:
        self._unread = _Unread()
        self._changed = asyncio.Event()
        self._ending: asyncio.Future[Any] | None = None

    def callbacks(self, *, terminal: bool) -> Mapping[str, Any]:
        """The functions that collect."""
        if terminal:
            return {"on_data": self._add}
        return {"on_stdout": self._add, "on_stderr": self._add}

    def listen(self, handle: Any) -> None:
        """The handle whose end ends the output."""
        # Never cancelled by us: that would end the SDK's own reading.
        self._ending = asyncio.ensure_future(handle.wait())
        self._ending.add_done_callback(lambda ended: self._changed.set())
        self._ending.add_done_callback(lambda ended: ended.cancelled() or ended.exception())

    def _add(self, piece: str | bytes) -> None:
        self._unread.add(piece)
        self._changed.set()

    async def until(self, text: str) -> None:
        """Wait until the text was there.

        Raises:
            DriverError: The output ended without it, or it did not come in time.
        """
        try:
            async with asyncio.timeout(SEE_TIMEOUT_S):
                while not self._unread.take(text):
                    if self._ending is None or self._ending.done():
                        _raise_unless_exit(self._ending)
                        raise DriverError(self._unread.complaint("the output ended", text))
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            waited = f"{SEE_TIMEOUT_S:g} s went by"
            raise DriverError(self._unread.complaint(waited, text)) from None


def _raise_unless_exit(ending: asyncio.Future[Any] | None) -> None:
    error = None if ending is None or ending.cancelled() else ending.exception()
    if error is not None and type(error).__name__ != "CommandExitException":
        raise error


class _Unread:
    """What was put out and not waited for yet."""

    def __init__(self) -> None:
        self._text = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def add(self, piece: str | bytes) -> None:
        self._text += piece if isinstance(piece, str) else self._decoder.decode(piece)

    def take(self, text: str) -> bool:
        """Whether the text is there; what stands before it, and it, count as read then."""
        _, found, after = self._text.partition(text)
        if not found:
            return False
        self._text = after
        return True

    def complaint(self, what: str, text: str) -> str:
        return f"{what} without {text!r}; it showed {self._text!r}"
