"""Which packages bring a service that the machine's own programs can give."""

from __future__ import annotations

import shlex

import pytest

from fake_e2b.domain.services import services_of


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("apt-get install -y openssh-server", ["openssh-server"]),
        ("apt install vim openssh-server=1:9.9 -y", ["openssh-server"]),
        ("apt-get install openssh-client", []),
        ("apt-get remove openssh-server", []),
        ("apt-get update", []),
        ("pip install openssh-server", []),
    ],
)
def test_what_would_be_installed(command: str, names: list[str]) -> None:
    assert services_of(shlex.split(command)) == names
