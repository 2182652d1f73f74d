"""Routing, credentials and validation of control-plane requests: exact statuses and bodies."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from fake_e2b.domain.errors import UsageError
from tests.helpers.memory import KEY, World

JSON = "application/json; charset=utf-8"
KEY_TEXT = "Invalid API key, please visit https://e2b.dev/docs/api-key for more information."
REQUEST = "validation error: error in openapi3filter.RequestError: "
BODY = f"{REQUEST}request body has an error: "
V2 = "/v2/sandboxes"


def refusal(status: int, message: str, **more: str) -> tuple[int, Any]:
    return status, {"code": status, "message": message, **more}


def seen(response: httpx.Response) -> tuple[int, Any]:
    return response.status_code, response.json()


# -- credentials -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, refusal(401, "authorization header is missing")),
        ({"X-API-Key": ""}, refusal(401, "authorization header is missing")),
        ({"X-API-Key": "abc"}, refusal(401, "authorization header is malformed")),
        ({"X-API-Key": "e2b_xyz"}, refusal(401, f"{KEY_TEXT}\nInvalid API key format")),
        ({"X-API-Key": "e2b_abc"}, refusal(401, f"{KEY_TEXT}\nInvalid API key format")),
        (
            {"X-API-Key": "e2b_" + "1" * 40},
            refusal(401, f"{KEY_TEXT}\nCannot get the team for the given API key"),
        ),
        (
            {"Authorization": "Bearer sk_e2b_" + "1" * 40},
            refusal(401, "Invalid auth provider token.\nBackend authentication failed"),
        ),
        ({"X-Admin-Token": "x"}, refusal(401, "Invalid Access token.\nInvalid Access token.")),
        ({"X-Supabase-Token": "x"}, refusal(401, "authorization header is missing")),
        ({"X-Team-ID": "x"}, refusal(401, "authorization header is missing")),
        (
            {"X-API-Key": "abc", "Authorization": "Bearer x"},
            refusal(401, "authorization header is malformed"),
        ),
    ],
)
async def test_credentials_are_refused(
    anonymous: httpx.AsyncClient, headers: dict[str, str], expected: tuple[int, Any]
) -> None:
    # The body is wrong as well: credentials come first.
    response = await anonymous.post(V2, json=[], headers=headers)
    assert seen(response) == expected
    assert response.headers["content-type"] == JSON


async def test_a_key_works_under_any_spelling_of_the_header(anonymous: httpx.AsyncClient) -> None:
    assert (await anonymous.get(V2, headers={"X-API-KEY": KEY})).status_code == 200


async def test_a_banned_team_is_refused_everywhere(client: httpx.AsyncClient, world: World) -> None:
    world.team.banned = True
    assert seen(await client.get(V2)) == refusal(403, "team is banned")


async def test_a_blocked_team_reads_and_deletes(client: httpx.AsyncClient, world: World) -> None:
    created = (await client.post(V2, json={"templateID": "base"})).json()
    world.team.blocked = True
    assert (await client.get(V2)).status_code == 200
    path = f"/sandboxes/{created['sandboxID']}"
    assert seen(await client.post(f"{path}/pause")) == refusal(403, "team is blocked")
    world.team.blocked_reason = "unpaid"
    assert seen(await client.post(f"{path}/pause")) == refusal(403, "team is blocked: unpaid")
    assert (await client.delete(path)).status_code == 204


async def test_keys_can_be_added_and_revoked(client: httpx.AsyncClient, world: World) -> None:
    other = world.backend.teams.add_key(world.team)
    assert (await client.get(V2, headers={"X-API-Key": other})).status_code == 200
    (made,) = [each for each in world.backend.teams.keys_of(world.team) if each.key == other]
    world.backend.teams.drop_key(made)
    assert (await client.get(V2, headers={"X-API-Key": other})).status_code == 401
    with pytest.raises(UsageError):
        world.backend.teams.add_key(world.team, "nonsense")


# -- routing -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "message"),
    [
        ("GET", "/nowhere", "validation error: no matching operation was found"),
        ("GET", "/v2", "validation error: no matching operation was found"),
        ("GET", "/sandboxes/a%2Fb/c", "validation error: no matching operation was found"),
        ("PATCH", "/v2/sandboxes", "validation error: method not allowed"),
        ("OPTIONS", "/v2/sandboxes", "validation error: method not allowed"),
        (
            "GET",
            "/instances/x",
            "validation error: Endpoints are deprecated, please update your SDK to use the new "
            "endpoints.",
        ),
    ],
)
async def test_what_is_not_there(
    anonymous: httpx.AsyncClient, method: str, path: str, message: str
) -> None:
    assert seen(await anonymous.request(method, path)) == refusal(404, message)


async def test_old_command_lines_are_told_to_update(client: httpx.AsyncClient) -> None:
    old = refusal(
        400, "validation error: Endpoint deprecated please update your CLI to the latest version"
    )
    for path in ("/templates", "/templates/mine", "/templates/tags"):
        assert seen(await client.post(path, files={"buildContext": b"tar"})) == old
    unexpected = await client.post("/v3/templates", files={"buildContext": b"tar"})
    assert unexpected.status_code == 400
    assert "header Content-Type has unexpected value" in unexpected.json()["message"]


async def test_head_is_no_get(anonymous: httpx.AsyncClient) -> None:
    assert (await anonymous.head("/health")).status_code == 404


async def test_a_trailing_slash_is_redirected_without_credentials(
    anonymous: httpx.AsyncClient,
) -> None:
    response = await anonymous.get("/v2/sandboxes/?limit=1")
    assert response.status_code == 301
    assert response.headers["location"] == "/v2/sandboxes?limit=1"
    assert (await anonymous.post("/sandboxes/")).status_code == 307


async def test_health_needs_no_credentials(anonymous: httpx.AsyncClient) -> None:
    response = await anonymous.get("/health")
    assert (response.status_code, response.text) == (200, "Health check successful")
    assert response.headers["content-type"].startswith("text/plain")


async def test_an_encoded_slash_stays_in_its_segment(client: httpx.AsyncClient) -> None:
    response = await client.get("/sandboxes/a%2Fb")
    assert seen(response) == refusal(400, "Invalid sandbox ID")


async def test_browsers_may_ask_from_anywhere(anonymous: httpx.AsyncClient) -> None:
    response = await anonymous.options(
        V2, headers={"Origin": "https://x.test", "Access-Control-Request-Method": "POST"}
    )
    assert response.status_code == 204
    assert response.headers["access-control-allow-origin"] == "*"
    assert "X-API-Key" in response.headers["access-control-allow-headers"]
    response = await anonymous.get(V2, headers={"Origin": "https://x.test"})
    assert response.status_code == 401
    assert response.headers["access-control-allow-origin"] == "*"
    assert "X-Next-Token" in response.headers["access-control-expose-headers"]


async def test_what_is_not_built_is_named(client: httpx.AsyncClient) -> None:
    reserved = (await client.post("/v3/templates", json={"name": "x"})).json()
    path = f"/templates/{reserved['templateID']}/files/{'0' * 64}"  # nothing builds here
    response = await client.get(path)
    assert response.status_code == 501
    assert response.headers["x-fake-e2b-gap"] == "createTemplate"
    body = response.json()
    assert body["code"] == 501
    assert "createTemplate" in body["message"]
    assert body["error_code"] == "fake_e2b_gap"
    del client.headers["X-API-Key"]
    assert (await client.get(path)).status_code == 401


async def test_volumes_contents_are_a_gap_for_any_token(anonymous: httpx.AsyncClient) -> None:
    response = await anonymous.get(
        "/volumecontent/v/file?path=/a", headers={"Authorization": "Bearer volume"}
    )
    assert response.headers["x-fake-e2b-gap"] == "readVolumeFile"


async def test_operations_of_users_ask_for_a_users_credentials(client: httpx.AsyncClient) -> None:
    assert seen(await client.get("/teams")) == refusal(401, "authorization header is missing")
    response = await client.get("/teams", headers={"Authorization": "Bearer sk_e2b_00"})
    assert response.status_code == 401


# -- bodies ------------------------------------------------------------------------------------


def mismatch(reason: str) -> str:
    return f"{BODY}doesn't match schema #/components/schemas/NewSandboxV2: {reason}"


INT32 = "value should be between -2147483648 and 2147483647"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, mismatch('Error at "/templateID": property "templateID" is missing')),
        ({"templateID": 1}, mismatch('Error at "/templateID": value must be a string')),
        ({"templateID": None}, mismatch('Error at "/templateID": Value is not nullable')),
        (
            {"templateID": "base", "timeout": "5"},
            mismatch('Error at "/timeout": value must be an integer'),
        ),
        (
            {"templateID": "base", "timeout": True},
            mismatch('Error at "/timeout": value must be an integer'),
        ),
        (
            {"templateID": "base", "timeout": 1.5},
            mismatch('Error at "/timeout": value must be an integer'),
        ),
        (
            {"templateID": "base", "timeout": -1},
            mismatch('Error at "/timeout": number must be at least 0'),
        ),
        (
            {"templateID": "base", "timeout": 2**31},
            mismatch(f'Error at "/timeout": integer doesn\'t match the format "int32": {INT32}'),
        ),
        (
            {"templateID": "base", "autoPause": "yes"},
            mismatch('Error at "/autoPause": value must be a boolean'),
        ),
        (
            {"templateID": "base", "metadata": {"a": 1}},
            mismatch('Error at "/metadata/a": value must be a string'),
        ),
        (
            {"templateID": "base", "metadata": None},
            mismatch('Error at "/metadata": Value is not nullable'),
        ),
        (
            {"templateID": "base", "network": {"allowOut": None}},
            mismatch('Error at "/network/allowOut": Value is not nullable'),
        ),
        (
            {"templateID": "base", "network": {"denyOut": ["1.1.1.1", 2]}},
            mismatch('Error at "/network/denyOut/1": value must be a string'),
        ),
        (
            {
                "templateID": "base",
                "network": {"egressProxy": {"address": "a:1", "username": "x" * 256}},
            },
            mismatch('Error at "/network/egressProxy/username": maximum string length is 255'),
        ),
        # The first by name is reported, and what is missing after all that.
        (
            {"timeout": -1, "autoPause": 1},
            mismatch('Error at "/autoPause": value must be a boolean'),
        ),
    ],
)
async def test_bodies_that_do_not_fit(client: httpx.AsyncClient, body: Any, message: str) -> None:
    assert seen(await client.post(V2, json=body)) == refusal(400, message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", f"{BODY}value is required but missing"),
        (
            b"{'a'",
            f"{BODY}failed to decode request body: invalid character '\\'' looking for "
            "beginning of object key string",
        ),
        (b'{"a":1', f"{BODY}failed to decode request body: unexpected EOF"),
        (b" ", f"{BODY}failed to decode request body: EOF"),
        (
            b'{"a":NaN}',
            f"{BODY}failed to decode request body: invalid character 'N' looking for beginning "
            "of value",
        ),
        (b"null", mismatch("Value is not nullable")),
    ],
)
async def test_bodies_that_are_no_json(
    client: httpx.AsyncClient, content: bytes, message: str
) -> None:
    response = await client.post(V2, content=content, headers={"content-type": "application/json"})
    assert seen(response) == refusal(400, message)


async def test_another_content_type_is_refused(client: httpx.AsyncClient) -> None:
    response = await client.post(V2, content=b"{}", headers={"content-type": "text/plain"})
    message = f'{BODY}header Content-Type has unexpected value "text/plain"'
    assert seen(response) == refusal(400, message)


async def test_parameters_of_the_content_type_do_not_matter(client: httpx.AsyncClient) -> None:
    response = await client.post(
        V2,
        content=b'{"templateID":"base","unknown":[1]} trailing',
        headers={"content-type": "application/json; charset=utf-8"},
    )
    assert response.status_code == 201


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (b"[]", "json: cannot unmarshal array into Go value of type api.NewSandboxV2"),
        (b'"x"', "json: cannot unmarshal string into Go value of type api.NewSandboxV2"),
        (
            b'{"templateID":"base","timeout":15.0}',
            "json: cannot unmarshal number 15.0 into Go struct field NewSandboxV2.timeout of "
            "type int32",
        ),
    ],
)
async def test_what_passes_the_checks_and_cannot_be_read(
    client: httpx.AsyncClient, content: bytes, detail: str
) -> None:
    response = await client.post(V2, content=content, headers={"content-type": "application/json"})
    message = f"Error when parsing request: error when parsing request: {detail}"
    assert seen(response) == refusal(400, message)
    assert response.headers["content-type"] == "text/plain; charset=utf-8"


async def test_null_means_the_default_where_there_is_one(client: httpx.AsyncClient) -> None:
    body = {
        "templateID": "base", "timeout": None, "autoPause": None, "mcp": None,
        "network": {"allowPublicTraffic": None, "egressProxy": None},
    }  # fmt: skip
    created = await client.post(V2, json=body)
    assert created.status_code == 201
    detail = (await client.get(f"/sandboxes/{created.json()['sandboxID']}")).json()
    assert detail["network"] == {"allowPublicTraffic": True}


async def test_a_huge_body_is_refused(client: httpx.AsyncClient) -> None:
    response = await client.post(V2, content=b" " * (16 * 2**20 + 1))
    assert response.status_code == 413
    assert response.json()["code"] == 413


async def test_messages_are_escaped_as_the_service_does(client: httpx.AsyncClient) -> None:
    response = await client.post(V2, json={"templateID": "<a&b>"})
    assert b"\\u003ca\\u0026b\\u003e" in response.content
    message = "Invalid template reference: invalid template ID: <a&b>"
    assert seen(response) == refusal(400, message)


# -- queries -----------------------------------------------------------------------------------


def parameter(name: str, reason: str) -> str:
    return f'{REQUEST}parameter "{name}" in query has an error: {reason}'


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=0", parameter("limit", "number must be at least 1")),
        ("limit=101", parameter("limit", "number must be at most 100")),
        ("limit=abc", parameter("limit", "value abc: an invalid integer: invalid syntax")),
        (
            "state=foo",
            parameter(
                "state",
                'Error at "/0": value is not one of the allowed values ["running","paused"]',
            ),
        ),
        ("state=", parameter("state", "empty value is not allowed")),
        (
            "order=up",
            parameter("order", 'value is not one of the allowed values ["asc","desc"]'),
        ),
        (
            "state=running&state=paused",
            "validation error: Invalid format for parameter state: parameter 'state' is not "
            "exploded, but is specified multiple times",
        ),
        ("nextToken=%21", "Invalid next token"),
        ("nextToken=YWJj", "Invalid next token"),
        ("metadata=", "Error parsing metadata"),
        ("metadata=a", "Error parsing metadata"),
        ("metadata=a%3Db%3Dc", "Error parsing metadata"),
        ("metadata=a%3D%2525zz", "Error parsing metadata"),
        ("template=a%20b", "Invalid template: invalid template ID: a b"),
        (
            "template=base%3Av1",
            "Invalid template: tags are not supported here because sandboxes are not tag-scoped",
        ),
    ],
)
async def test_queries_that_do_not_fit(client: httpx.AsyncClient, query: str, message: str) -> None:
    assert seen(await client.get(f"{V2}?{query}")) == refusal(400, message)


async def test_a_date_without_time_is_refused(client: httpx.AsyncClient) -> None:
    message = (await client.get(f"{V2}?startedAfter=2026-01-01")).json()["message"]
    start = parameter(
        "startedAfter",
        "string doesn't match the format \"date-time\": string doesn't match pattern ",
    )
    assert message.startswith(start)


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", "value is required but missing"),
        ("?sandbox_ids=", "empty value is not allowed"),
        ("?sandbox_ids=a,a", "duplicate items found"),
        ("?sandbox_ids=" + ",".join(map(str, range(101))), "maximum number of items is 100"),
    ],
)
async def test_many_metrics_ask_for_ids(client: httpx.AsyncClient, query: str, reason: str) -> None:
    response = await client.get(f"/sandboxes/metrics{query}")
    assert seen(response) == refusal(400, parameter("sandbox_ids", reason))


async def test_the_first_generations_metadata_error_says_more(client: httpx.AsyncClient) -> None:
    message = "Error parsing metadata: error parsing metadata: invalid key value pair in query"
    assert seen(await client.get("/sandboxes?metadata=a")) == refusal(400, message)
