"""Uploaded archives of COPY steps. They have no names on the disk: a crash leaves none behind."""

from __future__ import annotations

import tempfile
from typing import IO

MOST_BYTES = 4 << 30
"""An archive that is longer is refused."""


class Archives:
    """By team and hash, as the service keeps them: other templates of the team find them too.

    Fact: templates.build.files
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], IO[bytes]] = {}

    def has(self, team_id: str, files_hash: str) -> bool:
        """Whether one was uploaded."""
        return (team_id, files_hash) in self._kept

    def open(self, team_id: str, files_hash: str) -> IO[bytes] | None:
        """The archive, from its start; None when there is none. It is to be closed."""
        kept = self._kept.get((team_id, files_hash))
        if kept is None:
            return None
        # A description of one's own: two builds may read at once.
        return open(f"/dev/fd/{kept.fileno()}", "rb")

    @staticmethod
    def new() -> IO[bytes]:
        """Where an archive is written while it arrives."""
        return tempfile.TemporaryFile(prefix="fake-e2b-archive-")

    def keep(self, team_id: str, files_hash: str, written: IO[bytes]) -> None:
        """Keep what has arrived whole, in place of what was there."""
        written.flush()
        before = self._kept.pop((team_id, files_hash), None)
        self._kept[team_id, files_hash] = written
        if before is not None:
            before.close()

    def clear(self) -> None:
        """Forget all."""
        for kept in self._kept.values():
            kept.close()
        self._kept.clear()
