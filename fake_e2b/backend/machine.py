"""What lives behind one running sandbox: its guest, its envd, its code interpreter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from fake_e2b.domain.ports import Guest
from fake_e2b.domain.sandbox import Sandbox


class Envd(Protocol):
    """The in-sandbox daemon's state, see `fake_e2b.backend.envd.Envd`."""

    @property
    def watcher_count(self) -> int:
        """How many watchers collect events until they are asked for."""
        ...

    async def close(self) -> None:
        """Close every watcher and forget every process."""
        ...


class Interpreter(Protocol):
    """The code interpreter's contexts, see `fake_e2b.backend.interpreter.Interpreter`."""

    async def pause(self) -> None:
        """Stop every kernel."""
        ...

    async def resume(self) -> None:
        """Let the kernels go on."""
        ...

    async def close(self) -> None:
        """End every kernel."""
        ...


@dataclass(slots=True)
class Machine:
    """One boot of a sandbox. A pause with memory keeps it; a cold boot makes a new one."""

    guest: Guest
    envd: Envd
    interpreter: Interpreter | None = None

    async def pause(self) -> None:
        """Stop everything that runs; no CPU time passes until `resume`."""
        if self.interpreter is not None:
            await self.interpreter.pause()
        await self.guest.pause()

    async def resume(self) -> None:
        """Let everything go on where it stopped."""
        await self.guest.resume()
        if self.interpreter is not None:
            await self.interpreter.resume()

    async def close(self) -> None:
        """End what runs on the guest; the guest itself stays."""
        if self.interpreter is not None:
            await self.interpreter.close()
        await self.envd.close()


class MachineFactory(Protocol):
    """Puts envd and the interpreter on a fresh guest; the server hands it to the backend."""

    async def __call__(self, sandbox: Sandbox, guest: Guest, *, fresh: bool) -> Machine:
        """Args:
        fresh: The sandbox is new; else an earlier machine of it has ended.
        """
        ...
