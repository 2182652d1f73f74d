"""Paths that the content API of volumes is asked for by who means harm, in both runtimes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from fake_e2b import FakeE2B, RuntimeUnavailableError


@pytest.fixture(scope="module", params=["local", "isolated"])
def content(request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    """The content of a volume."""
    try:
        made = FakeE2B(runtime=request.param).start()
    except RuntimeUnavailableError as error:
        pytest.skip(str(error))
    volume = httpx.post(
        f"{made.url}/volumes", json={"name": "data"}, headers={"X-API-Key": made.api_key}
    ).json()
    headers = {"Authorization": f"Bearer {volume['token']}"}
    url = f"{made.url}/volumecontent/{volume['volumeID']}"
    with httpx.Client(base_url=url, headers=headers, timeout=30) as client:
        yield client
    made.stop()


OPERATIONS = [
    ("GET", "path"),
    ("PATCH", "path"),
    ("DELETE", "path"),
    ("GET", "dir"),
    ("POST", "dir"),
    ("GET", "file"),
    ("PUT", "file"),
]


def ask(content: httpx.Client, method: str, kind: str, path: str) -> httpx.Response:
    """The path as it stands in the query, which nobody has escaped."""
    body = {"PUT": b"x", "PATCH": b"{}"}.get(method)
    return content.request(method, f"/{kind}?path={path}", content=body)


@pytest.mark.parametrize(("method", "kind"), OPERATIONS)
@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a%00b", "Invalid format for parameter path: invalid argument"),
        ("%00", "Invalid format for parameter path: invalid argument"),
        ("a&path=b", "multiple values for single value parameter 'path'"),
        ("a" * 256, "file name too long"),
        ("a/" * 2100, "file name too long"),
    ],
    ids=["zero byte", "zero byte alone", "twice", "long name", "long path"],
)  # fmt: skip
def test_paths_that_are_none(
    content: httpx.Client, method: str, kind: str, path: str, text: str
) -> None:
    answer = ask(content, method, kind, path)
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_REQUEST")
    assert answer.json()["message"].endswith(text)
    assert content.get("/dir?path=/").json() == []


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("..%2F..%2Fout", "out"),
        ("/../../../out", "out"),
        ("./a/../out", "out"),
        ("//out", "out"),
        ("out/", "out"),
        ("a%0Ab", "a\nb"),
        ("%5C..%5C", "\\..\\"),
        ("%E2%80%AE", "\u202e"),
        ("%FF%FE", "\ufffd\ufffd"),
        ("a%25", "a%"),
        ("a" * 255, "a" * 255),
    ],
)
def test_odd_paths_stay_in_the_volume(content: httpx.Client, path: str, name: str) -> None:
    made = ask(content, "PUT", "file", path)
    assert (made.status_code, made.json()["path"]) == (201, f"/{name}")
    assert [each["path"] for each in content.get("/dir?path=/").json()] == [f"/{name}"]
    assert ask(content, "GET", "file", path).content == b"x"
    assert ask(content, "PUT", "file", path).status_code == 409
    assert ask(content, "DELETE", "path", path).status_code == 204
    assert content.get("/dir?path=/").json() == []
    assert not Path(os.sep, "out").exists()


@pytest.mark.parametrize("path", ["", "/", ".", "..", "/..", "//", "a/.."])
def test_the_volume_itself_stays(content: httpx.Client, path: str) -> None:
    removed = ask(content, "DELETE", "path", path)
    assert (removed.status_code, removed.json()["code"]) == (400, "CANNOT_DELETE_ROOT")
    written = ask(content, "PUT", "file", path)
    assert (written.status_code, written.json()["code"]) == (409, "PATH_ALREADY_EXISTS")
