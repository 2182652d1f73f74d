"""The files of one sandbox, through the SDK and through commands, which must agree.

Normalised before comparing: nothing. All paths stay below one folder made for the run.
"""

from __future__ import annotations

import shlex

from e2b import Sandbox
from e2b.exceptions import (
    FileNotFoundException,
    InvalidArgumentException,
    SandboxException,
)
from e2b.sandbox.filesystem.filesystem import FileType
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from ..model import FolderModel
from ..refusal import refusal_of
from ..strategies import FILE_NAMES, FILE_TEXTS
from ..target import Target

FOLDER = "contract"
ROOT = f"/home/user/{FOLDER}"
PATHS = st.lists(FILE_NAMES, min_size=1, max_size=3).map(lambda names: "/" + "/".join(names))

KINDS: dict[str, type[Exception]] = {
    "missing": FileNotFoundException,
    "is a folder": InvalidArgumentException,
    "is a file": InvalidArgumentException,
    "below a file": SandboxException,
    "source below a file": SandboxException,
    "destination is a folder": SandboxException,
    "cannot replace": SandboxException,
}
"""What the SDK raises for each refusal of the model."""


class Filesystem(RuleBasedStateMachine):
    """Set `target` in a subclass, or take `make_machine`.

    Fact: envd.filesystem.parents
    Fact: envd.filesystem.move
    Fact: envd.filesystem.listdir
    """

    target: Target

    def __init__(self) -> None:
        super().__init__()
        self.sandbox = Sandbox.create("base", timeout=120, **self.target.connection())
        self.sandbox.files.make_dir(ROOT)
        self.model = FolderModel()

    def teardown(self) -> None:
        self.sandbox.kill()

    @rule(path=PATHS, text=FILE_TEXTS)
    def write(self, path: str, text: str) -> None:
        refusal = self.model.write(path, text)
        if refusal is None:
            assert self.sandbox.files.write(ROOT + path, text).path == ROOT + path
        else:
            refusal_of(KINDS[refusal], lambda: self.sandbox.files.write(ROOT + path, text))

    @rule(path=PATHS)
    def make_folder(self, path: str) -> None:
        refusal = self.model.make_folder(path)
        if refusal is None or refusal == "exists":
            made = self.sandbox.files.make_dir(ROOT + path)
            assert made is (refusal is None)
        else:
            refusal_of(KINDS[refusal], lambda: self.sandbox.files.make_dir(ROOT + path))

    @rule(source=PATHS, destination=PATHS)
    def rename(self, source: str, destination: str) -> None:
        def move() -> object:
            return self.sandbox.files.rename(ROOT + source, ROOT + destination)

        refusal = self.model.rename(source, destination)
        if refusal is None:
            move()
        else:
            refusal_of(KINDS[refusal], move)

    @rule(path=PATHS)
    def remove(self, path: str) -> None:
        self.sandbox.files.remove(ROOT + path)
        if not self.model.below_a_file(path):
            self.model.remove(path)

    @rule(path=PATHS)
    def read(self, path: str) -> None:
        if self.model.is_file(path):
            text = self.model.entries[path]
            assert text is not None
            assert self.sandbox.files.read(ROOT + path, format="bytes") == text.encode()
            return
        refusal = "missing"
        if self.model.is_folder(path):
            refusal = "is a folder"
        elif self.model.below_a_file(path):
            refusal = "below a file"
        refusal_of(KINDS[refusal], lambda: self.sandbox.files.read(ROOT + path))

    @rule(path=PATHS)
    def stat(self, path: str) -> None:
        if self.model.below_a_file(path):
            refusal_of(SandboxException, lambda: self.sandbox.files.get_info(ROOT + path))
        elif path not in self.model.entries:
            assert self.sandbox.files.exists(ROOT + path) is False
            refusal_of(KINDS["missing"], lambda: self.sandbox.files.get_info(ROOT + path))
        else:
            info = self.sandbox.files.get_info(ROOT + path)
            text = self.model.entries[path]
            assert info.type == (FileType.DIR if text is None else FileType.FILE)
            if text is not None:
                assert info.size == len(text.encode())
            assert (info.owner, info.path) == ("user", ROOT + path)

    @rule(depth=st.integers(1, 4))
    def list_the_tree(self, depth: int) -> None:
        shown = [entry.path for entry in self.sandbox.files.list(ROOT, depth=depth)]
        expected = [ROOT + path for path in self.model.tree("") if path.count("/") <= depth]
        assert shown == expected

    @rule(path=PATHS)
    def commands_see_the_same_file(self, path: str) -> None:
        name = shlex.quote(FOLDER + path)  # from the home folder, where commands start
        script = f"if [ -d {name} ]; then echo d; elif [ -e {name} ]; then wc -c < {name}; fi"
        shown = self.sandbox.commands.run(script).stdout.strip()
        text = self.model.entries.get(path)
        if self.model.is_folder(path):
            assert shown == "d"
        else:
            assert shown == ("" if text is None else str(len(text.encode())))


def make_machine(target: Target) -> type[Filesystem]:
    """The machine, bound to a target."""
    return type("FilesystemOnTarget", (Filesystem,), {"target": target})
