"""Finds a sandbox by what its client holds, for requests that do not name one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from fake_e2b.backend.moments import LifecycleEvent, Moment
from fake_e2b.domain.ids import SandboxID
from fake_e2b.server.dispatch import Operation, SignedFile

_REMEMBERED = 10_000


class Searchable(Protocol):
    """What `fake_e2b.backend.sandboxes.Sandboxes` offers."""

    def on_event(self, listener: Callable[[LifecycleEvent], None]) -> None: ...
    def find_by_access_token(self, token: str) -> SandboxID | None: ...
    def find_by_signature(
        self, path: str, operation: Operation, username: str, signature: str, expiration: int | None
    ) -> SandboxID | None: ...


class StoreIndex:
    """The sandboxes that are not gone; by token also those that were.

    A handle that carries only its token asks `/health` after its sandbox was killed, and must
    learn that there is no such sandbox.
    """

    def __init__(self, sandboxes: Searchable) -> None:
        self._sandboxes = sandboxes
        self._by_token: dict[str, SandboxID] = {}
        sandboxes.on_event(self._remember)

    def _remember(self, event: LifecycleEvent) -> None:
        token = event.sandbox.envd_access_token
        if event.moment is Moment.CREATED and token is not None:
            if len(self._by_token) >= _REMEMBERED:
                del self._by_token[next(iter(self._by_token))]
            self._by_token[token] = event.sandbox.sandbox_id

    def clear(self) -> None:
        """Forget those that are gone."""
        self._by_token.clear()

    def by_token(self, token: str) -> str | None:
        """The sandbox with that envd token."""
        return self._sandboxes.find_by_access_token(token) or self._by_token.get(token)

    def by_signature(self, signed: SignedFile) -> str | None:
        """The sandbox whose token made that signature."""
        return self._sandboxes.find_by_signature(
            signed.path, signed.operation, signed.username, signed.signature, signed.expiration
        )
