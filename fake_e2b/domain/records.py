"""The port to what outlives a server: the API's records.

A record is written when a change is complete, before it is answered, whole or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from fake_e2b.domain.event import SandboxEvent
from fake_e2b.domain.sandbox import Sandbox
from fake_e2b.domain.secret import Secret
from fake_e2b.domain.team import AccessToken, ApiKey, Team
from fake_e2b.domain.template import Template
from fake_e2b.domain.volume import Volume
from fake_e2b.domain.webhook import Webhook

Kept = AccessToken | ApiKey | Sandbox | SandboxEvent | Secret | Team | Template | Volume | Webhook
T = TypeVar("T", bound=Kept)


class Records(Protocol):
    """Where they are kept.

    What cannot be written is an `OSError`, what cannot be read a `UsageError`.
    """

    @property
    def last(self) -> bool:
        """Whether anything is kept at all."""
        ...

    def keep(self, thing: Kept) -> None:
        """Write a thing as it is now; its place among its kind is that of its first writing."""
        ...

    def forget(self, thing: Kept) -> None:
        """Keep it no longer; nothing to do when it is not kept."""
        ...

    def all(self, kind: type[T]) -> list[T]:
        """Everything of a kind, each made anew, in the order of the first writing."""
        ...

    def put(self, kind: str, key: str, value: Any) -> None:
        """Write what has no type of its own, as JSON can say it."""
        ...

    def drop(self, kind: str, key: str) -> None:
        """Keep that no longer; nothing to do when it is not kept."""
        ...

    def values(self, kind: str) -> Mapping[str, Any]:
        """What was put, by key, in the order of the first writing."""
        ...

    def clear(self) -> None:
        """Forget everything but what belongs to the records themselves."""
        ...


class NoRecords:
    """Keeps nothing: all is over with the server."""

    last = False

    def keep(self, thing: Kept) -> None:
        """See `Records.keep`."""

    def forget(self, thing: Kept) -> None:
        """See `Records.forget`."""

    def all(self, kind: type[T]) -> list[T]:
        """See `Records.all`."""
        return []

    def put(self, kind: str, key: str, value: Any) -> None:
        """See `Records.put`."""

    def drop(self, kind: str, key: str) -> None:
        """See `Records.drop`."""

    def values(self, kind: str) -> Mapping[str, Any]:
        """See `Records.values`."""
        return {}

    def clear(self) -> None:
        """See `Records.clear`."""
