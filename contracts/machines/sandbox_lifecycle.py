"""The life of sandboxes: create, pause, connect, kill, in any order.

Normalised before comparing: nothing but the account's other sandboxes, which are left out by a
tag in the metadata, since an account may be shared.
"""

from __future__ import annotations

import uuid

from e2b import Sandbox, SandboxQuery, SandboxState
from e2b.exceptions import SandboxNotFoundException
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
)

from ..model import AccountModel, PublicState
from ..refusal import refusal_of
from ..strategies import METADATA
from ..target import Target

TAG = "contract-run"


class SandboxLifecycle(RuleBasedStateMachine):
    """Set `target` in a subclass, or take `make_machine`.

    Fact: control.states
    Fact: control.list.order
    """

    target: Target
    alive = Bundle("alive")
    gone = Bundle("gone")

    def __init__(self) -> None:
        super().__init__()
        self.options = self.target.connection()
        self.tag = {TAG: uuid.uuid4().hex}  # noqa: TID251  names this run on a shared account
        self.model = AccountModel()

    def teardown(self) -> None:
        for sandbox_id in self.model.starts:
            Sandbox.kill(sandbox_id, **self.options)

    def listed(self, *states: PublicState, metadata: dict[str, str] | None = None) -> list[str]:
        query = SandboxQuery(
            metadata=self.tag | (metadata or {}), state=[SandboxState(state) for state in states]
        )
        paginator = Sandbox.list(query=query, **self.options)
        found = []
        while paginator.has_next:
            found += [item.sandbox_id for item in paginator.next_items()]
        return found

    @rule(target=alive, metadata=METADATA)
    def create(self, metadata: dict[str, str]) -> str:
        metadata = metadata | self.tag
        sandbox = Sandbox.create("base", metadata=metadata, timeout=120, **self.options)
        self.model.create(sandbox.sandbox_id, metadata)
        return sandbox.sandbox_id

    @rule(sandbox_id=alive)
    def pause(self, sandbox_id: str) -> None:
        was_running = self.model.states[sandbox_id] == "running"
        assert Sandbox.pause(sandbox_id, **self.options) is was_running
        self.model.pause(sandbox_id)

    @rule(sandbox_id=alive)
    def connect(self, sandbox_id: str) -> None:
        sandbox = Sandbox.connect(sandbox_id, timeout=120, **self.options)
        assert sandbox.sandbox_id == sandbox_id
        self.model.connect(sandbox_id)

    @rule(target=gone, sandbox_id=consumes(alive))
    def kill(self, sandbox_id: str) -> str:
        assert Sandbox.kill(sandbox_id, **self.options) is True
        self.model.kill(sandbox_id)
        return sandbox_id

    @rule(sandbox_id=gone, operation=st.sampled_from(["kill", "connect", "pause", "get_info"]))
    def touch_a_killed_one(self, sandbox_id: str, operation: str) -> None:
        if operation == "kill":
            assert Sandbox.kill(sandbox_id, **self.options) is False
            return
        call = getattr(Sandbox, operation)
        refusal_of(SandboxNotFoundException, lambda: call(sandbox_id, **self.options))

    @rule(sandbox_id=alive)
    def read_info(self, sandbox_id: str) -> None:
        info = Sandbox.get_info(sandbox_id, **self.options)
        assert info.sandbox_id == sandbox_id
        assert info.metadata == self.model.sandboxes[sandbox_id]
        assert info.state.value == self.model.states[sandbox_id]

    @rule(sandbox_id=alive)
    def filter_by_metadata(self, sandbox_id: str) -> None:
        metadata = self.model.sandboxes[sandbox_id]
        found = self.listed("running", "paused", metadata=metadata)
        assert found == self.model.listed({"running", "paused"}, metadata)

    @invariant()
    def the_list_agrees(self) -> None:
        assert self.listed("running") == self.model.listed({"running"})
        both = self.model.listed({"running", "paused"})
        assert self.listed("running", "paused") == both


def make_machine(target: Target) -> type[SandboxLifecycle]:
    """The machine, bound to a target."""
    return type("SandboxLifecycleOnTarget", (SandboxLifecycle,), {"target": target})
