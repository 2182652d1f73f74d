"""REST shapes of secrets and volumes; see `fake_e2b.wire.rest`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from fake_e2b.domain.volume import NAME_PATTERN
from fake_e2b.wire.rest import Absent, Instant, Limit, Metadata, Shape

# -- secrets ---------------------------------------------------------------------------------------


class NewSecret(Shape):
    """Create a secret."""

    name: str
    value: str
    metadata: Metadata | Absent = None


class SecretUpdate(Shape):
    """A new version of a secret."""

    value: str
    metadata: Metadata | Absent = None


class SecretsQuery(Shape):
    """`GET /secrets`."""

    limit: Limit = 100
    next_token: str | Absent = None


class Secret(Shape):
    """What is shown of a secret: never its value."""

    secret_id: str
    name: str
    current_version: int
    metadata: Metadata
    created_at: Instant
    updated_at: Instant


# -- volumes ---------------------------------------------------------------------------------------


class NewVolume(Shape):
    """Create a volume."""

    name: Annotated[str, Field(pattern=NAME_PATTERN)]


class Volume(Shape):
    """One of a list."""

    volume_id: str
    name: str


class VolumeAndToken(Volume):
    """A volume, and what lets into its content."""

    token: str
    domain: str | Absent = None
