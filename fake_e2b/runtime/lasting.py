"""What outlives a run: files, and beside each a note of what the files do not say themselves.

Everything lies in one folder, beside those of the runs. A note is written before its files get
their names, and both are nothing as long as no record of the server's names them: `sweep` removes
what a crash left between the two.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from fake_e2b.domain.errors import RuntimeUnavailableError
from fake_e2b.domain.ids import VolumeID
from fake_e2b.domain.limits import NO_LIMITS, Limits
from fake_e2b.domain.ports import LayerID
from fake_e2b.domain.volume import Mount

_NOTE, _OWNERS = ".json", ".owners"
_ABOUT = "about"


class Lasting:
    """The folder of a state.

    Args:
        path: Where it is; made if missing.
        throw_away: Removes a folder, in its own time.
    """

    def __init__(self, path: str, throw_away: Callable[[str], None]) -> None:
        self.path = path
        self._throw_away = throw_away
        os.makedirs(path, mode=0o700, exist_ok=True)

    def folder(self, name: str) -> str:
        """Where the files of that name are."""
        return f"{self.path}/{name}"

    def owners_path(self, name: str) -> str:
        """Where the owners of that name's files are written down."""
        return f"{self.path}/{name}{_OWNERS}"

    def note(self, name: str, about: dict[str, Any]) -> None:
        """Write what is to be known of a name, whole or not at all.

        Raises:
            OSError: It cannot be written.
        """
        fresh = f"{self.path}/new{_NOTE}"
        with open(fresh, "w") as file:
            json.dump(about, file)
        os.rename(fresh, f"{self.path}/{name}{_NOTE}")

    def noted(self, name: str) -> dict[str, Any] | None:
        """What is known of a name whose files are there; None where either is missing."""
        if not os.path.isdir(self.folder(name)):
            return None
        try:
            with open(f"{self.path}/{name}{_NOTE}") as file:
                found = json.load(file)
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def drop(self, name: str) -> None:
        """Remove the files of a name with their note; nothing to do when there are none."""
        self._throw_away(self.folder(name))
        self.forget(name)

    def forget(self, name: str) -> None:
        """Remove the note alone: the files are elsewhere now, or nowhere."""
        for ending in (_NOTE, _OWNERS):
            with suppress(FileNotFoundError):
                os.unlink(f"{self.path}/{name}{ending}")

    def sweep(self, known: Collection[str]) -> None:
        """Remove everything but these names."""
        for entry in os.listdir(self.path):
            name = entry.removesuffix(_NOTE).removesuffix(_OWNERS)
            if name in known or name == _ABOUT:
                continue
            if os.path.isdir(f"{self.path}/{entry}"):
                self._throw_away(f"{self.path}/{entry}")
            else:
                os.unlink(f"{self.path}/{entry}")

    def claim(self, maker: str) -> None:
        """Make sure that the files are of one kind of runtime; the first one to ask owns them.

        Raises:
            RuntimeUnavailableError: They are another one's.
            OSError: It cannot be written.
        """
        path = f"{self.path}/{_ABOUT}{_NOTE}"
        try:
            with open(path) as file:
                made_by = str(json.load(file)["files"])
        except FileNotFoundError:
            self.note(_ABOUT, {"files": maker})
            return
        except (ValueError, KeyError, TypeError):
            made_by = "something unknown"
        if made_by != maker:
            raise RuntimeUnavailableError(
                f"the files of this state were made by another runtime ({made_by}) than the one "
                f"that runs here ({maker}): choose that one, or another folder"
            )


@dataclass(frozen=True, slots=True)
class KeptGuest:
    """What is to be known of a guest's files.

    Attributes:
        owners: Who owns what, by path, where the file system does not know.
        base: The layer it stands on.
        whole: Its root needs nothing below it.
    """

    owners: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = NO_LIMITS
    mounts: tuple[Mount, ...] = ()
    base: LayerID | None = None
    whole: bool = True

    def written(self) -> dict[str, Any]:
        """As a note has it."""
        return {
            "owners": dict(self.owners),
            "limits": asdict(self.limits),
            "mounts": [asdict(each) for each in self.mounts],
            "base": self.base,
            "whole": self.whole,
        }

    @classmethod
    def read(cls, note: Mapping[str, Any] | None) -> KeptGuest | None:
        """What `written` gave; None of what has other fields, another release's."""
        if note is None:
            return None
        try:
            return cls(
                note["owners"],
                Limits(**note["limits"]),
                tuple(Mount(**each) for each in note["mounts"]),
                note["base"],
                note["whole"],
            )
        except (KeyError, TypeError):
            return None


def guest_name(sandbox_id: str) -> str:
    """The name of a guest's files."""
    return f"sandbox-{sandbox_id}"


def volume_name(volume_id: VolumeID) -> str:
    """The name of a volume's."""
    return f"volume-{volume_id}"


class WrittenOwners(dict[tuple[int, int], tuple[int, int]]):
    """Owners by device and inode, which are written to a file with each change.

    The file has a line for each change, the newest counts; one that a crash cut is left out. The
    device is that of the file itself: its number may be another after the machine was started anew.

    Args:
        path: Where they are written; read first, if it is there.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        device = os.fstat(self._file).st_dev
        with open(path) as file:
            for line in file:
                words = line.split()
                if not line.endswith("\n") or not all(word.isdigit() for word in words):
                    continue
                if len(words) == 3:
                    inode, uid, gid = map(int, words)
                    super().__setitem__((device, inode), (uid, gid))
                elif len(words) == 1:
                    super().pop((device, int(words[0])), None)

    def __setitem__(self, key: tuple[int, int], owner: tuple[int, int]) -> None:
        """Set and write."""
        super().__setitem__(key, owner)
        os.write(self._file, f"{key[1]} {owner[0]} {owner[1]}\n".encode())

    def pop(self, key: tuple[int, int], *default: Any) -> Any:
        """Forget and write, if there was any."""
        if key in self:
            os.write(self._file, f"{key[1]}\n".encode())
        return super().pop(key, *default)

    def close(self) -> None:
        """Write no more; twice is fine."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
