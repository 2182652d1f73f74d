"""A folder in which a fake's state outlives it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable

from fake_e2b.domain.clock import MovableClock
from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.ids import IdSource
from fake_e2b.domain.records import NoRecords, Records

_DATABASE, _LOCK, _FILES = "records.db", "lock", "files"
_ABOUT, _CLOCK = "state", "clock"
_LEAST_NS = 1_000_000


class State:
    """What one server has of an earlier one.

    Args:
        release: Lets others have the folder.

    Attributes:
        records: The API's records.
        folder: Where the runtime keeps its files; None for the machine's temporary folder.
    """

    def __init__(
        self,
        records: Records | None = None,
        folder: str | None = None,
        release: Callable[[], object] = lambda: None,
    ) -> None:
        self.records = records or NoRecords()
        self.folder = folder
        self._release = release

    def ids(self, seed: int | None) -> IdSource:
        """The source of IDs: of the seed with which the state was begun, and new ones each time.

        Raises:
            UsageError: Another seed was asked for.
        """
        about = self.records.values(_ABOUT)
        first = about.get("seed")
        if first is None:
            ids = IdSource(seed)
        elif seed in (None, first):
            ids = IdSource(first)
        else:
            raise UsageError(
                f"this state was begun with seed {first}: leave the seed out, or give that one"
            )
        start = about.get("starts", 0) + 1
        self.records.put(_ABOUT, "seed", ids.seed)
        self.records.put(_ABOUT, "starts", start)
        return ids if start == 1 else ids.later(start)

    def known(self, name: str, make: Callable[[], str]) -> str:
        """What was made under a name at the first start."""
        about = self.records.values(_ABOUT)
        if name not in about:
            made = make()
            self.records.put(_ABOUT, name, made)
            return made
        return str(about[name])

    def follow_clock(self, clock: MovableClock) -> None:
        """Have the clock show no earlier time than it would have shown, and remember its moves."""
        if not self.records.last:
            return
        kept = self.records.values(_CLOCK).get("")
        if kept is not None:
            ahead_ns = max(
                0 if clock.frozen else kept["ahead_ns"], kept["shown_ns"] - clock.now_ns()
            )
            # Less is the time that reading the clock takes.
            if ahead_ns > _LEAST_NS:
                clock.move_to(clock.now_ns() + ahead_ns)
        clock.on_move = lambda: self.keep_clock(clock)

    def keep_clock(self, clock: MovableClock) -> None:
        """Remember what the clock shows, and how far it is ahead."""
        value = {"shown_ns": clock.now_ns(), "ahead_ns": max(0, clock.ahead_ns)}
        self.records.put(_CLOCK, "", value)

    def close(self) -> None:
        """Let others have the folder; twice is fine."""
        release, self._release = self._release, lambda: None
        release()


def open_state(folder: str | os.PathLike[str] | None) -> State:
    """The state in a folder, which is made if missing; None for a state that ends with the fake.

    Raises:
        UsageError: The folder cannot be used, or another server uses it.
    """
    if folder is None:
        return State()
    # Most fakes need no database: they should not pay for loading one.
    from fake_e2b.storage.database import Database

    path = os.path.abspath(folder)
    try:
        os.makedirs(f"{path}/{_FILES}", mode=0o700, exist_ok=True)
        lock = os.open(f"{path}/{_LOCK}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UsageError(f"no state can be kept in {path}: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # It holds secrets, and SQLite would let everybody read it.
        os.close(os.open(f"{path}/{_DATABASE}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        database = Database(f"{path}/{_DATABASE}")
    except BaseException as error:
        os.close(lock)
        if isinstance(error, BlockingIOError):
            raise UsageError(f"another fake keeps its state in {path}") from error
        raise

    def release() -> None:
        database.close()
        os.close(lock)

    return State(database, f"{path}/{_FILES}", release)
