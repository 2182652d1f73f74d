"""The machine that sandboxes run on, as administrators see it, and what the SDK sees of it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from e2b import Sandbox, Template
from e2b.exceptions import ServiceBusyException

import fake_e2b
from fake_e2b import FakeE2B
from tests.sdk.generations.test_generations import python_of, run

LOCAL = "00000000-0000-0000-0000-000000000000"
ELSEWHERE = "00000000-0000-4000-8000-000000000001"
BUSY = (
    "Failed to place sandbox: not enough capacity for the requested resources right now, "
    "please retry shortly"
)
PARSE = """
import json, sys
from e2b.api.client.models.node import Node
from e2b.api.client.models.node_detail import NodeDetail

listed, detail = json.loads(sys.argv[1])
node, one = Node.from_dict(listed), NodeDetail.from_dict(detail)
print(node.status.value, one.status.value, one.cached_builds[0], node.additional_properties)
"""


@pytest.fixture
def admin(fake: FakeE2B) -> Iterator[httpx.Client]:
    headers = {"X-Admin-Token": fake.admin_token}
    with httpx.Client(base_url=fake.url, headers=headers) as client:
        yield client


def node(admin: httpx.Client) -> dict[str, Any]:
    [only] = admin.get("/nodes").json()
    return dict(only)


def put(admin: httpx.Client, status: str) -> None:
    answer = admin.post(f"/nodes/{node(admin)['id']}", json={"status": status})
    assert (answer.status_code, answer.content) == (204, b"")


def test_the_only_node_is_this_machine(admin: httpx.Client) -> None:
    only = node(admin)
    assert only["status"] == "ready"
    assert (only["clusterID"], only["version"]) == (LOCAL, fake_e2b.__version__)
    metrics = only["metrics"]
    assert metrics["cpuCount"] == os.cpu_count()
    assert metrics["memoryTotalBytes"] == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 0 < metrics["memoryUsedBytes"] < metrics["memoryTotalBytes"]
    assert 0 <= metrics["cpuPercent"] <= 100
    assert only["machineInfo"]["cpuArchitecture"] == os.uname().machine
    [root] = [each for each in metrics["disks"] if each["mountPoint"] == "/"]
    assert root["totalBytes"] == shutil.disk_usage("/").total
    assert 0 < root["usedBytes"] < root["totalBytes"]


def test_sandboxes_are_counted(admin: httpx.Client) -> None:
    before = node(admin)
    counts = ("sandboxCount", "sandboxStartingCount", "createSuccesses", "createFails")
    assert [before[each] for each in counts] == [0, 0, 0, 0]
    running, paused = Sandbox.create("base"), Sandbox.create("base")
    info = running.get_info()
    both = node(admin)["metrics"]
    assert both["allocatedCPU"] == 2 * info.cpu_count
    assert both["allocatedMemoryBytes"] == 2 * info.memory_mb * 1024 * 1024
    paused.pause()
    assert node(admin)["sandboxCount"] == 1
    assert node(admin)["metrics"]["allocatedCPU"] == info.cpu_count
    paused.connect()
    running.kill()
    after = node(admin)
    assert [after[each] for each in counts] == [1, 0, 3, 0]


def test_a_build_is_cached_once_its_files_are_there(fake: FakeE2B, admin: httpx.Client) -> None:
    def cached() -> list[str]:
        return list(admin.get(f"/nodes/{node(admin)['id']}").json()["cachedBuilds"])

    before = cached()
    built = Template.build(Template().from_base_image().run_cmd("true"), "mine")
    assert set(cached()) - set(before) == {built.build_id}
    fake.reset()
    assert cached() == before


def test_detail_has_what_lists_have(admin: httpx.Client) -> None:
    listed = node(admin)
    one = admin.get(f"/nodes/{listed['id']}", params={"clusterID": LOCAL}).json()
    same = listed.keys() - {"metrics", "sandboxStartingCount"}
    assert one.keys() - listed.keys() == {"cachedBuilds"}
    assert {name: one[name] for name in same} == {name: listed[name] for name in same}


def test_the_generated_client_reads_both(admin: httpx.Client) -> None:
    python, _ = python_of("2.35")  # the last that has models of nodes
    listed = node(admin)
    detail = admin.get(f"/nodes/{listed['id']}").json()
    printed = run(python, "-c", PARSE, json.dumps([listed, detail]))
    assert printed == f"ready ready {detail['cachedBuilds'][0]} {{}}\n"


@pytest.mark.parametrize("status", ["draining", "standby", "connecting", "unhealthy"])
def test_only_a_ready_node_takes_sandboxes(fake: FakeE2B, admin: httpx.Client, status: str) -> None:
    running, paused = Sandbox.create("base"), Sandbox.create("base")
    paused.pause()
    since = node(admin)["statusChangedAt"]
    fake.clock.advance(seconds=1)
    put(admin, status)
    shown = node(admin)
    assert shown["status"] == status
    assert shown["statusChangedAt"] > since
    for start in (lambda: Sandbox.create("base"), paused.connect):
        with pytest.raises(ServiceBusyException, match=BUSY):
            start()
    [fork] = httpx.post(
        f"{fake.url}/sandboxes/{running.sandbox_id}/fork",
        headers={"X-API-Key": fake.api_key},
        json={},
    ).json()
    assert fork == {"error": {"code": 503, "message": BUSY}}
    assert running.commands.run("echo still here").stdout == "still here\n"
    assert node(admin)["createFails"] == 0
    put(admin, "ready")
    paused.connect()
    assert Sandbox.create("base").is_running()


def test_a_refused_sandbox_says_why(fake: FakeE2B, admin: httpx.Client) -> None:
    put(admin, "draining")
    refused = httpx.post(
        f"{fake.url}/v2/sandboxes",
        headers={"X-API-Key": fake.api_key},
        json={"templateID": "base"},
    )
    assert refused.json() == {
        "code": 503,
        "message": BUSY,
        "error_code": "sandbox_capacity_unavailable",
    }


def test_a_reset_makes_it_ready(fake: FakeE2B, admin: httpx.Client) -> None:
    Sandbox.create("base")
    put(admin, "draining")
    fake.reset()
    assert (node(admin)["status"], node(admin)["createSuccesses"]) == ("ready", 0)


def test_what_is_no_node(fake: FakeE2B, admin: httpx.Client) -> None:
    mine = f"/nodes/{node(admin)['id']}"
    for answer in (
        admin.get("/nodes/unknown"),
        admin.get(mine, params={"clusterID": ELSEWHERE}),
        admin.post("/nodes/unknown", json={"status": "ready"}),
        admin.post(mine, json={"status": "draining", "clusterID": ELSEWHERE}),
    ):
        assert (answer.status_code, answer.content) == (404, b"")
        assert "content-type" not in answer.headers
    assert node(admin)["status"] == "ready"
    assert admin.get("/nodes", params={"clusterID": ELSEWHERE}).text == "null"


def test_the_ways_to_write_a_cluster(admin: httpx.Client) -> None:
    mine = f"/nodes/{node(admin)['id']}"
    for text in (f"urn:uuid:{LOCAL}", LOCAL.replace("-", ""), f"{{{LOCAL}}}"):
        assert admin.get(mine, params={"clusterID": text}).status_code == 200
        asked = {"status": "draining", "clusterID": text}
        assert admin.post(mine, json=asked).status_code == 204


def test_what_is_refused(fake: FakeE2B, admin: httpx.Client) -> None:
    mine = f"/nodes/{node(admin)['id']}"
    unknown = admin.post(mine, json={"status": "asleep"})
    assert unknown.status_code == 400
    assert 'Error at "/status": value is not one of the allowed values' in unknown.json()["message"]
    assert admin.post(mine).status_code == 400
    in_query = admin.get("/nodes", params={"clusterID": "abc"})
    in_body = admin.post(mine, json={"status": "draining", "clusterID": "abc"})
    assert (in_query.status_code, in_body.status_code) == (400, 400)
    assert in_body.json() == in_query.json()
    assert node(admin)["status"] == "ready"
    by_key = httpx.get(f"{fake.url}/nodes", headers={"X-API-Key": fake.api_key})
    assert (by_key.status_code, by_key.json()["message"]) == (
        401,
        "authorization header is missing",
    )
