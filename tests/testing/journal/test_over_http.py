"""`/_fake/journal` and `/_fake/journal/expect`, as a test in any language asks them."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from e2b_code_interpreter import Sandbox

from fake_e2b import FakeE2B
from tests.helpers.waiting import wait_until


def expect(fake: FakeE2B, **body: Any) -> httpx.Response:
    return httpx.post(f"{fake.url}/_fake/journal/expect", json=body, timeout=60)


def test_what_was_asked_is_found(fake: FakeE2B) -> None:
    sandbox = Sandbox.create(metadata={"userId": "123"})
    answer = expect(fake, operation="createSandbox", fields={"body__metadata__userId": "123"})
    assert answer.status_code == 200
    [record] = answer.json()["records"]
    assert (record["operation"], record["sandboxID"]) == ("createSandbox", sandbox.sandbox_id)
    sandbox.kill()
    steps = [{"operation": "createSandbox", "fields": {"status": 201}}, {"operation": "killed"}]
    assert len(expect(fake, inOrder=steps).json()["records"]) == 2
    assert expect(fake, operation="pauseSandbox", times=0).json() == {"records": []}


def test_a_mismatch_comes_with_its_differences(fake: FakeE2B) -> None:
    Sandbox.create(metadata={"userId": "124"}, timeout=60)
    fields = {"body__metadata__userId": "123", "body__missing": 1, "status__gte": 200}
    answer = expect(fake, operation="createSandbox", fields=fields)
    told = answer.json()
    assert (answer.status_code, told["code"], told["matched"]) == (417, 417, [])
    assert "body.metadata.userId  '123'   '124'" in told["message"]
    assert told["nearest"]["operation"] == "createSandbox"
    assert told["differences"][0] == {
        "field": "body.metadata.userId",
        "wanted": "'123'",
        "got": "124",
        "missing": False,
        "remark": "",
    }
    assert (told["differences"][1]["got"], told["differences"][1]["missing"]) == (None, True)


def test_waiting_until_it_was_asked(fake: FakeE2B, sandbox: Sandbox) -> None:
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(expect, fake, operation="killSandbox", timeoutS=60)
        sandbox.kill()
        assert waiting.result(60).status_code == 200
    # Too many never become fewer: no waiting.
    assert expect(fake, operation="killSandbox", times=0, timeoutS=300).status_code == 417
    in_vain = expect(fake, operation="pauseSandbox", timeoutS=0.05)
    assert "expected exactly 1 × pauseSandbox; found 0" in in_vain.json()["message"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "either operation or inOrder"),
        ({"operation": "createSandbox", "inOrder": []}, "either operation or inOrder"),
        ({"operation": "creatSandbox"}, "did you mean 'createSandbox'?"),
        ({"operation": "createSandbox", "fields": {"boddy": 1}}, "did you mean 'body'?"),
        ({"operation": "createSandbox", "feilds": {}}, "did you mean 'fields'?"),
        ({"operation": "createSandbox", "times": -1}, "whole number from 0"),
        ({"operation": "createSandbox", "times": 1, "atLeast": 1}, "either times or"),
        ({"inOrder": [{"operation": "killed"}], "times": 1}, "takes no counts"),
        ({"inOrder": [{"fields": {}}]}, "needs 'operation'"),
        ({"operation": "killed", "timeoutS": 1e9}, "timeoutS is from 0 to 300"),
        ({"operation": "killed", "since": -1}, "since is from 0"),
    ],
)
def test_a_wrong_expectation_is_refused(fake: FakeE2B, body: dict[str, Any], says: str) -> None:
    answer = expect(fake, **body)
    assert answer.status_code == 400
    assert says in answer.json()["message"]


def test_records_as_commands_and_calls(fake: FakeE2B, sandbox: Sandbox) -> None:
    answer = httpx.get(f"{fake.url}/_fake/journal", params={"details": "true"})
    create, created = answer.json()["records"]
    assert create["sdkCall"] == "Sandbox.create()"
    assert create["curl"].startswith(f"curl -X POST {fake.url}/v2/sandboxes ")
    assert (created["curl"], created["sdkCall"]) == (None, None)
    assert fake.api_key not in answer.text


def test_the_journal_is_followed_line_by_line(fake: FakeE2B, sandbox: Sandbox) -> None:
    url = f"{fake.url}/_fake/journal?format=jsonl&follow=true&operation=*Sandbox"
    with httpx.stream("GET", url, timeout=60) as answer:
        lines = answer.iter_lines()
        assert json.loads(next(lines))["operation"] == "createSandbox"
        sandbox.is_running()
        sandbox.kill()
        line = json.loads(next(lines))
        assert (line["operation"], line["status"]) == ("killSandbox", 204)


def test_a_follower_does_not_hold_up_the_end() -> None:
    with FakeE2B(runtime="local") as fake:
        url = f"{fake.url}/_fake/journal?format=jsonl&follow=true"
        ended = threading.Event()

        def follow() -> None:
            try:
                with httpx.stream("GET", url, timeout=60) as answer:
                    for _ in answer.iter_lines():
                        pass
            except httpx.HTTPError:
                pass
            ended.set()

        reader = threading.Thread(target=follow)
        reader.start()
        wait_until(lambda: fake._fake().journal._listeners)
    reader.join(20)
    assert ended.is_set()
