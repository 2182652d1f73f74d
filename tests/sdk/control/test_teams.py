"""Teams, keys and tokens: what users and administrators do, seen by the SDK and on the wire."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from uuid import UUID

import httpx
import pytest
from e2b import Sandbox, Template
from e2b.exceptions import AuthenticationException

from fake_e2b import FakeE2B
from tests.helpers.waiting import wait_until

TOKEN_TEXT = "Invalid Access token, try to login again by running `e2b auth login`."
BAD_BEARER = (401, "Invalid auth provider token.\nBackend authentication failed")
BAD_BEARER_TEAM = (401, "Invalid auth provider token teamID.\nBackend authentication failed")
MISSING = (401, "authorization header is missing")
NOBODY = "00000000-0000-4000-8000-000000000000"
REQUEST = "validation error: error in openapi3filter.RequestError: request body has an error: "


@pytest.fixture
def connect(fake: FakeE2B) -> Iterator[Callable[..., httpx.Client]]:
    """A client of the API with the headers that are given."""
    opened: list[httpx.Client] = []

    def connect(**headers: str) -> httpx.Client:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        opened.append(httpx.Client(base_url=fake.url, headers=named))
        return opened[-1]

    yield connect
    for client in opened:
        client.close()


@pytest.fixture
def user(fake: FakeE2B, connect: Callable[..., httpx.Client]) -> httpx.Client:
    return connect(Authorization=f"Bearer {fake.user_token}", X_Team_ID=fake.team_id)


@pytest.fixture
def admin(fake: FakeE2B, connect: Callable[..., httpx.Client]) -> httpx.Client:
    return connect(X_Admin_Token=fake.admin_token)


def refusal(answer: httpx.Response) -> tuple[int, str]:
    assert answer.json()["code"] == answer.status_code
    return answer.status_code, answer.json()["message"]


def works(key: str) -> bool:
    try:
        Sandbox.list(api_key=key).next_items()
    except AuthenticationException as error:
        if "Cannot get the team for the given API key" not in str(error):
            raise
        return False
    return True


def test_a_list_of_teams_makes_a_key_of_each(
    fake: FakeE2B, connect: Callable[..., httpx.Client], user: httpx.Client
) -> None:
    by_token = connect(Authorization=f"Bearer {fake.access_token}")
    for client in (by_token, user):
        [mine] = client.get("/teams").json()
        assert mine.items() >= {"teamID": fake.team_id, "name": "fake", "isDefault": True}.items()
        assert works(mine["apiKey"])
    minted = [each for each in user.get("/api-keys").json() if each["name"] != "Default"]
    assert [each["name"] for each in minted] == ["CLI login/configure"] * 2


def test_a_new_key_works_until_it_is_deleted(user: httpx.Client) -> None:
    created = user.post("/api-keys", json={"name": "ci"})
    assert created.status_code == 201
    made = created.json()
    assert made["name"] == "ci"
    assert made["mask"] == {
        "prefix": "e2b_",
        "valueLength": 40,
        "maskedValuePrefix": made["key"][4:6],
        "maskedValueSuffix": made["key"][-4:],
    }
    assert made["lastUsed"] is None
    assert made["createdBy"]["email"] is None
    assert str(UUID(made["createdBy"]["id"])) == made["createdBy"]["id"]
    assert works(made["key"])
    assert user.delete(f"/api-keys/{made['id']}").status_code == 204
    assert not works(made["key"])
    gone = user.delete(f"/api-keys/{made['id']}")
    assert (gone.status_code, gone.text) == (404, "id not found")
    assert gone.headers["content-type"] == "text/plain; charset=utf-8"


def test_keys_are_listed_without_what_is_secret(fake: FakeE2B, user: httpx.Client) -> None:
    made = user.post("/api-keys", json={"name": "ci"}).json()
    first, second = user.get("/api-keys").json()
    assert first["name"] == "Default"
    assert first["createdBy"] is None
    assert second == {name: value for name, value in made.items() if name != "key"}
    fake.clock.advance(seconds=60)
    assert works(made["key"])
    assert user.get("/api-keys").json()[1]["lastUsed"] > made["createdAt"]


def test_a_key_is_renamed(user: httpx.Client) -> None:
    made = user.post("/api-keys", json={"name": "ci"}).json()
    answer = user.patch(f"/api-keys/{made['id']}", json={"name": "nightly"})
    assert (answer.status_code, answer.content) == (202, b"")
    assert user.get("/api-keys").json()[1]["name"] == "nightly"
    unknown = user.patch(f"/api-keys/{NOBODY}", json={"name": "x"})
    assert (unknown.status_code, unknown.text) == (404, "id not found")


def test_what_is_no_id_and_no_name_is_refused(user: httpx.Client) -> None:
    assert refusal(user.delete("/api-keys/abc")) == (
        400,
        "Error when parsing API key ID: invalid UUID length: 3",
    )
    assert refusal(user.delete("/api-keys/" + "z" * 36)) == (
        400,
        "Error when parsing API key ID: invalid UUID format",
    )
    missing = 'Error at "/name": property "name" is missing'
    for method, path, schema in (
        ("POST", "/api-keys", "NewTeamAPIKey"),
        ("PATCH", f"/api-keys/{NOBODY}", "UpdateTeamAPIKey"),
        ("POST", "/access-tokens", "NewAccessToken"),
    ):
        assert refusal(user.request(method, path, json={})) == (
            400,
            f"{REQUEST}doesn't match schema #/components/schemas/{schema}: {missing}",
        )


def test_a_key_cannot_manage_keys(
    fake: FakeE2B, connect: Callable[..., httpx.Client], admin: httpx.Client
) -> None:
    by_key = connect(X_API_Key=fake.api_key)
    for method, path in (("GET", "/teams"), ("GET", "/api-keys"), ("POST", "/access-tokens")):
        assert refusal(by_key.request(method, path)) == MISSING
    by_admin = connect(X_Admin_Token=fake.admin_token, X_Team_ID=fake.team_id)
    assert by_admin.get("/api-keys").status_code == 200
    assert refusal(by_admin.post("/api-keys", json={"name": "x"})) == MISSING
    assert refusal(admin.get("/api-keys")) == MISSING  # for which team?


def test_users_and_administrators_act_for_teams(
    fake: FakeE2B, connect: Callable[..., httpx.Client], user: httpx.Client
) -> None:
    sandbox = Sandbox.create("base")
    by_admin = connect(X_Admin_Token=fake.admin_token, X_Team_ID=fake.team_id)
    for client in (user, by_admin):
        [listed] = client.get("/v2/sandboxes").json()
        assert listed["sandboxID"] == sandbox.sandbox_id


def test_wrong_tokens_and_teams_are_refused(
    fake: FakeE2B, connect: Callable[..., httpx.Client]
) -> None:
    good, access = f"Bearer {fake.user_token}", f"Bearer {fake.access_token}"

    def asked(path: str, **headers: str) -> tuple[int, str]:
        return refusal(connect(**headers).get(path))

    assert asked("/v2/sandboxes", Authorization=access, X_Team_ID=fake.team_id) == BAD_BEARER
    assert asked("/api-keys", Authorization=good + "x", X_Team_ID=fake.team_id) == BAD_BEARER
    assert asked("/api-keys", Authorization=good, X_Team_ID=NOBODY) == BAD_BEARER_TEAM
    assert asked("/api-keys", Authorization=good, X_Team_ID="abc") == BAD_BEARER_TEAM
    assert asked("/teams", Authorization="Bearer sk_e2b_xy") == (
        401,
        f"{TOKEN_TEXT}\nInvalid access token format",
    )
    assert asked("/teams", Authorization="Bearer sk_e2b_00") == (
        401,
        f"{TOKEN_TEXT}\nCannot get the user for the given access token",
    )
    assert asked("/teams", Authorization="Bearer x") == (401, "authorization header is malformed")
    token = fake.admin_token
    assert asked("/v2/sandboxes", X_Admin_Token=token, X_Team_ID="abc") == (
        400,
        "Invalid admin token teamID.\nInvalid team ID",
    )
    assert asked("/v2/sandboxes", X_Admin_Token=token, X_Team_ID=NOBODY) == (
        404,
        "Invalid admin token teamID.\nTeam not found",
    )
    assert asked("/admin/sandboxes/running-counts", X_Admin_Token=token + "x") == (
        401,
        "Invalid Access token.\nInvalid Access token.",
    )
    assert asked("/admin/sandboxes/running-counts", X_API_Key=fake.api_key) == MISSING


def test_an_access_token_works_until_it_is_deleted(
    user: httpx.Client, connect: Callable[..., httpx.Client]
) -> None:
    created = user.post("/access-tokens", json={"name": "laptop"})
    assert created.status_code == 201
    made = created.json()
    assert made["token"].startswith("sk_e2b_")
    assert made["mask"]["prefix"] == "sk_e2b_"
    assert made["mask"]["valueLength"] == 40
    by_token = connect(Authorization=f"Bearer {made['token']}")
    assert by_token.get("/teams").status_code == 200
    assert refusal(by_token.post("/access-tokens", json={"name": "x"})) == BAD_BEARER
    assert user.delete(f"/access-tokens/{made['id']}").status_code == 204
    assert by_token.get("/teams").status_code == 401
    gone = user.delete(f"/access-tokens/{made['id']}")
    assert (gone.status_code, gone.text) == (404, "id not found")
    assert user.delete("/access-tokens/abc").status_code == 400


def test_access_tokens_can_be_switched_off() -> None:
    hint = "See https://e2b.dev/docs/migration/access-token-deprecation"
    with FakeE2B(runtime="local", access_tokens=False) as fake:
        user = {"Authorization": f"Bearer {fake.user_token}"}
        with httpx.Client(base_url=fake.url) as client:
            for token in (fake.access_token, "sk_e2b_00", "sk_e2b_xyz"):
                bearer = {"Authorization": f"Bearer {token}"}
                assert refusal(client.get("/teams", headers=bearer)) == (
                    401,
                    f"{TOKEN_TEXT}\nE2B_ACCESS_TOKEN is deprecated and no longer accepted. "
                    f"Use an API key (E2B_API_KEY) instead. {hint}",
                )
            made = client.post("/access-tokens", json={"name": "laptop"}, headers=user)
            assert refusal(made) == (
                410,
                "Creating new access tokens is disabled. E2B_ACCESS_TOKEN is deprecated; use an "
                f"API key (E2B_API_KEY) instead. {hint}",
            )
            assert client.delete(f"/access-tokens/{NOBODY}", headers=user).status_code == 404
            assert client.get("/teams", headers=user).status_code == 200


def test_other_languages_read_the_tokens(
    fake: FakeE2B, connect: Callable[..., httpx.Client]
) -> None:
    assert connect().get("/_fake/credentials").json() == {
        "teamID": fake.team_id,
        "apiKey": fake.api_key,
        "accessToken": fake.access_token,
        "userToken": fake.user_token,
        "adminToken": fake.admin_token,
        "teams": [{"teamID": fake.team_id, "name": "fake"}],
    }


def test_a_reset_brings_the_first_keys_back(fake: FakeE2B, user: httpx.Client) -> None:
    made = user.post("/api-keys", json={"name": "ci"}).json()
    [first, _] = user.get("/api-keys").json()
    assert user.delete(f"/api-keys/{first['id']}").status_code == 204
    assert not works(fake.api_key)
    fake.reset()
    assert works(fake.api_key)
    assert not works(made["key"])


def test_an_administrator_makes_and_deletes_keys(fake: FakeE2B, admin: httpx.Client) -> None:
    path = f"/admin/teams/{fake.team_id}/api-keys"
    created = admin.post(path, json={"name": "support"})
    assert created.status_code == 201
    made = created.json()
    assert made["createdBy"] is None
    assert works(made["key"])
    assert admin.delete(f"{path}/{made['id']}").status_code == 204
    assert not works(made["key"])
    assert refusal(admin.delete(f"{path}/{made['id']}")) == (404, "API key not found")
    of_nobody = f"/admin/teams/{NOBODY}/api-keys"
    assert refusal(admin.post(of_nobody, json={"name": "x"})) == (404, "Team not found")
    assert refusal(admin.delete(f"{of_nobody}/{NOBODY}")) == (404, "Team not found")
    assert refusal(admin.delete(f"{path}/abc")) == (
        400,
        "validation error: Invalid format for parameter apiKeyID: error unmarshaling 'abc' text "
        "as *uuid.UUID: invalid UUID length: 3",
    )


def test_an_administrator_kills_what_runs(fake: FakeE2B, admin: httpx.Client) -> None:
    kept = Sandbox.create("base")
    kept.pause()
    running = [Sandbox.create("base") for _ in range(2)]
    counts = admin.get("/admin/sandboxes/running-counts")
    assert counts.json() == {fake.team_id: 2}
    path = f"/admin/teams/{fake.team_id}/sandboxes/kill"
    assert admin.post(path).json() == {"killedCount": 2, "failedCount": 0}
    assert [each.is_running() for each in running] == [False, False]
    of_team = httpx.get(f"{fake.url}/events/sandboxes", headers={"X-API-Key": fake.api_key})
    told = of_team.json()[:2]
    assert [each["eventData"]["kill_reason"] for each in told] == ["admin"] * 2
    assert [each.sandbox_id for each in Sandbox.list().next_items()] == [kept.sandbox_id]
    assert admin.get("/admin/sandboxes/running-counts").json() == {}
    of_nobody = f"/admin/teams/{NOBODY}/sandboxes/kill"
    assert admin.post(of_nobody).json() == {"killedCount": 0, "failedCount": 0}
    assert admin.post("/admin/teams/abc/sandboxes/kill").status_code == 400


def test_an_administrator_cancels_builds(fake: FakeE2B, admin: httpx.Client) -> None:
    path = f"/admin/teams/{fake.team_id}/builds/cancel"
    assert admin.post(path).json() == {"cancelledCount": 0, "failedCount": 0}
    template = Template().from_base_image().run_cmd("sleep 1000")
    build = Template.build_in_background(template, "endless")
    wait_until(lambda: Template.get_build_status(build).status.value == "building")
    assert admin.post(path).json() == {"cancelledCount": 1, "failedCount": 0}
    status = Template.get_build_status(build)
    assert status.status.value == "error"
    assert status.reason is not None
    assert status.reason.message == "build was cancelled"
