"""What the fake needs from a machine: the runtime, its guests, their processes and files.

A runtime is chosen once per server. It makes one `Guest` per running sandbox. All paths that
cross these protocols are absolute paths as the sandbox's own programs and the API name them;
only a runtime knows where they are on the host. Failures are `OSError`s with an `errno`, so that
the callers can give each plane its text.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence, Set
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import Enum
from typing import NewType, Protocol

from fake_e2b.domain.entry import DiskUsage
from fake_e2b.domain.file_ports import Files, VolumeFiles
from fake_e2b.domain.ids import VolumeID
from fake_e2b.domain.limits import NO_LIMITS, Limits
from fake_e2b.domain.node import HostState
from fake_e2b.domain.process import Output, ProcessExit, PtySize, SpawnRequest
from fake_e2b.domain.user import User
from fake_e2b.domain.volume import Mount

LayerID = NewType("LayerID", str)
"""Files that stand still, on which guests can start; means something to one runtime only."""


class Capability(Enum):
    """What a runtime can hold true; tests and `doctor` ask for these by name.

    The value is the sentence that `doctor` prints.
    """

    SAME_PATHS = "the API and commands name the same file by the same absolute path"
    OWN_USERS = "commands see the users root and user"
    SEPARATE_USERS = "root and user really have different rights"
    OWN_PORTS = "two sandboxes can listen on the same port"
    OWN_PROCESSES = "commands see only the sandbox's processes, by the API's PIDs"
    PROTECTED_HOST = "commands cannot change the machine's own files"
    NO_NETWORK = "nothing leaves the machine"
    RECURSIVE_KILL = "killing a sandbox ends every process it ever started"
    WATCHERS = "changes of files are reported"
    LIVE_COPIES = "forks and snapshots carry running processes along"
    LIMITS = "a template's limits of memory and disk hold"


class Process(Protocol):
    """A started process. Nothing is read from it before the first `subscribe`."""

    @property
    def pid(self) -> int:
        """As seen inside the sandbox."""
        ...

    @property
    def is_pty(self) -> bool: ...

    @property
    def exit(self) -> ProcessExit | None:
        """Set once it counts as ended: both outputs at EOF, or dead after `signal`."""
        ...

    def subscribe(self) -> AbstractContextManager[AsyncIterator[Output | ProcessExit]]:
        """All output from now on, then one `ProcessExit`, then the end.

        Subscribers of one process advance together: one that does not read holds the process
        back after 64 chunks. Output without a subscriber is discarded.
        """
        ...

    async def write(self, data: bytes) -> None:
        """To stdin or the terminal; waits while the pipe is full.

        Raises:
            BrokenPipeError: The process closed its stdin.
            StdinClosedError: It has none, or `close_stdin` was called.
        """
        ...

    def close_stdin(self) -> None:
        """Idempotent; nothing to do without an open stdin."""
        ...

    def resize(self, size: PtySize) -> None: ...
    def signal(self, number: int) -> None:
        """To this one process; from then on its own death ends it, whoever holds its pipes.

        Raises:
            ProcessLookupError: It is dead.
        """
        ...

    async def wait(self) -> ProcessExit: ...


class StdinClosedError(Exception):
    """The process has no open stdin."""


@dataclass(frozen=True, slots=True)
class ResourceUsage:
    """What a sandbox uses now; sizes in bytes, CPU in percent of one."""

    cpu_count: int
    cpu_used_pct: float
    mem_total: int
    mem_used: int
    mem_cache: int
    disk: DiskUsage


@dataclass(frozen=True, slots=True)
class Joining:
    """How a process that was forked outside a guest becomes part of it.

    Attributes:
        namespaces_of: Host PID whose namespaces to enter; None when there are none to enter.
        path_prefix: What stands before a sandbox path on the host ("" when paths are the same).
        group: The file of the host to write "0" to first, which makes the writer a member of
            the guest's control group; None without one.
        path_first: The folder that stands first in PATH, as programs name it.
    """

    namespaces_of: int | None
    path_prefix: str
    group: str | None = None
    path_first: str = "/usr/local/sbin"


@dataclass(frozen=True, slots=True)
class Program:
    """A process in a guest, whoever started it.

    Attributes:
        pid: As seen inside.
        argv: Program and arguments as it shows them.
        memory: Bytes that it has for itself.
    """

    pid: int
    argv: tuple[str, ...]
    memory: int


class Guest(Protocol):
    """The machine of one running sandbox."""

    @property
    def files(self) -> Files: ...

    @property
    def alive(self) -> bool:
        """False once it died by itself or was killed."""
        ...

    def on_death(self, listener: Callable[[], None]) -> None:
        """Call `listener` when it dies by itself, at once if it has; the last listener counts."""
        ...

    def lookup_user(self, name: str) -> User | None: ...

    async def spawn(self, request: SpawnRequest) -> Process:
        """Start a process.

        Raises:
            SpawnError: It could not be started; `stage` and `errno` say why.
        """
        ...

    async def dial(self, port: int) -> int:
        """File descriptor of a TCP connection to `port` on the sandbox's loopback.

        It is non-blocking and the caller's to close.

        Raises:
            ConnectionRefusedError: Nothing listens there.
        """
        ...

    def joining(self) -> Joining: ...
    async def usage(self) -> ResourceUsage: ...

    async def intercept(self, programs: Set[str], answer: Callable[[int], None]) -> None:
        """Have stubs stand in for these programs, and no others, for all that find them on PATH.

        Args:
            programs: Names without a folder.
            answer: Given the descriptor of each call's connection, which is its own to close; see
                `fake_e2b.runtime.stubs`.

        Raises:
            OSError: The guest has ended, or its files cannot be written.
        """
        ...

    async def programs(self) -> Sequence[Program]:
        """What runs in it, in order of the PIDs; nothing where the machine does not tell.

        Raises:
            OSError: It has ended.
        """
        ...

    async def signal(self, pid: int, number: int) -> None:
        """To any program in it.

        Raises:
            OSError: There is none with that PID, or the guest has ended.
        """
        ...

    async def fill_disk(self, *, full: bool) -> None:
        """Leave no room on its disk from now on, or give it back.

        Programs notice where its disk is limited; elsewhere only `files` does.

        Raises:
            OSError: It has ended.
        """
        ...

    async def pause(self) -> None:
        """Stop every process; no CPU time passes until `resume`."""
        ...

    async def resume(self) -> None: ...

    async def stop(self) -> None:
        """End every process and keep the files: a later `boot` finds them."""
        ...

    async def kill(self) -> None:
        """End every process and remove every file; twice is fine."""
        ...


@dataclass(frozen=True, slots=True)
class Remembered:
    """What of an earlier run is to be found again.

    Attributes:
        layers: As often as they are held from now on.
        volumes: With what is in them.
        sandboxes: Those that were preserved; `boot` follows, or `discard`.
    """

    layers: Sequence[LayerID] = ()
    volumes: Sequence[VolumeID] = ()
    sandboxes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Recovered:
    """What of an earlier run was found again, whole."""

    layers: Set[LayerID] = frozenset()
    volumes: Mapping[VolumeID, VolumeFiles] = field(default_factory=dict)
    sandboxes: Set[str] = frozenset()


class Runtime(Protocol):
    """Makes guests. Started before the first request, closed after the last.

    One that was given a folder for it has files that outlive it: layers, volumes, and those of
    guests between `preserve` and `take_back`.
    """

    @property
    def name(self) -> str:
        """``"local"`` or ``"isolated"``."""
        ...

    @property
    def capabilities(self) -> frozenset[Capability]: ...

    async def start(self) -> None: ...

    async def create(
        self,
        sandbox_id: str,
        *,
        base: LayerID | None = None,
        limits: Limits = NO_LIMITS,
        mounts: Sequence[Mount] = (),
    ) -> Guest:
        """A guest with files of its own.

        Args:
            base: Whose files it starts with, copied on write; None for fresh ones: `/home/user`,
                `/root`, `/tmp` and what the runtime adds.
            limits: What it may use, over all its boots.
            mounts: The volumes it has, over all its boots; each path is made where it is missing.

        Raises:
            OSError: The machine refuses.
        """
        ...

    async def capture(self, sandbox_id: str) -> LayerID:
        """Freeze the files of a guest, running or stopped, as a layer that guests can start from.

        The guest is only read and should stand still meanwhile. No process is kept.

        Raises:
            OSError: The files cannot be read, or the layer not be written; nothing is left of it.
        """
        ...

    async def hold(self, layer_id: LayerID) -> None:
        """One more `release` is needed until the layer goes."""
        ...

    async def release(self, layer_id: LayerID) -> None:
        """Let a layer go; guests that started from it keep it until they are gone."""
        ...

    async def create_volume(self, volume_id: VolumeID) -> VolumeFiles:
        """An empty volume.

        Raises:
            OSError: The machine refuses.
        """
        ...

    async def discard_volume(self, volume_id: VolumeID) -> None:
        """Remove a volume and what is in it, whoever has it mounted."""
        ...

    async def boot(self, sandbox_id: str) -> Guest:
        """A guest on the files that `Guest.stop` left."""
        ...

    async def discard(self, sandbox_id: str) -> None:
        """Remove the files that `Guest.stop` left; nothing to do when there are none."""
        ...

    async def preserve(self, sandbox_id: str) -> None:
        """Have the files of a paused or stopped guest outlive this run, as they are now.

        Nothing to do where nothing outlives it.

        Raises:
            OSError: They cannot be kept.
        """
        ...

    async def take_back(self, sandbox_id: str) -> None:
        """End what `preserve` began; before the guest goes on, or is booted."""
        ...

    async def recover(self, remembered: Remembered) -> Recovered:
        """Find what an earlier run has left, before anything is made; the rest of it is removed.

        Raises:
            RuntimeUnavailableError: The files are another runtime's.
            OSError: They cannot be read.
        """
        ...

    async def close(self) -> None:
        """Kill all guests and remove all but what outlives this run."""
        ...


class Host(Protocol):
    """The machine on which all of this runs."""

    async def look(self) -> HostState:
        """The machine as it is now; what it does not tell is empty or zero."""
        ...


class Event(Protocol):
    """A flag that can be awaited, as `asyncio.Event`; the server hands the backend a maker."""

    def is_set(self) -> bool: ...
    def set(self) -> None: ...
    async def wait(self) -> object: ...
