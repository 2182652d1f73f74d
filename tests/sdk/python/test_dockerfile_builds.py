"""Builds of the first generation: asked for on the wire, looked at and used through the SDK."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from e2b import BuildInfo, Sandbox, Template

from fake_e2b import FakeE2B
from tests.helpers.waiting import wait_until
from tests.sdk.generations.test_generations import python_of, run

DOCKERFILE = """FROM e2bdev/base
ENV GREETING=hello
RUN echo "$GREETING" > greeting.txt
WORKDIR /home/user/app
RUN pwd > place.txt
COPY app.py .
"""
LEFT_OUT = "Left out: COPY app.py .: its files are in the image, and no image is pushed to the fake"
CLIENT = """
import sys, time
from e2b.api.client.api.templates import (
    get_templates_template_id_builds_build_id_status as status,
    post_templates, post_templates_template_id, post_templates_template_id_builds_build_id as start,
)
from e2b.api.client.client import AuthenticatedClient
from e2b.api.client.models.template_build_request import TemplateBuildRequest

url, key = sys.argv[1:]
client = AuthenticatedClient(url, key, auth_header_name="X-API-Key", prefix="")

def build(reserved):
    of = {"template_id": reserved.template_id, "build_id": reserved.build_id, "client": client}
    started = start.sync_detailed(**of)
    assert started.status_code == 202, started
    while (shown := status.sync(**of)).status == "building":
        time.sleep(0.01)
    return shown.status

