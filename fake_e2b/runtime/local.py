"""Sandboxes as folders and plain programs: works everywhere, hides little.

What the API calls `/home/user/x` is `<sandbox folder>/home/user/x` on the host. Programs start
there with a HOME of their own and nothing of the host's environment, but an absolute path in a
command is the host's, and so are its users, its ports and its process table.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Mapping, Sequence

from fake_e2b.domain.file_ports import VolumeFiles
from fake_e2b.domain.ids import VolumeID
from fake_e2b.domain.limits import NO_LIMITS, Limits
from fake_e2b.domain.ports import Capability, Joining, LayerID, Recovered, Remembered
from fake_e2b.domain.process import SpawnRequest
from fake_e2b.domain.user import User
from fake_e2b.domain.volume import Mount
from fake_e2b.runtime import skeleton
from fake_e2b.runtime.agent_guest import AgentGuest
from fake_e2b.runtime.copying import copy_tree
from fake_e2b.runtime.descriptors import for_a_guest
from fake_e2b.runtime.files import RootedFiles
from fake_e2b.runtime.guest.helper import Helper
from fake_e2b.runtime.guest.sudo import sudo_script
from fake_e2b.runtime.lasting import KeptGuest, guest_name
from fake_e2b.runtime.layers import Layer, Layers
from fake_e2b.runtime.local_mounts import link_volumes, unlink_volumes
from fake_e2b.runtime.ownership import RecordedOwnership
from fake_e2b.runtime.recovery import recover
from fake_e2b.runtime.resolve import FOLDER
from fake_e2b.runtime.run_folder import RunFolder
from fake_e2b.runtime.spares import Spares
from fake_e2b.runtime.stand_ins import write_stand_ins
from fake_e2b.runtime.stubs.shared import SharedStubs
from fake_e2b.runtime.usage import DiskMeter
from fake_e2b.runtime.volume_files import RootedVolume
from fake_e2b.runtime.volumes import Volumes
from fake_e2b.runtime.watch import WatchHub

_STANDARD_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_AGENT = "agent"
_SPARE_FOLDERS = 8


class LocalGuest(AgentGuest):
    """One sandbox of the `local` runtime.

    Args:
        root: Its folder on the host.
        bin_folder: Programs that come first in PATH.
        linked: Its volumes, see `local_mounts`.
    """

    def __init__(
        self,
        runtime: LocalRuntime,
        sandbox_id: str,
        root: str,
        bin_folder: str,
        linked: Mapping[str, int],
    ) -> None:
        self._runtime = runtime
        self._sandbox_id = sandbox_id
        self._root = root
        self._bin_folder = bin_folder
        files = RootedFiles(
            for_a_guest(os.open(root, FOLDER)),
            ownership=runtime.ownership(sandbox_id),
            watches=runtime.watches,
            path_prefix=root,
            volumes=list(linked),
            linked=linked,
        )
        self.linked = linked
        super().__init__(files, lambda: runtime.remove(sandbox_id), DiskMeter(lambda: [root]))

    def _host_path(self, path: str) -> str:
        if path == self._root or path.startswith(self._root + "/"):
            return path
        return f"{self._root}{path}" if path.startswith("/") else path

    def _agent_name(self, user: User) -> str:
        return _AGENT

    async def _connect(self, name: str) -> socket.socket:
        return self._runtime.helper.fork_agent()

    def _translate(self, request: SpawnRequest) -> tuple[str, Mapping[str, str]]:
        cwd = self._host_path(request.cwd)
        env = {
            "PATH": _STANDARD_PATH,
            "TMPDIR": f"{self._root}/tmp",
            **request.env,
            "PWD": cwd,
        }
        env["PATH"] = f"{self._bin_folder}:{env['PATH']}"
        if "HOME" in env:
            env["HOME"] = self._host_path(env["HOME"])
        return cwd, env

    def _lost(self, name: str) -> None:
        self._dead = True

    async def _tcp_socket(self, family: socket.AddressFamily) -> socket.socket:
        made = socket.socket(family, socket.SOCK_STREAM)
        made.setblocking(False)
        return made

    def joining(self) -> Joining:
        """No namespaces; files lie below the sandbox's folder."""
        return Joining(namespaces_of=None, path_prefix=self._root, path_first=self._bin_folder)

    async def _listen(self) -> socket.socket:
        return self._runtime.stubs.listen(self._sandbox_id)

    async def _show_stubs(self, programs: frozenset[str]) -> None:
        self._runtime.stubs.show(self._sandbox_id, programs)

    async def end(self) -> None:
        """End every program, whatever becomes of the files; twice is fine."""
        await super().end()
        self._runtime.stubs.forget(self._sandbox_id)


