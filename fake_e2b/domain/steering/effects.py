"""What can become of a request: each effect a frozen value with a word for it.

In Python ``effects.Status(429, retry_after_s=2)``, in JSON and TOML
``{"kind": "status", "status": 429, "retryAfterS": 2}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.forms import about, camel, read, refuse_unknown, schema, write
from fake_e2b.domain.steering.allowed_effects import (
    ALLOWED_EFFECTS,
    Chunks,
    Keepalives,
    Shuffle,
    SplitCharacters,
    UnknownFields,
)
from fake_e2b.domain.steering.answer_effects import (
    ANSWER_EFFECTS,
    Bandwidth,
    Drip,
    HalfAnswer,
    MalformedJson,
    WrongContentType,
)
from fake_e2b.domain.steering.effect import LONGEST_S, Effect, check_seconds
from fake_e2b.domain.steering.point import ARRIVED, Moment
from fake_e2b.domain.steering.sandbox_effects import SANDBOX_EFFECTS
from fake_e2b.domain.steering.service_effects import SERVICE_EFFECTS, PlanLimits, RateLimit, Refuse
from fake_e2b.domain.steering.stream_effects import (
    STREAM_EFFECTS,
    Corrupt,
    DropKeepalives,
    Duplicate,
    NoEndFrame,
    Stall,
)


@dataclass(frozen=True)
class Status(Effect):
    """An answer of the caller's choice in place of the real one.

    Without a body it is the kind of error that the part of the service gives which was asked.
    """

    kind: ClassVar[str] = "status"
    moments: ClassVar[tuple[Moment, ...]] = (Moment.ARRIVED, Moment.DONE)

    status: int = field(metadata=about("HTTP status of the answer"))
    message: str | None = field(default=None, metadata=about("text of the error"))
    body: Any = field(default=None, metadata=about("a text, or JSON, in place of the error"))
    headers: Mapping[str, str] = field(default_factory=dict, metadata=about("further headers"))
    retry_after_s: int | None = field(default=None, metadata=about("header Retry-After"))
    should_retry: bool | None = field(default=None, metadata=about("header Should-Retry"))

    def __post_init__(self) -> None:
        if not 200 <= self.status <= 599:
            raise UsageError(f"a status is from 200 to 599, not {self.status}")
        check_seconds("retry_after_s", self.retry_after_s)


CODES = (
    "canceled",
    "unknown",
    "invalid_argument",
    "deadline_exceeded",
    "not_found",
    "already_exists",
    "permission_denied",
    "resource_exhausted",
    "failed_precondition",
    "aborted",
    "out_of_range",
    "unimplemented",
    "internal",
    "unavailable",
    "data_loss",
    "unauthenticated",
)
"""The codes of Connect, by their names on the wire."""


@dataclass(frozen=True)
class RpcError(Effect):
    """The error of an RPC of envd, said as envd says it: in a stream by its last frame."""

    kind: ClassVar[str] = "rpc-error"
    only_for: ClassVar[tuple[str, ...]] = ("Process.*", "Filesystem.*")

    code: str = field(metadata=about("Connect's code, e.g. unavailable"))
    message: str = field(default="", metadata=about("text of the error"))

    def __post_init__(self) -> None:
        refuse_unknown(self.code, CODES, "code")


@dataclass(frozen=True)
class Latency(Effect):
    """Wait, in real time, before what comes next."""

    kind: ClassVar[str] = "latency"

    seconds: float = field(metadata=about("how long; the least when uniform, the median else"))
    distribution: Literal["fixed", "uniform", "log-normal"] = field(
        default="fixed", metadata=about("how the time varies")
    )
    most_s: float | None = field(default=None, metadata=about("the most, when uniform"))
    sigma: float | None = field(default=None, metadata=about("the spread, when log-normal"))

    def __post_init__(self) -> None:
        check_seconds("seconds", self.seconds)
        check_seconds("most_s", self.most_s)
        if (self.distribution == "uniform") != (self.most_s is not None):
            raise UsageError('most_s goes with distribution "uniform", and uniform needs it')
        if self.most_s is not None and self.most_s < self.seconds:
            raise UsageError("most_s must not be below seconds")
        if (self.distribution == "log-normal") != (self.sigma is not None):
            raise UsageError('sigma goes with distribution "log-normal", and log-normal needs it')
        if self.sigma is not None and not 0 < self.sigma <= 5:
            raise UsageError(f"sigma is above 0 and at most 5, not {self.sigma}")


@dataclass(frozen=True)
class Reset(Effect):
    """The connection is reset (RST)."""

    kind: ClassVar[str] = "reset"


@dataclass(frozen=True)
class Close(Effect):
    """The connection is closed (FIN), whatever was promised."""

    kind: ClassVar[str] = "close"


@dataclass(frozen=True)
class Hold(Effect):
    """Wait until the rule's gate is opened, or the rule is removed."""

    kind: ClassVar[str] = "hold"


_ALL: tuple[type[Effect], ...] = (
    *(Status, RpcError, Latency, Reset, Close, Hold),
    *ANSWER_EFFECTS,
    *STREAM_EFFECTS,
    *ALLOWED_EFFECTS,
    *SERVICE_EFFECTS,
    *SANDBOX_EFFECTS,
)
KINDS: Mapping[str, type[Effect]] = {each.kind: each for each in _ALL}
"""Every effect by its word."""


def read_effect(table: object) -> Effect:
    """The effect that a table with a `kind` describes.

    Raises:
        UsageError: As `forms.read`, or there is no such kind.
    """
    if not isinstance(table, Mapping) or not isinstance(table.get("kind"), str):
        raise UsageError(f"effect must be a table with a kind: one of {', '.join(KINDS)}")
    rest = dict(table)
    kind = rest.pop("kind")
    refuse_unknown(kind, KINDS, "effect")
    return read(KINDS[kind], rest, f"effect {kind!r}")


def write_effect(effect: Effect) -> dict[str, Any]:
    """An effect as a JSON table."""
    return {"kind": effect.kind, **write(effect)}


def effect_schema() -> dict[str, Any]:
    """The JSON schema of all effects."""
    shapes = []
    for kind, cls in KINDS.items():
        shape = schema(cls)
        shape["properties"] = {"kind": {"const": kind}, **shape["properties"]}
        shape["required"] = ["kind", *shape.get("required", ())]
        shape["title"] = camel(kind.replace("-", "_"))
        shape["description"] = (cls.__doc__ or "").split("\n")[0]
        shapes.append(shape)
    return {"oneOf": shapes}


__all__ = [
    "ARRIVED",
    "KINDS",
    "LONGEST_S",
    "Bandwidth",
    "Chunks",
    "Close",
    "Corrupt",
    "Drip",
    "DropKeepalives",
    "Duplicate",
    "Effect",
    "HalfAnswer",
    "Hold",
    "Keepalives",
    "Latency",
    "MalformedJson",
    "NoEndFrame",
    "PlanLimits",
    "RateLimit",
    "Refuse",
    "Reset",
    "RpcError",
    "Shuffle",
    "SplitCharacters",
    "Stall",
    "Status",
    "UnknownFields",
    "WrongContentType",
    "effect_schema",
    "read_effect",
    "write_effect",
]
