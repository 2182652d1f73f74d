"""What is in one volume, by its content API and from a sandbox that has it mounted.

Normalised before comparing: the volume's name, which is the run's own.
"""

from __future__ import annotations

import uuid

from e2b import Sandbox, Volume
from e2b.exceptions import VolumeException, VolumePathNotFoundException
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ..model import VolumeModel
from ..refusal import refusal_of
from ..strategies import FILE_NAMES, FILE_TEXTS
from ..target import Target

PATHS = st.lists(FILE_NAMES, min_size=0, max_size=3).map(lambda names: "/" + "/".join(names))
MOUNTED = "/mnt/contract"

CODES = {"exists": "409: ", "below a file": "400: ", "is a directory": "400: ", "root": "400: "}
"""How the SDK's text begins for each refusal of the model but what is missing."""


class VolumeContent(RuleBasedStateMachine):
    """Set `target` in a subclass, or take `make_machine`.

    Fact: volumes.content.force
    Fact: volumes.content.list
    Fact: volumes.mounts.shared
    """

    target: Target

    def __init__(self) -> None:
        super().__init__()
        self.options = self.target.control()
        name = f"run-{uuid.uuid4().hex}"  # noqa: TID251  one run on a shared account
        self.volume = Volume.create(name, **self.options)
        self.api_url = self.target.api_url
        self.sandbox = Sandbox.create(
            "base", timeout=120, volume_mounts={MOUNTED: name}, **self.target.connection()
        )
        self.model = VolumeModel()

    def teardown(self) -> None:
        self.sandbox.kill()
        Volume.destroy(self.volume.volume_id, **self.options)

    def agree(self, refusal: str | None, call: object) -> None:
        """Call and want what the model says."""
        assert callable(call)
        if refusal is None:
            call()
        elif refusal == "missing":
            refusal_of(VolumePathNotFoundException, call)
        else:
            text = str(refusal_of(VolumeException, call))
            assert text.startswith(CODES[refusal]), text

    @rule(path=PATHS, force=st.booleans())
    def make_dir(self, path: str, force: bool) -> None:
        self.agree(
            self.model.make_dir(path, force=force),
            lambda: self.volume.make_dir(path, force=force, api_url=self.api_url),
        )

    @rule(path=PATHS, text=FILE_TEXTS, force=st.booleans())
    def write(self, path: str, text: str, force: bool) -> None:
        self.agree(
            self.model.write(path, text.encode(), force=force),
            lambda: self.volume.write_file(path, text, force=force, api_url=self.api_url),
        )

    @rule(path=PATHS)
    def remove(self, path: str) -> None:
        self.agree(self.model.remove(path), lambda: self.volume.remove(path, api_url=self.api_url))

    @rule(path=PATHS)
    def look(self, path: str) -> None:
        kind = self.model.kind(path)
        if kind in ("missing", "below a file"):
            self.agree(kind, lambda: self.volume.get_info(path, api_url=self.api_url))
            return
        info = self.volume.get_info(path, api_url=self.api_url)
        assert (info.type.value, info.path) == (kind, path)
        data = self.model.entries[path]
        if data is not None:
            assert info.size == len(data)
            assert self.volume.read_file(path, "bytes", api_url=self.api_url) == data

    @rule(path=PATHS, text=FILE_TEXTS)
    def write_in_the_sandbox(self, path: str, text: str) -> None:
        if self.model.kind(path) in ("file", "missing") and path != "/":
            self.model.write(path, text.encode(), force=True)
            self.sandbox.files.write(MOUNTED + path, text)

    @rule(path=PATHS)
    def read_in_the_sandbox(self, path: str) -> None:
        if self.model.kind(path) == "file":
            data = self.sandbox.files.read(MOUNTED + path, format="bytes")
            assert bytes(data) == self.model.entries[path]
        else:
            exists = self.model.kind(path) == "directory"
            if self.model.kind(path) != "below a file":
                assert self.sandbox.files.exists(MOUNTED + path) is exists

    @invariant()
    def the_tree_is_the_models(self) -> None:
        shown = [each.path for each in self.volume.list("/", depth=10, api_url=self.api_url)]
        assert shown == self.model.tree("/", 10)


def make_machine(target: Target) -> type[VolumeContent]:
    """The machine, bound to a target."""
    return type("VolumeContentOnTarget", (VolumeContent,), {"target": target})
