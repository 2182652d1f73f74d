"""What can become of the sandbox that a request is about.

What a rule brings about here lasts as long as its request; `fake.sandbox(…)` has the same for as
long as a test likes. Who dies or is killed stays so.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.forms import about
from fake_e2b.domain.operations import OPERATIONS, Plane
from fake_e2b.domain.steering.asked import Asked
from fake_e2b.domain.steering.effect import Effect, check_seconds
from fake_e2b.domain.steering.match import RequestMatch, compiled
from fake_e2b.domain.steering.point import Moment, Point

CREATE = "createSandbox"
_LIST = "listSandboxes"
_INTO_SANDBOX = frozenset(
    {each.name for each in OPERATIONS if each.plane is not Plane.CONTROL} | {"port", "unknown"}
)
_OF_SANDBOX = _INTO_SANDBOX | {each.name for each in OPERATIONS if "{sandboxID}" in each.path}
_WAKING = _INTO_SANDBOX | {"connectSandbox", "resumeSandbox"}
_HIGHEST_SIGNAL = 64
_LONGEST_SKEW_S = 100 * 366 * 24 * 3600.0
_FIRST_PIECE = Point(Moment.FRAME, 1)


class SandboxEffect(Effect):
    """The base of these.

    Attributes:
        operations: The requests that it can be about.
        needs: What these are, in words.
    """

    operations: ClassVar[frozenset[str]] = _OF_SANDBOX
    needs: ClassVar[str] = "requests about one sandbox"

    def check(self, match: RequestMatch, at: Point) -> None:
        """Refuse rules about requests that it can't be about.

        Raises:
            UsageError: The text says which it can.
        """
        super().check(match, at)
        if not match.operations & self.operations:
            raise UsageError(f"{self.kind} is about {self.needs}, which {match.operation} is not")

    def concerns(self, asked: Asked) -> bool:
        """Whether the request is one of those, and names a sandbox."""
        return asked.operation in self.operations and asked.sandbox_id is not None


class StrikingEffect(SandboxEffect):
    """The base of those that strike once; they can strike a sandbox that was just created.

    Its ID stands in the answer's body, so on `createSandbox` they act at its first piece.
    """

    operations: ClassVar[frozenset[str]] = _OF_SANDBOX | {CREATE}

    def point_for(self, match: RequestMatch) -> Point:
        """Where the sandbox is known."""
        return _FIRST_PIECE if match.operations == {CREATE} else self.default_point

    def check(self, match: RequestMatch, at: Point) -> None:
        """Refuse as well a point at which there is no sandbox yet.

        Raises:
            UsageError: Rather say ``at="frame=1"``.
        """
        super().check(match, at)
        if match.operations == {CREATE} and at.moment is not Moment.FRAME:
            raise UsageError(
                f"at {at} of {CREATE} no sandbox is known yet: {self.kind} strikes the new one at "
                f"{_FIRST_PIECE}"
            )

    def concerns(self, asked: Asked) -> bool:
        """Whether there is, or will be, a sandbox."""
        return asked.operation == CREATE or super().concerns(asked)


@dataclass(frozen=True)
class SandboxDies(StrikingEffect):
    """The sandbox dies: its streams break, and nobody finds it any more."""

    kind: ClassVar[str] = "sandbox-dies"


@dataclass(frozen=True)
class ProcessKilled(StrikingEffect):
    """Programs in the sandbox get a signal, SIGKILL unless another is named.

    With a command or a PID those that have it; else the one that the request starts or is about.
    """

    kind: ClassVar[str] = "process-killed"
    moments: ClassVar[tuple[Moment, ...]] = (Moment.DONE, Moment.FRAME, Moment.ARRIVED)
    counts_itself: ClassVar[bool] = True
    reads_body: ClassVar[bool] = True

    command: str | None = field(default=None, metadata=about("pattern of the command line"))
    pid: int | None = field(default=None, metadata=about("as the sandbox knows it"))
    signal: int = field(default=9, metadata=about("number of the signal"))

    def __post_init__(self) -> None:
        if not 1 <= self.signal <= _HIGHEST_SIGNAL:
            raise UsageError(f"a signal is from 1 to {_HIGHEST_SIGNAL}, not {self.signal}")
        if self.pid is not None and self.pid < 2:
            raise UsageError(f"a program's pid is above 1, not {self.pid}")
        if self.command is not None:
            if self.pid is not None:
                raise UsageError("say command or pid, not both")
            compiled(self.command, "command")


@dataclass(frozen=True)
class OutOfMemory(StrikingEffect):
    """Memory is short: the program that holds most of it is killed, as the kernel does."""

    kind: ClassVar[str] = "out-of-memory"
    moments: ClassVar[tuple[Moment, ...]] = (Moment.DONE, Moment.FRAME, Moment.ARRIVED)
    counts_itself: ClassVar[bool] = True


@dataclass(frozen=True)
class DiskFull(SandboxEffect):
    """The sandbox's disk is full until the request's answer has ended."""

    kind: ClassVar[str] = "disk-full"


@dataclass(frozen=True)
class GuestUnresponsive(SandboxEffect):
    """The sandbox does not answer: the request hangs until its client or the rule is gone."""

    kind: ClassVar[str] = "guest-unresponsive"
    operations: ClassVar[frozenset[str]] = _INTO_SANDBOX
    needs: ClassVar[str] = "requests into a sandbox"


@dataclass(frozen=True)
class PortClosed(SandboxEffect):
    """The proxy's own answer for a closed port, whoever listens there; envd's port included."""

    kind: ClassVar[str] = "port-closed"
    moments: ClassVar[tuple[Moment, ...]] = (Moment.ARRIVED,)
    operations: ClassVar[frozenset[str]] = _INTO_SANDBOX
    needs: ClassVar[str] = "requests into a sandbox"


@dataclass(frozen=True)
class ClockSkew(SandboxEffect):
    """What the sandbox's services take for now lies ahead, or behind."""

    kind: ClassVar[str] = "clock-skew"
    moments: ClassVar[tuple[Moment, ...]] = (Moment.ARRIVED,)
    operations: ClassVar[frozenset[str]] = _INTO_SANDBOX
    needs: ClassVar[str] = "requests into a sandbox"

    seconds: float = field(metadata=about("how far ahead; negative: behind"))

    def __post_init__(self) -> None:
        check_skew(self.seconds)


