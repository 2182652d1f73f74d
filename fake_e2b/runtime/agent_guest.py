"""What the guests of both runtimes share: programs through an agent, files below a root."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import time
from collections.abc import Callable, Mapping, Set
from contextlib import suppress
from dataclasses import dataclass, field

from fake_e2b.domain.entry import DiskUsage
from fake_e2b.domain.ports import Program, ResourceUsage
from fake_e2b.domain.process import SpawnError, SpawnRequest
from fake_e2b.domain.user import BUILT_IN_USERS, User
from fake_e2b.runtime.delegate.files import DelegatedFiles
from fake_e2b.runtime.descriptors import raise_limit
from fake_e2b.runtime.files import RootedFiles
from fake_e2b.runtime.full_disk import on_full_disk
from fake_e2b.runtime.guest.client import AgentClient, AgentGoneError
from fake_e2b.runtime.guest.usage import Counters
from fake_e2b.runtime.process import GuestProcess
from fake_e2b.runtime.stubs.doorway import Doorway
from fake_e2b.runtime.usage import DiskMeter, UsageMeter


@dataclass
class Agent:
    """One agent and the programs it started."""

    client: AgentClient
    processes: dict[int, GuestProcess] = field(default_factory=dict)


class AgentGuest:
    """A guest whose programs run below an agent; see the `Guest` port.

    Subclasses say where sandbox paths are, and bring the agent up.

    """

    def __init__(
        self, files: RootedFiles | DelegatedFiles, remove: Callable[[], None], disk: DiskMeter
    ) -> None:
        self._files = files
        self._remove = remove
        self._disk = disk
        self._agents: dict[str, Agent] = {}
        self._agent_locks: dict[str, asyncio.Lock] = {}
        self._dead = False
        self._is_full = False
        self._last_owners: Mapping[str, str] = {}
        self._on_death: Callable[[], None] = lambda: None
        self._meter = UsageMeter(time.monotonic)
        self._doorway: Doorway | None = None
        self._doorway_lock = asyncio.Lock()

    # For subclasses.

    def _agent_name(self, user: User) -> str:
        """Which agent starts programs for `user`."""
        raise NotImplementedError

    def _identity(self, user: User) -> tuple[int, int, list[int]] | None:
        """Ids and further groups that the agent takes on for a program; None: it has them."""
        return None

    async def _connect(self, name: str) -> socket.socket:
        """A socket to a fresh agent of that name."""
        raise NotImplementedError

    def _translate(self, request: SpawnRequest) -> tuple[str, Mapping[str, str]]:
        """Folder and environment as the agent must be given them."""
        raise NotImplementedError

    def _lost(self, name: str) -> None:
        """The agent of that name died by itself."""
        raise NotImplementedError

    async def _listen(self) -> socket.socket:
        """A listening socket that the stubs of this guest find."""
        raise NotImplementedError

    async def _show_stubs(self, programs: frozenset[str]) -> None:
        """Put stubs of these names in front on PATH, and no others."""
        raise NotImplementedError

    # The port.

    @property
    def files(self) -> RootedFiles | DelegatedFiles:
        """The sandbox's files."""
        return on_full_disk(self._files) if self._is_full else self._files

    @property
    def alive(self) -> bool:
        """False once it died by itself or was stopped or killed."""
        return not self._dead

    def on_death(self, listener: Callable[[], None]) -> None:
        """See `Guest.on_death`."""
        self._on_death = listener
        if self._dead:
            listener()

    def lookup_user(self, name: str) -> User | None:
        """`root`, `user` or nobody else."""
        return BUILT_IN_USERS.get(name)

    async def spawn(self, request: SpawnRequest) -> GuestProcess:
        """Start a program.

        Raises:
            SpawnError: It could not be started.
        """
        cwd, env = self._translate(request)
        texts = [*request.argv, *env, *env.values(), cwd]
        if any("\0" in text for text in texts):
            raise SpawnError(errno.EINVAL, os.strerror(errno.EINVAL), "exec")
        size = None if request.pty is None else (request.pty.cols, request.pty.rows)
        try:
            agent = await self._agent(self._agent_name(request.user))
            message, fds = await agent.client.call(
                "spawn",
                argv=request.argv,
                env=dict(env),
                cwd=cwd,
                pty=size,
                stdin=request.stdin,
                who=self._identity(request.user),
            )
        except AgentGoneError as error:
            raise SpawnError(errno.ESRCH, os.strerror(errno.ESRCH), "fork") from error
        except OSError as error:
            number = error.errno or errno.EIO
            raise SpawnError(number, os.strerror(number), "fork") from error
        if "stage" in message:
            number = message["errno"]
            raise SpawnError(number, os.strerror(number), message["stage"])
        pid: int = message["pid"]
        raise_limit(max(fds))

        def send_signal(number: int) -> None:
            with suppress(AgentGoneError):
                agent.client.tell("signal", pid=pid, number=number)

        process = GuestProcess(pid, fds, is_pty=size is not None, send_signal=send_signal)
        agent.processes[pid] = process

        def bury(status: int) -> None:
            agent.processes.pop(pid, None)
            process.died(status)

        agent.client.when_dead(pid, bury)
        return process

    async def dial(self, port: int) -> int:
        """See `Guest.dial`; IPv4 is tried first, then IPv6, as programs listen on either.

        Raises:
            ConnectionRefusedError: Nothing listens there.
        """
        for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            try:
                connection = await self._tcp_socket(family)
                try:
                    await asyncio.get_running_loop().sock_connect(connection, (address, port))
                except BaseException:
                    connection.close()
                    raise
                return connection.detach()
            except OSError as error:
                refusal = error
        raise ConnectionRefusedError(
            errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED)
        ) from refusal

    async def _tcp_socket(self, family: socket.AddressFamily) -> socket.socket:
        """A non-blocking socket of the guest's network."""
        raise NotImplementedError

    async def usage(self) -> ResourceUsage:
        """What it uses now.

        Raises:
            OSError: It has ended.
        """
        counters, disk = await asyncio.gather(self._count(), self._disk_usage())
        return self._meter.read(counters, disk, self._mem_total())

    async def _count(self) -> Counters:
        counts = [
            (await agent.client.call("count"))[0]["counters"]
            for agent in tuple(self._agents.values())
        ]
        return Counters(*map(sum, zip(*counts, strict=True)))

    async def _disk_usage(self) -> DiskUsage:
        return await self._disk.read()

    def _mem_total(self) -> int | None:
        """Its limit in bytes; None for the machine's."""
        return None

    async def intercept(self, programs: Set[str], answer: Callable[[int], None]) -> None:
        """See `Guest.intercept`.

        Raises:
            OSError: It has ended, or its files cannot be written.
        """
        async with self._doorway_lock:
            if self._dead:
                raise AgentGoneError("the sandbox has ended")
            if programs and self._doorway is None:
                self._doorway = Doorway(await self._listen(), answer)
            await self._show_stubs(frozenset(programs))
            if not programs or self._dead:
                self._close_doorway()

    def _close_doorway(self) -> None:
        doorway, self._doorway = self._doorway, None
        if doorway is not None:
            doorway.close()

    def _overseers(self) -> tuple[AgentClient, ...]:
        """The agents that see all programs together."""
        return tuple(agent.client for agent in self._agents.values())

    async def programs(self) -> list[Program]:
        """See `Guest.programs`.

        Raises:
            OSError: It has ended.
        """
        found = []
        for agent in self._overseers():
            message, _ = await agent.call("programs")
            found += [Program(pid, tuple(argv), size) for pid, argv, size in message["programs"]]
        return sorted(found, key=lambda program: program.pid)

    async def signal(self, pid: int, number: int) -> None:
        """See `Guest.signal`.

        Raises:
            OSError: There is no such program, or the guest has ended.
        """
        refusal = ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
        for agent in self._overseers():
            try:
                await agent.call("kill", pid=pid, number=number)
            except ProcessLookupError as error:
                refusal = error
            else:
                return
        raise refusal

    async def fill_disk(self, *, full: bool) -> None:
        """See `Guest.fill_disk`: for the API alone."""
        self._is_full = full

    async def pause(self) -> None:
        """Stop every program, parents first; the agents themselves go on."""
        for agent in tuple(self._agents.values()):
            await agent.client.call("pause")

    async def resume(self) -> None:
        """Let the programs go on."""
        for agent in reversed(tuple(self._agents.values())):
            await agent.client.call("resume")

    async def end(self) -> None:
        """End every program, whatever becomes of the files; twice is fine."""
        self._dead = True
        self._close_doorway()
        for agent in tuple(self._agents.values()):
            await agent.client.end()
        self._files.close()

    async def stop(self) -> None:
        """End every program; the files stay for a later boot."""
        self._last_owners = self.owners()
        await self.end()

    def owners(self) -> Mapping[str, str]:
        """Who owns what, by path, where the file system does not know; as it was stopped, too."""
        return self._files.recorded_owners() if self.alive else self._last_owners

    def restore_owners(self, owners: Mapping[str, str]) -> None:
        """Take over what `owners` gave for the files that these are a copy of, or the same."""
        self._last_owners = owners
        self._files.restore_owners(owners)

    async def kill(self) -> None:
        """End every program and remove every file."""
        await self.end()
        self._remove()

    # Agents.

    async def _agent(self, name: str) -> Agent:
        async with self._agent_locks.setdefault(name, asyncio.Lock()):
            if self._dead:
                raise AgentGoneError("the sandbox has ended")
            if name not in self._agents:
                self._adopt(name, AgentClient(await self._connect(name)))
            return self._agents[name]

    def _adopt(self, name: str, client: AgentClient) -> None:
        """From now on programs are started through this agent."""
        agent = self._agents[name] = Agent(client)

        def gone() -> None:
            if self._agents.get(name) is agent:
                del self._agents[name]
            for process in tuple(agent.processes.values()):
                process.lost()
            agent.processes.clear()
            if not self._dead:
                self._lost(name)
                if self._dead:
                    self._close_doorway()
                    self._on_death()

        client.on_gone = gone
