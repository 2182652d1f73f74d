"""Stubs by the fake's own pages, as a test in any language would ask for them."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest
from e2b import CommandExitException, Sandbox

from fake_e2b import FakeE2B


@pytest.fixture
def pages(fake: FakeE2B) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{fake.url}/_fake", timeout=60) as client:
        yield client


def test_a_stub_is_put_in_force_seen_and_taken_back(fake: FakeE2B, pages: httpx.Client) -> None:
    sandbox = Sandbox.create(metadata={"user": "1"})
    table = {
        "pattern": "git clone */a?b.git *",
        "stdout": "Cloning\n",
        "exitCode": 128,
        "delayS": 0.01,
        "metadata": {"user": "1"},
        "times": 1,
    }
    made = pages.post("/stubs", json=table)
    assert made.status_code == 201
    counts = {"handler": False, "hits": 0, "spent": False}
    assert made.json() == {**table, "name": table["pattern"], **counts}
    with pytest.raises(CommandExitException) as failure:
        sandbox.commands.run("cd /tmp && X=1 git clone https://host/a-b.git")
    assert (failure.value.stdout, failure.value.exit_code) == ("Cloning\n", 128)
    path = "/stubs/" + quote(made.json()["name"], safe="")
    shown = pages.get(path).json()
    assert (shown["hits"], shown["spent"]) == (1, True)
    (call,) = shown["calls"]
    assert call["argv"] == ["git", "clone", "https://host/a-b.git"]
    assert (call["sandboxID"], call["exitCode"], call["stdin"]) == (sandbox.sandbox_id, 128, "")
    assert call["cwd"].endswith("/tmp")
    assert call["env"]["X"] == "1"
    assert [each["name"] for each in pages.get("/stubs").json()["stubs"]] == [table["pattern"]]
    assert pages.delete(path).json()["calls"] == [call]
    assert pages.get("/stubs").json() == {"stubs": []}
    assert fake.commands.list() == []


def test_the_forms_of_a_stub(fake: FakeE2B, pages: httpx.Client) -> None:
    forms = [
        {"command": ["npm", "run", "a b"], "name": "one #?/"},
        {"regex": "^npm (ci|install)", "program": ["npm", "pnpm"], "sandboxId": "iabc"},
        {"program": "yarn", "stderr": "no\n", "template": "base"},
    ]
    shown = [pages.post("/stubs", json=form).json() for form in forms]
    assert shown[0]["command"] == "npm run 'a b'"
    assert shown[1].items() >= forms[1].items()
    assert shown[2].items() >= {**forms[2], "name": "yarn"}.items()
    assert pages.get("/stubs/one%20%23%3F%2F").json()["name"] == "one #?/"
    fake.commands.stub("make", handler=lambda call: None)
    assert pages.get("/stubs/make").json()["handler"] is True
    removed = pages.delete("/stubs").json()["stubs"]
    assert [each["name"] for each in removed] == ["one #?/", "^npm (ci|install)", "yarn", "make"]
    assert pages.get("/stubs").json() == {"stubs": []}


def test_what_is_wrong_is_said_and_changes_nothing(fake: FakeE2B, pages: httpx.Client) -> None:
    refused = [
        (pages.post("/stubs", json={"comand": "npm"}), "did you mean 'command'"),
        (pages.post("/stubs", json={"command": "npm", "handler": "x"}), "does not know 'handler'"),
        (pages.post("/stubs", json={"command": "cd /"}), "built into the shell"),
        (pages.post("/stubs", json={"command": "npm", "exitCode": "1"}), "a whole number"),
        (pages.post("/stubs", json={"command": "npm", "exitCode": 256}), "0 to 255"),
        (pages.post("/stubs", json={"command": "npm", "delayS": -1}), "between 0 and"),
        (pages.post("/stubs", json={"regex": "(", "program": "npm"}), "no regular expression"),
        (pages.post("/stubs", json={}), "say which program"),
        (pages.post("/stubs", content=b"nope"), "is not JSON; send {"),
        (pages.get("/stubs/none"), "there is no stub 'none'"),
        (pages.delete("/stubs/none"), "there is no stub 'none'"),
    ]
    for answer, text in refused:
        assert answer.status_code == 400
        assert text in answer.json()["message"]
    assert fake.commands.list() == []
    assert pages.post("/stubs", json={"command": "npm"}).status_code == 201
    twice = pages.post("/stubs", json={"command": "npm", "name": "npm"})
    assert (twice.status_code, "already" in twice.json()["message"]) == (400, True)
