"""The runtime that `auto` stands for: `isolated` where the machine grants it, else `local`."""

from __future__ import annotations

import asyncio
import logging
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import cache

from fake_e2b.domain.errors import RuntimeUnavailableError
from fake_e2b.domain.file_ports import VolumeFiles
from fake_e2b.domain.ids import VolumeID
from fake_e2b.domain.limits import NO_LIMITS, Limits
from fake_e2b.domain.ports import Capability, Guest, LayerID, Recovered, Remembered, Runtime
from fake_e2b.domain.volume import Mount
from fake_e2b.runtime.isolated import IsolatedRuntime
from fake_e2b.runtime.isolated.probe import explain
from fake_e2b.runtime.local import LocalRuntime

# Where a mount was refused says nothing to the user, and is another place each time.
_PLACE = re.compile(r" on /\S+(?=:)")
LOGGER = logging.getLogger("fake_e2b.runtime")


class AutoRuntime:
    """Starts the isolated runtime; its first guest shows whether the machine allows it.

    The server answers meanwhile: only what needs a guest waits for the decision.

    Args:
        folder: Where to keep the sandboxes; None takes the machine's temporary folder.
        refusal: What to say, before the reason, instead of falling back; None to fall back.
        outlived: Whether layers, volumes and the files of paused sandboxes outlive it.
    """

    def __init__(
        self, folder: str | None = None, *, refusal: str | None = None, outlived: bool = False
    ) -> None:
        self._folder = folder
        self._outlived = outlived
        self._refusal = refusal
        self._chosen: Runtime | None = None
        self._decision: asyncio.Task[Runtime] | None = None

    @property
    def name(self) -> str:
        """The chosen runtime's name, ``"auto"`` until it is chosen."""
        return "auto" if self._chosen is None else self._chosen.name

    @property
    def capabilities(self) -> frozenset[Capability]:
        """The chosen runtime's; none is promised before."""
        return frozenset() if self._chosen is None else self._chosen.capabilities

    async def start(self) -> None:
        """Begin to decide; where there is no falling back, wait for the decision.

        Raises:
            RuntimeUnavailableError: The isolated runtime cannot run here, and no other will do.
        """
        if sys.platform == "linux":
            isolated = IsolatedRuntime(self._folder, outlived=self._outlived)
            await isolated.start()
            self._decision = asyncio.create_task(self._decide(isolated))
        else:
            self._decision = asyncio.create_task(self._fall_back("it needs Linux namespaces"))
        if self._refusal is not None:
            await self.decided()

    async def _decide(self, isolated: IsolatedRuntime) -> Runtime:
        try:
            await isolated.prove()
        except (OSError, RuntimeError) as error:  # refused, or the agent failed in a way of its own
            await isolated.close()
            if isolated.ids.delegated:
                single = isolated.ids.refused(_reason(error))
                isolated = IsolatedRuntime(self._folder, ids=single, outlived=self._outlived)
                await isolated.start()
                return await self._decide(isolated)
            return await self._fall_back(_reason(error))
        self._chosen = isolated
        return isolated

    async def _fall_back(self, reason: str) -> Runtime:
        if self._refusal is not None:
            raise RuntimeUnavailableError(f"{self._refusal}: {reason}")
        if sys.platform == "linux":
            _say_once(_PLACE.sub("", reason))
        self._chosen = LocalRuntime(self._folder, outlived=self._outlived)
        await self._chosen.start()
        return self._chosen

    async def decided(self) -> Runtime:
        """The runtime that was chosen, once it is."""
        assert self._decision is not None, "the runtime was not started"
        return await asyncio.shield(self._decision)

    async def create(
        self,
        sandbox_id: str,
        *,
        base: LayerID | None = None,
        limits: Limits = NO_LIMITS,
        mounts: Sequence[Mount] = (),
    ) -> Guest:
        """See `Runtime.create`."""
        runtime = self._chosen or await self.decided()
        return await runtime.create(sandbox_id, base=base, limits=limits, mounts=mounts)

    async def create_volume(self, volume_id: VolumeID) -> VolumeFiles:
        """See `Runtime.create_volume`."""
        return await (self._chosen or await self.decided()).create_volume(volume_id)

    async def discard_volume(self, volume_id: VolumeID) -> None:
        """See `Runtime.discard_volume`."""
        await (self._chosen or await self.decided()).discard_volume(volume_id)

    async def preserve(self, sandbox_id: str) -> None:
        """See `Runtime.preserve`."""
        await (self._chosen or await self.decided()).preserve(sandbox_id)

    async def take_back(self, sandbox_id: str) -> None:
        """See `Runtime.take_back`."""
        await (self._chosen or await self.decided()).take_back(sandbox_id)

    async def recover(self, remembered: Remembered) -> Recovered:
        """See `Runtime.recover`."""
        return await (self._chosen or await self.decided()).recover(remembered)

    async def capture(self, sandbox_id: str) -> LayerID:
        """See `Runtime.capture`."""
        return await (self._chosen or await self.decided()).capture(sandbox_id)

    async def hold(self, layer_id: LayerID) -> None:
        """See `Runtime.hold`."""
        await (self._chosen or await self.decided()).hold(layer_id)

    async def release(self, layer_id: LayerID) -> None:
        """See `Runtime.release`."""
        await (self._chosen or await self.decided()).release(layer_id)

    async def boot(self, sandbox_id: str) -> Guest:
        """See `Runtime.boot`."""
        return await (self._chosen or await self.decided()).boot(sandbox_id)

    async def discard(self, sandbox_id: str) -> None:
        """See `Runtime.discard`."""
        await (self._chosen or await self.decided()).discard(sandbox_id)

    async def close(self) -> None:
        """See `Runtime.close`."""
        if self._decision is not None:
            with suppress(RuntimeUnavailableError):  # then nothing was started
                await (await self.decided()).close()


@cache
def _say_once(reason: str) -> None:
    """A process may start a fake for each of its tests; each reason is worth one line."""
    LOGGER.warning(
        "fake-e2b runs sandboxes as plain programs (the local runtime), because the "
        "isolated one cannot run here: %s. `fake-e2b doctor` says what differs.",
        reason,
    )


def _reason(error: OSError | RuntimeError) -> str:
    if isinstance(error, OSError):
        return explain(error.errno or 0, error.strerror or str(error))
    return str(error)
