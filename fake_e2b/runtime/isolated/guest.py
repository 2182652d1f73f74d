"""One sandbox of the `isolated` runtime."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping

from fake_e2b.domain.entry import DiskUsage
from fake_e2b.domain.limits import NO_LIMITS, Limits
from fake_e2b.domain.ports import Joining
from fake_e2b.domain.process import SpawnRequest
from fake_e2b.domain.user import BUILT_IN_USERS, ROOT, USER, User
from fake_e2b.runtime.agent_guest import AgentGuest
from fake_e2b.runtime.delegate.files import DelegatedFiles
from fake_e2b.runtime.files import RootedFiles
from fake_e2b.runtime.full_disk import BALLAST, fill
from fake_e2b.runtime.guest.client import AgentClient, AgentGoneError
from fake_e2b.runtime.guest.usage import Counters
from fake_e2b.runtime.isolated.cgroups import MemoryGroup
from fake_e2b.runtime.stubs.doorway import listen_at
from fake_e2b.runtime.stubs.front import Front
from fake_e2b.runtime.stubs.traces import COVERED, STUB_FOLDERS
from fake_e2b.runtime.usage import DiskMeter

_INIT = "root"
_SUDO_GROUP = 27
_STUBS = "\0fake-e2b-stubs"
"""A name in the guest's own network: no file, and nothing of the machine's."""
_SOCKETS_AT_A_TIME = 4
"""A connection into the guest needs a socket made in it: asking for each takes longer."""


class IsolatedGuest(AgentGuest):
    """A guest whose PID 1 is the agent of its users.

    Args:
        really: Whether its users have ids of their own. Where all are the same to the host, each
            has an agent of its own.
        init: Its PID 1.
        init_pid: Its PID 1 as the host knows it.
        keep: Puts its files where the next boot finds them, when all programs have ended.
        disk: What its files take where there is no limit.
    """

    def __init__(
        self,
        files: RootedFiles | DelegatedFiles,
        remove: Callable[[], None],
        init: AgentClient,
        init_pid: int,
        keep: Callable[[], Awaitable[None]],
        disk: DiskMeter,
        *,
        really: bool,
    ) -> None:
        super().__init__(files, remove, disk)
        self._really = really
        self._keep = keep
        self._limits = NO_LIMITS
        self._group: MemoryGroup | None = None
        self._init_pid = init_pid
        self._spare: list[socket.socket] = []
        self._front: Front | None = None
        self._adopt(_INIT, init)

    @property
    def _init(self) -> AgentClient:
        init = self._agents.get(_INIT)
        if init is None:
            raise AgentGoneError("the sandbox has ended")
        return init.client

    def lookup_user(self, name: str) -> User | None:
        """From the sandbox's own `/etc/passwd`, where programs may have added users."""
        if name in BUILT_IN_USERS:
            return BUILT_IN_USERS[name]
        try:
            with self._files.open_read("/etc/passwd") as file:
                text = file.read().decode(errors="replace")
        except OSError:
            return None
        for line in text.splitlines():
            fields = line.split(":")
            if len(fields) == 7 and fields[0] == name and fields[2].isdigit():
                return User(name, int(fields[2]), int(fields[3]), fields[5], fields[6])
        return None

    def _agent_name(self, user: User) -> str:
        return _INIT if self._really or user.uid == ROOT.uid else f"{user.uid}:{user.gid}"

    def _identity(self, user: User) -> tuple[int, int, list[int]] | None:
        if not self._really or user.uid == ROOT.uid:
            return None
        return user.uid, user.gid, [_SUDO_GROUP] if user.uid == USER.uid else []

    async def _connect(self, name: str) -> socket.socket:
        uid, gid = map(int, name.split(":"))
        ours, theirs = socket.socketpair()
        with theirs:
            await self._init.call("fork", fds=[theirs.fileno()], uid=uid, gid=gid)
        return ours

    def _translate(self, request: SpawnRequest) -> tuple[str, Mapping[str, str]]:
        return request.cwd, {**request.env, "PWD": request.cwd}

    def _lost(self, name: str) -> None:
        if name == _INIT:
            self._dead = True

    async def _tcp_socket(self, family: socket.AddressFamily) -> socket.socket:
        if family is not socket.AF_INET:
            return (await self._make_sockets(family, 1))[0]
        if not self._spare:
            self._spare += await self._make_sockets(family, _SOCKETS_AT_A_TIME)
        return self._spare.pop()

    async def _make_sockets(self, family: socket.AddressFamily, count: int) -> list[socket.socket]:
        _, fds = await self._init.call("socket", family=int(family), count=count)
        made = [socket.socket(fileno=fd) for fd in fds]
        for each in made:
            # It is already; asyncio's debug mode wants the object to know.
            each.setblocking(False)
        if self._dead:
            for each in made:
                each.close()
            raise AgentGoneError("the sandbox has ended")
        return made

    async def _listen(self) -> socket.socket:
        return listen_at((await self._make_sockets(socket.AF_UNIX, 1))[0], _STUBS)

    async def _show_stubs(self, programs: frozenset[str]) -> None:
        if self._front is None:
            self._front = Front(self._files, STUB_FOLDERS, aside=COVERED, where=_STUBS)
        await asyncio.to_thread(self._front.show, programs)

    async def _count(self) -> Counters:
        message, _ = await self._init.call("count")
        return Counters(*message["counters"])

    async def _disk_usage(self) -> DiskUsage:
        if self._limits.disk_mb is not None:
            return self._files.disk_usage()
        return await super()._disk_usage()

    def _overseers(self) -> tuple[AgentClient, ...]:
        return (self._init,)

    async def fill_disk(self, *, full: bool) -> None:
        """See `Guest.fill_disk`: a limited disk is really full.

        Raises:
            OSError: It has ended.
        """
        if self._limits.disk_mb is None:
            await super().fill_disk(full=full)
        elif full:
            await asyncio.to_thread(fill, self._files)
        else:
            self._files.remove(BALLAST)

    def _mem_total(self) -> int | None:
        return None if self._limits.memory_mb is None else self._limits.memory_mb << 20

    async def pause(self) -> None:
        """Stop every program, parents first."""
        await self._init.call("pause")

    async def resume(self) -> None:
        """Let the programs go on."""
        await self._init.call("resume")

    async def end(self) -> None:
        """End every program: PID 1 takes all others with it."""
        self._dead = True
        while self._spare:
            self._spare.pop().close()
        # Whoever holds the root last waits for the kernel to take all mounts apart, some
        # milliseconds: that is for PID 1 to do, as it ends.
        self._files.close()
        if init := self._agents.get(_INIT):
            await init.client.end()
        await super().end()

    async def stop(self) -> None:
        """End every program; the files stay for a later boot.

        Raises:
            OSError: They could not be kept.
        """
        await super().stop()
        await self._keep()

    def joining(self) -> Joining:
        """The namespaces of its PID 1, and its control group; paths are the same."""
        group = None if self._group is None else self._group.members
        return Joining(namespaces_of=self._init_pid, path_prefix="", group=group)

    def give_out(self) -> None:
        """It begins now: it may have been kept ready for long."""
        self._meter.restart()

    async def limit(self, limits: Limits, group: MemoryGroup | None) -> None:
        """Hold it to its limit of memory from now on.

        Args:
            group: Where the kernel does it, at least as a last resort; None where it does not.

        Raises:
            OSError: It has ended.
        """
        self._limits, self._group = limits, group
        if limits.memory_mb is None:
            return
        if group is not None:
            group.add(self._init_pid)
        if group is None or limits.disk_mb is not None:
            # A limited disk lies in memory: the kernel's limit has to leave room for it.
            await self._init.call("limit", memory_mb=limits.memory_mb)
