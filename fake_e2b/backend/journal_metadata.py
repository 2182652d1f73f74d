"""The metadata of the sandboxes that a journal tells of, kept when the sandboxes are gone."""

from __future__ import annotations

from collections.abc import Mapping

MAX_CHARACTERS = 4_000_000
"""Of all names and values; the oldest go first."""

_Pairs = tuple[tuple[str, str], ...]


class SandboxMetadata:
    """Pairs by sandbox, small: what many have in common is kept once."""

    def __init__(self, max_characters: int = MAX_CHARACTERS) -> None:
        self._max = max_characters
        self._pairs: dict[str, _Pairs] = {}
        self._shared: dict[str, str] = {}
        self._characters = 0

    def add(self, sandbox_id: str, metadata: Mapping[str, str]) -> None:
        """Remember what a sandbox was made with; that it had none is not remembered."""
        if not metadata:
            return
        if len(self._shared) > len(self._pairs) + 1000:
            self._shared.clear()
        once = self._shared.setdefault
        pairs = tuple([(once(name, name), value) for name, value in metadata.items()])
        self._pairs[sandbox_id] = pairs
        self._characters += _size(pairs)
        while self._characters > self._max:
            oldest = next(iter(self._pairs))
            self._characters -= _size(self._pairs.pop(oldest))

    def of(self, sandbox_id: str | None) -> dict[str, str] | None:
        """The pairs of a sandbox; None when it had none."""
        pairs = self._pairs.get(sandbox_id or "")
        return None if pairs is None else dict(pairs)

    def having(self, wanted: Mapping[str, str]) -> set[str]:
        """The sandboxes that have all of these pairs, and maybe more."""
        first, *more = wanted.items() or [("", "")]
        copy = list(self._pairs.items())  # In one step: the server's thread adds to it.
        if not wanted:
            return {sandbox_id for sandbox_id, _ in copy}
        found = [(sandbox_id, pairs) for sandbox_id, pairs in copy if first in pairs]
        return {sandbox_id for sandbox_id, pairs in found if all(each in pairs for each in more)}

    def clear(self) -> None:
        """Forget everything."""
        self._pairs.clear()
        self._shared.clear()
        self._characters = 0


def _size(pairs: _Pairs) -> int:
    return sum(len(name) + len(value) for name, value in pairs)
