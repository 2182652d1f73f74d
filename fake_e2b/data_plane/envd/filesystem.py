"""The Filesystem service: what its messages ask of the sandbox's files, and how it answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

from fake_e2b.backend.files import Filesystem
from fake_e2b.backend.watchers import WatchEvent
from fake_e2b.data_plane.connect import Call, Handler
from fake_e2b.data_plane.envd.access import caller_of, envd_of
from fake_e2b.domain.entry import EntryInfo
from fake_e2b.wire.protobuf import Message

# Daemons cut answers to this client short; it is the user agent of SDKs long gone.
_LEGACY_AGENT = "connect-python"
_LEGACY_HEADER = (b"x-e2b-legacy-sdk", b"true")


async def stat(request: Message, call: Call) -> Message:
    """The entry at a path."""
    entry = _filesystem(call).stat(request.get("path", ""), caller_of(call.scope))
    return {"entry": _shown(entry, call)}


async def make_dir(request: Message, call: Call) -> Message:
    """Make a folder."""
    entry = _filesystem(call).make_folder(request.get("path", ""), caller_of(call.scope))
    return {"entry": _shown(entry, call)}


async def move(request: Message, call: Call) -> Message:
    """Rename."""
    filesystem, user = _filesystem(call), caller_of(call.scope)
    source, destination = request.get("source", ""), request.get("destination", "")
    # Where the sandbox's one disk is several of ours, a rename may have to copy.
    if filesystem.is_long(source, user, depth=2):
        entry = await asyncio.to_thread(filesystem.move, source, destination, user)
    else:
        entry = filesystem.move(source, destination, user)
    return {"entry": _shown(entry, call)}


async def list_dir(request: Message, call: Call) -> Message:
    """What is below a folder."""
    filesystem, user = _filesystem(call), caller_of(call.scope)
    path, depth = request.get("path", ""), request.get("depth", 0)
    if filesystem.is_long(path, user, depth=depth):
        entries = await asyncio.to_thread(filesystem.list_folder, path, depth, user)
    else:
        entries = filesystem.list_folder(path, depth, user)
    return {"entries": [_shown(entry, call) for entry in entries]}


async def remove(request: Message, call: Call) -> Message:
    """Remove a file or a tree."""
    filesystem, user = _filesystem(call), caller_of(call.scope)
    path = request.get("path", "")
    # Of a folder nothing tells how much is below it.
    if filesystem.is_long(path, user, depth=2):
        await asyncio.to_thread(filesystem.remove, path, user)
    else:
        filesystem.remove(path, user)
    return {}


async def watch_dir(request: Message, call: Call) -> AsyncIterator[Message]:
    """Stream the changes below a folder; it never ends by itself."""
    call.send_keepalives({"keepalive": {}})
    events: asyncio.Queue[WatchEvent] = asyncio.Queue()
    watch = envd_of(call.scope).watchers.subscribe(
        _watched_path(request, call), **_watch_options(request), sink=events.put_nowait
    )
    try:
        _note_legacy(call)
        yield {"start": {}}
        while True:
            yield {"filesystem": _event(await events.get(), call)}
    finally:
        watch.close()


async def create_watcher(request: Message, call: Call) -> Message:
    """Start collecting the changes below a folder."""
    watcher_id = envd_of(call.scope).watchers.create(
        _watched_path(request, call), **_watch_options(request)
    )
    return {"watcher_id": watcher_id}


async def get_watcher_events(request: Message, call: Call) -> Message:
    """The changes since the last call."""
    events = envd_of(call.scope).watchers.take_events(request.get("watcher_id", ""))
    return {"events": [_event(event, call) for event in events]}


async def remove_watcher(request: Message, call: Call) -> Message:
    """Stop collecting."""
    envd_of(call.scope).watchers.remove(request.get("watcher_id", ""))
    return {}


HANDLERS: Mapping[str, Handler] = {
    "/filesystem.Filesystem/Stat": stat,
    "/filesystem.Filesystem/MakeDir": make_dir,
    "/filesystem.Filesystem/Move": move,
    "/filesystem.Filesystem/ListDir": list_dir,
    "/filesystem.Filesystem/Remove": remove,
    "/filesystem.Filesystem/WatchDir": watch_dir,
    "/filesystem.Filesystem/CreateWatcher": create_watcher,
    "/filesystem.Filesystem/GetWatcherEvents": get_watcher_events,
    "/filesystem.Filesystem/RemoveWatcher": remove_watcher,
}
"""By path."""


def _filesystem(call: Call) -> Filesystem:
    return Filesystem(envd_of(call.scope))


def _watched_path(request: Message, call: Call) -> str:
    return envd_of(call.scope).resolve_path(request.get("path", ""), caller_of(call.scope))


def _watch_options(request: Message) -> dict[str, bool]:
    names = ("recursive", "include_entry", "allow_network_mounts")
    return {name: request.get(name, False) for name in names}


def _event(watched: WatchEvent, call: Call) -> Message:
    message: Message = {"name": watched.event.name, "type": watched.event.change.value}
    if watched.entry is not None and not _is_legacy(call):
        message["entry"] = _entry(watched.entry)
    return message


def _shown(entry: EntryInfo, call: Call) -> Message:
    if not _is_legacy(call):
        return _entry(entry)
    _note_legacy(call)
    message = _entry(entry)
    return {name: message[name] for name in ("name", "type", "path") if name in message}


def _entry(entry: EntryInfo) -> Message:
    message: Message = {
        "name": entry.name,
        "path": entry.path,
        "size": entry.size,
        "mode": entry.mode,
        "permissions": entry.permissions,
        "owner": entry.owner,
        "group": entry.group,
        "metadata": dict(entry.metadata),
    }
    if entry.kind is not None:
        message["type"] = entry.kind.value
    if entry.mtime_ns:
        message["modified_time"] = entry.mtime_ns
    if entry.symlink_target is not None:
        message["symlink_target"] = entry.symlink_target
    return message


def _is_legacy(call: Call) -> bool:
    return call.headers.get("user-agent") == _LEGACY_AGENT


def _note_legacy(call: Call) -> None:
    if _is_legacy(call) and _LEGACY_HEADER not in call.response_headers:
        call.response_headers.append(_LEGACY_HEADER)
