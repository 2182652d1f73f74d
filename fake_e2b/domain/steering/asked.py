"""What is known of a request when rules are asked about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, as predicates see it.

    Attributes:
        operation: As in the API (`domain.operations`); ``"port"`` for traffic to a port that a
            sandbox opened, ``"unknown"`` for what the API lacks.
        path: Raw, without its query.
        headers: Names in lower case; nothing is masked.
        at_ns: When it arrived, by the fake's clock.
        sandbox_id: The sandbox it is for; None where there is none, as for `createSandbox`.
        metadata: Of that sandbox, or the ones asked for by `createSandbox`.
        template: Its template's ID or name, likewise.
        api_key: What came in `X-API-Key`, or as a bearer token.
        command: The command line of `Process.Start`, as a shell would be given it; the code of
            `execute`; else None.
        body: A JSON body, or the first message of an RPC; None where it is neither, or too long.
        port: The sandbox's port that it is for.
        sequence: Its number in the journal; None outside one.
    """

    operation: str
    method: str
    path: str
    headers: Mapping[str, str]
    at_ns: int
    sandbox_id: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    template: str | None = None
    template_alias: str | None = None
    api_key: str | None = None
    command: str | None = None
    body: Any = None
    port: int | None = None
    sequence: int | None = None
