"""Changes of files, reported as they happen: one inotify instance for a whole server.

The kernel gives one watch to a folder, however often it is asked for in one instance. So a watch
number may stand for a place in several subscriptions: `WatchHub` keeps who means what by it and
hands each event to all of them. A `_Subscription` knows its own tree of folders, which gives a
watch number its name; folders that come, go and move change that tree.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable, Iterator

from fake_e2b.domain.entry import Change, FilesystemEvent
from fake_e2b.domain.file_ports import Watch
from fake_e2b.runtime.inotify import IS_AVAILABLE, Inotify, Mask, RawEvent

Sink = Callable[[FilesystemEvent], None]
OpenFolder = Callable[[], int]

_READABLE_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Reads before other work of the loop gets its turn; what waits is read at the next one.
_READS_AT_ONCE = 4
# The order in which several kinds in one kernel event are reported.
_KINDS = (
    (Mask.CREATE | Mask.MOVED_TO, Change.CREATE),
    (Mask.MOVED_FROM | Mask.MOVE_SELF, Change.RENAME),
    (Mask.ATTRIB, Change.CHMOD),
    (Mask.MODIFY, Change.WRITE),
    (Mask.DELETE | Mask.DELETE_SELF, Change.REMOVE),
)
_APPEARS = Mask.CREATE | Mask.MOVED_TO
_VANISHES = Mask.DELETE | Mask.MOVED_FROM
_SELF_ENDS = Mask.DELETE_SELF | Mask.MOVE_SELF | Mask.UNMOUNT


class _Folder:
    """A watched folder in one subscription's tree.

    Attributes:
        announced: Names inside that were reported because they were there when the folder was
            noticed. The kernel may report the same names once more.
    """

    __slots__ = ("announced", "folders", "name", "parent", "watch")

    def __init__(self, name: str, parent: _Folder | None, watch: int) -> None:
        self.name = name
        self.parent = parent
        self.watch = watch
        self.folders: dict[str, _Folder] = {}
        self.announced: set[str] = set()

    def names(self) -> list[str]:
        """From below the watched folder down to this one."""
        names: list[str] = []
        folder = self
        while folder.parent is not None:
            names.append(folder.name)
            folder = folder.parent
        names.reverse()
        return names

    def subtree(self) -> Iterator[_Folder]:
        waiting = [self]
        while waiting:
            folder = waiting.pop()
            yield folder
            waiting.extend(folder.folders.values())


class WatchHub:
    """All watches of one server, on the event loop that asks for the first one."""

    def __init__(self) -> None:
        self._inotify: Inotify | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._meanings: dict[int, dict[_Subscription, _Folder]] = {}
        self._subscriptions: set[_Subscription] = set()

    @property
    def is_available(self) -> bool:
        """Whether this system can report changes."""
        return IS_AVAILABLE

    @property
    def watched_folders(self) -> int:
        """Folders under watch now, each counted once."""
        return len(self._meanings)

    def watch(
        self,
        open_folder: OpenFolder,
        *,
        recursive: bool,
        sink: Sink,
        on_close: Callable[[Watch], None] = lambda watch: None,
    ) -> Watch:
        """Report changes in a folder to `sink`, from the running event loop.

        Args:
            open_folder: Opens the folder for reading; called whenever the tree below has to be
                looked at. (Keeping it open would keep the kernel from reporting its removal.)
            recursive: Whether folders below count, those that come later included.
            on_close: Called when the watch is closed, by whomever.

        Raises:
            OSError: ENOTSUP where the system has no inotify; ENOSPC or EMFILE at its limits;
                what `open_folder` raises.
        """
        inotify = self._opened()
        subscription = _Subscription(self, inotify, open_folder, recursive, sink, on_close)
        self._subscriptions.add(subscription)
        try:
            subscription.start()
        except BaseException:
            subscription.close()
            raise
        return subscription

    def _opened(self) -> Inotify:
        if not IS_AVAILABLE:
            raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
        if self._inotify is None:
            loop = asyncio.get_running_loop()
            self._inotify = Inotify()
            self._loop = loop
            loop.add_reader(self._inotify.descriptor, self._drain)
        return self._inotify

    def close(self) -> None:
        """End every watch; the next one starts afresh. Twice is fine."""
        for subscription in tuple(self._subscriptions):
            subscription.close()
        if self._inotify is not None and self._loop is not None:
            if not self._loop.is_closed():
                self._loop.remove_reader(self._inotify.descriptor)
            self._inotify.close()
            self._inotify = self._loop = None

    # For subscriptions.

    def mean(self, watch: int, subscription: _Subscription, folder: _Folder) -> None:
        """Note that events of `watch` are about `folder` in `subscription`."""
        self._meanings.setdefault(watch, {})[subscription] = folder

    def release(self, watch: int, subscription: _Subscription) -> None:
        """Undo `mean`; the kernel's watch ends with its last meaning."""
        meanings = self._meanings.get(watch)
        if meanings is None or meanings.pop(subscription, None) is None or meanings:
            return
        del self._meanings[watch]
        if self._inotify is not None:
            self._inotify.remove(watch)

    def leave(self, subscription: _Subscription) -> None:
        """A subscription was closed."""
        self._subscriptions.discard(subscription)

    # Events.

    def _drain(self) -> None:
        for _ in range(_READS_AT_ONCE):
            events = self._inotify.read() if self._inotify is not None else []
            if not events:
                for subscription in tuple(self._subscriptions):
                    subscription.settle()
                return
            for event in events:
                self._dispatch(event)

    def _dispatch(self, event: RawEvent) -> None:
        if event.mask & Mask.OVERFLOW:
            for subscription in tuple(self._subscriptions):
                subscription.recover()
            return
        meanings = self._meanings.get(event.watch)
        if meanings is None:
            return
        if event.mask & Mask.IGNORED:
            # The kernel ended it: the folder is gone.
            del self._meanings[event.watch]
            return
        for subscription, folder in tuple(meanings.items()):
            subscription.handle(folder, event)


