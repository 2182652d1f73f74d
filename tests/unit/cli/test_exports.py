from __future__ import annotations

import json
import subprocess

import pytest

from fake_e2b.cli.exports import SHELLS, render

HOSTILE = {"E2B_A": "plain", "E2B_B": 'it\'s "$HOME" `id` \\ %PATH%', "E2B_C": ""}


def test_a_shell_reads_back_what_was_meant():
    script = render("posix", HOSTILE) + '\nprintf "%s\\0" "$E2B_A" "$E2B_B" "$E2B_C"'
    read = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert read.stdout.split("\0")[:-1] == list(HOSTILE.values())


def test_json_reads_back_what_was_meant():
    assert json.loads(render("json", HOSTILE)) == HOSTILE


@pytest.mark.parametrize(
    ("shell", "line"),
    [
        ("posix", "export E2B_X='it'\"'\"'s'"),
        ("fish", "set -gx E2B_X 'it\\'s'"),
        ("powershell", "$Env:E2B_X = 'it''s'"),
        ("dotenv", 'E2B_X="it\'s"'),
    ],
)
def test_each_shell_has_its_own_quotes(shell, line):
    assert render(shell, {"E2B_X": "it's"}) == line


def test_there_is_one_line_a_variable():
    for shell in SHELLS.keys() - {"json"}:
        assert len(render(shell, HOSTILE).splitlines()) == 3
