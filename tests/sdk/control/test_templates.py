"""Templates as lists and names: what the SDKs, the CLI and the dashboard ask of them."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from e2b import AsyncTemplate, Sandbox, SandboxException, Template

from fake_e2b import FakeE2B, SandboxTemplate


@pytest.fixture
def api(fake: FakeE2B) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=fake.url, headers={"X-API-Key": fake.api_key}) as client:
        yield client


def add(fake: FakeE2B, *names: str) -> list[str]:
    """Templates of one's own, a second apart."""
    made = []
    for name in names:
        made.append(fake.add_template(SandboxTemplate(name)))
        fake.clock.advance(seconds=1)
    return made


def message(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["message"]


def names(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [each["names"][0] for each in answer.json()]


def test_lists_of_both_generations(fake: FakeE2B, api: httpx.Client) -> None:
    add(fake, "one", "two", "three")
    assert names(api.get("/templates")) == ["fake/one", "fake/two", "fake/three"]
    first = api.get("/v2/templates", params={"limit": 2})
    assert names(first) == ["fake/three", "fake/two"]
    token = first.headers["X-Next-Token"]
    last = api.get("/v2/templates", params={"limit": 2, "nextToken": token})
    assert names(last) == ["fake/one"]
    assert "X-Next-Token" not in last.headers
    assert message(api.get("/v2/templates", params={"nextToken": "x"})) == (
        400,
        "Invalid next token",
    )


def test_of_another_team_nothing_is_listed(fake: FakeE2B, api: httpx.Client) -> None:
    answer = api.get("/templates", params={"teamID": "somebody"})
    assert message(answer) == (400, "Team ID param mismatch with the API key")


def test_one_shows_what_became_of_it(fake: FakeE2B, api: httpx.Client) -> None:
    [template_id] = add(fake, "mine")
    add(fake, "mine:v2")
    Sandbox.create("mine").kill()
    shown = api.get(f"/templates/{template_id}").json()
    assert (shown["spawnCount"], shown["buildCount"]) == (1, 2)
    assert shown["lastSpawnedAt"] is not None
    assert shown["buildStatus"] == "ready"
    newest, oldest = shown["builds"]
    assert oldest["buildID"] == shown["buildID"]
    assert newest["createdAt"] > oldest["createdAt"]
    page = api.get(f"/templates/{template_id}", params={"limit": 1})
    assert [each["buildID"] for each in page.json()["builds"]] == [newest["buildID"]]
    token = page.headers["X-Next-Token"]
    rest = api.get(f"/templates/{template_id}", params={"limit": 1, "nextToken": token})
    assert [each["buildID"] for each in rest.json()["builds"]] == [oldest["buildID"]]


def test_one_is_named_by_its_id_alone(fake: FakeE2B, api: httpx.Client) -> None:
    add(fake, "mine")
    assert message(api.get("/templates/mine")) == (404, "Template mine not found")
    base = api.get("/default-templates").json()[0]["templateID"]
    assert message(api.get(f"/templates/{base}")) == (
        403,
        f"You don't have access to this sandbox template ({base})",
    )


def test_the_platforms_templates(api: httpx.Client) -> None:
    found = api.get("/default-templates").json()
    assert {"base", "code-interpreter-v1"} <= {each["aliases"][0] for each in found}
    assert all(each["isDefault"] and each["public"] for each in found)
    assert [each["templateID"] for each in found] == sorted(each["templateID"] for each in found)


def test_a_template_is_made_public(fake: FakeE2B, api: httpx.Client) -> None:
    add(fake, "mine")
    changed = api.patch("/v2/templates/fake%2Fmine", json={"public": True})
    assert changed.json() == {"names": ["fake/mine"]}
    assert api.get("/templates/aliases/mine").json()["public"] is True
    assert api.patch("/v2/templates/mine", json={}).status_code == 200
    assert api.get("/templates/aliases/mine").json()["public"] is True
    assert message(api.patch("/v2/templates/no", json={"public": True})) == (
        404,
        "Template 'no' not found or you don't have access to it",
    )
    assert message(api.patch("/v2/templates/base", json={"public": True}))[0] == 403
    assert message(api.patch("/v2/templates/a%20b", json={}))[0] == 400


def test_the_first_generation_claims_the_bare_name(fake: FakeE2B, api: httpx.Client) -> None:
    add(fake, "mine", "base")
    assert api.patch("/templates/mine", json={"public": True}).status_code == 200
    assert message(api.patch("/templates/fake%2Fbase", json={"public": True})) == (
        409,
        "Public template name 'base' is already taken. Your template is available at 'fake/base'. "
        "Please update your CLI to remove this error message.",
    )
    assert api.get("/templates").json()[1]["public"] is False


@pytest.mark.parametrize(
    ("alias", "status", "text"),
    [
        ("nothing", 404, "template 'nothing' not found"),
        ("a%20b", 400, "Invalid alias format: invalid template ID: a b"),
        ("other%2Fmine", 400, "namespace 'other' must match your team 'fake'"),
        ("base", 403, "You don't have access to this template alias"),
        ("mine%3Av9", 404, "tag 'v9' does not exist for template 'fake/mine'"),
    ],
)
def test_a_name_that_is_asked_for(
    fake: FakeE2B, api: httpx.Client, alias: str, status: int, text: str
) -> None:
    add(fake, "mine")
    assert message(api.get(f"/templates/aliases/{alias}")) == (status, text)


async def test_whether_there_is_a_template(fake: FakeE2B) -> None:
    add(fake, "mine")
    assert Template.exists("mine") is True
    assert Template.exists("base") is True
    assert Template.exists("nothing") is False
    assert await AsyncTemplate.exists("mine:default") is True
    assert await AsyncTemplate.exists("mine:v2") is False


def test_a_deleted_one_is_gone_with_its_names(fake: FakeE2B, api: httpx.Client) -> None:
    [template_id] = add(fake, "mine")
    sandbox = Sandbox.create("mine")
    assert message(api.delete("/templates/mine")) == (
        400,
        f"cannot delete template '{template_id}' because there are running sandboxes using it",
    )
    sandbox.kill()
    assert api.delete("/templates/mine:v7").status_code == 204
    assert api.delete("/templates/mine").status_code == 404
    assert api.get("/templates").json() == []
    assert Template.exists("mine") is False


def test_a_reset_brings_back_what_was_there_at_the_start() -> None:
    with FakeE2B(runtime="local", templates=[SandboxTemplate("mine")]) as fake:
        Template.assign_tags("mine", ["v1"])
        Sandbox.create("mine:v1").kill()
        fake.reset()
        assert [each.tag for each in Template.get_tags("mine")] == ["default"]
        with httpx.Client(base_url=fake.url, headers={"X-API-Key": fake.api_key}) as client:
            assert client.get("/templates").json()[0]["spawnCount"] == 0
            assert client.delete("/templates/mine").status_code == 204
        fake.reset()
        assert Sandbox.create("mine").is_running()


def test_a_reset_brings_back_names_and_who_sees_them() -> None:
    given = [SandboxTemplate("mine"), SandboxTemplate("yours"), SandboxTemplate("shown")]
    stranger = "e2b_" + "a" * 40
    with (
        FakeE2B(runtime="local", templates=given, teams={"others": [stranger]}) as fake,
        httpx.Client(base_url=fake.url, headers={"X-API-Key": fake.api_key}) as client,
    ):
        before = client.get("/templates").json()
        ids = {each["aliases"][0]: each["templateID"] for each in before}
        assert client.patch("/templates/shown", json={"public": True}).status_code == 200
        Sandbox.create("shown", api_key=stranger).kill()
        for name, alias in (("mine", "new"), ("yours", "mine"), ("mine", "yours")):
            asked = {"dockerfile": "FROM x", "alias": alias}
            assert client.post(f"/templates/{ids[name]}", json=asked).status_code == 202
        fake.reset()
        after = client.get("/templates").json()
        for field in ("templateID", "names", "public", "updatedAt"):
            assert [each[field] for each in after] == [each[field] for each in before]
        for name, template_id in ids.items():
            assert Sandbox.create(name).get_info().template_id == template_id
        with pytest.raises(SandboxException, match="not found"):
            Sandbox.create("new")
        with pytest.raises(SandboxException, match="not found"):
            Sandbox.create("shown", api_key=stranger)
