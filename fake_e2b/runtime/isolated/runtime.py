"""The `isolated` runtime: guests made ahead of need, each in namespaces of its own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from fake_e2b.domain.file_ports import VolumeFiles
from fake_e2b.domain.ids import VolumeID
from fake_e2b.domain.limits import NO_LIMITS, Limits
from fake_e2b.domain.ports import Capability, LayerID, Recovered, Remembered
from fake_e2b.domain.user import BUILT_IN_USERS
from fake_e2b.domain.volume import Mount
from fake_e2b.runtime.delegate.client import DelegatedTrees, FileService
from fake_e2b.runtime.delegate.volume import DelegatedVolume
from fake_e2b.runtime.guest.folders import GROUPS
from fake_e2b.runtime.guest.helper import Helper
from fake_e2b.runtime.isolated import stack
from fake_e2b.runtime.isolated.cgroups import MemoryGroups
from fake_e2b.runtime.isolated.guest import IsolatedGuest
from fake_e2b.runtime.isolated.identity import IdMode, Ids, find_ids
from fake_e2b.runtime.isolated.layer import exposed_folders, write_layer
from fake_e2b.runtime.isolated.maker import GuestMaker, Place
from fake_e2b.runtime.lasting import guest_name
from fake_e2b.runtime.layers import Layers
from fake_e2b.runtime.recovery import recover
from fake_e2b.runtime.run_folder import RunFolder
from fake_e2b.runtime.spares import Spares
from fake_e2b.runtime.trees import Trees
from fake_e2b.runtime.volume_files import Owners, RootedVolume
from fake_e2b.runtime.volumes import Volumes
from fake_e2b.runtime.watch import WatchHub

_GUESTS_AT_HAND, _MOST_SPARE_GUESTS = 2, 8
_NAMES = {user.uid: user.name for user in BUILT_IN_USERS.values()}


class IsolatedRuntime:
    """The `isolated` runtime, as the `Runtime` port. `probe` says whether it works here.

    Args:
        folder: Where to keep the sandboxes; None takes the machine's temporary folder.
        spares: Guests that are replaced at once when they are taken; 0 for none ahead of need.
        ids: Whose ids the guests' users have; None takes the best there is.
        outlived: Whether layers, volumes and the files of paused sandboxes outlive it.
    """

    name = "isolated"

    def __init__(
        self,
        folder: str | None = None,
        *,
        spares: int = _GUESTS_AT_HAND,
        ids: Ids | None = None,
        outlived: bool = False,
    ) -> None:
        self._parent = folder
        self._outlived = outlived
        self._ids = find_ids() if ids is None else ids
        self._run: RunFolder | None = None
        self._layers: Layers | None = None
        self._volumes: Volumes | None = None
        self._helper: Helper | None = None
        self._service: FileService | None = None
        self._expose: list[str] = []
        self._places: dict[str, Place] = {}
        self._guests: dict[Place, IsolatedGuest] = {}
        self._spares = Spares(self._make_spare, at_hand=spares, most=_MOST_SPARE_GUESTS)
        self._layer: asyncio.Task[None] | None = None
        self._maker: GuestMaker | None = None
        self.watches = WatchHub()

    @property
    def capabilities(self) -> frozenset[Capability]:
        """All but what none can; really separate users only where the machine grants ids."""
        missing = {Capability.LIVE_COPIES}
        if not self._ids.really:
            missing.add(Capability.SEPARATE_USERS)
        return frozenset(set(Capability) - missing)

    @property
    def ids(self) -> Ids:
        """Whose ids the guests' users have."""
        return self._ids

    async def start(self) -> None:
        """Take a folder, start the helper, sweep, and begin to make spare guests."""
        self._run = RunFolder(self._parent, outlived=self._outlived)
        self._layers = Layers(self._run.home, self._run.throw_away, self._run.lasting)
        self._helper = Helper(self._run.path, self._run.lock_fd, self._ids.namespace())
        self._helper.start()
        if self._ids.delegated:
            helper = self._helper
            self._service = FileService(lambda: helper.fork_agent("files"))
            self._run.trees = DelegatedTrees(self._service)
        self._volumes = Volumes(self._run, self._volume_files, writes_owners=not self._ids.really)
        self._expose = exposed_folders()
        self._layer = asyncio.get_running_loop().create_task(
            asyncio.to_thread(
                write_layer,
                f"{self._path}/layer",
                really=self._ids.really,
                hosts_root=self._ids.mode is IdMode.HOST,
            )
        )
        await asyncio.to_thread(self._run.sweep)
        memory_groups = MemoryGroups(f"{self._path}/{GROUPS}")
        await asyncio.to_thread(memory_groups.sweep)
        self._maker = GuestMaker(
            run=self._run,
            layers=self._layers,
            volumes=self._volumes,
            helper=self._helper,
            service=self._service,
            ids=self._ids,
            expose=self._expose,
            layer=self._layer,
            memory_groups=memory_groups,
            watches=self.watches,
            forget=lambda place: self._guests.pop(place, None),
        )
        self._spares.fill()

    async def prove(self) -> None:
        """Wait for the first guest: with it the machine has granted everything.

        Raises:
            OSError: It did not; the text says what was refused.
        """
        await self._spares.one()

    @property
    def layers(self) -> Layers:
        """The layers of this run."""
        assert self._layers is not None, "the runtime was not started"
        return self._layers

    @property
    def _making(self) -> GuestMaker:
        assert self._maker is not None, "the runtime was not started"
        return self._maker

    async def _make_spare(self) -> tuple[Place, IsolatedGuest]:
        return await self._making.make_ahead()

    @property
    def _trees(self) -> Trees:
        assert self._run is not None, "the runtime was not started"
        return self._run.trees

    @property
    def _path(self) -> str:
        assert self._run is not None, "the runtime was not started"
        return self._run.path

    # The port.

    async def create(
        self,
        sandbox_id: str,
        *,
        base: LayerID | None = None,
        limits: Limits = NO_LIMITS,
        mounts: Sequence[Mount] = (),
    ) -> IsolatedGuest:
        """A guest with fresh files, a spare one if there is any; or one on a layer."""
        if base is None:
            place, guest = await self._spare_or_fresh(limits, tuple(mounts))
        else:
            place, guest = await self._start_from(base, sandbox_id, limits, tuple(mounts))
        taken = f"{self._path}/{sandbox_id}"
        os.rename(place.folder, taken)  # its mounts stay where they are
        place.folder = taken
        self._spares.fill()
        self._places[sandbox_id] = place
        self._guests[place] = guest
        return guest

    async def _spare_or_fresh(
        self, limits: Limits, mounts: tuple[Mount, ...] = ()
    ) -> tuple[Place, IsolatedGuest]:
        # Volumes are mounted before a guest locks its mounts: no spare one can have any.
        while limits == NO_LIMITS and not mounts and (spare := self._spares.take()) is not None:
            place, guest = spare
            if guest.alive:
                guest.give_out()
                return place, guest
            await guest.kill()
        return await self._making.make(limits, mounts)

    async def capture(self, sandbox_id: str) -> LayerID:
        """A copy of a guest's own files, over those that it stands on."""
        assert self._run is not None
        layers, place = self.layers, self._places[sandbox_id]
        layer_id, base = layers.new_id(), place.base
        guest = self._guests.get(place)
        owners = place.owners if guest is None else guest.owners()
        if base is not None:
            layers.hold(base)
        try:
            layer = await asyncio.to_thread(
                stack.write_capture,
                self._trees,
                layers,
                layer_id,
                place.files,
                base,
                whole=place.whole,
                shared=f"{self._path}/layer",
            )
            layers.add(layer_id, replace(layer, owners=owners))
        except BaseException:
            self._run.throw_away(layers.path(layer_id))
            raise
        finally:
            if base is not None:
                layers.drop(base)
        return layer_id

    async def hold(self, layer_id: LayerID) -> None:
        """One more holder of a layer."""
        self.layers.hold(layer_id)

    async def release(self, layer_id: LayerID) -> None:
        """Let a layer go."""
        self.layers.drop(layer_id)

    async def _start_from(
        self, base: LayerID, sandbox_id: str, limits: Limits, mounts: tuple[Mount, ...]
    ) -> tuple[Place, IsolatedGuest]:
        layers = self.layers
        layers.hold(base)
        try:
            # A limited disk is filled before it is mounted.
            if limits == NO_LIMITS and not mounts and stack.fits_spare(layers, base):
                place, guest = await self._spare_or_fresh(limits)
                try:
                    await asyncio.to_thread(
                        stack.refit,
                        self._trees,
                        layers,
                        base,
                        place.folder,
                        as_others=place.as_others,
                    )
                except BaseException:
                    await guest.kill()
                    raise
            else:
                place, guest = await self._stand_on(base, sandbox_id, limits, mounts)
            guest.restore_owners(layers[base].owners)
            return place, guest
        finally:
            layers.drop(base)

    async def _stand_on(
        self, base: LayerID, sandbox_id: str, limits: Limits, mounts: tuple[Mount, ...]
    ) -> tuple[Place, IsolatedGuest]:
        self.layers.hold(base)
        folder = f"{self._path}/new-{sandbox_id}"
        place = Place(folder, self._making.ownership(), limits, base, mounts=mounts)
        try:
            place.whole = await asyncio.to_thread(
                stack.furnish, self._trees, self.layers, base, place.folder
            )
            return place, await self._making.bring_up(place)
        except BaseException:
            self._making.remove(place)
            raise

    def _volume_files(self, root: int, owners: Owners) -> VolumeFiles:
        if self._service is not None:
            return DelegatedVolume(root, self._service)
        return RootedVolume(root, None if self._ids.really else owners)

    async def create_volume(self, volume_id: VolumeID) -> VolumeFiles:
        """A folder beside those of the sandboxes."""
        assert self._volumes is not None
        return self._volumes.create(volume_id)

    async def discard_volume(self, volume_id: VolumeID) -> None:
        """Remove it with what is in it; who has it mounted sees an empty folder."""
        assert self._volumes is not None
        self._volumes.discard(volume_id)

    async def boot(self, sandbox_id: str) -> IsolatedGuest:
        """A guest on the files that `Guest.stop` left."""
        place = self._places[sandbox_id]
        guest = self._guests[place] = await self._making.bring_up(place)
        owners, place.owners = place.owners, {}  # from here on the guest knows better
        guest.restore_owners(owners)
        return guest

    async def discard(self, sandbox_id: str) -> None:
        """Remove the files that `Guest.stop` left."""
        if place := self._places.pop(sandbox_id, None):
            self._making.remove(place)

    async def preserve(self, sandbox_id: str) -> None:
        """Let the files of a guest outlive this run."""
        place = self._place(sandbox_id)
        guest = self._guests.get(place)
        owners = place.owners if guest is None else guest.owners()
        await self._making.preserve(place, guest_name(sandbox_id), owners)

    async def take_back(self, sandbox_id: str) -> None:
        """Have them end with the run again."""
        self._making.take_back(self._place(sandbox_id))

    def _place(self, sandbox_id: str) -> Place:
        place = self._places.get(sandbox_id)
        if place is None:
            raise FileNotFoundError(2, "the sandbox has no files", sandbox_id)
        return place

    async def recover(self, remembered: Remembered) -> Recovered:
        """Find what an earlier run has left."""
        assert self._run is not None
        assert self._volumes is not None
        maker = f"isolated, with {self._ids.mode.value}"
        lasting = self._run.lasting
        return recover(lasting, self.layers, self._volumes, remembered, maker, self._adopt)

    def _adopt(self, sandbox_id: str) -> bool:
        place = self._making.recover(guest_name(sandbox_id))
        if place is not None:
            self._places[sandbox_id] = place
        return place is not None

    def _remove_with_rights(self) -> None:
        """The helper was killed before it could remove what is not ours: let another one."""
        assert self._run is not None
        helper = Helper(self._run.path, self._run.lock_fd, self._ids.namespace())
        helper.start()
        helper.close_now()

    async def close(self) -> None:
        """Kill all guests and remove everything; twice is fine."""
        if self._run is None:
            return
        if self._layer is not None:
            with suppress(OSError):
                await self._layer
        spares = await self._spares.close()
        guests = [*self._guests.items(), *spares]
        await asyncio.gather(*(guest.end() for _, guest in guests))
        if self._maker is not None:
            for place, _ in guests:
                self._maker.drop_disk(place)
                self._maker.drop_group(place)
            await self._maker.settle()
        self._guests.clear()
        self.watches.close()
        if self._volumes is not None:
            self._volumes.close()
        await self._run.settle()
        if self._service is not None:
            self._service.close()
        if self._helper is not None:
            await self._helper.close()
        if self._ids.delegated and os.path.lexists(self._path):
            await asyncio.to_thread(self._remove_with_rights)
        await asyncio.to_thread(self._run.close)
        self._run = self._helper = None
