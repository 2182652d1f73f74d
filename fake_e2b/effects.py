"""What a fault rule can do to a request: ``fake.faults.add("createSandbox", effects.Status(503))``.

See docs/faults.md.
"""

from __future__ import annotations

from fake_e2b.domain.steering.effects import (
    Bandwidth,
    Chunks,
    Close,
    Corrupt,
    Drip,
    DropKeepalives,
    Duplicate,
    Effect,
    HalfAnswer,
    Keepalives,
    Latency,
    MalformedJson,
    NoEndFrame,
    RateLimit,
    Refuse,
    Reset,
    RpcError,
    Shuffle,
    SplitCharacters,
    Stall,
    Status,
    UnknownFields,
    WrongContentType,
)

__all__ = [
    "Bandwidth",
    "Chunks",
    "Close",
    "Corrupt",
    "Drip",
    "DropKeepalives",
    "Duplicate",
    "Effect",
    "HalfAnswer",
    "Keepalives",
    "Latency",
    "MalformedJson",
    "NoEndFrame",
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
]
