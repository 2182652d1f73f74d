from __future__ import annotations

from pathlib import Path

import pytest
from e2b_code_interpreter import Sandbox

from fake_e2b.testing import FakeE2B

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The guide's examples kill nothing, and they are tested as they stand."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.fake_e2b(leaks="ignore"))


@pytest.fixture(scope="session", autouse=True)
def warm_server(fake_e2b_server: FakeE2B) -> None:
    """The run's server starts its helpers with its first sandbox: they are no test's leftovers."""
    options = {
        "api_key": fake_e2b_server.api_key,
        "api_url": fake_e2b_server.url,
        "sandbox_url": fake_e2b_server.url,
    }
    sandbox = Sandbox.create(**options)
    sandbox.run_code("1 + 1")
    sandbox.kill()


@pytest.fixture(autouse=True)
def _environment(fake_e2b: FakeE2B) -> None:
    """The guide's code names no server: it finds the fake by the variables alone."""
