"""Runs the tests that stand in documents as a user's pytest would."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

INI = "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n"


def run_code(pytester: pytest.Pytester, codes: Mapping[str, str]) -> None:
    """All in one run, for to start pytest takes longer than they do: name of each, its code."""
    pytester.makeini(INI)
    pytester.makepyfile(
        **{f"test_{re.sub(r'[^a-z0-9]', '_', name)}": code for name, code in codes.items()}
    )
    tests = re.findall(r"^(?:async )?def test_", "\n".join(codes.values()), re.MULTILINE)
    outcome = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:schemathesis")
    outcome.assert_outcomes(passed=len(tests))
