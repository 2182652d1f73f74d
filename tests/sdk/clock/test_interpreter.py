"""The times that the code interpreter gives. docs/clock.md"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from e2b_code_interpreter import Sandbox

from fake_e2b import FakeE2B

DAY_S = 86_400


def test_output_has_the_fakes_time() -> None:
    with FakeE2B(runtime="local", clock="manual") as fake:
        fake.clock.advance(seconds=DAY_S)
        lines: list[Any] = []
        Sandbox.create().run_code("print('hi')", on_stdout=lines.append)
        assert datetime.fromisoformat(lines[0].timestamp) == fake.clock.now
