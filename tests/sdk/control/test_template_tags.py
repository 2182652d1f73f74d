"""Tags: which build a name means, by the SDK and as the dashboard asks for them."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from e2b import AsyncTemplate, Sandbox, Template
from e2b.exceptions import TemplateException

from fake_e2b import FakeE2B, SandboxTemplate


@pytest.fixture
def api(fake: FakeE2B) -> Iterator[httpx.Client]:
    """With a template `mine` that has two builds."""
    for version in ("v1", "v2"):
        fake.add_template(SandboxTemplate(f"mine:{version}"))
        fake.clock.advance(seconds=1)
    with httpx.Client(base_url=fake.url, headers={"X-API-Key": fake.api_key}) as client:
        yield client


def tags(name: str = "mine") -> dict[str, str]:
    return {each.tag: str(each.build_id) for each in Template.get_tags(name)}


def test_tags_are_assigned_listed_and_removed(api: httpx.Client) -> None:
    before = tags()
    given = Template.assign_tags("mine:v1", ["Stable", "latest", "stable"])
    assert (sorted(given.tags), str(given.build_id)) == (["latest", "stable"], before["v1"])
    assert tags() == {**before, "latest": before["v1"], "stable": before["v1"]}
    Template.assign_tags("mine:v2", "latest")
    assert tags()["latest"] == before["v2"]
    Template.remove_tags("mine", ["latest", "unknown"])
    assert "latest" not in tags()
    assert Sandbox.create("mine:stable").is_running()


async def test_tags_by_the_async_sdk(api: httpx.Client) -> None:
    await AsyncTemplate.assign_tags("mine:v1", ["a"])
    assert "a" in {each.tag for each in await AsyncTemplate.get_tags("mine")}
    await AsyncTemplate.remove_tags("mine", "a")
    assert "a" not in {each.tag for each in await AsyncTemplate.get_tags("mine")}


def test_a_build_is_named_by_its_id_too(api: httpx.Client) -> None:
    old = tags()["v1"]
    Template.assign_tags("mine:v2", ["v1"])
    assert tags()["v1"] != old
    Template.assign_tags(f"mine:{old}", ["v1"])
    assert tags()["v1"] == old


@pytest.mark.parametrize(
    ("target", "given", "text"),
    [
        ("mine:v1", [], "400: At least one tag is required"),
        ("a b", ["x"], "400: Invalid target template format: invalid template ID: a b"),
        ("mine:v1", ["a b"], "400: Invalid tag: invalid tag: a b"),
        (
            "mine:v1",
            ["5fb76796-eb52-4e3b-b8a0-35182dd46d55"],
            "400: Invalid tag: invalid tag '5fb76796-eb52-4e3b-b8a0-35182dd46d55': tag cannot be "
            "a UUID",
        ),
        ("nothing", ["x"], "404: template 'nothing' not found"),
        ("base", ["x"], "403: You don't have access to sandbox template 'base'"),
        ("mine", ["x"], "404: Template 'mine' with tag 'default' not found"),
    ],
)
def test_what_cannot_be_assigned(
    api: httpx.Client, target: str, given: list[str], text: str
) -> None:
    before = tags()
    with pytest.raises(TemplateException) as refused:
        Template.assign_tags(target, given)
    assert str(refused.value) == text
    assert tags() == before


@pytest.mark.parametrize(
    ("name", "given", "text"),
    [
        ("mine", [], "400: At least one tag is required"),
        ("mine", ["v1", "default"], "400: Cannot delete the 'default' tag"),
        (
            "mine:v1",
            ["v1"],
            "400: Template name should not contain a tag, use the 'tags' field instead",
        ),
        ("a b", ["x"], "400: Invalid template name format: invalid template ID: a b"),
        ("nothing", ["x"], "404: template 'nothing' not found"),
    ],
)
def test_what_cannot_be_removed(api: httpx.Client, name: str, given: list[str], text: str) -> None:
    before = tags()
    with pytest.raises(TemplateException) as refused:
        Template.remove_tags(name, given)
    assert str(refused.value) == text
    assert tags() == before


def test_tags_are_counted_and_asked_for(api: httpx.Client) -> None:
    assert api.get("/templates/mine/tags/count").json() == {"total": 2}
    found = api.get("/templates/mine/tags/exists", params={"tag": "V1"}).json()
    assert found == {"exists": True, "normalizedTag": "v1"}
    missing = api.get("/templates/mine/tags/exists", params={"tag": "v3"}).json()
    assert missing == {"exists": False, "normalizedTag": "v3"}
    assert api.get("/templates/mine/tags/exists", params={"tag": "a b"}).status_code == 400
    assert api.get("/templates/mine/tags/exists").status_code == 400
    assert api.get("/templates/nothing/tags/count").status_code == 404


def test_tags_in_groups_and_pages(fake: FakeE2B, api: httpx.Client) -> None:
    for target in ("mine:v2", "mine:v1", "mine:v2"):
        Template.assign_tags(target, ["moving"])
        fake.clock.advance(seconds=1)

    def groups(**query: object) -> httpx.Response:
        return api.get("/templates/mine/tags/groups", params={k: str(v) for k, v in query.items()})

    everything = groups(assignmentLimit=2).json()
    assert [each["tag"] for each in everything["tags"]] == ["moving", "v2", "v1"]
    moving = everything["tags"][0]
    builds = tags()
    assert [each["buildId"] for each in moving["assignments"]] == [builds["v2"], builds["v1"]]
    assert moving["hasMore"] is True
    assert everything["nextCursor"] is None
    seen, cursor = [], ""
    while cursor is not None:
        page = groups(tagsLimit=1, sort="name_asc", tagsCursor=cursor).json()
        seen += [each["tag"] for each in page["tags"]]
        cursor = page["nextCursor"]
    assert seen == ["moving", "v1", "v2"]
    assert [each["tag"] for each in groups(search="v").json()["tags"]] == ["moving", "v2", "v1"]
    assert [each["tag"] for each in groups(search="v1").json()["tags"]] == ["v1"]
    refused = {
        "Invalid sort parameter": groups(sort="x"),
        "Invalid search parameter": groups(search="A B"),
        "Invalid cursor": groups(tagsCursor="x"),
        "Cursor was issued for a different sort; clear the cursor and restart": groups(
            tagsCursor="name_asc|2026-01-01T00:00:00Z|v1"
        ),
    }
    for text, answer in refused.items():
        assert (answer.status_code, answer.json()["message"]) == (400, text)


def test_the_history_of_a_tag(fake: FakeE2B, api: httpx.Client) -> None:
    for target in ("mine:v1", "mine:v2", "mine:v1"):
        Template.assign_tags(target, ["moving"])
    builds = tags()
    seen, cursor = [], None
    for _ in range(3):
        query = {"limit": "1"} | ({} if cursor is None else {"cursor": cursor})
        page = api.get("/templates/mine/tags/moving/assignments", params=query).json()
        seen += [each["buildId"] for each in page["data"]]
        cursor = page["nextCursor"]
    assert seen == [builds["v1"], builds["v2"], builds["v1"]]
    assert cursor is None
    bad = api.get("/templates/mine/tags/moving/assignments", params={"cursor": "x"})
    assert (bad.status_code, bad.json()["message"]) == (400, "Invalid cursor")
    assert api.get("/templates/mine/tags/unknown/assignments").json() == {
        "data": [],
        "nextCursor": None,
    }
