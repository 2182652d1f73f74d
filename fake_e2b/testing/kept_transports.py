"""Lets an E2B SDK that made connections before believe a fake that speaks TLS.

The SDKs keep their transports for the life of the process (a thread, an event loop), and those
look at `SSL_CERT_FILE` once, when they are made. Made before the fake, they refuse its certificate
for ever: so what is kept is dropped when such a fake takes over. Objects that use a transport go on
with it. What SDKs of other ages do not have is passed over.

Fact: fake.tls.kept-transports
"""

from __future__ import annotations

import sys
from collections.abc import MutableMapping
from types import ModuleType

_MODULES = [
    f"e2b.{part}.client_{kind}" for part in ("api", "envd", "volume") for kind in ("sync", "async")
]
_TABLES = ("_transports", "_pools", "_httpx_transports")


def forget_transports() -> None:
    """Make the SDK build its transports anew; imports nothing."""
    for name in _MODULES:
        module = sys.modules.get(name)
        if module is not None:
            _forget_in(module)


def _forget_in(module: ModuleType) -> None:
    for name in _TABLES:
        _clear(getattr(module, name, None))
    for kind in list(vars(module).values()):
        if not isinstance(kind, type) or kind.__module__ != module.__name__:
            continue
        kept = vars(kind)
        if kept.get("singleton") is not None:
            kind.singleton = None  # type: ignore[attr-defined]  # just found
        _clear(kept.get("_instances"))
        _clear(getattr(kept.get("_thread_local"), "__dict__", None))


def _clear(table: object) -> None:
    if isinstance(table, MutableMapping):
        table.clear()
