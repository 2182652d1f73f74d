"""An in-process fake of the E2B API on real local processes."""

from importlib import import_module
from typing import TYPE_CHECKING

from fake_e2b._version import __version__

if TYPE_CHECKING:
    from fake_e2b import effects, profiles
    from fake_e2b.domain.errors import (
        FakeE2BError,
        GapError,
        InjectedFaultError,
        RuntimeUnavailableError,
        ServiceError,
        UsageError,
    )
    from fake_e2b.testing.fake import FakeE2B
    from fake_e2b.testing.templates import SandboxTemplate, TemplateFile

__all__ = [
    "FakeE2B",
    "FakeE2BError",
    "GapError",
    "InjectedFaultError",
    "RuntimeUnavailableError",
    "SandboxTemplate",
    "ServiceError",
    "TemplateFile",
    "UsageError",
    "__version__",
    "effects",
    "profiles",
]

_MODULES = ("effects", "profiles")
_HOMES = {"FakeE2B": "testing.fake", "SandboxTemplate": "testing.templates"}
_HOMES["TemplateFile"] = _HOMES["SandboxTemplate"]


def __getattr__(name: str) -> object:
    """Import what is asked for when it is asked for.

    Programs of the package that need no server, such as the stand-in for `websocat` that each
    connection of SSH starts, would take ten times as long to start.
    """
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    value = getattr(import_module(f"{__name__}.{_HOMES.get(name, 'domain.errors')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
