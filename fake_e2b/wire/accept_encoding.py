"""Which encoding an Accept-Encoding header asks for. Fact: envd.files.accept-encoding"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Choice:
    """What to answer in.

    Attributes:
        encoding: None when nothing that is supported may be used.
        identity_allowed: Whether an answer as it is may be sent.
    """

    encoding: Literal["gzip", "identity"] | None
    identity_allowed: bool


_PLAIN = Choice("identity", identity_allowed=True)


def choose_encoding(header: str) -> Choice:
    """The first usable one by descending quality, gzip or identity; an empty header: identity."""
    entries = [
        (name, quality) for part in header.split(",") for name, quality in (_entry(part),) if name
    ]
    if not entries:
        return _PLAIN
    identity_allowed = _is_identity_allowed(entries)
    for name, quality in sorted(entries, key=lambda entry: -entry[1]):
        if quality <= 0:
            continue
        if name == "gzip":
            return Choice("gzip", identity_allowed)
        if name in ("identity", "*"):
            return Choice("identity" if identity_allowed else "gzip", identity_allowed)
    return Choice("identity" if identity_allowed else None, identity_allowed)


def _is_identity_allowed(entries: list[tuple[str, float]]) -> bool:
    named = dict(reversed(entries))
    if "identity" in named:
        return named["identity"] > 0
    return named.get("*", 1.0) > 0


def _entry(part: str) -> tuple[str, float]:
    name, *parameters = part.split(";")
    quality = 1.0
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip().lower() == "q":
            try:
                quality = float(value)
            except ValueError:
                quality = 1.0
    return name.strip().lower(), quality
