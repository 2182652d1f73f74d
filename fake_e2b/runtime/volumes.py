"""The volumes of one run: a folder each, beside the sandboxes'."""

from __future__ import annotations

import os
from collections.abc import Callable

from fake_e2b.domain.ids import VolumeID
from fake_e2b.domain.ports import VolumeFiles
from fake_e2b.domain.volume import FOLDER_MODE, OWNER
from fake_e2b.runtime.descriptors import for_a_guest
from fake_e2b.runtime.resolve import FOLDER
from fake_e2b.runtime.run_folder import RunFolder


class Volumes:
    """Makes and removes them.

    Args:
        files: Reaches the files below a descriptor that it does not close.
    """

    def __init__(self, run: RunFolder, files: Callable[[int], VolumeFiles]) -> None:
        self._run = run
        self._files = files
        self._roots: dict[VolumeID, tuple[int, VolumeFiles]] = {}

    def path(self, volume_id: VolumeID) -> str:
        """Its folder on the host.

        Raises:
            FileNotFoundError: There is none of that ID any more.
        """
        if volume_id not in self._roots:
            raise FileNotFoundError(2, "the volume was deleted", volume_id)
        return self._folder(volume_id)

    def _folder(self, volume_id: VolumeID) -> str:
        return f"{self._run.path}/volume-{volume_id}"

    def create(self, volume_id: VolumeID) -> VolumeFiles:
        """An empty one, which everybody may write to.

        Raises:
            OSError: The machine refuses; nothing is left.
        """
        folder = self._folder(volume_id)
        os.mkdir(folder)
        try:
            root = for_a_guest(os.open(folder, FOLDER))
        except BaseException:
            self._run.throw_away(folder)
            raise
        files = self._files(root)
        self._roots[volume_id] = root, files
        try:
            files.chown("/", OWNER, OWNER)
            files.chmod("/", FOLDER_MODE)
        except BaseException:
            self.discard(volume_id)
            raise
        return files

    def discard(self, volume_id: VolumeID) -> None:
        """Remove one with what is in it; nothing to do when there is none."""
        found = self._roots.pop(volume_id, None)
        if found is not None:
            _close(*found)
            self._run.throw_away(self._folder(volume_id))

    def close(self) -> None:
        """Let go of all; their folders go with the run's."""
        for found in self._roots.values():
            _close(*found)
        self._roots.clear()


def _close(root: int, files: VolumeFiles) -> None:
    files.close()
    os.close(root)
