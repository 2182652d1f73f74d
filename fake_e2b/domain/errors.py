"""The whole tree of errors, on one page.

A reader can always tell the service's "no" (`ServiceError`) from the fake's (`GapError`,
`InjectedFaultError`, `UsageError`). The domain says what went wrong; how it looks on each plane
stands in the tables under `fake_e2b.wire`.
"""

from __future__ import annotations

from enum import StrEnum


class FakeE2BError(Exception):
    """The root of everything this package raises on purpose."""


class ServiceError(FakeE2BError):
    """The real service would refuse in the same way.

    Args:
        kind: What went wrong; the tables in `fake_e2b.wire` give each kind its status and text.
        fields: The values that the text names (`sandbox_id`, `path`, ...).
    """

    def __init__(self, kind: StrEnum, **fields: object) -> None:
        super().__init__(kind, fields)
        self.kind = kind
        self.fields = fields

    def __str__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.fields.items())
        return f"{self.kind}({shown})"


class GapError(FakeE2BError):
    """The real service can do this and the fake cannot yet: 501 with header `X-Fake-E2B-Gap`.

    Args:
        operation: The operation's name as in the API, e.g. ``"createSnapshot"``.
        detail: What is missing, and what would help, in a sentence.
    """

    def __init__(self, operation: str, detail: str = "") -> None:
        super().__init__(operation, detail)
        self.operation = operation
        self.detail = detail

    def __str__(self) -> str:
        text = f"fake-e2b does not implement {self.operation} yet"
        return f"{text}: {self.detail}" if self.detail else text


class InjectedFaultError(FakeE2BError):
    """A fault rule asked for this answer."""


class UsageError(FakeE2BError):
    """The caller of the fake's own interface (Python, CLI, plugin, `/_fake/`) got it wrong.

    The text says what the right form is. Exit status 2 on the command line, 400 over HTTP.
    """


class RuntimeUnavailableError(UsageError):
    """The runtime that was asked for cannot run on this machine; the text says why."""
