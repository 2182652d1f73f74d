"""Which commands of a build would download, and what they would leave."""

from __future__ import annotations

import shlex

import pytest

from fake_e2b.domain.downloads import Download, download_of


@pytest.mark.parametrize(
    ("command", "file", "folder"),
    [
        ("apt-get update", None, None),
        ("apt-get install -y vim", None, None),
        ("apk add --no-cache git", None, None),
        ("pip install numpy", None, None),
        ("pip3 download numpy", None, None),
        ("python3 -m pip install numpy", None, None),
        ("npm ci", None, None),
        ("npm install -g x", None, None),
        ("npx create-thing", None, None),
        ("yarn", None, None),
        ("curl https://example.com/a", None, None),
        ("curl -fsSL https://example.com/a -o b", "b", None),
        ("curl -fsSLo b https://example.com/a", "b", None),
        ("curl --output=b https://example.com/a", "b", None),
        ("curl -O https://example.com/a.tgz", "a.tgz", None),
        ("curl -o /dev/null https://example.com/a", None, None),
        ("curl -s example.com/a", None, None),
        ("wget https://example.com/a.tgz", "a.tgz", None),
        ("wget -qO- https://example.com/a.tgz", None, None),
        ("wget -O - https://example.com/a.tgz", None, None),
        ("git clone https://example.com/a/b.git", None, "b"),
        ("git clone --depth 1 git@example.com:a/b.git there", None, "there"),
        ("git pull", None, None),
    ],
)
def test_what_would_be_downloaded(command: str, file: str | None, folder: str | None) -> None:
    assert download_of(shlex.split(command)) == Download(file, folder)


@pytest.mark.parametrize(
    "command",
    [
        "apt-get --version",
        "pip list",
        "pip --version",
        "python3 -m http.server",
        "python3 app.py",
        "npm run build",
        "npm --version",
        "yarn build",
        "curl http://localhost:8000/",
        "curl -s -o /dev/null -w %{http_code} http://127.0.0.1:80/x",
        "curl file:///tmp/x",
        "curl --version",
        "wget http://[::1]:8000/",
        "git init",
        "git clone /srv/repository here",
        "git commit -m x",
    ],
)
def test_what_is_of_this_machine_alone(command: str) -> None:
    assert download_of(shlex.split(command)) is None
