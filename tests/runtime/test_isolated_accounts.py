"""The accounts that an isolated sandbox gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from fake_e2b.runtime.isolated.accounts import account_files

PASSWD = """\
root:x:0:0:Boss:/var/root:/bin/zsh
sshd:x:102:65534::/run/sshd:/usr/sbin/nologin
sshd:x:103:65534::/twice:/usr/sbin/nologin
user:x:990:990::/srv:/bin/sh
alice:x:1000:1000:Alice:/home/alice:/bin/bash
broken line
odd:x:many:1::/:/bin/sh
"""
GROUP = "root:x:0:\ntty:x:5:alice\nwheel:x:27:alice\nalice:x:1000:\n"


@pytest.fixture
def etc(tmp_path: Path) -> str:
    (tmp_path / "passwd").write_text(PASSWD)
    (tmp_path / "group").write_text(GROUP)
    return str(tmp_path)


def test_services_are_known_and_people_are_not(etc: str) -> None:
    files = account_files(really=True, etc=etc)
    assert files["passwd"].splitlines() == [
        "root:x:0:0:root:/root:/bin/bash",
        "sshd:x:102:65534::/run/sshd:/usr/sbin/nologin",
        "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin",
        "user:x:1000:1000::/home/user:/bin/bash",
    ]
    assert files["group"].splitlines() == [
        "root:x:0:",
        "tty:x:5:",
        "sudo:x:27:user",
        "user:x:1000:",
        "nogroup:x:65534:",
    ]


def test_only_root_and_user_get_in_without_a_password(etc: str) -> None:
    lines = account_files(really=True, etc=etc)["shadow"].splitlines()
    passwords = {line.split(":")[0]: line.split(":")[1] for line in lines}
    assert passwords == {"root": "", "sshd": "*", "nobody": "*", "user": ""}


def test_with_a_single_id_no_group_owns_the_terminals(etc: str) -> None:
    assert "tty" not in account_files(really=False, etc=etc)["group"]


def test_a_machine_without_such_files_has_the_three(tmp_path: Path) -> None:
    passwd = account_files(really=True, etc=str(tmp_path))["passwd"]
    assert [line.split(":")[0] for line in passwd.splitlines()] == ["root", "nobody", "user"]
