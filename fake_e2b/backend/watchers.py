"""Watching folders: subscriptions for streams, and watchers that keep events until asked."""

from __future__ import annotations

import errno
import posixpath
import stat
from collections.abc import Callable
from dataclasses import dataclass, field

from fake_e2b.backend.entries import entry_of, go_reason
from fake_e2b.domain.entry import Change, EntryInfo, FilesystemEvent
from fake_e2b.domain.envd_errors import EnvdError, EnvdKind
from fake_e2b.domain.file_ports import Files, Watch
from fake_e2b.domain.ids import IdSource

_WITH_ENTRY = (Change.CREATE, Change.WRITE, Change.CHMOD)


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """A change, with the entry as it was when the change was handled, if asked for."""

    event: FilesystemEvent
    entry: EntryInfo | None = None


@dataclass(slots=True)
class _Watcher:
    watch: Watch
    events: list[WatchEvent] = field(default_factory=list)


class Watchers:
    """The watchers of one sandbox's daemon.

    Args:
        files: The sandbox's files.
        ids: Names new watchers.
    """

    def __init__(self, files: Files, ids: IdSource) -> None:
        self._files = files
        self._ids = ids
        self._watchers: dict[str, _Watcher] = {}

    def __len__(self) -> int:
        """How many collect events until they are asked for."""
        return len(self._watchers)

    def subscribe(
        self,
        path: str,
        *,
        recursive: bool,
        include_entry: bool,
        allow_network_mounts: bool,
        sink: Callable[[WatchEvent], None],
    ) -> Watch:
        """Report changes below an absolute path to `sink` until the watch is closed.

        Raises:
            EnvdError: `WATCH_MISSING`, `WATCH_NOT_FOLDER`, `WATCH_STAT_FAILED`,
                `WATCH_NETWORK_MOUNT`, `WATCH_CREATE_FAILED`, `WATCH_ADD_FAILED`.

        Facts: envd.watch.start.*, envd.watch.include-entry
        """
        self._check(path, allow_network_mounts=allow_network_mounts)

        def take(event: FilesystemEvent) -> None:
            entry = self._entry(path, event) if include_entry else None
            sink(WatchEvent(event, entry))

        try:
            return self._files.watch(path, recursive=recursive, sink=take)
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENOTSUP):
                raise EnvdError(EnvdKind.WATCH_CREATE_FAILED, reason=go_reason(error)) from error
            raise EnvdError(
                EnvdKind.WATCH_ADD_FAILED, path=path, reason=go_reason(error)
            ) from error

    def _check(self, path: str, *, allow_network_mounts: bool) -> None:
        try:
            status = self._files.stat(path)
        except FileNotFoundError as error:
            raise EnvdError(EnvdKind.WATCH_MISSING, path=path, reason=go_reason(error)) from error
        except OSError as error:
            raise EnvdError(
                EnvdKind.WATCH_STAT_FAILED, path=path, reason=go_reason(error)
            ) from error
        if not stat.S_ISDIR(status.mode):
            raise EnvdError(EnvdKind.WATCH_NOT_FOLDER, path=path)
        if not allow_network_mounts and self._files.is_network_mount(path):
            raise EnvdError(EnvdKind.WATCH_NETWORK_MOUNT, path=path)

    def _entry(self, path: str, event: FilesystemEvent) -> EntryInfo | None:
        if event.change not in _WITH_ENTRY:
            return None
        try:
            return entry_of(self._files, posixpath.normpath(f"{path}/{event.name}"))
        except OSError:
            return None  # gone meanwhile

    def create(
        self, path: str, *, recursive: bool, include_entry: bool, allow_network_mounts: bool
    ) -> str:
        """Start a watcher that collects events; its ID.

        Raises:
            EnvdError: As `subscribe`.
        """
        events: list[WatchEvent] = []
        watch = self.subscribe(
            path,
            recursive=recursive,
            include_entry=include_entry,
            allow_network_mounts=allow_network_mounts,
            sink=events.append,
        )
        watcher_id = self._ids.watcher_id()
        self._watchers[watcher_id] = _Watcher(watch, events)
        return watcher_id

    def take_events(self, watcher_id: str) -> list[WatchEvent]:
        """Everything since the last call.

        Raises:
            EnvdError: `WATCHER_UNKNOWN`.
        """
        watcher = self._find(watcher_id)
        taken = watcher.events.copy()
        watcher.events.clear()
        return taken

    def remove(self, watcher_id: str) -> None:
        """End a watcher.

        Raises:
            EnvdError: `WATCHER_UNKNOWN`, also when it was removed before.
        """
        self._find(watcher_id).watch.close()
        del self._watchers[watcher_id]

    def _find(self, watcher_id: str) -> _Watcher:
        try:
            return self._watchers[watcher_id]
        except KeyError:
            raise EnvdError(EnvdKind.WATCHER_UNKNOWN, watcher_id=watcher_id) from None

    def close(self) -> None:
        """End them all."""
        for watcher in self._watchers.values():
            watcher.watch.close()
        self._watchers.clear()
