"""One template: builds that succeed or fail, and tags that move between them, in any order.

Normalised before comparing: the template's name, which is the run's own.
"""

from __future__ import annotations

import time
import uuid

from e2b import Sandbox, Template, TemplateBuildStatus
from e2b.exceptions import TemplateException
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from .. import raw
from ..model import TemplateModel
from ..refusal import refusal_of
from ..strategies import TAGS
from ..target import Target

WORDS = st.sampled_from(["one", "two"])
TARGETS = st.sampled_from(["default", "v1", "v2", "unknown"]) | st.integers(0, 3)
"""A tag, or which of the builds is named by its ID."""
LONGEST_S = 600


class Templates(RuleBasedStateMachine):
    """Set `target` in a subclass, or take `make_machine`.

    Fact: templates.build.states
    Fact: templates.tags.log
    Fact: templates.build.cache
    """

    target: Target

    def __init__(self) -> None:
        super().__init__()
        self.options = self.target.control()
        self.name = f"run-{uuid.uuid4().hex}"  # noqa: TID251  one run on a shared account
        self.model = TemplateModel()
        self.template_id = ""

    def teardown(self) -> None:
        if self.template_id:
            path = f"/templates/{self.template_id}"
            raw.send(self.target, "DELETE", path, key=self.target.api_key)

    @initialize(word=WORDS)
    def begin(self, word: str) -> None:
        self._build(["default"], word)

    @rule(tags=TAGS, word=WORDS | st.none())
    def build(self, tags: list[str], word: str | None) -> None:
        """None fails."""
        self._build(tags, word)

    def _build(self, tags: list[str], word: str | None) -> None:
        command = "exit 3" if word is None else f"echo {word} > word"
        template = Template().from_base_image().run_cmd(command)
        info = Template.build_in_background(template, self.name, tags=tags, **self.options)
        self.template_id = info.template_id
        deadline = time.monotonic() + LONGEST_S
        status = Template.get_build_status(info, **self.options)
        while status.status in (TemplateBuildStatus.WAITING, TemplateBuildStatus.BUILDING):
            assert time.monotonic() < deadline, "the build does not end"
            status = Template.get_build_status(info, **self.options)
        wanted = TemplateBuildStatus.ERROR if word is None else TemplateBuildStatus.READY
        assert status.status is wanted, status
        if word is None:
            assert status.reason is not None
            assert status.reason.step == "1"
        assert info.build_id not in self.model.builds
        self.model.build(info.build_id, tags, word)

    def _named(self, which: str | int) -> str:
        builds = list(self.model.builds)
        return which if isinstance(which, str) else builds[which % len(builds)]

    @rule(which=TARGETS, tags=TAGS)
    def assign(self, which: str | int, tags: list[str]) -> None:
        named = self._named(which)
        expected = self.model.assign(named, tags)

        def call() -> str:
            given = Template.assign_tags(f"{self.name}:{named}", tags, **self.options)
            return str(given.build_id)

        if expected is None:
            assert "404" in str(refusal_of(TemplateException, call))
        else:
            assert call() == expected

    @rule(tags=TAGS)
    def remove(self, tags: list[str]) -> None:
        def call() -> None:
            Template.remove_tags(self.name, tags, **self.options)

        if "default" in tags:
            assert "400" in str(refusal_of(TemplateException, call))
        else:
            call()
            self.model.remove(tags)

    @rule(which=TARGETS)
    def start(self, which: str | int) -> None:
        """What starts from a tag has what the tag's build left."""
        named = self._named(which)
        build_id = self.model.meant(named)
        reference = f"{self.name}:{named}"
        if named != "default":
            # That tag in a name is none.
            assert Template.exists(reference, **self.options) is (build_id is not None)
        if build_id is None:
            return
        with Sandbox.create(reference, timeout=60, **self.target.connection()) as sandbox:
            assert sandbox.files.read("word") == f"{self.model.builds[build_id]}\n"

    @invariant()
    def the_tags_are_the_models(self) -> None:
        if not self.model.builds:
            return
        listed = Template.get_tags(self.name, **self.options)
        assert [(each.tag, str(each.build_id)) for each in listed] == list(
            self.model.listed().items()
        )


def make_machine(target: Target) -> type[Templates]:
    """The machine, bound to a target."""
    return type("TemplatesOnTarget", (Templates,), {"target": target})
