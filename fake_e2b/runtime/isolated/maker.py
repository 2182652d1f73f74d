"""Makes guests in namespaces of their own, and takes back what they stand on."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from fake_e2b.domain.limits import NO_LIMITS, Limits
from fake_e2b.domain.ports import LayerID
from fake_e2b.domain.user import BUILT_IN_USERS, USER
from fake_e2b.domain.volume import Mount
from fake_e2b.runtime import skeleton
from fake_e2b.runtime.delegate.client import FileService
from fake_e2b.runtime.delegate.files import DelegatedFiles
from fake_e2b.runtime.descriptors import for_a_guest
from fake_e2b.runtime.files import RootedFiles
from fake_e2b.runtime.guest.client import AgentClient, AgentGoneError
from fake_e2b.runtime.guest.helper import Helper
from fake_e2b.runtime.isolated import stack
from fake_e2b.runtime.isolated.cgroups import MemoryGroup, MemoryGroups
from fake_e2b.runtime.isolated.disk import Disk
from fake_e2b.runtime.isolated.guest import IsolatedGuest
from fake_e2b.runtime.isolated.identity import Ids
from fake_e2b.runtime.lasting import KeptGuest
from fake_e2b.runtime.layers import Layers
from fake_e2b.runtime.ownership import Ownership, RealOwnership, RecordedOwnership
from fake_e2b.runtime.run_folder import RunFolder
from fake_e2b.runtime.usage import DiskMeter
from fake_e2b.runtime.volumes import Volumes
from fake_e2b.runtime.watch import WatchHub

_NAMES = {user.uid: user.name for user in BUILT_IN_USERS.values()}


@dataclass(eq=False, slots=True)
class Place:
    """Where one guest's files are, over all its boots; a spare's folder moves once it is taken.

    Attributes:
        base: The layer it stands on, which it holds.
        whole: Its root needs nothing below it.
        mounts: The volumes it has.
        as_others: Its files are those of all others of which this is said, to their age.
        disk: Where its files really are while it runs with a limited disk.
        group: Its control group while it runs with a limited memory.
        owners: Who owned what when an earlier run ended, where the file system does not know;
            empty once a guest has taken them over.
        kept_as: The name under which its files outlive the run; None as long as they do not.
    """

    folder: str
    ownership: Ownership
    limits: Limits = NO_LIMITS
    base: LayerID | None = None
    whole: bool = True
    mounts: tuple[Mount, ...] = ()
    as_others: bool = False
    disk: Disk | None = None
    group: MemoryGroup | None = None
    owners: Mapping[str, str] = field(default_factory=dict)
    kept_as: str | None = None

    @property
    def files(self) -> str:
        """The folder that has its files now."""
        return self.folder if self.disk is None else self.disk.path


class GuestMaker:
    """Makes the guests of one run.

    Args:
        service: Reaches the guests' files where the server may not; None where it may.
        expose: The host's folders that a guest is to see beside the standard ones.
        layer: Done once the files are written that all guests stand on.
        forget: Told of each place whose files are thrown away.
    """

    def __init__(
        self,
        *,
        run: RunFolder,
        layers: Layers,
        volumes: Volumes,
        helper: Helper,
        service: FileService | None,
        ids: Ids,
        expose: list[str],
        layer: asyncio.Task[None],
        memory_groups: MemoryGroups,
        watches: WatchHub,
        forget: Callable[[Place], object],
    ) -> None:
        self._run = run
        self._layers = layers
        self._volumes = volumes
        self._helper = helper
        self._service = service
        self._ids = ids
        self._expose = expose
        self._layer = layer
        self._memory_groups = memory_groups
        self._watches = watches
        self._forget = forget
        self._numbers = itertools.count()
        self._chores: set[asyncio.Task[None]] = set()
        begun = os.stat(run.lock_fd)
        self._age = begun.st_atime_ns, begun.st_mtime_ns

    def _furnish(self, folder: str) -> None:
        root = f"{folder}/root"
        for path in (folder, root, f"{folder}/upper", f"{folder}/work"):
            os.mkdir(path)
        os.chmod(root, 0o755)
        skeleton.make_folders(root, skeleton.FOLDERS + skeleton.MACHINE_FOLDERS)
        for home in ("home/user", "root"):
            skeleton.write(f"{root}/{home}/.bashrc", skeleton.BASHRC)
            skeleton.write(f"{root}/{home}/.profile", skeleton.profile(""))
        self._date_back(root)
        if self._ids.really:
            home = f"{root}/home/user"
            self._run.trees.give([home, f"{home}/.bashrc", f"{home}/.profile"], USER.uid, USER.gid)
            if any(path.startswith("/root/") for path in self._expose):
                os.chmod(f"{root}/root", 0o711)

    def _date_back(self, root: str) -> None:
        """Make fresh files as old as the run: all guests have the same ones, as of one image.

        Fact: sandbox.files.age
        """
        for path, folders, names in os.walk(root):
            for each in (path, *(f"{path}/{name}" for name in (*folders, *names))):
                with suppress(PermissionError):  # its user's, whose were dated before
                    os.utime(each, ns=self._age, follow_symlinks=False)

    async def bring_up(self, place: Place) -> IsolatedGuest:
        """A guest on a place's files.

        Raises:
            OSError: The machine refuses; the place is as it was.
        """
        await asyncio.shield(self._layer)
        starts = self._helper.starts
        try:
            return await self._try_to_bring_up(place)
        except AgentGoneError:
            if self._helper.alive and self._helper.starts == starts:
                raise
        # It was asked of a helper that was killed meanwhile.
        return await self._try_to_bring_up(place)

    async def _try_to_bring_up(self, place: Place) -> IsolatedGuest:
        below = stack.below(self._layers, place.base, whole=place.whole)
        init = AgentClient(
            self._helper.fork_agent(
                "guest",
                folder=place.folder,
                layer=f"{self._run.path}/layer",
                range=self._ids.really,
                expose=self._expose,
                run=self._run.home,
                root_below=below.root,
                below=below.upper,
                disk_mb=place.limits.disk_mb,
                memory_mb=place.limits.memory_mb,
                mounts=[(self._volumes.path(each.volume_id), each.path) for each in place.mounts],
            )
        )
        try:
            if place.limits.disk_mb is not None:
                place.disk = await Disk.of(init, self._run.trees)
                await asyncio.to_thread(place.disk.fill, place.folder)
                await init.call("filled")
            message, fds = await init.call("root")
            root = for_a_guest(fds[0])
        except BaseException:
            self.drop_disk(place)
            await init.end()
            raise
        files: RootedFiles | DelegatedFiles
        if self._service is None:
            files = RootedFiles(
                root,
                ownership=place.ownership,
                watches=self._watches,
                volumes=[each.path for each in place.mounts],
            )
        else:
            files = DelegatedFiles(
                root,
                service=self._service,
                watches=self._watches,
                uids=self._ids.uids,
                gids=self._ids.gids,
                volumes=[each.path for each in place.mounts],
            )
        guest = IsolatedGuest(
            files,
            lambda: self.remove(place),
            init,
            message["pid"],
            lambda: self._keep(place),
            DiskMeter(
                lambda: [f"{place.folder}/root", f"{place.folder}/upper"],
                self._below(place),
                self._run.trees.size_of,
            ),
            really=self._ids.really,
        )
        try:
            await self._limit(place, guest)
        except BaseException:
            self.drop_disk(place)
            await guest.end()
            raise
        return guest

    def _below(self, place: Place) -> int:
        """Bytes in the layers below a root that needs them."""
        chain = [] if place.whole else stack.roots(self._layers, place.base)
        return sum(self._layers[each].size for each in chain)

    async def _limit(self, place: Place, guest: IsolatedGuest) -> None:
        """Hold a guest to the limits of its place."""
        limits = place.limits
        if limits.memory_mb is not None:
            place.group = self._memory_groups.make(limits.memory_mb + (limits.disk_mb or 0))
        await guest.limit(limits, place.group)

    def drop_disk(self, place: Place) -> None:
        """Let its disk go, with all that is on it."""
        if place.disk is not None:
            disk, place.disk = place.disk, None
            self._do_aside(disk.close)  # a gigabyte of memory takes a while to be given back

    def drop_group(self, place: Place) -> None:
        """Let its control group go."""
        if place.group is not None:
            group, place.group = place.group, None
            self._do_aside(group.remove)

    def _do_aside(self, chore: Callable[[], None]) -> None:
        task = asyncio.get_running_loop().create_task(asyncio.to_thread(chore))
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)

    async def _keep(self, place: Place) -> None:
        """Save a limited disk, which is in memory, in place of what it was filled from."""
        self.drop_group(place)
        if place.disk is None:
            return
        old, place.folder = place.folder, f"{self._run.path}/kept-{next(self._numbers)}"
        try:
            await asyncio.to_thread(place.disk.save, place.folder)
        finally:
            self.drop_disk(place)
            self._run.throw_away(old)

    def ownership(self) -> Ownership:
        """Who owns a guest's files: by real ids, or as written down."""
        return RealOwnership(_NAMES.get, _NAMES.get) if self._ids.really else RecordedOwnership()

    async def make_ahead(self) -> tuple[Place, IsolatedGuest]:
        """A guest that waits to be taken: what it has of a layer's files already can stay.

        Raises:
            OSError: The machine refuses; nothing is left.
        """
        place, guest = await self.make()
        try:
            await asyncio.to_thread(self._date_back, f"{place.folder}/root")
        except BaseException:
            await guest.kill()
            raise
        place.as_others = True
        return place, guest

    async def make(
        self, limits: Limits = NO_LIMITS, mounts: tuple[Mount, ...] = ()
    ) -> tuple[Place, IsolatedGuest]:
        """A guest with fresh files.

        Raises:
            OSError: The machine refuses; nothing is left.
        """
        place = Place(self._run.new_folder(), self.ownership(), limits, mounts=mounts)
        try:
            await asyncio.to_thread(self._furnish, place.folder)
            return place, await self.bring_up(place)
        except BaseException:
            self.remove(place)
            raise

    def remove(self, place: Place) -> None:
        """Throw a place's files away, and let go what it stands on."""
        self._forget(place)
        self.drop_disk(place)
        self.drop_group(place)
        self._run.throw_away(place.folder)
        if place.kept_as is not None and self._run.lasting is not None:
            self._run.lasting.drop(place.kept_as)
        if place.base is not None:
            base, place.base = place.base, None
            self._layers.drop(base)

    async def preserve(self, place: Place, name: str, owners: Mapping[str, str]) -> None:
        """Let the files of a place, whose programs stand still, outlive the run; twice is fine.

        Raises:
            OSError: They cannot be kept; nothing has changed.
        """
        lasting = self._run.lasting
        if lasting is None or place.kept_as is not None:
            return
        kept = KeptGuest(owners, place.limits, place.mounts, place.base, place.whole)
        lasting.note(name, kept.written())
        try:
            if place.disk is not None:
                await asyncio.to_thread(place.disk.save, lasting.folder(name))
            else:
                os.rename(place.folder, lasting.folder(name))  # its mounts stay where they are
                place.folder = lasting.folder(name)
        except BaseException:
            lasting.drop(name)
            raise
        place.kept_as = name

    def take_back(self, place: Place) -> None:
        """End what `preserve` began.

        Raises:
            OSError: The files cannot be moved.
        """
        lasting, name = self._run.lasting, place.kept_as
        if lasting is None or name is None:
            return
        if place.disk is None:
            folder = self._run.new_folder()
            os.rename(place.folder, folder)
            place.folder = folder
        place.kept_as = None
        lasting.drop(name)

    def recover(self, name: str) -> Place | None:
        """The place of a guest that an earlier run has left; it holds what it stands on."""
        lasting = self._run.lasting
        kept = None if lasting is None else KeptGuest.read(lasting.noted(name))
        if lasting is None or kept is None:
            return None
        if kept.base is not None:
            if not self._layers.recover(kept.base):
                return None
            self._layers.hold(kept.base)
        return Place(
            lasting.folder(name),
            self.ownership(),
            kept.limits,
            kept.base,
            kept.whole,
            kept.mounts,
            owners=kept.owners,
            kept_as=name,
        )

    async def settle(self) -> None:
        """Wait for what is being given back aside."""
        await asyncio.gather(*self._chores)
