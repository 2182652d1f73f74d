# ruff: noqa: E501
"""Requests for builds that come too late, from others, or at the same time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from e2b import Sandbox, Template

from fake_e2b import FakeE2B
from tests.helpers.waiting import wait_until

RIVAL = "e2b_" + "1" * 40


@pytest.fixture
def api(fake: FakeE2B) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=fake.url, headers={"X-API-Key": fake.api_key}, timeout=30) as client:
        yield client


def message(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["message"]


def request(api: httpx.Client, **body: Any) -> tuple[str, str]:
    """The paths of a template and of the build that waits."""
    asked = api.post("/v3/templates", json=body)
    assert asked.status_code == 202, asked.text
    template = f"/templates/{asked.json()['templateID']}"
    return template, f"{template}/builds/{asked.json()['buildID']}"


def ended(api: httpx.Client, build: str) -> dict[str, Any]:
    def status() -> dict[str, Any] | None:
        found: dict[str, Any] = api.get(f"{build}/status").json()
        return found if found["status"] in ("ready", "error") else None

    return wait_until(status)


def test_a_build_that_nobody_starts_is_given_up(fake: FakeE2B, api: httpx.Client) -> None:
    template, build = request(api, name="mine")
    fake.clock.advance(seconds=2399)
    assert api.get(f"{build}/status").json()["status"] == "waiting"
    fake.clock.advance(seconds=1)
    [listed] = api.get("/templates").json()
    assert listed["buildStatus"] == "error"
    status = api.get(f"{build}/status").json()
    assert (status["status"], status["reason"]["message"]) == (
        "error",
        "build is in waiting state for too long",
    )
    assert api.get(template).json()["builds"][0]["status"] == "error"
    assert message(api.post(f"/v2{build}", json={"fromImage": "x"})) == (
        400,
        "build is not in waiting state",
    )


def test_the_id_of_a_deleted_template_is_no_name(api: httpx.Client) -> None:
    template, _ = request(api, name="mine")
    assert api.delete(template).status_code == 204
    taken = template.rpartition("/")[2]
    assert message(api.post("/v3/templates", json={"name": taken})) == (
        409,
        f"Alias '{taken}' is already used",
    )


@pytest.mark.parametrize("digits", ["0" * 63, "0" * 65, "A" * 64, "g" * 64, "..%2F" + "0" * 64])
def test_what_is_no_hash(api: httpx.Client, digits: str) -> None:
    template, _ = request(api, name="mine")
    assert message(api.get(f"{template}/files/{digits}")) == (400, "Invalid files hash")


def test_one_tag_built_many_times_at_once_ends_once(fake: FakeE2B, api: httpx.Client) -> None:
    def build(number: int) -> str:
        _, build = request(api, name="mine")
        steps = [{"type": "RUN", "args": [f"sleep 0.2; echo {number} > number"]}]
        api.post(f"/v2{build}", json={"fromImage": "x", "steps": steps})
        return build

    with ThreadPoolExecutor(6) as pool:
        builds = list(pool.map(build, range(6)))
    found = [ended(api, each) for each in builds]
    ready = [each for each in found if each["status"] == "ready"]
    assert len(ready) == 1
    assert {each["reason"]["message"] for each in found if each["status"] == "error"} <= {
        "build was cancelled",
        "The build was canceled because it was superseded by a newer one.",
    }
    [shown] = api.get("/templates").json()
    assert shown["buildID"] == ready[0]["buildID"]


def test_two_tags_are_built_at_once(fake: FakeE2B, api: httpx.Client) -> None:
    builds = [request(api, name="mine", tags=[tag])[1] for tag in ("v1", "v2")]
    for number, build in enumerate(builds):
        steps = [{"type": "RUN", "args": [f"sleep 0.2; echo {number} > number"]}]
        api.post(f"/v2{build}", json={"fromImage": "x", "steps": steps})
    assert [ended(api, each)["status"] for each in builds] == ["ready", "ready"]
    for number, tag in enumerate(("v1", "v2")):
        assert Sandbox.create(f"mine:{tag}").files.read("number") == f"{number}\n"


def test_a_tag_may_move_while_sandboxes_start_from_it(fake: FakeE2B, api: httpx.Client) -> None:
    for tag in ("a", "b"):
        Template.build(Template().from_image("x").run_cmd(f"echo {tag} > w"), f"mine:{tag}")

    def move(tag: str) -> None:
        body = {"target": f"mine:{tag}", "tags": ["live"]}
        assert api.post("/templates/tags", json=body).status_code == 201

    move("a")
    over = threading.Event()

    def keep_moving() -> None:
        while not over.is_set():
            move("b")
            move("a")

    with ThreadPoolExecutor(1) as pool:
        moving = pool.submit(keep_moving)
        for _ in range(10):
            sandbox = Sandbox.create("mine:live")
            assert sandbox.files.read("w") in ("a\n", "b\n")
            sandbox.kill()
        over.set()
        moving.result(30)


# -- another team --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shared() -> Iterator[FakeE2B]:
    with FakeE2B(runtime="local", clock="manual", teams={"rival": [RIVAL]}) as made:
        yield made


@pytest.fixture(scope="module")
def things(shared: FakeE2B) -> dict[str, str]:
    """What a team has: a template with an archive and layers, and one of each other kind."""
    with httpx.Client(
        base_url=shared.url, headers={"X-API-Key": shared.api_key}, timeout=30
    ) as api:
        template, build = request(api, name="mine")
        steps = [{"type": "RUN", "args": ["date +%N > when"]}]
        api.post(f"/v2{build}", json={"fromImage": "x", "steps": steps})
        assert ended(api, build)["status"] == "ready"
        waiting_template, waiting = request(api, name="waiting")
        place = api.get(f"{waiting_template}/files/{'0' * 64}").json()
        assert httpx.put(place["url"], content=b"archive").status_code == 200
        sandbox_id = api.post("/v2/sandboxes", json={"templateID": "mine"}).json()["sandboxID"]
        api.post(f"/sandboxes/{sandbox_id}/snapshots", json={"name": "snap"})
        api.post("/secrets", json={"name": "key", "value": "v"})
        hook = {
            "name": "w",
            "url": "http://127.0.0.1:9/",
            "events": ["sandbox.lifecycle.created"],
            "signatureSecret": "x" * 40,
        }
        return {
            "template": template,
            "build": build,
            "waiting": waiting,
            "id": template.rpartition("/")[2],
            "sandbox": sandbox_id,
            "volume": api.post("/volumes", json={"name": "data"}).json()["volumeID"],
            "webhook": api.post("/events/webhooks", json=hook).json()["id"],
        }


@pytest.fixture
def rival(shared: FakeE2B) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=shared.url, headers={"X-API-Key": RIVAL}, timeout=30) as client:
        yield client


NONE = "template '{id}' not found"
NOT_YOURS = "You don't have access to this sandbox template ({id})"
SANDBOX = "Sandbox \"{sandbox}\" doesn't exist or you don't have access to it"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "text"),
    [
        ("GET", "{template}", None, 403, NOT_YOURS),
        ("GET", "{build}/status", None, 403, NOT_YOURS),
        ("GET", "{build}/logs", None, 403, NOT_YOURS),
        ("GET", "{template}/files/" + "0" * 64, None, 404, f"Error when getting template: {NONE}"),
        ("POST", "/v2{waiting}", {"fromImage": "x"}, 403, "User does not have access to the template"),
        ("POST", "/v3/templates", {"name": "{id}"}, 409, "Alias '{id}' is already used"),
        ("POST", "/v3/templates", {"name": "fake/mine"}, 400, "namespace 'fake' must match your team 'rival'"),
        ("GET", "/templates/aliases/mine", None, 404, "template 'mine' not found"),
        ("GET", "/templates/aliases/{id}", None, 403, "You don't have access to this template alias"),
        ("GET", "{template}/tags", None, 404, NONE),
        ("GET", "{template}/tags/count", None, 404, NONE),
        ("GET", "{template}/tags/exists?tag=default", None, 404, NONE),
        ("GET", "{template}/tags/groups", None, 404, NONE),
        ("GET", "{template}/tags/default/assignments", None, 404, NONE),
        ("POST", "/templates/tags", {"target": "{id}", "tags": ["x"]}, 404, NONE),
        ("POST", "/templates/tags", {"target": "fake/mine", "tags": ["x"]}, 404, "template 'fake/mine' not found"),
        ("DELETE", "/templates/tags", {"name": "{id}", "tags": ["x"]}, 404, NONE),
        ("PATCH", "/v2{template}", {"public": True}, 404, "Template '{id}' not found or you don't have access to it"),
        ("PATCH", "{template}", {"public": True}, 404, "Template '{id}' not found or you don't have access to it"),
        ("DELETE", "{template}", None, 404, NONE),
        ("DELETE", "/templates/fake%2Fsnap:default", None, 404, "template 'fake/snap' not found"),
        ("GET", "/snapshots?name=fake%2Fsnap", None, 400, "namespace 'fake' must match your team 'rival'"),
        ("POST", "/v2/sandboxes", {"templateID": "{id}"}, 404, NONE),
        ("POST", "/v2/sandboxes", {"templateID": "fake/snap"}, 404, "template 'fake/snap' not found"),
        (
            "POST", "/v2/sandboxes",
            {"templateID": "base", "volumeMounts": [{"name": "data", "path": "/mnt/x"}]},
            400, "invalid mounts:\n\t- volume mount #0: volume 'data' not found",
        ),
        ("GET", "/volumes/{volume}", None, 404, "Volume not found"),
        ("DELETE", "/volumes/{volume}", None, 404, "Volume not found"),
        ("GET", "/secrets/key", None, 404, "Secret not found"),
        ("POST", "/secrets/key", {"value": "w"}, 404, "Secret not found"),
        ("DELETE", "/secrets/key", None, 404, "Secret not found"),
        ("GET", "/events/webhooks/{webhook}", None, 404, "Webhook not found"),
        ("GET", "/events/webhooks/{webhook}/deliveries", None, 404, "Webhook not found"),
        ("GET", "/events/webhooks/{webhook}/stats", None, 404, "Webhook not found"),
        ("PATCH", "/events/webhooks/{webhook}", {"enabled": False}, 404, "Webhook not found"),
        ("DELETE", "/events/webhooks/{webhook}", None, 404, "Webhook not found"),
        ("GET", "/sandboxes/{sandbox}", None, 404, SANDBOX),
        ("DELETE", "/sandboxes/{sandbox}", None, 404, SANDBOX),
        ("POST", "/sandboxes/{sandbox}/pause", {}, 404, SANDBOX),
        ("POST", "/v2/sandboxes/{sandbox}/connect", {}, 404, SANDBOX),
        ("POST", "/sandboxes/{sandbox}/timeout", {"timeout": 9}, 404, SANDBOX),
        ("PUT", "/sandboxes/{sandbox}/network", {}, 404, SANDBOX),
        ("POST", "/sandboxes/{sandbox}/snapshots", {}, 404, SANDBOX),
        ("POST", "/sandboxes/{sandbox}/fork", {"count": 1}, 404, SANDBOX),
    ],
)  # fmt: skip
def test_another_teams_things_are_out_of_reach(
    rival: httpx.Client,
    things: dict[str, str],
    method: str,
    path: str,
    body: Any,
    status: int,
    text: str,
) -> None:
    filled = body and {
        key: value.format(**things) if isinstance(value, str) else value
        for key, value in body.items()
    }
    answer = rival.request(method, path.format(**things), json=filled)
    assert message(answer) == (status, text.format(**things))


@pytest.mark.parametrize(
    ("path", "nothing"),
    [
        ("/templates", []),
        ("/v2/templates", []),
        ("/snapshots", []),
        ("/snapshots?sandboxID={sandbox}", []),
        ("/volumes", []),
        ("/secrets", []),
        ("/events/webhooks", []),
        ("/events/sandboxes", []),
        ("/events/sandboxes/{sandbox}", []),
        ("/v2/sandboxes", []),
        ("/sandboxes/{sandbox}/metrics", []),
        ("/sandboxes/metrics?sandbox_ids={sandbox}", {"sandboxes": {}}),
        ("/v2/sandboxes/{sandbox}/logs", {"logs": []}),
    ],
)
def test_another_teams_things_are_in_no_list(
    rival: httpx.Client, things: dict[str, str], path: str, nothing: object
) -> None:
    assert rival.get(path.format(**things)).json() == nothing


def test_builds_use_nothing_of_another_teams(rival: httpx.Client, things: dict[str, str]) -> None:
    def build(order: dict[str, Any]) -> dict[str, Any]:
        _, build = request(rival, name="his")
        assert rival.post(f"/v2{build}", json=order).status_code == 202
        return ended(rival, build)

    for base in (things["id"], "fake/mine", "fake/snap"):
        refused = build({"fromTemplate": base})["reason"]
        assert refused["message"] == f"template '{base}' not found"
        assert refused["step"] == "base"
    template, _ = request(rival, name="his")
    assert rival.get(f"{template}/files/{'0' * 64}").json()["present"] is False
    copied = build(
        {"fromImage": "x", "steps": [{"type": "COPY", "args": ["a", "a"], "filesHash": "0" * 64}]}
    )
    assert "object does not exist" in copied["reason"]["message"]
    steps = [{"type": "RUN", "args": ["date +%N > when"]}]
    same = build({"fromImage": "x", "steps": steps})
    assert same["status"] == "ready"
    assert not [each for each in same["logEntries"] if "CACHED" in each["message"]]


def test_what_is_shown_to_all_is_still_changed_by_its_team_alone(
    shared: FakeE2B, rival: httpx.Client, things: dict[str, str]
) -> None:
    template, key = things["template"], shared.api_key
    with httpx.Client(base_url=shared.url, headers={"X-API-Key": key}, timeout=30) as owner:
        assert owner.patch(f"/v2{template}", json={"public": True}).status_code == 200
        try:
            refused = (403, f"You don't have access to template '{things['id']}'")
            assert message(rival.delete(template)) == refused
            assert message(rival.patch(f"/v2{template}", json={"public": False})) == refused
            tags = (403, f"You don't have access to sandbox template '{things['id']}'")
            assert message(rival.get(f"{template}/tags")) == tags
            body = {"target": things["id"], "tags": ["x"]}
            assert message(rival.post("/templates/tags", json=body)) == tags
            hidden = (403, NOT_YOURS.format(**things))
            assert message(rival.get(f"{things['build']}/logs")) == hidden
            made = rival.post("/v2/sandboxes", json={"templateID": "fake/mine"})
            assert made.status_code == 201
            rival.delete(f"/sandboxes/{made.json()['sandboxID']}")
        finally:
            owner.patch(f"/v2{template}", json={"public": False})
