"""Secrets and volumes as REST shapes."""

from __future__ import annotations

from fake_e2b.domain.secret import Secret
from fake_e2b.wire import rest_storage
from fake_e2b.wire.rest_render import Object, Writer
from fake_e2b.wire.timestamps import format_instant

_SECRET = Writer(rest_storage.Secret)


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
