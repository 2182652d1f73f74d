"""What a fault rule can do to a request: ``fake.faults.add("createSandbox", effects.Status(503))``.

See docs/faults.md.
"""

from __future__ import annotations

from fake_e2b.domain.steering.effects import (
    Close,
    Effect,
    Latency,
    Reset,
    RpcError,
    Status,
)

__all__ = ["Close", "Effect", "Latency", "Reset", "RpcError", "Status"]
