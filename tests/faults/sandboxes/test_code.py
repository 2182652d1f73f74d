"""Code whose kernel is killed for want of memory."""

from __future__ import annotations

import pytest
from e2b_code_interpreter import Sandbox

from fake_e2b import FakeE2B, RuntimeUnavailableError


def test_code_runs_out_of_memory() -> None:
    # Kernels of the local runtime run outside of its sandboxes.
    try:
        fake = FakeE2B(runtime="isolated").start()
    except RuntimeUnavailableError as error:
        pytest.skip(str(error))
    try:
        sandbox = Sandbox.create()
        assert sandbox.run_code("held = bytearray(60 << 20)").error is None
        fake.sandbox(sandbox).out_of_memory()
        error = sandbox.run_code("held").error
        assert error is not None
    finally:
        fake.stop()
