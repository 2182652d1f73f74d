"""The volumes of one run: a folder each, beside the sandboxes'."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from fake_e2b.domain.file_ports import VolumeFiles
from fake_e2b.domain.ids import VolumeID
from fake_e2b.domain.volume import FOLDER_MODE, OWNER
from fake_e2b.runtime.descriptors import for_a_guest
from fake_e2b.runtime.lasting import WrittenOwners, volume_name
from fake_e2b.runtime.resolve import FOLDER
from fake_e2b.runtime.run_folder import RunFolder
from fake_e2b.runtime.volume_files import Owners


class Volumes:
    """Makes and removes them.

    Args:
        files: Reaches the files below a descriptor that it does not close; given the owners that
            the file system does not know.
        writes_owners: Whether there are such owners.
    """

    def __init__(
        self,
        run: RunFolder,
        files: Callable[[int, Owners], VolumeFiles],
        *,
        writes_owners: bool = True,
    ) -> None:
        self._run = run
        self._files = files
        self._writes_owners = writes_owners
        self._roots: dict[VolumeID, tuple[int, VolumeFiles, Owners]] = {}

    def path(self, volume_id: VolumeID) -> str:
        """Its folder on the host.

        Raises:
            FileNotFoundError: There is none of that ID any more.
        """
        if volume_id not in self._roots:
            raise FileNotFoundError(2, "the volume was deleted", volume_id)
        return self._folder(volume_id)

    def _folder(self, volume_id: VolumeID) -> str:
        return f"{self._run.home}/{volume_name(volume_id)}"

    def create(self, volume_id: VolumeID) -> VolumeFiles:
        """An empty one, which everybody may write to.

        Raises:
            OSError: The machine refuses; nothing is left.
        """
        folder = self._folder(volume_id)
        os.mkdir(folder)
        try:
            files = self._open(volume_id)
        except BaseException:
            self._run.throw_away(folder)
            raise
        try:
            files.chown("/", OWNER, OWNER)
            files.chmod("/", FOLDER_MODE)
        except BaseException:
            self.discard(volume_id)
            raise
        return files

    def recover_all(self, volume_ids: Iterable[VolumeID]) -> dict[VolumeID, VolumeFiles]:
        """Those that an earlier run has left.

        Raises:
            OSError: One is there and cannot be reached.
        """
        there = [each for each in volume_ids if os.path.isdir(self._folder(each))]
        return {each: self._open(each) for each in there}

    def _open(self, volume_id: VolumeID) -> VolumeFiles:
        root = for_a_guest(os.open(self._folder(volume_id), FOLDER))
        try:
            owners = self._owners(volume_id)
        except BaseException:
            os.close(root)
            raise
        files = self._files(root, owners)
        self._roots[volume_id] = root, files, owners
        return files

    def _owners(self, volume_id: VolumeID) -> Owners:
        lasting = self._run.lasting
        if lasting is None or not self._writes_owners:
            return {}
        return WrittenOwners(lasting.owners_path(volume_name(volume_id)))

    def discard(self, volume_id: VolumeID) -> None:
        """Remove one with what is in it; nothing to do when there is none."""
        found = self._roots.pop(volume_id, None)
        if found is not None:
            _close(*found)
            self._run.throw_away(self._folder(volume_id))
            if self._run.lasting is not None:
                self._run.lasting.forget(volume_name(volume_id))

    def close(self) -> None:
        """Let go of all; their folders go with the run's, or outlive it."""
        for found in self._roots.values():
            _close(*found)
        self._roots.clear()


def _close(root: int, files: VolumeFiles, owners: Owners) -> None:
    files.close()
    os.close(root)
    if isinstance(owners, WrittenOwners):
        owners.close()
