"""`/_fake/seed`: what a client of any language sees."""

from __future__ import annotations

import httpx
import jsonschema_rs
import pytest

from fake_e2b import FakeE2B


@pytest.fixture
def fake():
    with FakeE2B() as fake:
        yield fake


def post(fake, seed):
    return httpx.post(f"{fake.url}/_fake/seed", json=seed)


def test_what_was_made_is_named_and_a_second_time_is_nothing(fake):
    first = post(fake, {"volume": [{"name": "data"}], "team": [{"slug": "acme"}]})
    assert first.status_code == 201
    made = first.json()["made"]
    assert [(each["kind"], each["name"], each["team"]) for each in made] == [
        ("team", "acme", None),
        ("volume", "data", None),
    ]
    second = post(fake, {"volume": [{"name": "data"}]})
    assert (second.status_code, second.json()["made"]) == (200, [])
    assert [each["name"] for each in second.json()["unchanged"]] == ["data"]


@pytest.mark.parametrize(
    ("seed", "status", "section", "index"),
    [
        ({"volume": [{"name": "a"}, {"nam": "b"}]}, 400, "volume", 1),
        ({"volume": {"name": "a"}}, 400, None, 0),
        ({"sandbox": [{"name": "a", "timeout": 0}]}, 400, "sandbox", 0),
        ({"sandbox": [{"name": "a", "run": ["false"]}]}, 422, "sandbox", 0),
    ],
)
def test_refusals_name_the_table(fake, seed, status, section, index):
    answer = post(fake, seed)
    body = answer.json()
    assert (answer.status_code, body["code"]) == (status, status)
    assert (body["section"], body["index"]) == (section, index)


def test_conflicts_are_a_list(fake):
    post(fake, {"secret": [{"name": "s", "value": "a"}]})
    answer = post(fake, {"secret": [{"name": "s", "value": "b"}]})
    assert answer.status_code == 409
    assert len(answer.json()["conflicts"]) == 1
    assert '"b"' not in answer.text


def test_its_own_export_is_nothing_new(fake):
    post(fake, {"sandbox": [{"name": "box", "metadata": {"a": "b"}}], "volume": [{"name": "v"}]})
    document = httpx.get(f"{fake.url}/_fake/seed?files=true&secrets=true").json()
    assert post(fake, document).json()["made"] == []


def test_parameters_are_true_or_false(fake):
    answer = httpx.get(f"{fake.url}/_fake/seed?files=yes")
    assert (answer.status_code, "true or false" in answer.json()["message"]) == (400, True)


def test_the_document_describes_what_is_exported_and_taken(fake):
    seed = {
        "accessTokens": ["sk_e2b_00", {"token": "sk_e2b_11", "name": "x"}],
        "team": [{"slug": "acme", "apiKeys": ["e2b_00", {"key": "e2b_11", "name": "CI"}]}],
        "volume": [{"name": "v", "files": {"a": "b", "c": {"base64": "AA==", "uid": 0}}}],
        "sandbox": [{"name": "box", "files": {"l": {"link": "x"}}, "network": {}}],
    }
    openapi = httpx.get(f"{fake.url}/_fake/openapi.json").json()
    schema = {"$ref": "#/components/schemas/FakeSeed", "components": openapi["components"]}
    validator = jsonschema_rs.validator_for(schema)
    assert validator.is_valid(seed)
    assert post(fake, seed).status_code == 201
    exported = httpx.get(f"{fake.url}/_fake/seed?files=true&secrets=true").json()
    assert validator.is_valid(exported)
    assert not validator.is_valid({"volumes": []})