class _WhenResumed(SandboxEffect):
    """Acts when the request resumes a paused sandbox: by a call, or by traffic that wakes it."""

    moments: ClassVar[tuple[Moment, ...]] = (Moment.ARRIVED,)
    counts_itself: ClassVar[bool] = True
    operations: ClassVar[frozenset[str]] = _WAKING
    needs: ClassVar[str] = "requests that can resume a sandbox"


ResumeFailure = Literal["failed", "no-capacity", "timed-out"]


@dataclass(frozen=True)
class ResumeFails(_WhenResumed):
    """The sandbox can't be resumed, and stays paused.

    A call gets 500, 503 or 504, traffic that would have woken it 502 "not found".
    """

    kind: ClassVar[str] = "resume-fails"

    reason: ResumeFailure = field(default="failed", metadata=about("which answer a call gets"))


@dataclass(frozen=True)
class ResumeSlow(_WhenResumed):
    """Resuming the sandbox takes so long, in real time."""

    kind: ClassVar[str] = "resume-slow"

    seconds: float = field(metadata=about("how much longer it takes"))

    def __post_init__(self) -> None:
        check_seconds("seconds", self.seconds)


@dataclass(frozen=True)
class FilesLost(_WhenResumed):
    """A resume after the second or a later pause finds the files of the first one.

    Keeping starts with the first pause while the rule is in force. Programs are gone as well.
    """

    kind: ClassVar[str] = "files-lost"


@dataclass(frozen=True)
class PauseConflicts(SandboxEffect):
    """A pause is refused: 409, the sandbox runs on."""

    kind: ClassVar[str] = "pause-conflicts"
    moments: ClassVar[tuple[Moment, ...]] = (Moment.ARRIVED,)
    counts_itself: ClassVar[bool] = True
    operations: ClassVar[frozenset[str]] = frozenset({"pauseSandbox"})
    needs: ClassVar[str] = "pauseSandbox"

    state: Literal["snapshotting", "pausing", "killing"] = field(
        default="snapshotting", metadata=about("what the refusal says that the sandbox is in")
    )


@dataclass(frozen=True)
class ListLags(Effect):
    """The list shows what was so many seconds ago, by the fake's clock.

    Of the time before the rule was there it knows nothing: it shows what was then.
    """

    kind: ClassVar[str] = "list-lags"
    moments: ClassVar[tuple[Moment, ...]] = (Moment.ARRIVED,)
    counts_itself: ClassVar[bool] = True

    seconds: float = field(metadata=about("how far it is behind"))

    def __post_init__(self) -> None:
        check_seconds("seconds", self.seconds)

    def check(self, match: RequestMatch, at: Point) -> None:
        """Refuse rules about anything but lists.

        Raises:
            UsageError: The match has no lists of sandboxes in it.
        """
        super().check(match, at)
        if _LIST not in match.operations:
            raise UsageError(f"{self.kind} is about {_LIST}, which {match.operation} is not")

    def concerns(self, asked: Asked) -> bool:
        """Whether it asks for a list."""
        return asked.operation == _LIST


def check_skew(seconds: float) -> None:
    """Refuse what no clock shows.

    Raises:
        UsageError: It is more than a hundred years.
    """
    if not -_LONGEST_SKEW_S <= seconds <= _LONGEST_SKEW_S:
        raise UsageError(f"a clock is at most a hundred years off, not {seconds} seconds")


SANDBOX_EFFECTS: tuple[type[Effect], ...] = (
    SandboxDies,
    ProcessKilled,
    OutOfMemory,
    DiskFull,
    GuestUnresponsive,
    PortClosed,
    ClockSkew,
    ResumeFails,
    ResumeSlow,
    FilesLost,
    PauseConflicts,
    ListLags,
)
