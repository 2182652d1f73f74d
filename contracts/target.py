"""What a contract runs on: any server that speaks the API, found by its URLs and a key.

A contract never asks which server it talks to. It asks for a `Capability`, so that a slow or
shared account runs fewer and gentler examples, and no claim is made that it cannot check.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TypedDict


class Capability(Enum):
    """What the contracts may do on a target; the value says it in words."""

    CHEAP = "sandboxes cost milliseconds, so hundreds of them are fine"
    PRIVATE = "nobody else uses the account while the contracts run"
    CODE_INTERPRETER = "the default template of the code interpreter exists"


class Connection(TypedDict, total=False):
    """Options that every call of the Python SDK takes."""

    api_key: str
    api_url: str
    sandbox_url: str
    domain: str


@dataclass(frozen=True, slots=True)
class Target:
    """A server to hold to the contracts.

    Attributes:
        name: For people: ``"fake"``, ``"real"`` or the URL.
        api_url: Base URL of the control plane; None leaves it to the SDK (the real service).
        sandbox_url: One URL for all sandbox traffic; None routes by host name.
        domain: The domain of host names; None leaves it to the SDK.
    """

    name: str
    api_key: str
    api_url: str | None = None
    sandbox_url: str | None = None
    domain: str | None = None
    capabilities: frozenset[Capability] = frozenset()

    def connection(self) -> Connection:
        """The SDK options that reach this target, set or not in the environment."""
        connection = Connection(api_key=self.api_key)
        if self.api_url is not None:
            connection["api_url"] = self.api_url
        if self.sandbox_url is not None:
            connection["sandbox_url"] = self.sandbox_url
        if self.domain is not None:
            connection["domain"] = self.domain
        return connection

    def control(self) -> Connection:
        """The options of calls that only the control plane answers, of volumes and secrets."""
        connection = self.connection()
        connection.pop("sandbox_url", None)
        return connection

    def can(self, capability: Capability) -> bool:
        """Whether contracts that need `capability` may run."""
        return capability in self.capabilities


def target_from(choice: str, environ: Mapping[str, str]) -> Target:
    """The target that `choice` names: ``"real"``, or the URL of any server.

    Args:
        choice: From `--target` or the variable `FAKE_E2B_TARGET`.
        environ: Where `E2B_API_KEY` is looked up, and `E2B_DOMAIN` for the real service.

    Raises:
        ValueError: The key is missing, or the choice is neither form; the text shows the forms.
    """
    key = environ.get("E2B_API_KEY")
    if not key:
        raise ValueError("set E2B_API_KEY to a key of the target")
    if choice == "real":
        return Target("real", key, domain=environ.get("E2B_DOMAIN"))
    if choice.startswith(("http://", "https://")):
        url = choice.rstrip("/")
        cheap = frozenset({Capability.CHEAP, Capability.CODE_INTERPRETER})
        return Target(url, key, api_url=url, sandbox_url=url, capabilities=cheap)
    raise ValueError(f"target {choice!r} is not known; take fake, real, or http://host:port")
