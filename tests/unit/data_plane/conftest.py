from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.data_plane.daemon import Daemon, running_daemon


@pytest.fixture(scope="module")
def shared_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with running_daemon(tmp_path_factory.mktemp("sandbox")) as daemon:
        yield daemon


@pytest.fixture
def daemon(shared_daemon: Daemon) -> Daemon:
    """A daemon with an empty home."""
    shared_daemon.envd.guest.files.remove("/home/user")
    (shared_daemon.root / "home/user").mkdir()
    return shared_daemon


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon whose token is ``a1b2c3``."""
    with running_daemon(tmp_path_factory.mktemp("secured"), token="a1b2c3") as daemon:
        (daemon.root / "home/user/a.txt").write_text("hello world")
        yield daemon
