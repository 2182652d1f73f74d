"""Users, paths and environments, on a guest that only knows its users."""

from __future__ import annotations

from typing import cast

import pytest

from fake_e2b.backend.envd import Envd
from fake_e2b.domain.envd_errors import EnvdError, EnvdKind
from fake_e2b.domain.ids import IdSource
from fake_e2b.domain.ports import Guest
from fake_e2b.domain.user import BUILT_IN_USERS, ROOT, USER
from tests.helpers.clock import ManualClock


class OnlyUsers:
    """A guest that knows its users and has nothing else."""

    files = None
    lookup_user = staticmethod(BUILT_IN_USERS.get)


@pytest.fixture
def envd() -> Envd:
    return Envd(
        cast(Guest, OnlyUsers()),
        ManualClock(0),
        IdSource(1),
        sandbox_id="isbx",
        template_id="tpl",
        access_token=None,
        env_vars={"A": "1", "E2B_SANDBOX": "overridden?"},
    )


@pytest.mark.parametrize(
    ("path", "for_user", "for_root"),
    [
        ("", "/home/user", "/home/user"),
        ("~", "/home/user", "/root"),
        ("~/x//y/", "/home/user/x/y", "/root/x/y"),
        ("~/..", "/home", "/"),
        ("a/../b", "/home/user/b", "/root/b"),
        (".", "/home/user", "/root"),
        ("../../..", "/", "/"),
        ("/home/user/a/../b", "/home/user/a/../b", "/home/user/a/../b"),
        ("/home/user/d/", "/home/user/d/", "/home/user/d/"),
        ("//x", "//x", "//x"),
    ],
)
def test_paths(envd: Envd, path: str, for_user: str, for_root: str) -> None:
    assert envd.resolve_path(path, USER) == for_user
    assert envd.resolve_path(path, ROOT) == for_root


@pytest.mark.parametrize("path", ["~root", "~name/x", "~~"])
def test_homes_of_others_cannot_be_named(envd: Envd, path: str) -> None:
    with pytest.raises(EnvdError) as error:
        envd.resolve_path(path, USER)
    assert (error.value.kind, error.value.fields) == (EnvdKind.FOREIGN_HOME, {"user": "user"})


def test_users(envd: Envd) -> None:
    assert (envd.user(None), envd.user("root")) == (USER, ROOT)
    for name in ("", "nobody2", "0"):
        with pytest.raises(EnvdError) as error:
            envd.user(name)
        assert error.value.kind is EnvdKind.UNKNOWN_USER


def test_later_variables_win(envd: Envd) -> None:
    environment = envd.environment(USER, {"HOME": "/x", "A": "2", "": "no name"})
    assert environment == {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/x",
        "USER": "user",
        "LOGNAME": "user",
        "A": "2",
        "E2B_SANDBOX": "true",
        "E2B_SANDBOX_ID": "isbx",
        "E2B_TEMPLATE_ID": "tpl",
    }
