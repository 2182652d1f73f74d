"""Secrets by name and by ID: create, update, delete, in any order and any spelling.

Normalised before comparing: names get a prefix of the run's own, by which the account's other
secrets are left out. It is no capital one, for the service stores names in lower case.
"""

from __future__ import annotations

import uuid

from e2b import Secret
from e2b.exceptions import SecretException, SecretNotFoundException
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ..model import SecretsModel
from ..refusal import refusal_of
from ..strategies import SECRET_METADATA, SECRET_NAMES
from ..target import Target

VALUES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=50)


class Secrets(RuleBasedStateMachine):
    """Set `target` in a subclass, or take `make_machine`.

    Fact: secrets.names
    Fact: secrets.versions
    """

    target: Target

    def __init__(self) -> None:
        super().__init__()
        self.options = self.target.control()
        self.prefix = f"run-{uuid.uuid4().hex[:12]}-"  # noqa: TID251  one run on a shared account
        self.model = SecretsModel()
        self.ids: dict[str, str] = {}

    def teardown(self) -> None:
        for name in self.model.secrets:
            Secret.destroy(self.prefix + name, **self.options)

    @rule(name=SECRET_NAMES, value=VALUES, metadata=SECRET_METADATA)
    def create(self, name: str, value: str, metadata: dict[str, str]) -> None:
        def make() -> str:
            return Secret.create(self.prefix + name, value, metadata, **self.options).secret_id

        if self.model.create(name, metadata) is None:
            made = make()
            assert made not in self.ids.values()
            self.ids[name.lower()] = made
        else:
            assert "409" in str(refusal_of(SecretException, make))

    @rule(
        name=SECRET_NAMES, value=VALUES, metadata=st.none() | SECRET_METADATA, by_id=st.booleans()
    )
    def update(self, name: str, value: str, metadata: dict[str, str] | None, by_id: bool) -> None:
        reference = self.ids.get(name.lower(), "") if by_id else ""
        reference = reference or self.prefix + name

        def change() -> int:
            return Secret.update(reference, value, metadata, **self.options).version

        if self.model.update(name, metadata) is None:
            assert change() == self.model.secrets[name.lower()][0]
        else:
            refusal_of(SecretNotFoundException, change)

    @rule(name=SECRET_NAMES)
    def delete(self, name: str) -> None:
        expected = self.model.delete(name)
        assert Secret.destroy(self.prefix + name, **self.options) is expected

    @rule(name=SECRET_NAMES)
    def look(self, name: str) -> None:
        found = self.model.secrets.get(name.lower())
        assert Secret.exists(self.prefix + name, **self.options) is (found is not None)
        if found is None:
            return
        info = Secret.get_info(self.prefix + name, **self.options)
        assert info.name == self.prefix + name.lower()
        assert info.secret_id == self.ids[name.lower()]
        assert (info.version, info.metadata) == found

    @invariant()
    def the_list_is_complete(self) -> None:
        paginator = Secret.list(limit=2, **self.options)
        listed = []
        while paginator.has_next:
            listed += [each.name for each in paginator.next_items()]
        ours = [name.removeprefix(self.prefix) for name in listed if name.startswith(self.prefix)]
        assert sorted(ours) == sorted(self.model.secrets)


def make_machine(target: Target) -> type[Secrets]:
    """The machine, bound to a target."""
    return type("SecretsOnTarget", (Secrets,), {"target": target})
