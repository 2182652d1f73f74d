"""Secrets and volumes as REST shapes."""

from __future__ import annotations

from fake_e2b.domain.secret import Secret
from fake_e2b.domain.volume import Volume, VolumeEntry
from fake_e2b.wire import rest_storage
from fake_e2b.wire.rest_render import Object, Writer
from fake_e2b.wire.timestamps import format_instant

_SECRET = Writer(rest_storage.Secret)
_VOLUME = Writer(rest_storage.Volume)
_VOLUME_AND_TOKEN = Writer(rest_storage.VolumeAndToken)


def secret(record: Secret) -> Object:
    """One secret, without its value."""
    return _SECRET(
        secret_id=record.secret_id,
        name=record.name,
        current_version=record.version,
        metadata=record.metadata,
        created_at=format_instant(record.created_at_ns),
        updated_at=format_instant(record.updated_at_ns),
    )


def volume(record: Volume) -> Object:
    """One volume of a list."""
    return _VOLUME(volume_id=record.volume_id, name=record.name)


def volume_and_token(record: Volume, token: str) -> Object:
    """One volume, and what lets into its content."""
    return _VOLUME_AND_TOKEN(volume_id=record.volume_id, name=record.name, token=token)


def volume_entry(entry: VolumeEntry) -> Object:
    """One file or folder of a volume; names that are no UTF-8 are shown as near as can be."""
    shown: Object = {
        "name": _text(entry.name),
        "type": entry.type.value,
        "path": _text(entry.path),
        "size": entry.size,
        "mode": entry.mode,
        "uid": entry.uid,
        "gid": entry.gid,
        "atime": format_instant(entry.atime_ns),
        "mtime": format_instant(entry.mtime_ns),
        "ctime": format_instant(entry.ctime_ns),
    }
    if entry.target is not None:
        shown["target"] = _text(entry.target)
    return shown


def _text(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