first = TemplateBuildRequest("FROM e2bdev/base", alias="old")
made = post_templates.sync(client=client, body=first)
print(made.aliases, build(made))
second = TemplateBuildRequest("FROM e2bdev/base\\nRUN false")
again = post_templates_template_id.sync(made.template_id, client=client, body=second)
print(again.template_id == made.template_id, build(again))
"""


@pytest.fixture
def fake(isolated: FakeE2B) -> Iterator[FakeE2B]:
    isolated.reset()
    yield isolated
    isolated.reset()


@pytest.fixture
def api(fake: FakeE2B) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=fake.url, headers={"X-API-Key": fake.api_key}) as client:
        yield client


def reserve(api: httpx.Client, path: str = "/templates", **body: Any) -> dict[str, Any]:
    answer = api.post(path, json={"dockerfile": "FROM e2bdev/base"} | body)
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


def build(api: httpx.Client, reserved: dict[str, Any]) -> dict[str, Any]:
    """Start a build and wait for its end; its status, as it is then."""
    path = f"/templates/{reserved['templateID']}/builds/{reserved['buildID']}"
    started = api.post(path)
    assert (started.status_code, started.content) == (202, b"")
    assert started.headers["content-length"] == "0"

    def ended() -> dict[str, Any] | None:
        shown = api.get(f"{path}/status").json()
        return shown if shown["status"] in ("ready", "error") else None

    return wait_until(ended) or {}


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["message"]


def test_a_sandbox_of_a_dockerfile(fake: FakeE2B, api: httpx.Client) -> None:
    reserved = reserve(api, dockerfile=DOCKERFILE, alias="Old", cpuCount=4, memoryMB=2048)
    assert reserved["aliases"] == ["old"]
    assert (reserved["cpuCount"], reserved["memoryMB"]) == (4, 2048)
    ended = build(api, reserved)
    assert ended["status"] == "ready", ended
    told = [(each["level"], each["message"]) for each in ended["logEntries"]]
    assert ("warn", LEFT_OUT) in told
    sandbox = Sandbox.create("old")
    ran = sandbox.commands.run("pwd; id -un; cat place.txt")
    assert ran.stdout == "/home/user/app\nuser\n/home/user/app\n"
    assert sandbox.files.read("/greeting.txt") == "hello\n"
    assert not sandbox.files.exists("app.py")
    assert sandbox.get_info().cpu_count == 4


def test_the_sdk_looks_at_it(api: httpx.Client) -> None:
    reserved = reserve(api, alias="old")
    info = BuildInfo(
        template_id=reserved["templateID"], build_id=reserved["buildID"], name="old", alias="old"
    )
    assert Template.get_build_status(info).status.value == "waiting"
    build(api, reserved)
    assert Template.get_build_status(info).status.value == "ready"
    assert Template.exists("old")


def test_its_start_command_stands_beside_it(api: httpx.Client) -> None:
    reserved = reserve(
        api,
        dockerfile="FROM e2bdev/base\nCMD never",
        alias="old",
        startCmd="echo started > /home/user/started; sleep 1000",
        readyCmd="test -f /home/user/started",
    )
    assert build(api, reserved)["status"] == "ready"
    assert Sandbox.create("old").files.read("started") == "started\n"


@pytest.mark.parametrize(
    ("dockerfile", "message", "step"),
    [
        ("RUN true", "dockerfile parse error on line 1: no build stage in current context", "base"),
        ("FROM x\nRUN exit 3", "failed to run command 'exit 3': exit status 3", "3"),
    ],
)
def test_one_that_fails_says_where(
    api: httpx.Client, dockerfile: str, message: str, step: str
) -> None:
    ended = build(api, reserve(api, dockerfile=dockerfile))
    assert ended["status"] == "error"
    assert (ended["reason"]["message"], ended["reason"]["step"]) == (message, step)


def test_a_template_without_a_name(api: httpx.Client) -> None:
    reserved = reserve(api)
    assert reserved["aliases"] == []
    build(api, reserved)
    assert Sandbox.create(reserved["templateID"]).is_running()


def test_one_more_build_and_another_name(api: httpx.Client) -> None:
    first = reserve(api, alias="old")
    build(api, first)
    path = f"/templates/{first['templateID']}"
    second = reserve(api, path, alias="new", dockerfile="FROM x\nRUN echo 2 > /two")
    assert second["templateID"] == first["templateID"]
    assert second["buildID"] != first["buildID"]
    assert second["aliases"] == ["new"]
    build(api, second)
    assert Sandbox.create("new").files.read("/two") == "2\n"
    assert not Template.exists("old")
    assert reserve(api, alias="old")["templateID"] != first["templateID"]


def test_an_alias_may_name_a_tag(api: httpx.Client) -> None:
    first = reserve(api, alias="old:v1", dockerfile="FROM x\nRUN echo 1 > /one")
    assert first["aliases"] == ["old"]
    build(api, first)
    path = f"/templates/{first['templateID']}"
    build(api, reserve(api, path, alias="old:v2", dockerfile="FROM x\nRUN echo 2 > /one"))
    assert [Sandbox.create(f"old:v{each}").files.read("/one") for each in (1, 2)] == ["1\n", "2\n"]
    assert {each.tag for each in Template.get_tags("old")} == {"v1", "v2"}


def test_what_is_refused(fake: FakeE2B, api: httpx.Client) -> None:
    mine = reserve(api, alias="mine")
    other = reserve(api, alias="other")
    dockerfile = {"dockerfile": "FROM x"}
    path = f"/templates/{other['templateID']}"
    for where in ("/templates", path):
        taken = api.post(where, json=dockerfile | {"alias": "mine"})
        assert refusal(taken) == (403, "Alias 'mine' already used")
        an_id = api.post(where, json=dockerfile | {"alias": mine["templateID"]})
        assert refusal(an_id) == (409, f"Alias '{mine['templateID']}' is already used")
        team = api.post(where, json=dockerfile | {"teamID": "another"})
        assert refusal(team) == (400, "Team ID param mismatch with the API key")
    odd = api.post("/templates", json=dockerfile | {"cpuCount": 3})
    assert refusal(odd) == (400, "CPU count must be 1 or an even number")
    assert api.post("/templates", json={"alias": "x"}).status_code == 400
    unknown = api.post("/templates/unknown", json=dockerfile)
    assert refusal(unknown) == (404, "Template unknown not found")
    gone = reserve(api)["templateID"]
    assert api.delete(f"/templates/{gone}").status_code == 204
    deleted = (404, f"Template '{gone}' has been deleted and cannot be rebuilt")
    assert refusal(api.post(f"/templates/{gone}", json=dockerfile)) == deleted
    of_own = dockerfile | {"alias": "other", "teamID": fake.team_id}
    assert api.post(path, json=of_own).status_code == 202


def test_what_cannot_be_started(api: httpx.Client) -> None:
    reserved = reserve(api, alias="old")
    path = f"/templates/{reserved['templateID']}/builds"
    assert refusal(api.post(f"{path}/abc")) == (400, "Invalid build ID: abc")
    build(api, reserved)
    not_waiting = (400, "build is not in waiting state")
    assert refusal(api.post(f"{path}/{reserved['buildID']}")) == not_waiting
    third = api.post("/v3/templates", json={"name": "third"}).json()
    of_third = f"/templates/{third['templateID']}/builds/{third['buildID']}"
    assert refusal(api.post(of_third)) == not_waiting
    superseded = reserve(api, f"/templates/{reserved['templateID']}")
    reserve(api, f"/templates/{reserved['templateID']}")
    assert refusal(api.post(f"{path}/{superseded['buildID']}")) == not_waiting


@pytest.mark.generations
def test_the_generated_client_builds_and_rebuilds(fake: FakeE2B) -> None:
    python, _ = python_of("2.35")  # the last that has these operations
    assert run(python, "-c", CLIENT, fake.url, fake.api_key) == "['old'] ready\nTrue error\n"
