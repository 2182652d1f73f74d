"""The reference models, in plain dicts: what an account and a home folder should look like."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

PublicState = Literal["running", "paused"]


@dataclass(slots=True)
class AccountModel:
    """The sandboxes of one account, in the order of the start of their last run."""

    sandboxes: dict[str, dict[str, str]] = field(default_factory=dict)
    states: dict[str, PublicState] = field(default_factory=dict)
    starts: list[str] = field(default_factory=list)

    def create(self, sandbox_id: str, metadata: dict[str, str]) -> None:
        self.sandboxes[sandbox_id] = metadata
        self.states[sandbox_id] = "running"
        self.starts.append(sandbox_id)

    def pause(self, sandbox_id: str) -> None:
        """Pausing keeps the place in the list."""
        self.states[sandbox_id] = "paused"

    def connect(self, sandbox_id: str) -> None:
        """Resuming starts a new run, so it moves to the newest place; a running one stays."""
        if self.states[sandbox_id] == "paused":
            self.starts.remove(sandbox_id)
            self.starts.append(sandbox_id)
        self.states[sandbox_id] = "running"

    def kill(self, sandbox_id: str) -> None:
        del self.sandboxes[sandbox_id], self.states[sandbox_id]
        self.starts.remove(sandbox_id)

    def listed(self, states: set[PublicState], metadata: dict[str, str] | None = None) -> list[str]:
        """IDs as the list shows them, newest start first."""
        wanted = (metadata or {}).items()
        return [
            sandbox_id
            for sandbox_id in reversed(self.starts)
            if self.states[sandbox_id] in states and wanted <= self.sandboxes[sandbox_id].items()
        ]


@dataclass(slots=True)
class FolderModel:
    """A folder as a dict from path to text; None stands for a folder. The root is ``""``.

    The methods answer with the name of the refusal, or None when the operation succeeds, and
    leave behind what the service leaves behind, made parents included.
    """

    entries: dict[str, str | None] = field(default_factory=lambda: {"": None})

    def is_file(self, path: str) -> bool:
        return self.entries.get(path) is not None

    def is_folder(self, path: str) -> bool:
        return path in self.entries and self.entries[path] is None

    def below_a_file(self, path: str) -> bool:
        """Whether a component above `path` is a file."""
        return any(self.is_file(above) for above in _above(path))

    def _make_parents(self, path: str) -> bool:
        if self.below_a_file(path):
            return False
        for above in _above(path):
            self.entries.setdefault(above, None)
        return True

    def write(self, path: str, text: str) -> str | None:
        if self.is_folder(path):
            return "is a folder"
        if not self._make_parents(path):
            return "below a file"
        self.entries[path] = text
        return None

    def make_folder(self, path: str) -> str | None:
        if self.is_file(path):
            return "is a file"
        if path in self.entries:
            return "exists"
        if not self._make_parents(path):
            return "below a file"
        self.entries[path] = None
        return None

    def remove(self, path: str) -> None:
        """Removing what is not there succeeds."""
        for found in [e for e in self.entries if e == path or e.startswith(path + "/")]:
            del self.entries[found]

    def rename(self, source: str, destination: str) -> str | None:
        if not self._make_parents(destination):
            return "below a file"
        if self.below_a_file(source):
            return "source below a file"
        if source not in self.entries:
            return "missing"
        if self.is_folder(destination):
            return "destination is a folder"
        if source == destination:
            return None
        if self.is_folder(source) and (
            self.is_file(destination) or destination.startswith(source + "/")
        ):
            return "cannot replace"
        moved = {
            destination + path.removeprefix(source): entry
            for path, entry in self.entries.items()
            if path == source or path.startswith(source + "/")
        }
        self.remove(source)
        self.entries |= moved
        return None

    def tree(self, path: str) -> list[str]:
        """All paths below a folder: depth first, byte order within each folder."""
        found: list[str] = []
        children = [
            e for e in self.entries if e.startswith(path + "/") and "/" not in e[len(path) + 1 :]
        ]
        for child in sorted(children, key=str.encode):
            found += [child, *(self.tree(child) if self.is_folder(child) else [])]
        return found


@dataclass(slots=True)
class SecretsModel:
    """The secrets of one account by canonical name: version and metadata of each."""

    secrets: dict[str, tuple[int, dict[str, str]]] = field(default_factory=dict)

    def create(self, name: str, metadata: dict[str, str]) -> str | None:
        """Answers with the name of the refusal, or None."""
        if name.lower() in self.secrets:
            return "exists"
        self.secrets[name.lower()] = (1, metadata)
        return None

    def update(self, name: str, metadata: dict[str, str] | None) -> str | None:
        found = self.secrets.get(name.lower())
        if found is None:
            return "missing"
        self.secrets[name.lower()] = (found[0] + 1, found[1] if metadata is None else metadata)
        return None

    def delete(self, name: str) -> bool:
        return self.secrets.pop(name.lower(), None) is not None


@dataclass(slots=True)
class TemplateModel:
    """The builds of one template, and the log of which tag was to mean which of them.

    Attributes:
        builds: By ID, what each holds; None stands for one that failed.
        log: Pairs of tag and ID, the oldest first.
    """

    builds: dict[str, str | None] = field(default_factory=dict)
    log: list[tuple[str, str]] = field(default_factory=list)

    def build(self, build_id: str, tags: list[str], holds: str | None) -> None:
        self.builds[build_id] = holds
        self.log += [(tag, build_id) for tag in tags]

    def meant(self, tag: str) -> str | None:
        """The build that a tag or an ID means, which is never one that failed."""
        ready = [
            build_id for name, build_id in self.log if name == tag and self._is_ready(build_id)
        ]
        return ready[-1] if ready else tag if self._is_ready(tag) else None

    def _is_ready(self, build_id: str) -> bool:
        return self.builds.get(build_id) is not None

    def assign(self, target: str, tags: list[str]) -> str | None:
        """Answers with the build; None is the refusal: there is none."""
        found = self.meant(target)
        if found is not None:
            self.log += [(tag, found) for tag in tags]
        return found

    def remove(self, tags: list[str]) -> None:
        self.log = [entry for entry in self.log if entry[0] not in tags]

    def listed(self) -> dict[str, str]:
        """Each tag with its newest build, failed or not, in the order of the tags."""
        return dict(sorted(dict(self.log).items()))


@dataclass(slots=True)
class VolumeModel:
    """A volume as a dict from path to bytes; None stands for a folder. The root is ``"/"``.

    The methods answer with the name of the refusal, or None when the operation succeeds, and
    leave behind what the service leaves behind.
    """

    entries: dict[str, bytes | None] = field(default_factory=lambda: {"/": None})

    def kind(self, path: str) -> str:
        """``"file"``, ``"directory"``, ``"missing"`` or ``"below a file"``."""
        for above in _above_in_volume(path):
            if self.entries.get(above) is not None:
                return "below a file"
        if path not in self.entries:
            return "missing"
        return "directory" if self.entries[path] is None else "file"

    def _open_way(self, path: str, *, force: bool) -> str | None:
        if self.kind(path) == "below a file":
            return "below a file"
        missing = [each for each in _above_in_volume(path) if each not in self.entries]
        if missing and not force:
            return "missing"
        self.entries |= dict.fromkeys(missing, None)
        return None

    def make_dir(self, path: str, *, force: bool) -> str | None:
        refusal = self._open_way(path, force=force)
        if refusal is not None:
            return refusal
        if path in self.entries:
            return None if force and self.entries[path] is None else "exists"
        self.entries[path] = None
        return None

    def write(self, path: str, data: bytes, *, force: bool) -> str | None:
        refusal = self._open_way(path, force=force)
        if refusal is not None:
            return refusal
        if path in self.entries and not force:
            return "exists"
        if self.entries.get(path, b"") is None:
            return "is a directory"
        self.entries[path] = data
        return None

    def remove(self, path: str) -> str | None:
        if path == "/":
            return "root"
        kind = self.kind(path)
        if kind in ("missing", "below a file"):
            return kind
        for each in [e for e in self.entries if e == path or e.startswith(f"{path}/")]:
            del self.entries[each]
        return None

    def tree(self, path: str, depth: int) -> list[str]:
        """What is below a folder: each folder before what is in it, byte order in each."""
        prefix = path.rstrip("/") + "/"
        children = [
            each
            for each in self.entries
            if each.startswith(prefix) and each != "/" and "/" not in each[len(prefix) :]
        ]
        found: list[str] = []
        for child in sorted(children, key=str.encode):
            found.append(child)
            if self.entries[child] is None and depth > 1:
                found += self.tree(child, depth - 1)
        return found


def _above_in_volume(path: str) -> list[str]:
    return [above for above in _above(path) if above]


def _above(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts))]
