"""The fixtures, a chain in which each link can be overridden in a `conftest.py`.

`fake_e2b_options` → `make_fake_e2b` → `fake_e2b_server` → `fake_e2b` → `e2b_env`, `e2b_sandbox`,
`e2b_async_sandbox`, and one for each part: `e2b_clock`, `e2b_faults`, `e2b_gates`, `e2b_journal`,
`e2b_commands`.
One server serves the whole run (each worker of pytest-xdist has its own); each test finds it empty.
With ``--e2b-live`` `fake_e2b` is a `live.LiveE2B`, and tests that take a part are skipped.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import AsyncIterator, Callable, Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from conftest_plugin.live import LiveE2B, is_live
from conftest_plugin.settings import OF_THE_TEST, SERVER_OPTIONS, options_of_marker, setting
from conftest_plugin.watched import WATCHED, Watched

try:
    import pytest_asyncio
except ModuleNotFoundError:
    _asyncio_fixture: Callable[..., Any] = pytest.fixture
else:
    _asyncio_fixture = pytest_asyncio.fixture

if TYPE_CHECKING:
    from fake_e2b.testing import FakeE2B

_SDKS = ("e2b_code_interpreter", "e2b")


@pytest.fixture(scope="session")
def fake_e2b_options(pytestconfig: pytest.Config) -> dict[str, Any]:
    """Keyword arguments of `FakeE2B` for the run's server; override to choose others."""
    given = {name: setting(pytestconfig, name) for name in SERVER_OPTIONS}
    return {"runtime": "auto", **{n: value for n, value in given.items() if value is not None}}


@pytest.fixture(scope="session")
def make_fake_e2b() -> Iterator[Callable[..., FakeE2B]]:
    """Starts a server with the given options of `FakeE2B`; the same options give the same one.

    All are stopped at the end of the run.
    """
    from fake_e2b.testing import FakeE2B  # see settings.options_of_marker

    made: dict[str, FakeE2B] = {}
    with contextlib.ExitStack() as running:

        def make(**options: Any) -> FakeE2B:
            key = repr(sorted(options.items()))
            if key not in made:
                fake = FakeE2B(**{**options, "set_environment": False})
                made[key] = running.enter_context(fake)
            return made[key]

        yield make


@pytest.fixture(scope="session")
def fake_e2b_server(
    make_fake_e2b: Callable[..., FakeE2B], fake_e2b_options: dict[str, Any]
) -> FakeE2B:
    """The run's server. Tests take `fake_e2b`, which is this one, emptied."""
    return make_fake_e2b(**fake_e2b_options)


@pytest.fixture
def fake_e2b(request: pytest.FixtureRequest) -> Iterator[FakeE2B | LiveE2B]:
    """A fake without sandboxes, which every E2B client in this test finds by the environment.

    ``@pytest.mark.fake_e2b(clock="manual")`` and the like give the test a server of its own kind.
    """
    if is_live(request.config):
        yield LiveE2B()
        return
    marked = options_of_marker(request.node)
    # Taken only now: on the real service none is to be started.
    from fake_e2b.testing import activated  # see settings.options_of_marker

    fake = _server(request, {n: value for n, value in marked.items() if n not in OF_THE_TEST})
    fake.reset()
    watched = request.node.stash[WATCHED] = Watched(request.node, fake, marked)
    with activated(fake):
        yield fake
    problems = watched.close()
    if problems:
        pytest.fail("\n\n".join(problems), pytrace=False)


def _server(request: pytest.FixtureRequest, own: dict[str, Any]) -> FakeE2B:
    if not own:
        server: FakeE2B = request.getfixturevalue("fake_e2b_server")
        return server
    options = {**request.getfixturevalue("fake_e2b_options"), **own}
    made: FakeE2B = request.getfixturevalue("make_fake_e2b")(**options)
    return made


@pytest.fixture
def e2b_env(fake_e2b: FakeE2B) -> dict[str, str]:
    """The variables by which a client finds the fake, for the programs that a test starts."""
    return fake_e2b.env()


def _part(name: str, about: str) -> Any:
    """A fixture that gives a part of the fake; on the real service its tests are skipped."""

    def part(fake_e2b: FakeE2B) -> Any:
        return getattr(fake_e2b, name)

    part.__doc__ = about
    return pytest.fixture(name=f"e2b_{name}")(part)


e2b_clock = _part("clock", "The fake's clock: `fake_e2b.clock`.")
e2b_faults = _part("faults", "The fake's faults: `fake_e2b.faults`.")
e2b_gates = _part("gates", "The fake's gates: `fake_e2b.gates`.")
e2b_journal = _part("journal", "What the fake was asked: `fake_e2b.journal`.")


e2b_commands = _part("commands", "Stubs for programs in sandboxes: `fake_e2b.commands`.")


@pytest.fixture
def e2b_sandbox_options() -> dict[str, Any]:
    """Keyword arguments for `Sandbox.create`; override to choose a template, metadata, …"""
    return {}


@pytest.fixture
def e2b_sandbox(fake_e2b: FakeE2B, e2b_sandbox_options: dict[str, Any]) -> Iterator[Any]:
    """A running `Sandbox` of the installed E2B SDK, killed at the end."""
    sandbox_class = _sdk().Sandbox
    # SDKs before 2.0 create by the constructor.
    create = getattr(sandbox_class, "create", sandbox_class)
    sandbox = create(**e2b_sandbox_options)
    yield sandbox
    sandbox.kill()


@pytest.fixture
def e2b_async_sandbox(request: pytest.FixtureRequest) -> Any:
    """A running `AsyncSandbox` of the installed E2B SDK, killed at the end.

    Made on the test's own event loop, be it pytest-asyncio's or anyio's.
    """
    if "anyio_backend" in request.fixturenames:
        return request.getfixturevalue("_e2b_sandbox_on_anyio")
    if request.config.pluginmanager.hasplugin("asyncio"):
        return request.getfixturevalue("_e2b_sandbox_on_asyncio")
    raise pytest.UsageError("e2b_async_sandbox needs pytest-asyncio, or anyio and its marker")


async def _async_sandbox(options: dict[str, Any]) -> AsyncIterator[Any]:
    sandbox = await _sdk().AsyncSandbox.create(**options)
    yield sandbox
    await sandbox.kill()


@pytest.fixture
async def _e2b_sandbox_on_anyio(
    fake_e2b: FakeE2B, e2b_sandbox_options: dict[str, Any]
) -> AsyncIterator[Any]:
    async for sandbox in _async_sandbox(e2b_sandbox_options):
        yield sandbox


@_asyncio_fixture
async def _e2b_sandbox_on_asyncio(
    fake_e2b: FakeE2B, e2b_sandbox_options: dict[str, Any]
) -> AsyncIterator[Any]:
    async for sandbox in _async_sandbox(e2b_sandbox_options):
        yield sandbox


def _sdk() -> ModuleType:
    for name in _SDKS:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
    pytest.skip("no E2B SDK is installed: pip install e2b-code-interpreter")
