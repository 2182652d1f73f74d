"""The same by the fake's own pages."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest
from e2b import (
    CommandExitException,
    NotEnoughSpaceException,
    Sandbox,
    TimeoutException,
)

from fake_e2b import FakeE2B
from tests.helpers.waiting import wait_until


@pytest.fixture
def pages(fake: FakeE2B) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{fake.url}/_fake/sandboxes", timeout=60) as client:
        yield client


def test_programs_are_shown_and_killed(fake: FakeE2B, pages: httpx.Client) -> None:
    sandbox = Sandbox.create()
    first = sandbox.commands.run("sleep 601", background=True)
    second = sandbox.commands.run("sleep 602", background=True)
    page = f"/{sandbox.sandbox_id}"
    # Until then the login shells are still busy, with programs of their own.
    wait_until(lambda: _running(pages, page) == [["sleep", "601"], ["sleep", "602"]])
    killed = pages.post(f"{page}/kill-process", json={"pid": first.pid})
    assert [each["pid"] for each in killed.json()["programs"]] == [first.pid]
    with pytest.raises(CommandExitException):
        first.wait()
    assert pages.post(f"{page}/out-of-memory").status_code == 200
    with pytest.raises(CommandExitException):
        second.wait()
    records = fake.journal.records(operation="misfortune")
    told = [json.loads(record.body)["what"] for record in records]
    assert told == ["kill process", "out of memory"]


def _running(pages: httpx.Client, page: str) -> list[list[str]]:
    programs = pages.get(f"{page}/programs").json()["programs"]
    return sorted(each["argv"] for each in programs)


def test_a_disk_fills_a_sandbox_freezes_and_dies(pages: httpx.Client) -> None:
    sandbox = Sandbox.create()
    page = f"/{sandbox.sandbox_id}"
    pages.post(f"{page}/fill-disk")
    with pytest.raises(NotEnoughSpaceException):
        sandbox.files.write("a", "b")
    pages.post(f"{page}/free-disk")
    sandbox.files.write("a", "b")
    pages.post(f"{page}/freeze")
    with pytest.raises(TimeoutException):
        sandbox.is_running(request_timeout=0.1)
    pages.post(f"{page}/thaw")
    assert sandbox.is_running()
    assert pages.post(f"{page}/skew-clock", json={"seconds": -60}).status_code == 200
    assert pages.post(f"{page}/die").json() == {"sandboxID": sandbox.sandbox_id}
    assert not sandbox.is_running()


def test_what_is_wrong_is_said(pages: httpx.Client) -> None:
    sandbox = Sandbox.create()
    page = f"/{sandbox.sandbox_id}"
    refused = [
        (pages.post("/nobody/die"), f"no sandbox 'nobody'; there is {sandbox.sandbox_id}"),
        (pages.post(f"{page}/kill-process", json={}), "say whom"),
        (pages.post(f"{page}/kill-process", json={"comand": "x"}), "did you mean 'command'"),
        (pages.post(f"{page}/kill-process", json={"command": "x"}), "no program fits 'x'"),
        (pages.post(f"{page}/out-of-memory"), "no program runs"),
        (pages.post(f"{page}/skew-clock", json={}), "needs 'seconds'"),
        (pages.post(f"{page}/skew-clock", json={"seconds": 1e12}), "a hundred years"),
    ]
    for answer, text in refused:
        assert answer.status_code == 400
        assert text in answer.json()["message"]
