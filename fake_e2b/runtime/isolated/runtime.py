"""The `isolated` runtime: guests made ahead of need, each in namespaces of its own."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from fake_e2b.domain.limits import NO_LIMITS, Limits
from fake_e2b.domain.ports import Capability, LayerID
from fake_e2b.domain.user import BUILT_IN_USERS, USER
from fake_e2b.runtime import skeleton
from fake_e2b.runtime.delegate.client import DelegatedTrees, FileService
from fake_e2b.runtime.delegate.files import DelegatedFiles
from fake_e2b.runtime.descriptors import for_a_guest
from fake_e2b.runtime.files import RootedFiles
from fake_e2b.runtime.guest.client import AgentClient, AgentGoneError
from fake_e2b.runtime.guest.folders import GROUPS
from fake_e2b.runtime.guest.helper import Helper
from fake_e2b.runtime.isolated import stack
from fake_e2b.runtime.isolated.cgroups import MemoryGroup, MemoryGroups
from fake_e2b.runtime.isolated.disk import Disk
from fake_e2b.runtime.isolated.guest import IsolatedGuest
from fake_e2b.runtime.isolated.identity import IdMode, Ids, find_ids
from fake_e2b.runtime.isolated.layer import exposed_folders, write_layer
from fake_e2b.runtime.layers import Layers
from fake_e2b.runtime.ownership import Ownership, RealOwnership, RecordedOwnership
from fake_e2b.runtime.run_folder import RunFolder
from fake_e2b.runtime.spares import Spares
from fake_e2b.runtime.trees import Trees
from fake_e2b.runtime.usage import DiskMeter
from fake_e2b.runtime.watch import WatchHub

_GUESTS_AT_HAND, _MOST_SPARE_GUESTS = 2, 8
_NAMES = {user.uid: user.name for user in BUILT_IN_USERS.values()}


@dataclass(eq=False, slots=True)
class _Place:
    """Where one guest's files are, over all its boots; a spare's folder moves once it is taken.

    Attributes:
        base: The layer it stands on, which it holds.
        whole: Its root needs nothing below it.
        disk: Where its files really are while it runs with a limited disk.
        group: Its control group while it runs with a limited memory.
    """

    folder: str
    ownership: Ownership
    limits: Limits = NO_LIMITS
    base: LayerID | None = None
    whole: bool = True
    disk: Disk | None = None
    group: MemoryGroup | None = None

    @property
    def files(self) -> str:
        """The folder that has its files now."""
        return self.folder if self.disk is None else self.disk.path


class IsolatedRuntime:
    """The `isolated` runtime, as the `Runtime` port. `probe` says whether it works here.

    Args:
        folder: Where to keep the sandboxes; None takes the machine's temporary folder.
        spares: Guests that are replaced at once when they are taken; 0 for none ahead of need.
        ids: Whose ids the guests' users have; None takes the best there is.
    """

    name = "isolated"

    def __init__(
        self,
        folder: str | None = None,
        *,
        spares: int = _GUESTS_AT_HAND,
        ids: Ids | None = None,
    ) -> None:
        self._parent = folder
        self._ids = find_ids() if ids is None else ids
        self._really = self._ids.really
        self._run: RunFolder | None = None
        self._layers: Layers | None = None
        self._helper: Helper | None = None
        self._service: FileService | None = None
        self._expose: list[str] = []
        self._numbers = itertools.count()
        self._places: dict[str, _Place] = {}
        self._guests: dict[_Place, IsolatedGuest] = {}
        self._spares = Spares(self._make_spare, at_hand=spares, most=_MOST_SPARE_GUESTS)
        self._layer: asyncio.Task[None] | None = None
        self._memory_groups: MemoryGroups | None = None
        self._chores: set[asyncio.Task[None]] = set()
        self.watches = WatchHub()

    @property
    def capabilities(self) -> frozenset[Capability]:
        """All but what none can; really separate users only where the machine grants ids."""
        missing = {Capability.LIVE_COPIES}
        if not self._really:
            missing.add(Capability.SEPARATE_USERS)
        return frozenset(set(Capability) - missing)

    @property
    def ids(self) -> Ids:
        """Whose ids the guests' users have."""
        return self._ids

    async def start(self) -> None:
        """Take a folder, start the helper, sweep, and begin to make spare guests."""
        self._run = RunFolder(self._parent)
        self._layers = Layers(self._run.path, self._run.throw_away)
        self._helper = Helper(self._run.path, self._run.lock_fd, self._ids.namespace())
        self._helper.start()
        if self._ids.delegated:
            helper = self._helper
            self._service = FileService(lambda: helper.fork_agent("files"))
            self._run.trees = DelegatedTrees(self._service)
        self._expose = exposed_folders()
        self._layer = asyncio.get_running_loop().create_task(
            asyncio.to_thread(
                write_layer,
                f"{self._path}/layer",
                really=self._really,
                hosts_root=self._ids.mode is IdMode.HOST,
            )
        )
        await asyncio.to_thread(self._run.sweep)
        self._memory_groups = MemoryGroups(f"{self._path}/{GROUPS}")
        await asyncio.to_thread(self._memory_groups.sweep)
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
    def _trees(self) -> Trees:
        assert self._run is not None, "the runtime was not started"
        return self._run.trees

    @property
    def _path(self) -> str:
        assert self._run is not None, "the runtime was not started"
        return self._run.path

    # Making guests.

    def _furnish(self, folder: str) -> None:
        root = f"{folder}/root"
        for path in (folder, root, f"{folder}/upper", f"{folder}/work"):
            os.mkdir(path)
        os.chmod(root, 0o755)
        skeleton.make_folders(root, skeleton.FOLDERS + skeleton.MACHINE_FOLDERS)
        for home in ("home/user", "root"):
            skeleton.write(f"{root}/{home}/.bashrc", skeleton.BASHRC)
            skeleton.write(f"{root}/{home}/.profile", skeleton.profile(""))
        if self._really:
            home = f"{root}/home/user"
            self._trees.give([home, f"{home}/.bashrc", f"{home}/.profile"], USER.uid, USER.gid)
            if any(path.startswith("/root/") for path in self._expose):
                os.chmod(f"{root}/root", 0o711)

    async def _bring_up(self, place: _Place) -> IsolatedGuest:
        assert self._helper is not None
        assert self._layer is not None
        await asyncio.shield(self._layer)
        starts = self._helper.starts
        try:
            return await self._try_to_bring_up(place)
        except AgentGoneError:
            if self._helper.alive and self._helper.starts == starts:
                raise
        # It was asked of a helper that was killed meanwhile.
        return await self._try_to_bring_up(place)

    async def _try_to_bring_up(self, place: _Place) -> IsolatedGuest:
        assert self._helper is not None
        below = stack.below(self.layers, place.base, whole=place.whole)
        init = AgentClient(
            self._helper.fork_agent(
                "guest",
                folder=place.folder,
                layer=f"{self._path}/layer",
                range=self._really,
                expose=self._expose,
                run=self._path,
                root_below=below.root,
                below=below.upper,
                disk_mb=place.limits.disk_mb,
                memory_mb=place.limits.memory_mb,
            )
        )
        try:
            if place.limits.disk_mb is not None:
                place.disk = await Disk.of(init, self._trees)
                await asyncio.to_thread(place.disk.fill, place.folder)
                await init.call("filled")
            message, fds = await init.call("root")
            root = for_a_guest(fds[0])
        except BaseException:
            self._drop_disk(place)
            await init.end()
            raise
        files: RootedFiles | DelegatedFiles
        if self._service is None:
            files = RootedFiles(root, ownership=place.ownership, watches=self.watches)
        else:
            files = DelegatedFiles(
                root,
                service=self._service,
                watches=self.watches,
                uids=self._ids.uids,
                gids=self._ids.gids,
            )
        guest = IsolatedGuest(
            files,
            lambda: self._remove(place),
            init,
            message["pid"],
            lambda: self._keep(place),
            DiskMeter(
                lambda: [f"{place.folder}/root", f"{place.folder}/upper"],
                self._below(place),
                self._trees.size_of,
            ),
            really=self._really,
        )
        try:
            await self._limit(place, guest)
        except BaseException:
            self._drop_disk(place)
            await guest.end()
            raise
        return guest

    def _below(self, place: _Place) -> int:
        """Bytes in the layers below a root that needs them."""
        chain = [] if place.whole else stack.roots(self.layers, place.base)
        return sum(self.layers[each].size for each in chain)

    async def _limit(self, place: _Place, guest: IsolatedGuest) -> None:
        """Hold a guest to the limits of its place."""
        limits = place.limits
        if limits.memory_mb is not None:
            assert self._memory_groups is not None
            place.group = self._memory_groups.make(limits.memory_mb + (limits.disk_mb or 0))
        await guest.limit(limits, place.group)

    def _drop_disk(self, place: _Place) -> None:
        """Let its disk go, with all that is on it."""
        if place.disk is not None:
            disk, place.disk = place.disk, None
            self._do_aside(disk.close)  # a gigabyte of memory takes a while to be given back

    def _drop_group(self, place: _Place) -> None:
        if place.group is not None:
            group, place.group = place.group, None
            self._do_aside(group.remove)

    def _do_aside(self, chore: Callable[[], None]) -> None:
        task = asyncio.get_running_loop().create_task(asyncio.to_thread(chore))
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)

    async def _keep(self, place: _Place) -> None:
        """Save a limited disk, which is in memory, in place of what it was filled from."""
        self._drop_group(place)
        if place.disk is None:
            return
        assert self._run is not None
        old, place.folder = place.folder, f"{self._path}/kept-{next(self._numbers)}"
        try:
            await asyncio.to_thread(place.disk.save, place.folder)
        finally:
            self._drop_disk(place)
            self._run.throw_away(old)

    def _ownership(self) -> Ownership:
        return RealOwnership(_NAMES.get, _NAMES.get) if self._really else RecordedOwnership()

    async def _make_spare(self, limits: Limits = NO_LIMITS) -> tuple[_Place, IsolatedGuest]:
        assert self._run is not None
        place = _Place(self._run.new_folder(), self._ownership(), limits)
        try:
            await asyncio.to_thread(self._furnish, place.folder)
            return place, await self._bring_up(place)
        except BaseException:
            self._remove(place)
            raise

    # The port.

    async def create(
        self, sandbox_id: str, *, base: LayerID | None = None, limits: Limits = NO_LIMITS
    ) -> IsolatedGuest:
        """A guest with fresh files, a spare one if there is any; or one on a layer."""
        if base is None:
            place, guest = await self._spare_or_fresh(limits)
        else:
            place, guest = await self._start_from(base, sandbox_id, limits)
        taken = f"{self._path}/{sandbox_id}"
        os.rename(place.folder, taken)  # its mounts stay where they are
        place.folder = taken
        self._spares.fill()
        self._places[sandbox_id] = place
        self._guests[place] = guest
        return guest

    async def _spare_or_fresh(self, limits: Limits) -> tuple[_Place, IsolatedGuest]:
        while limits == NO_LIMITS and (spare := self._spares.take()) is not None:
            place, guest = spare
            if guest.alive:
                guest.give_out()
                return place, guest
            await guest.kill()
        return await self._make_spare(limits)

    async def capture(self, sandbox_id: str) -> LayerID:
        """A copy of a guest's own files, over those that it stands on."""
        assert self._run is not None
        layers, place = self.layers, self._places[sandbox_id]
        layer_id, base = layers.new_id(), place.base
        guest = self._guests.get(place)
        owners = guest.files.recorded_owners() if guest is not None and guest.alive else {}
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
            )
            layers.add(layer_id, replace(layer, owners=owners))
        except BaseException:
            self._run.throw_away(layers.path(layer_id))
            raise
        finally:
            if base is not None:
                layers.drop(base)
        return layer_id

    async def release(self, layer_id: LayerID) -> None:
        """Let a layer go."""
        self.layers.drop(layer_id)

    async def _start_from(
        self, base: LayerID, sandbox_id: str, limits: Limits
    ) -> tuple[_Place, IsolatedGuest]:
        layers = self.layers
        layers.hold(base)
        try:
            # A limited disk is filled before it is mounted.
            if limits == NO_LIMITS and stack.fits_spare(layers, base):
                place, guest = await self._spare_or_fresh(limits)
                try:
                    await asyncio.to_thread(stack.refit, self._trees, layers, base, place.folder)
                except BaseException:
                    await guest.kill()
                    raise
            else:
                place, guest = await self._stand_on(base, sandbox_id, limits)
            guest.files.restore_owners(layers[base].owners)
            return place, guest
        finally:
            layers.drop(base)

    async def _stand_on(
        self, base: LayerID, sandbox_id: str, limits: Limits
    ) -> tuple[_Place, IsolatedGuest]:
        self.layers.hold(base)
        place = _Place(f"{self._path}/new-{sandbox_id}", self._ownership(), limits, base)
        try:
            place.whole = await asyncio.to_thread(
                stack.furnish, self._trees, self.layers, base, place.folder
            )
            return place, await self._bring_up(place)
        except BaseException:
            self._remove(place)
            raise

    async def boot(self, sandbox_id: str) -> IsolatedGuest:
        """A guest on the files that `Guest.stop` left."""
        place = self._places[sandbox_id]
        guest = self._guests[place] = await self._bring_up(place)
        return guest

    async def discard(self, sandbox_id: str) -> None:
        """Remove the files that `Guest.stop` left."""
        if place := self._places.pop(sandbox_id, None):
            self._remove(place)

    def _remove(self, place: _Place) -> None:
        self._guests.pop(place, None)
        self._drop_disk(place)
        self._drop_group(place)
        assert self._run is not None
        self._run.throw_away(place.folder)
        if place.base is not None:
            base, place.base = place.base, None
            self.layers.drop(base)

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
        for place, _ in guests:
            self._drop_disk(place)
            self._drop_group(place)
        await asyncio.gather(*self._chores)
        self._guests.clear()
        self.watches.close()
        await self._run.settle()
        if self._service is not None:
            self._service.close()
        if self._helper is not None:
            await self._helper.close()
        if self._ids.delegated and os.path.lexists(self._path):
            await asyncio.to_thread(self._remove_with_rights)
        await asyncio.to_thread(self._run.close)
        self._run = self._helper = None
