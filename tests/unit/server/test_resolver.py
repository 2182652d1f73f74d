from __future__ import annotations

import socket
from typing import Any

import pytest

from fake_e2b.server.resolver import LocalhostNames


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that are not numbers are unknown, as on a machine without a name server."""
    real = socket.getaddrinfo

    def numbers_only(host: Any, *args: Any, **named: Any) -> Any:
        if not host[:1].isdigit():
            raise socket.gaierror(socket.EAI_NONAME, "unknown name")
        return real(host, *args, **named)

    monkeypatch.setattr(socket, "getaddrinfo", numbers_only)


def resolves(host: str | bytes) -> bool:
    try:
        found = socket.getaddrinfo(host, 80, type=socket.SOCK_STREAM)
    except socket.gaierror:
        return False
    return {entry[4][0] for entry in found} == {"127.0.0.1"}


@pytest.mark.parametrize(
    "name", ["3000-iabc.e2b.localhost", "A.LOCALHOST", "a.localhost.", b"a.localhost"]
)
def test_names_below_localhost_are_this_machine(name: str | bytes) -> None:
    names = LocalhostNames()
    names.install()
    assert resolves(name)
    names.uninstall()


@pytest.mark.parametrize("name", ["example.com", "evillocalhost", "localhost.example", "x"])
def test_other_names_go_where_they_went(name: str) -> None:
    names = LocalhostNames()
    names.install()
    assert not resolves(name)
    names.uninstall()


def test_it_is_gone_afterwards() -> None:
    before = socket.getaddrinfo
    names = LocalhostNames()
    names.install()
    names.uninstall()
    assert socket.getaddrinfo is before


@pytest.mark.parametrize("first", [0, 1])
def test_two_holds_end_in_any_order(first: int) -> None:
    before = socket.getaddrinfo
    holds = [LocalhostNames(), LocalhostNames()]
    for hold in holds:
        hold.install()
    holds.pop(first).uninstall()
    assert resolves("a.localhost")
    holds.pop().uninstall()
    assert socket.getaddrinfo is before
