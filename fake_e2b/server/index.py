"""Finds a sandbox by what its client holds, for requests that do not name one."""

from __future__ import annotations

from typing import Protocol

from fake_e2b.domain.ids import SandboxID
from fake_e2b.server.dispatch import Operation, SignedFile

_REMEMBERED = 10_000


class Searchable(Protocol):
    """What `fake_e2b.backend.sandboxes.Sandboxes` offers."""

    def find_by_access_token(self, token: str) -> SandboxID | None: ...
    def find_by_signature(
        self, path: str, operation: Operation, username: str, signature: str, expiration: int | None
    ) -> SandboxID | None: ...


class StoreIndex:
    """The sandboxes that are not gone, and by token those that clients used before they went.

    A handle that carries only its token asks `/health` after its sandbox was killed, and must
    learn that there is no such sandbox.
    """

    def __init__(self, sandboxes: Searchable) -> None:
        self._sandboxes = sandboxes
        self._seen: dict[str, str] = {}

    def by_token(self, token: str) -> str | None:
        """The sandbox with that envd token."""
        found = self._sandboxes.find_by_access_token(token)
        if found is None:
            return self._seen.get(token)
        if len(self._seen) >= _REMEMBERED:
            self._seen.clear()
        self._seen[token] = found
        return found

    def by_signature(self, signed: SignedFile) -> str | None:
        """The sandbox whose token made that signature."""
        return self._sandboxes.find_by_signature(
            signed.path, signed.operation, signed.username, signed.signature, signed.expiration
        )
