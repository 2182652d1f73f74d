"""What the handles on a `FakeE2B` share: the way to the running fake and its thread."""

from __future__ import annotations

from collections.abc import Callable

from fake_e2b.server.app import Fake
from fake_e2b.server.host import ServerThread

Running = Callable[[], tuple[Fake, ServerThread]]
"""Gives both.

Raises:
    UsageError: The fake is not running.
"""