class LocalRuntime:
    """The `local` runtime, as the `Runtime` port.

    Args:
        folder: Where to keep the sandboxes; None takes the machine's temporary folder.
        outlived: Whether layers, volumes and the files of paused sandboxes outlive it.
    """

    name = "local"

    def __init__(self, folder: str | None = None, *, outlived: bool = False) -> None:
        self._parent = folder
        self._outlived = outlived
        self._recovered: dict[str, KeptGuest] = {}
        self._run: RunFolder | None = None
        self._layers: Layers | None = None
        self._volumes: Volumes | None = None
        self._helper: Helper | None = None
        self._stubs: SharedStubs | None = None
        self._guests: dict[str, LocalGuest] = {}
        self._spares = Spares(self._make_spare_folder, at_hand=_SPARE_FOLDERS, most=_SPARE_FOLDERS)
        self._ownerships: dict[str, RecordedOwnership] = {}
        self._mounts: dict[str, Sequence[Mount]] = {}
        self.watches = WatchHub()

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What holds on this machine."""
        if sys.platform == "linux":
            return frozenset({Capability.RECURSIVE_KILL, Capability.WATCHERS})
        return frozenset()

    @property
    def helper(self) -> Helper:
        """The helper process of this run."""
        assert self._helper is not None, "the runtime was not started"
        return self._helper

    async def start(self) -> None:
        """Take a folder, start the helper warming, and sweep what dead servers left."""
        self._run = RunFolder(self._parent, outlived=self._outlived)
        self._layers = Layers(self._run.home, self._run.throw_away, self._run.lasting)
        self._volumes = Volumes(self._run, RootedVolume)
        self._helper = Helper(self._run.path, self._run.lock_fd)
        self._helper.start()
        self._fill_bin(self._bin_folder)
        self._stubs = SharedStubs(self._bin_folder, self.watches)
        await asyncio.to_thread(self._run.sweep)
        self._spares.fill()

    def _fill_bin(self, folder: str) -> None:
        os.mkdir(folder)
        script = sudo_script(become="exec", root_home='"$HOME"', user_home='"$HOME"')
        skeleton.write(f"{folder}/sudo", script, 0o755)
        write_stand_ins(folder, _STANDARD_PATH)

    @property
    def stubs(self) -> SharedStubs:
        """What stands in for programs in this run."""
        assert self._stubs is not None, "the runtime was not started"
        return self._stubs

    @property
    def layers(self) -> Layers:
        """The layers of this run."""
        assert self._layers is not None, "the runtime was not started"
        return self._layers

    @property
    def volumes(self) -> Volumes:
        """The volumes of this run."""
        assert self._volumes is not None, "the runtime was not started"
        return self._volumes

    @property
    def _path(self) -> str:
        assert self._run is not None, "the runtime was not started"
        return self._run.path

    @property
    def _bin_folder(self) -> str:
        return f"{self._path}/bin"

    def _root(self, sandbox_id: str) -> str:
        return f"{self._path}/{sandbox_id}"

    def ownership(self, sandbox_id: str) -> RecordedOwnership:
        """Who owns the sandbox's files, over all its boots."""
        return self._ownerships.setdefault(sandbox_id, RecordedOwnership())

    # Fresh folders are made ahead of need, in a worker thread: a new inode may cost as much as a
    # whole request.

    def _make_folder(self, path: str) -> None:
        os.mkdir(path, 0o755)
        os.chmod(path, 0o755)
        skeleton.make_folders(path, (*skeleton.FOLDERS, ("etc", 0o755)))
        for name, text in skeleton.ETC.items():
            skeleton.write(f"{path}/etc/{name}", text)
        profile = skeleton.profile(self._bin_folder)
        for home in ("home/user", "root"):
            skeleton.write(f"{path}/{home}/.bashrc", skeleton.BASHRC)
            skeleton.write(f"{path}/{home}/.profile", profile)

    async def _make_spare_folder(self) -> str:
        assert self._run is not None
        path = self._run.new_folder()
        try:
            await asyncio.to_thread(self._make_folder, path)
        except OSError:
            self._run.throw_away(path)
            raise
        return path

    async def create(
        self,
        sandbox_id: str,
        *,
        base: LayerID | None = None,
        limits: Limits = NO_LIMITS,
        mounts: Sequence[Mount] = (),
    ) -> LocalGuest:
        """A guest with fresh files, or with a copy of a layer's."""
        root = self._root(sandbox_id)
        self._mounts[sandbox_id] = mounts
        if base is not None:
            self.layers.hold(base)
            try:
                await self._copy(self.layers.path(base), root)
                guest = self._guest(sandbox_id)
                guest.restore_owners(self.layers[base].owners)
            except OSError:
                self.remove(sandbox_id)
                raise
            finally:
                self.layers.drop(base)
            return guest
        spare = self._spares.take()
        try:
            if spare is not None:
                os.rename(spare, root)
            else:
                self._make_folder(root)
                self._spares.fill()
            return self._guest(sandbox_id)
        except OSError:
            self.remove(sandbox_id)
            raise

    async def capture(self, sandbox_id: str) -> LayerID:
        """A copy of a guest's files."""
        layer_id = self.layers.new_id()
        guest = self._guests[sandbox_id]
        owners = guest.owners()
        await self._copy(self._root(sandbox_id), self.layers.path(layer_id))
        unlink_volumes(self.layers.path(layer_id), guest.linked)
        self.layers.add(layer_id, Layer(owners=owners))
        return layer_id

    async def hold(self, layer_id: LayerID) -> None:
        """One more holder of a layer."""
        self.layers.hold(layer_id)

    async def release(self, layer_id: LayerID) -> None:
        """Remove a layer: those that started from it have copies."""
        self.layers.drop(layer_id)

    async def _copy(self, source: str, target: str) -> None:
        assert self._run is not None
        try:
            await asyncio.to_thread(copy_tree, source, target)
        except BaseException:
            self._run.throw_away(target)
            raise

    async def create_volume(self, volume_id: VolumeID) -> VolumeFiles:
        """A folder beside those of the sandboxes."""
        return self.volumes.create(volume_id)

    async def discard_volume(self, volume_id: VolumeID) -> None:
        """Remove it with what is in it."""
        self.volumes.discard(volume_id)

    async def boot(self, sandbox_id: str) -> LocalGuest:
        """A guest on the files that `Guest.stop` left."""
        guest = self._guest(sandbox_id)
        recovered = self._recovered.pop(sandbox_id, None)
        if recovered is not None:
            guest.restore_owners(recovered.owners)
        return guest

    def _guest(self, sandbox_id: str) -> LocalGuest:
        root = self._root(sandbox_id)
        folders = [
            (self.volumes.path(each.volume_id), each.path) for each in self._mounts[sandbox_id]
        ]
        linked = link_volumes(root, folders)
        try:
            guest = LocalGuest(self, sandbox_id, root, self._bin_folder, linked)
        except BaseException:
            for folder in linked.values():
                os.close(folder)
            raise
        self._guests[sandbox_id] = guest
        return guest

    async def discard(self, sandbox_id: str) -> None:
        """Remove the files that `Guest.stop` left."""
        self.remove(sandbox_id)

    def remove(self, sandbox_id: str) -> None:
        """Remove the sandbox's files and forget it."""
        self._guests.pop(sandbox_id, None)
        self._mounts.pop(sandbox_id, None)
        self._ownerships.pop(sandbox_id, None)
        self._recovered.pop(sandbox_id, None)
        assert self._run is not None
        self._run.throw_away(self._root(sandbox_id))
        if self._run.lasting is not None:
            self._run.lasting.drop(guest_name(sandbox_id))

    async def preserve(self, sandbox_id: str) -> None:
        """Let the files of a guest outlive this run; programs find them again once they go on."""
        assert self._run is not None
        lasting, name = self._run.lasting, guest_name(sandbox_id)
        if lasting is None:
            return
        kept = self._recovered.get(sandbox_id)
        if kept is None:
            guest = self._guests.get(sandbox_id)
            if guest is None:
                raise FileNotFoundError(2, "the sandbox has no files", sandbox_id)
            kept = KeptGuest(guest.owners(), mounts=tuple(self._mounts[sandbox_id]))
        lasting.note(name, kept.written())
        os.rename(self._root(sandbox_id), lasting.folder(name))

    async def take_back(self, sandbox_id: str) -> None:
        """Have them end with the run again."""
        assert self._run is not None
        lasting, name = self._run.lasting, guest_name(sandbox_id)
        if lasting is not None:
            os.rename(lasting.folder(name), self._root(sandbox_id))
            lasting.forget(name)

    async def recover(self, remembered: Remembered) -> Recovered:
        """Find what an earlier run has left."""
        assert self._run is not None
        lasting = self._run.lasting
        return recover(lasting, self.layers, self.volumes, remembered, self.name, self._adopt)

    def _adopt(self, sandbox_id: str) -> bool:
        assert self._run is not None
        assert self._run.lasting is not None
        kept = KeptGuest.read(self._run.lasting.noted(guest_name(sandbox_id)))
        if kept is not None:
            self._recovered[sandbox_id] = kept
            self._mounts[sandbox_id] = kept.mounts
        return kept is not None

    async def close(self) -> None:
        """Kill all guests and remove everything; twice is fine."""
        if self._run is None:
            return
        await self._spares.close()
        await asyncio.gather(*(guest.end() for guest in self._guests.values()))
        self._guests.clear()
        self.stubs.close()
        self.watches.close()
        self.volumes.close()
        await self._run.settle()
        if self._helper is not None:
            await self._helper.close()
        await asyncio.to_thread(self._run.close)
        self._run = self._helper = None