class _Subscription:
    """One watched tree; a `Watch`."""

    def __init__(
        self,
        hub: WatchHub,
        inotify: Inotify,
        open_folder: OpenFolder,
        recursive: bool,
        sink: Sink,
        on_close: Callable[[Watch], None],
    ) -> None:
        self._hub = hub
        self._inotify = inotify
        self._open_folder = open_folder
        self._identity: tuple[int, int] | None = None
        self._recursive = recursive
        self._sink = sink
        self._on_close = on_close
        self._root = _Folder(".", None, -1)
        self._fresh: list[_Folder] = []
        self._moving: dict[int, _Folder] = {}
        self._is_closed = False
        self._is_over = False

    def start(self) -> None:
        root = self._root
        descriptor = self._open_folder()
        try:
            self._identity = _identity(descriptor)
            root.watch = self._inotify.add(descriptor)
            self._hub.mean(root.watch, self, root)
            if self._recursive:
                self._look_inside(root, descriptor, announce=False)
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """See `Watch.close`."""
        if self._is_closed:
            return
        self._is_closed = True
        self._forget_all()
        self._hub.leave(self)
        self._on_close(self)

    # Events.

    def handle(self, folder: _Folder, event: RawEvent) -> None:
        """Report one kernel event about `folder` and follow it in the tree."""
        if not event.name:
            self._handle_self(folder, event.mask)
            return
        mask = event.mask
        if mask & Mask.CREATE and event.name in folder.announced:
            folder.announced.discard(event.name)
            return
        if mask & _VANISHES:
            folder.announced.discard(event.name)
        self._report(mask, folder, event.name)
        if self._recursive and mask & Mask.ISDIR:
            self._follow(folder, event)

    def _handle_self(self, folder: _Folder, mask: int) -> None:
        if folder is self._root:
            self._report(mask, folder, None)
            if mask & _SELF_ENDS:
                self._forget_all()
        elif mask & Mask.MOVE_SELF:
            # Comes after both ends of the move: whoever still waits for the second one left.
            for cookie, moving in tuple(self._moving.items()):
                if moving is folder:
                    del self._moving[cookie]
                    self._forget(folder)

    def _follow(self, parent: _Folder, event: RawEvent) -> None:
        """Keep the tree up to date when a folder below it comes, goes or moves."""
        name = event.name
        if event.mask & Mask.MOVED_FROM:
            moving = parent.folders.pop(name, None)
            if moving is not None:
                self._moving[event.cookie] = moving
        elif event.mask & Mask.DELETE:
            gone = parent.folders.pop(name, None)
            if gone is not None:
                self._forget(gone)
        elif event.mask & _APPEARS:
            moved = self._moving.pop(event.cookie, None)
            if moved is None:
                self._enter(parent, name)
                return
            replaced = parent.folders.get(name)
            if replaced is not None:
                self._forget(replaced)
            moved.name, moved.parent = name, parent
            parent.folders[name] = moved

    def _report(self, mask: int, folder: _Folder, name: str | None) -> None:
        path = "." if name is None else "/".join([*folder.names(), name])
        for bits, change in _KINDS:
            if mask & bits and not self._is_closed:
                self._sink(FilesystemEvent(path, change))

    def settle(self) -> None:
        """Nothing waits in the kernel any more: what was announced cannot come again."""
        for folder in self._fresh:
            folder.announced.clear()
        self._fresh.clear()

    def recover(self) -> None:
        """Events were lost: take up the folders that came meanwhile, as if they came now."""
        if not self._recursive or self._is_over:
            return
        for folder in tuple(self._root.subtree()):
            descriptor = self._descend(folder)
            if descriptor is None:
                continue
            try:
                present = _folders_in(descriptor)
                for name in folder.folders.keys() - present:
                    self._forget(folder.folders.pop(name))
                for name in sorted(present - folder.folders.keys(), key=os.fsencode):
                    self._report(Mask.CREATE, folder, name)
                    self._adopt(folder, name, descriptor, announce=True)
            finally:
                os.close(descriptor)

    # The tree.

    def _enter(self, parent: _Folder, name: str) -> None:
        """Watch a folder that came; report what is in it already."""
        descriptor = self._descend(parent)
        if descriptor is not None:
            try:
                self._adopt(parent, name, descriptor, announce=True)
            finally:
                os.close(descriptor)

    def _descend(self, folder: _Folder) -> int | None:
        """Open a folder of the tree; None if it is not where it was."""
        try:
            descriptor = self._open_folder()
        except OSError:
            return None
        if _identity(descriptor) != self._identity:
            os.close(descriptor)
            return None
        for name in folder.names():
            try:
                below = os.open(name, _READABLE_FOLDER, dir_fd=descriptor)
            except OSError:
                os.close(descriptor)
                return None
            os.close(descriptor)
            descriptor = below
        return descriptor

    def _adopt(self, parent: _Folder, name: str, descriptor: int, *, announce: bool) -> None:
        try:
            inside = os.open(name, _READABLE_FOLDER, dir_fd=descriptor)
        except OSError:
            return  # gone again, or not ours to read
        try:
            try:
                watch = self._inotify.add(inside)
            except OSError:
                if not announce:
                    raise
                return  # too many watches: the daemon, too, goes on without
            known = parent.folders.get(name)
            if known is not None:
                if known.watch == watch:
                    return
                self._forget(known)
            folder = _Folder(name, parent, watch)
            parent.folders[name] = folder
            self._hub.mean(watch, self, folder)
            self._look_inside(folder, inside, announce=announce)
        finally:
            os.close(inside)

    def _look_inside(self, folder: _Folder, descriptor: int, *, announce: bool) -> None:
        with os.scandir(descriptor) as entries:
            present = sorted(
                ((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries),
                key=lambda entry: os.fsencode(entry[0]),
            )
        if announce and present:
            self._fresh.append(folder)
        for name, is_folder in present:
            if announce:
                folder.announced.add(name)
                self._report(Mask.CREATE, folder, name)
            if is_folder:
                self._adopt(folder, name, descriptor, announce=announce)

    def _forget(self, folder: _Folder) -> None:
        for each in folder.subtree():
            self._hub.release(each.watch, self)

    def _forget_all(self) -> None:
        self._is_over = True
        for moving in self._moving.values():
            self._forget(moving)
        self._moving.clear()
        self._forget(self._root)
        self._root.folders.clear()


def _identity(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


def _folders_in(descriptor: int) -> set[str]:
    with os.scandir(descriptor) as entries:
        return {entry.name for entry in entries if entry.is_dir(follow_symlinks=False)}
