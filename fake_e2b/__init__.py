"""An in-process fake of the E2B API on real local processes."""

from fake_e2b import effects, profiles
from fake_e2b._version import __version__
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
