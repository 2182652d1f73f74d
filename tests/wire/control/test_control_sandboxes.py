"""Sandboxes over plain HTTP: what answers hold, generation by generation."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from fake_e2b.domain.clock import SECOND_NS
from tests.helpers.memory import World

V1 = "/sandboxes"
V2 = "/v2/sandboxes"
UNKNOWN = "i" + "0" * 20


def refusal(status: int, message: str, **more: str) -> tuple[int, Any]:
    return status, {"code": status, "message": message, **more}


def seen(response: httpx.Response) -> tuple[int, Any]:
    return response.status_code, response.json()


def not_found(sandbox_id: str) -> tuple[int, Any]:
    message = f"Sandbox \"{sandbox_id}\" doesn't exist or you don't have access to it"
    return refusal(404, message)


async def create(client: httpx.AsyncClient, path: str = V2, **body: Any) -> dict[str, Any]:
    response = await client.post(path, json={"templateID": "base"} | body)
    assert response.status_code == 201, response.text
    created: dict[str, Any] = response.json()
    return created


async def detail(client: httpx.AsyncClient, sandbox_id: str) -> dict[str, Any]:
    response = await client.get(f"{V1}/{sandbox_id}")
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def lifetime(shown: dict[str, Any], world: World) -> float:
    [record] = [
        each.sandbox
        for each in world.backend.sandboxes.records()
        if each.sandbox.sandbox_id == shown["sandboxID"]
    ]
    return (record.end_at_ns - record.started_at_ns) / SECOND_NS


# -- create ------------------------------------------------------------------------------------


async def test_create_gives_ids_version_and_token(client: httpx.AsyncClient) -> None:
    created = await create(client)
    assert list(created) == [
        "templateID", "sandboxID", "alias", "clientID", "envdVersion", "envdAccessToken",
    ]  # fmt: skip
    assert len(created["templateID"]) == 20
    assert created["sandboxID"][0] == "i"
    assert len(created["sandboxID"]) == 21
    assert created["alias"] == "base"
    assert created["clientID"] == "6532622b"
    assert created["envdVersion"] == "0.6.13"
    assert len(created["envdAccessToken"]) == 64


async def test_generations_differ_in_time_and_token(
    client: httpx.AsyncClient, world: World
) -> None:
    first = await create(client, V1)
    assert "envdAccessToken" not in first
    assert lifetime(first, world) == 15
    assert "envdAccessToken" in await create(client, V1, secure=True)
    assert lifetime(await create(client, V2), world) == 300


async def test_without_public_traffic_a_token_is_given(client: httpx.AsyncClient) -> None:
    network = {"allowPublicTraffic": False}
    created = await create(client, network=network)
    assert len(created["trafficAccessToken"]) == 64
    assert created["trafficAccessToken"] != created["envdAccessToken"]
    response = await client.post(V1, json={"templateID": "base", "network": network})
    assert seen(response) == refusal(
        400,
        "You cannot create a sandbox without public access unless you enable secure envd access "
        "via 'secure' flag.",
    )


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("nope", refusal(404, "template 'nope' not found")),
        ("team/nope", refusal(404, "template 'team/nope' not found")),
        ("base:v9", refusal(404, "tag 'v9' does not exist for template 'base'")),
        ("a/b/c", refusal(400, "Invalid template reference: invalid template ID: b/c")),
        ("a b/c", refusal(400, "Invalid template reference: invalid namespace: a b")),
        ("base:", refusal(400, "Invalid template reference: invalid tag: ")),
    ],
)
async def test_templates_that_cannot_be_used(
    client: httpx.AsyncClient, template: str, expected: tuple[int, Any]
) -> None:
    assert seen(await client.post(V2, json={"templateID": template})) == expected


@pytest.mark.parametrize("template", ["base", " Base ", "base:default", "code-interpreter-v1"])
async def test_templates_go_by_name(client: httpx.AsyncClient, template: str) -> None:
    created = await create(client, templateID=template)
    assert (await create(client, templateID=created["templateID"]))["alias"] == created["alias"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"timeout": 0}, "Timeout must be greater than 0"),
        ({"timeout": 86401}, "Timeout cannot be greater than 24 hours"),
        (
            {"autoPauseMemory": False},
            "autoPauseMemory=false only applies when autoPause is true.",
        ),
        (
            {"autoPauseMemory": False, "autoPause": True, "autoResume": {"enabled": True}},
            "autoPauseMemory=false (filesystem-only auto-pause) cannot be combined with "
            "autoResume: a filesystem-only snapshot cannot be auto-resumed by traffic and must be "
            "resumed explicitly.",
        ),
        (
            {"iam": {"tokens": {"a": {"audience": "", "tokenType": "JWT-SVID"}}}},
            "iam.tokens.a.audience: audience is required",
        ),
        (
            {"iam": {"tokens": {"a": {"audience": "x", "tokenType": "JWT"}}}},
            'iam.tokens.a.tokenType: only "JWT-SVID" is supported',
        ),
        (
            {"iam": {"tokens": {str(at): {"audience": "", "tokenType": ""} for at in range(6)}}},
            "iam.tokens: too many tokens: 6 (max 5)",
        ),
        (
            {"volumeMounts": [{"name": "v", "path": "/a"}, {"name": "w", "path": "b"}]},
            "invalid mounts:\n\t- volume mount #0: volume 'v' not found"
            "\n\t- volume mount #1: volume 'w' not found",
        ),
        ({"network": {"denyOut": ["example.com"]}}, "invalid denied CIDR example.com"),
        ({"network": {"denyOut": ["0.0.0.0"]}}, "invalid denied CIDR 0.0.0.0"),
        ({"network": {"allowOut": ["::"]}}, "invalid allowed address ::"),
        (
            {"network": {"allowOut": ["example.com"]}},
            "When specifying allowed domains in allow out, you must include 'ALL_TRAFFIC' in deny "
            "out to block all other traffic.",
        ),
        (
            {"network": {"maskRequestHost": "${PORT}-myapp.example.com"}},
            "mask request host is not valid: ${PORT}-myapp.example.com",
        ),
        (
            {"network": {"maskRequestHost": "exämple.com"}},
            "mask request host 'exämple.com' is not ASCII. Please use ASCII characters only.",
        ),
        (
            {"network": {"egressProxy": {"address": "127.0.0.1:1080"}}},
            "Invalid egress proxy config: egress proxy endpoint resolves to an internal / denied "
            "IP range: 127.0.0.1 resolves to 127.0.0.1",
        ),
        (
            {"network": {"egressProxy": {"address": "proxy.test:0"}}},
            'Invalid egress proxy config: egress proxy port "0" is not a valid 1-65535 value',
        ),
        (
            {"network": {"rules": {"a b": []}}},
            'Rule domain "a b" is not a valid domain name.',
        ),
        (
            {"network": {"rules": {"a.test": [{"transform": {"headers": {"X:": "1"}}}]}}},
            'Header name "X:" in rule for domain "a.test" must contain only valid HTTP token '
            "characters.",
        ),
        (
            {
                "network": {
                    "rules": {"a.test": [{"transform": {"headers": {"X": "${e2b.secrets."}}}]}
                }
            },
            "Network transform header contains a malformed E2B placeholder.",
        ),
    ],
)  # fmt: skip
async def test_what_create_refuses(
    client: httpx.AsyncClient, body: dict[str, Any], message: str
) -> None:
    response = await client.post(V2, json={"templateID": "base"} | body)
    assert seen(response) == refusal(400, message)


@pytest.mark.parametrize(
    "mask", ["localhost:${PORT}", "custom.example.com:${PORT}", "EXAMPLE.com", ""]
)
async def test_masks_that_are_fine(client: httpx.AsyncClient, mask: str) -> None:
    await create(client, network={"maskRequestHost": mask})


@pytest.mark.parametrize("mask", ["my_app.test", "-https://abcd", "a:b:c", "[::1]:80", "foo/bar"])
async def test_masks_that_are_not(client: httpx.AsyncClient, mask: str) -> None:
    body = {"templateID": "base", "network": {"maskRequestHost": mask}}
    message = f"mask request host is not valid: {mask}"
    assert seen(await client.post(V2, json=body)) == refusal(400, message)


async def test_the_limit_is_told_without_retry(client: httpx.AsyncClient, world: World) -> None:
    world.team.concurrent_sandboxes = 1
    await create(client)
    response = await client.post(V2, json={"templateID": "base"})
    assert seen(response) == refusal(
        429,
        "you have reached the maximum number of concurrent E2B sandboxes (1). If you need more, "
        "please visit 'https://e2b.dev/docs/billing'",
    )
    assert response.headers["should-retry"] == "false"


async def test_one_idempotency_key_makes_one_sandbox(client: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "key-1"}
    body = {"templateID": "base", "metadata": {"a": "b"}}
    first = await client.post(V2, json=body, headers=headers)
    second = await client.post(V2, json=body, headers=headers)
    assert seen(first) == seen(second)
    assert len((await client.get(V2)).json()) == 1
    other = await client.post(V2, json={"templateID": "base"}, headers=headers)
    assert (other.status_code, other.json()["error_code"]) == (422, "idempotency_request_mismatch")


async def test_only_successes_are_remembered(client: httpx.AsyncClient, world: World) -> None:
    headers = {"Idempotency-Key": "key-2"}
    world.team.concurrent_sandboxes = 0
    assert (await client.post(V2, json={"templateID": "base"}, headers=headers)).status_code == 429
    world.team.concurrent_sandboxes = 1
    assert (await client.post(V2, json={"templateID": "base"}, headers=headers)).status_code == 201


# -- look --------------------------------------------------------------------------------------


async def test_detail_of_a_running_sandbox(client: httpx.AsyncClient) -> None:
    created = await create(client, metadata={"k": "v"})
    shown = await detail(client, created["sandboxID"])
    assert shown == {
        "templateID": created["templateID"],
        "alias": "base",
        "sandboxID": created["sandboxID"],
        "clientID": "6532622b",
        "startedAt": "2026-08-17T20:53:20Z",
        "endAt": "2026-08-17T20:58:20Z",
        "cpuCount": 2,
        "memoryMB": 512,
        "diskSizeMB": 1024,
        "metadata": {"k": "v"},
        "state": "running",
        "envdVersion": "0.6.13",
        "volumeMounts": [],
        "envdAccessToken": created["envdAccessToken"],
        "lifecycle": {"autoResume": False, "onTimeout": "kill"},
    }


async def test_detail_of_a_paused_sandbox(client: httpx.AsyncClient, world: World) -> None:
    created = await create(client, autoPause=True, autoResume={"enabled": True})
    path = f"{V1}/{created['sandboxID']}"
    world.clock.move_to(world.clock.now_ns() + 1_123_456_789)
    assert (await client.post(f"{path}/pause")).status_code == 204
    shown = await detail(client, created["sandboxID"])
    assert shown["state"] == "paused"
    assert shown["endAt"] == "2026-08-17T20:53:21.123456Z"
    assert shown["metadata"] == {}
    assert shown["lifecycle"] == {"autoResume": True, "onTimeout": "pause"}
    assert shown["pauseMode"] == "full"
    assert shown["envdAccessToken"] == created["envdAccessToken"]
    assert "volumeMounts" not in shown
    [listed] = (await client.get(V2)).json()
    assert listed["volumeMounts"] == []
    assert "lifecycle" not in listed


async def test_not_found_quotes_the_id_as_given_in_detail_only(client: httpx.AsyncClient) -> None:
    composite = f"{UNKNOWN}-6532622b"
    assert seen(await client.get(f"{V1}/{composite}")) == not_found(composite)
    assert seen(await client.delete(f"{V1}/{composite}")) == not_found(UNKNOWN)


@pytest.mark.parametrize("sandbox_id", ["I0", "a-b-c", "a_b", "-a"])
async def test_ids_that_are_none(client: httpx.AsyncClient, sandbox_id: str) -> None:
    expected = refusal(400, "Invalid sandbox ID")
    assert seen(await client.get(f"{V1}/{sandbox_id}")) == expected
    assert seen(await client.get(f"{V1}/{sandbox_id}/metrics")) == expected
    assert seen(await client.get(f"{V2}/{sandbox_id}/logs")) == expected
    response = await client.post(f"{V1}/{sandbox_id}/timeout", json={"timeout": 1})
    assert seen(response) == expected


async def test_composite_ids_work_everywhere(client: httpx.AsyncClient) -> None:
    created = await create(client)
    path = f"{V1}/{created['sandboxID']}-anything"
    assert (await client.get(path)).json()["sandboxID"] == created["sandboxID"]
    assert (await client.delete(path)).status_code == 204
    assert seen(await client.delete(path)) == not_found(created["sandboxID"])


async def test_network_is_shown_as_it_was_given(client: httpx.AsyncClient) -> None:
    network = {
        "allowOut": ["8.8.8.8", "example.com"],
        "denyOut": ["0.0.0.0/0"],
        "rules": {"API.example.com": [{"transform": {"headers": {"A": "${e2b.secrets.k}"}}}]},
        "egressProxy": {"address": "Proxy.Example.com:1080", "username": "u", "password": "p"},
        "httpsPorts": [8443],
    }
    created = await create(client, network=network, allow_internet_access=False)
    shown = await detail(client, created["sandboxID"])
    assert shown["network"] == {
        "allowPublicTraffic": True,
        "allowOut": ["8.8.8.8", "example.com"],
        "denyOut": ["0.0.0.0/0"],
        "rules": {"api.example.com": [{"transform": {"headers": {"A": "${e2b.secrets.k}"}}}]},
        "egressProxy": {"address": "proxy.example.com:1080", "username": "u"},
        "httpsPorts": [8443],
    }
    assert shown["allowInternetAccess"] is False


async def test_an_empty_network_object_still_shows_the_default(client: httpx.AsyncClient) -> None:
    created = await create(client, network={"allowOut": [], "rules": {}})
    shown = await detail(client, created["sandboxID"])
    assert shown["network"] == {"allowPublicTraffic": True}


async def test_an_update_replaces_the_egress_half(client: httpx.AsyncClient) -> None:
    created = await create(client, network={"maskRequestHost": "a.test", "denyOut": ["1.1.1.1"]})
    path = f"{V1}/{created['sandboxID']}/network"
    body = {"allowOut": ["2.2.2.2"], "maskRequestHost": "ignored.test"}
    assert (await client.put(path, json=body)).status_code == 204
    shown = await detail(client, created["sandboxID"])
    assert shown["network"] == {
        "allowPublicTraffic": True, "maskRequestHost": "a.test", "allowOut": ["2.2.2.2"],
    }  # fmt: skip


async def test_lists_are_checked_before_and_rules_after_existence(
    client: httpx.AsyncClient,
) -> None:
    path = f"{V1}/{UNKNOWN}/network"
    response = await client.put(path, json={"denyOut": ["x"]})
    assert seen(response) == refusal(400, "invalid denied CIDR x")
    assert seen(await client.put(path, json={"rules": {"": []}})) == not_found(UNKNOWN)


# -- list --------------------------------------------------------------------------------------


async def test_pages_follow_each_other(client: httpx.AsyncClient, world: World) -> None:
    made = []
    for _ in range(5):
        made.append((await create(client))["sandboxID"])
        world.clock.move_to(world.clock.now_ns() + SECOND_NS)
    for order, expected in (("desc", made[::-1]), ("asc", made)):
        got: list[str] = []
        token = ""
        while True:
            query = {"limit": 2, "order": order, "nextToken": token}
            response = await client.get(V2, params=query)
            assert response.headers["x-total-running"] == "5"
            got += [each["sandboxID"] for each in response.json()]
            token = response.headers.get("x-next-token", "")
            if not token:
                break
        assert got == expected


async def test_a_token_of_the_other_direction_is_refused(client: httpx.AsyncClient) -> None:
    await create(client)
    await create(client)
    token = (await client.get(f"{V2}?limit=1")).headers["x-next-token"]
    response = await client.get(V2, params={"order": "asc", "nextToken": token})
    assert seen(response) == refusal(400, "Invalid next token")


async def test_filters(client: httpx.AsyncClient, world: World) -> None:
    first = await create(client, metadata={"k": "x=y"})
    world.clock.move_to(world.clock.now_ns() + SECOND_NS)
    second = await create(client, templateID="desktop")
    await client.post(f"{V1}/{second['sandboxID']}/pause")

    async def listed(query: str) -> list[str]:
        response = await client.get(f"{V2}?{query}")
        assert response.status_code == 200
        return [each["sandboxID"] for each in response.json()]

    assert await listed("metadata=k%3Dx%25253Dy") == [first["sandboxID"]]
    assert await listed("state=paused") == [second["sandboxID"]]
    assert await listed("state=running,paused") == [second["sandboxID"], first["sandboxID"]]
    assert await listed("startedAfter=2026-08-17T20:53:21Z") == [second["sandboxID"]]
    assert await listed("template=desktop") == [second["sandboxID"]]
    assert await listed("template=unknown") == []
    paused = await client.get(f"{V2}?state=paused")
    assert "x-total-running" not in paused.headers
    running = (await client.get(V1)).json()
    assert [each["sandboxID"] for each in running] == [first["sandboxID"]]


# -- state -------------------------------------------------------------------------------------


async def test_connect_says_whether_it_resumed(client: httpx.AsyncClient) -> None:
    created = await create(client)
    sandbox_id = created["sandboxID"]
    for path, body in ((f"{V1}/{sandbox_id}", {"timeout": 10}), (f"{V2}/{sandbox_id}", {})):
        running = await client.post(f"{path}/connect", json=body)
        assert seen(running) == (200, created)
        await client.post(f"{V1}/{sandbox_id}/pause", json={})
        paused = await client.post(f"{path}/connect", json=body)
        assert seen(paused) == (201, created)


async def test_the_first_generations_connect_needs_a_timeout(client: httpx.AsyncClient) -> None:
    response = await client.post(f"{V1}/{UNKNOWN}/connect", json={})
    assert response.status_code == 400
    assert 'property "timeout" is missing' in response.json()["message"]


async def test_connect_checks_the_time_first(client: httpx.AsyncClient) -> None:
    response = await client.post(f"{V1}/{UNKNOWN}/connect", json={"timeout": 72 * 3600})
    assert seen(response) == refusal(400, "Timeout cannot be greater than 24 hours")
    response = await client.post(f"{V2}/{UNKNOWN}/connect", json={})
    assert seen(response) == not_found(UNKNOWN)


async def test_conflicts_have_their_texts(client: httpx.AsyncClient) -> None:
    sandbox_id = (await create(client))["sandboxID"]
    path = f"{V1}/{sandbox_id}"
    assert seen(await client.post(f"{path}/resume")) == refusal(
        409, f"Sandbox {sandbox_id} is already running"
    )
    assert (await client.post(f"{path}/pause")).status_code == 204
    assert seen(await client.post(f"{path}/pause")) == refusal(
        409, f"Error pausing sandbox - sandbox '{sandbox_id}' is already paused"
    )
    for operation, body in (("timeout", {"timeout": 9}), ("refreshes", {"duration": 9})):
        response = await client.post(f"{path}/{operation}", json=body)
        assert seen(response) == not_found(sandbox_id)
    resumed = await client.post(f"{path}/resume", json={"timeout": 30})
    assert resumed.status_code == 201


async def test_timeout_without_a_body_ends_the_sandbox(
    client: httpx.AsyncClient, world: World
) -> None:
    sandbox_id = (await create(client))["sandboxID"]
    path = f"{V1}/{sandbox_id}/timeout"
    typed = await client.post(path, headers={"content-type": "application/json"})
    assert seen(typed) == refusal(
        400, "Error when parsing request: error when parsing request: EOF"
    )
    assert (await client.post(path)).status_code == 204
    await world.backend.sandboxes.run_due()
    assert seen(await client.get(f"{V1}/{sandbox_id}")) == not_found(sandbox_id)


async def test_refreshes_only_extend(client: httpx.AsyncClient, world: World) -> None:
    created = await create(client, timeout=20)
    path = f"{V1}/{created['sandboxID']}/refreshes"
    assert (await client.post(path)).status_code == 204
    assert lifetime(created, world) == 20
    assert (await client.post(path, json={"duration": 60})).status_code == 204
    assert lifetime(created, world) == 60
    response = await client.post(path, json={"duration": 3601})
    assert "number must be at most 3600" in response.json()["message"]


# -- metrics and logs --------------------------------------------------------------------------


async def test_metrics_are_points_in_buckets(client: httpx.AsyncClient, world: World) -> None:
    sandbox_id = (await create(client))["sandboxID"]
    world.clock.move_to(world.clock.now_ns() + 2 * SECOND_NS)
    [point] = (await client.get(f"{V1}/{sandbox_id}/metrics")).json()
    assert point == {
        "timestamp": "2026-08-17T20:53:20Z",
        "timestampUnix": 1_787_000_000,
        "cpuCount": 2,
        "cpuUsedPct": 1.5,
        "memUsed": 100,
        "memTotal": 512,
        "memCache": 10,
        "diskUsed": 50,
        "diskTotal": 1000,
    }
    await client.delete(f"{V1}/{sandbox_id}")
    assert len((await client.get(f"{V1}/{sandbox_id}/metrics")).json()) == 1
    many = await client.get(f"{V1}/metrics?sandbox_ids={sandbox_id},{UNKNOWN}")
    assert list(many.json()["sandboxes"]) == [sandbox_id]


async def test_metrics_of_nothing_are_empty(client: httpx.AsyncClient) -> None:
    path = f"{V1}/{UNKNOWN}/metrics"
    assert seen(await client.get(path)) == (200, [])
    refused = refusal(400, "Invalid time range for metrics")
    assert seen(await client.get(f"{path}?start=10&end=5")) == refused
    assert seen(await client.get(f"{path}?start=10")) == refused


async def test_logs_tell_what_happened(client: httpx.AsyncClient, world: World) -> None:
    sandbox_id = (await create(client))["sandboxID"]
    world.clock.move_to(world.clock.now_ns() + SECOND_NS)
    await client.post(f"{V1}/{sandbox_id}/pause")
    newest_first = (await client.get(f"{V2}/{sandbox_id}/logs")).json()["logs"]
    assert [each["message"] for each in newest_first] == ["Sandbox paused", "Sandbox created"]
    assert newest_first[0]["level"] == "info"
    forward = (await client.get(f"{V2}/{sandbox_id}/logs?direction=forward&limit=1")).json()
    assert [each["message"] for each in forward["logs"]] == ["Sandbox created"]
    assert (await client.get(f"{V2}/{sandbox_id}/logs?level=warn")).json() == {"logs": []}
    found = (await client.get(f"{V2}/{sandbox_id}/logs?search=paused")).json()["logs"]
    assert len(found) == 1
    first = (await client.get(f"{V1}/{sandbox_id}/logs")).json()
    assert [each["message"] for each in first["logEntries"]] == [
        "Sandbox created", "Sandbox paused",
    ]  # fmt: skip
    assert '"level":"info"' in first["logs"][0]["line"]


async def test_logs_of_nothing_are_empty(client: httpx.AsyncClient) -> None:
    assert seen(await client.get(f"{V2}/{UNKNOWN}/logs")) == (200, {"logs": []})
    expected = (200, {"logs": [], "logEntries": []})
    assert seen(await client.get(f"{V1}/{UNKNOWN}/logs")) == expected
