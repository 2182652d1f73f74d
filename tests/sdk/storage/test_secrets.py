"""Secrets and workload identity through the Python SDK, sync and async."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import pytest
from e2b import AsyncSecret, Sandbox, Secret
from e2b.exceptions import (
    AuthenticationException,
    SandboxException,
    SecretException,
    SecretNotFoundException,
)

from fake_e2b.domain.errors import UsageError
from fake_e2b.testing import FakeE2B

VALUE = "sk-live-0123456789abcdef"
HOST = "api.example.com"
AUTHORIZATION = "Authorization"


def with_rules(rules: dict[str, Any], **options: Any) -> str:
    """The ID of a sandbox with network rules."""
    return Sandbox.create(network={"rules": rules}, **options).sandbox_id


def setting(value: str) -> list[dict[str, Any]]:
    return [{"transform": {"headers": {AUTHORIZATION: value}}}]


def refused(name: str = "n", value: str = "v", metadata: dict[str, str] | None = None) -> str:
    with pytest.raises(SecretException) as caught:
        Secret.create(name, value, metadata)
    assert Secret.list().next_items() == []
    return str(caught.value)


def test_a_secret_lives(fake: FakeE2B) -> None:
    made = Secret.create("API-Key", VALUE, {"team": "data"})
    assert made.secret_id.startswith("sec_")
    assert len(made.secret_id) == 30
    assert (made.name, made.version, made.metadata) == ("api-key", 1, {"team": "data"})
    assert made.created_at == made.updated_at
    assert Secret.get_info("aPi-kEy") == Secret.get_info(made.secret_id) == made
    assert Secret.exists("api-key")
    assert Secret.destroy(made.secret_id)
    assert not Secret.exists("api-key")
    assert not Secret.destroy("api-key")
    with pytest.raises(SecretNotFoundException, match="Secret api-key not found"):
        Secret.get_info("api-key")


async def test_a_secret_lives_by_the_async_sdk(fake: FakeE2B) -> None:
    made = await AsyncSecret.create("key", VALUE)
    assert (await AsyncSecret.update("key", "another")).version == 2
    assert (await AsyncSecret.get_info("key")).secret_id == made.secret_id
    assert [each.name for each in await AsyncSecret.list().next_items()] == ["key"]
    assert await AsyncSecret.destroy("key")
    assert not await AsyncSecret.exists("key")


def test_an_update_is_a_new_version(fake: FakeE2B) -> None:
    made = Secret.create("key", "one", {"a": "b"})
    fake.clock.advance(seconds=5)
    updated = Secret.update("KEY", "two")
    assert (updated.version, updated.metadata) == (2, {"a": "b"})
    assert (updated.updated_at - made.updated_at).total_seconds() == 5
    assert updated.created_at == made.created_at
    assert Secret.update("key", "three", {"c": "d"}).metadata == {"c": "d"}
    assert Secret.update("key", "four", {}).metadata == {}
    with pytest.raises(SecretNotFoundException):
        Secret.update("nobody", "x")


def test_the_name_of_a_deleted_secret_is_free(fake: FakeE2B) -> None:
    first = Secret.create("key", "one")
    Secret.update("key", "two")
    Secret.destroy("key")
    again = Secret.create("key", "three")
    assert again.version == 1
    assert again.secret_id != first.secret_id


def test_a_name_is_given_once_in_any_case(fake: FakeE2B) -> None:
    Secret.create("key", "one")
    with pytest.raises(SecretException) as caught:
        Secret.create("KEY", "two")
    assert str(caught.value) == "409: Secret cannot be modified in its current state"
    assert Secret.get_info("key").version == 1


@pytest.mark.parametrize("name", ["", "a b", " key", "ä", "a.b", "x" * 129, "sec_key", "SEC_key"])
def test_names_that_no_secret_has(fake: FakeE2B, name: str) -> None:
    assert refused(name=name) == "400: Invalid secrets request"


def test_the_longest_name(fake: FakeE2B) -> None:
    assert Secret.create("X" * 128, "v").name == "x" * 128


def test_a_value_is_not_empty(fake: FakeE2B) -> None:
    assert refused(value="") == "400: Invalid secrets request"


@pytest.mark.parametrize(
    "metadata",
    [
        {str(number): "" for number in range(33)},
        {"k" * 129: ""},
        {"k": "v" * 1025},
        {str(number): "v" * 1024 for number in range(8)},
        {"ä" * 65: ""},
    ],
    ids=["entries", "key", "value", "total", "bytes"],
)
def test_metadata_has_limits(fake: FakeE2B, metadata: dict[str, str]) -> None:
    assert refused(metadata=metadata) == "400: Invalid secrets request"
    Secret.create("key", "one")
    with pytest.raises(SecretException, match="400: Invalid secrets request"):
        Secret.update("key", "two", metadata)
    assert Secret.get_info("key").version == 1


def test_the_most_metadata(fake: FakeE2B) -> None:
    most = {f"{number:02}" + "k" * 126: "v" * 128 for number in range(32)}
    assert Secret.create("key", "v", most).metadata == most


@pytest.mark.parametrize("reference", ["sec_short", "a.b", "x" * 129])
def test_what_names_no_secret_is_refused(fake: FakeE2B, reference: str) -> None:
    with pytest.raises(SecretException) as caught:
        Secret.get_info(reference)
    assert str(caught.value) == "400: Invalid secrets request"


def test_pages(fake: FakeE2B) -> None:
    names = []
    for number in range(5):
        names.append(Secret.create(f"key{number}", "v").name)
        fake.clock.advance(seconds=1)
    paginator = Secret.list(limit=2)
    pages = []
    while paginator.has_next:
        pages.append([each.name for each in paginator.next_items()])
    assert pages == [names[:2], names[2:4], names[4:]]
    for options in ({"limit": 101}, {"limit": 2, "next_token": "garbage"}):
        with pytest.raises(SecretException, match="400: Invalid secrets request"):
            Secret.list(**options).next_items()


def test_pages_of_secrets_made_at_one_instant(fake: FakeE2B) -> None:
    for number in range(5):
        Secret.create(f"key{number}", "v")
    paginator = Secret.list(limit=2)
    found = []
    while paginator.has_next:
        found += [each.name for each in paginator.next_items()]
    assert sorted(found) == [f"key{number}" for number in range(5)]


def test_teams_do_not_see_each_others(fake: FakeE2B) -> None:
    secret = Secret.create("key", "v")
    other = "e2b_" + "1" * 40
    with FakeE2B(runtime="local", teams={"other": [other]}, set_environment=False) as second:
        options = {"api_key": second.api_key, "api_url": second.url}
        Secret.create("key", "v", **options)
        options["api_key"] = other
        assert Secret.list(**options).next_items() == []
        assert not Secret.exists("key", **options)
        assert not Secret.destroy("key", **options)
    assert Secret.get_info("key") == secret


def test_without_a_valid_key_nothing_is_told(fake: FakeE2B) -> None:
    for key in ("e2b_" + "0" * 40, "nonsense", None):
        headers = {} if key is None else {"X-API-Key": key}
        response = httpx.get(f"{fake.url}/secrets", headers=headers)
        assert response.json() == {"code": 401, "message": "You are not authenticated"}
        assert response.headers["cache-control"] == "no-store"
    with pytest.raises(AuthenticationException):
        Secret.exists("key", api_key="e2b_" + "0" * 40)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    [
        ("POST", "/secrets", b"{", 400, "Invalid secrets request"),
        ("POST", "/secrets", b'{"name": "key"}', 400, "Invalid secrets request"),
        ("POST", "/secrets", b'{"name": "key", "value": 1}', 400, "Invalid secrets request"),
        ("POST", "/secrets", b"[]", 400, "Invalid secrets request"),
        ("POST", "/secrets/key", b"", 400, "Invalid secrets request"),
        ("GET", "/secrets?limit=0", b"", 400, "Invalid secrets request"),
        ("GET", "/secrets?limit=x", b"", 400, "Invalid secrets request"),
        ("GET", "/secrets/nobody", b"", 404, "Secret not found"),
        ("DELETE", "/secrets/nobody", b"", 404, "Secret not found"),
        ("GET", "/secrets/a/b", b"", 404, "Not found"),
        ("PATCH", "/secrets/key", b"{}", 404, "Not found"),
    ],
)
def test_refusals_give_no_cause(
    fake: FakeE2B, method: str, path: str, body: bytes, status: int, message: str
) -> None:
    headers = {"X-API-Key": fake.api_key, "Content-Type": "application/json"}
    response = httpx.request(method, fake.url + path, headers=headers, content=body)
    assert response.json() == {"code": status, "message": message}
    assert response.status_code == status
    assert response.headers["cache-control"] == "no-store"


def test_no_answer_may_be_stored(fake: FakeE2B) -> None:
    headers = {"X-API-Key": fake.api_key}
    made = httpx.post(f"{fake.url}/secrets", headers=headers, json={"name": "key", "value": VALUE})
    assert made.status_code == 201
    assert VALUE not in made.text
    answers = [
        made,
        httpx.get(f"{fake.url}/secrets/key", headers=headers),
        httpx.get(f"{fake.url}/secrets", headers=headers),
        httpx.post(f"{fake.url}/secrets/key", headers=headers, json={"value": "v"}),
        httpx.delete(f"{fake.url}/secrets/key", headers=headers),
    ]
    assert [each.status_code for each in answers] == [201, 200, 200, 200, 204]
    assert {each.headers["cache-control"] for each in answers} == {"no-store"}


@pytest.mark.parametrize("name", ["key", ""])
def test_no_value_is_ever_shown(fake: FakeE2B, name: str, caplog: pytest.LogCaptureFixture) -> None:
    for value in (VALUE, "short", "1" * 2000):
        body = {"value": value, "name": name}
        key = {"X-API-Key": fake.api_key}
        httpx.post(f"{fake.url}/secrets", headers=key, json=body)
        httpx.post(f"{fake.url}/secrets/{name or 'key'}", headers=key, json=body)
        httpx.post(f"{fake.url}/secrets", headers=key, content=json.dumps(body)[:-1])
        httpx.post(f"{fake.url}//secrets", headers=key, json=body)
        shown = [
            str(fake.journal.records()),
            httpx.get(f"{fake.url}/_fake/state").text,
            httpx.get(f"{fake.url}/_fake/journal").text,
            caplog.text,
        ]
        assert all(value[:500] not in each for each in shown)


def test_the_journal_keeps_the_rest_of_a_secrets_request(fake: FakeE2B) -> None:
    Secret.create("key", VALUE, {"team": "data"})
    (record,) = fake.journal.records(operation="createSecret")
    assert json.loads(record.body) == {
        "name": "key",
        "value": "****",
        "metadata": {"team": "data"},
    }


# -- placeholders ------------------------------------------------------------------------------


def test_a_rule_uses_the_secret_of_the_moment(fake: FakeE2B) -> None:
    Secret.create("key", "one")
    sandbox_id = with_rules({HOST: setting(f"Bearer {Secret.fill('KEY')}!")})
    assert fake.outgoing_headers(sandbox_id, HOST) == {AUTHORIZATION: "Bearer one!"}
    Secret.update("key", "two")
    assert fake.outgoing_headers(sandbox_id, HOST) == {AUTHORIZATION: "Bearer two!"}
    Sandbox.connect(sandbox_id).pause()
    Sandbox.connect(sandbox_id)
    assert fake.outgoing_headers(sandbox_id, HOST) == {AUTHORIZATION: "Bearer two!"}


def test_what_takes_a_placeholders_place_is_not_read_again(fake: FakeE2B) -> None:
    Secret.create("outer", "${e2b.secrets.inner}")
    Secret.create("inner", "x")
    sandbox_id = with_rules({HOST: setting("${e2b.secrets.outer} ${e2b.other} ${HOME}")})
    assert fake.outgoing_headers(sandbox_id, HOST) == {
        AUTHORIZATION: "${e2b.secrets.inner} ${e2b.other} ${HOME}"
    }


def test_a_rules_header_replaces_the_programs(fake: FakeE2B) -> None:
    sandbox_id = with_rules({HOST: setting("ours")})
    given = {"authorization": "theirs", "Accept": "*/*"}
    assert fake.outgoing_headers(sandbox_id, HOST, given) == {
        "Accept": "*/*",
        AUTHORIZATION: "ours",
    }
    assert fake.outgoing_headers(sandbox_id, "elsewhere.example.com", given) == given


def test_the_nearest_rule_is_taken_alone(fake: FakeE2B) -> None:
    sandbox_id = with_rules(
        {
            "A.example.com": setting("exact"),
            "*.example.com": setting("wide"),
            "*.b.example.com": setting("narrow"),
        }
    )
    names = ["a.example.com", "c.example.com", "x.y.b.example.com", "b.example.com", "example.com"]
    found = [fake.outgoing_headers(sandbox_id, name).get(AUTHORIZATION) for name in names]
    assert found == ["exact", "wide", "narrow", "wide", None]


def test_rules_can_be_replaced(fake: FakeE2B) -> None:
    Secret.create("key", "one")
    sandbox = Sandbox.create(network={"rules": {HOST: setting("first")}})
    sandbox.update_network({"rules": {HOST: setting(Secret.fill("key"))}})
    assert fake.outgoing_headers(sandbox.sandbox_id, HOST) == {AUTHORIZATION: "one"}
    with pytest.raises(SandboxException, match="malformed E2B placeholder"):
        sandbox.update_network({"rules": {HOST: setting("${e2b.secrets.}")}})
    assert fake.outgoing_headers(sandbox.sandbox_id, HOST) == {AUTHORIZATION: "one"}
    sandbox.update_network({})
    assert fake.outgoing_headers(sandbox.sandbox_id, HOST) == {}


def test_a_fork_has_rules_and_tokens_of_its_own(fake: FakeE2B) -> None:
    tokens = {"aws": Secret.iam_token(audience="a", token_type="JWT-SVID")}
    rules = {HOST: setting("${e2b.identity.tokens.aws}")}
    (fork,) = Sandbox.create(network={"rules": rules}, iam={"tokens": tokens}).fork()
    assert isinstance(fork, Sandbox)
    token = fake.outgoing_headers(fork.sandbox_id, HOST)[AUTHORIZATION]
    assert claims_of(token)["sub"].endswith(fork.sandbox_id)


def test_a_secret_that_is_gone_fails_the_request(fake: FakeE2B) -> None:
    sandbox_id = with_rules({HOST: setting(Secret.fill("key"))})  # nobody asks at creation
    with pytest.raises(UsageError, match="the secret 'key'"):
        fake.outgoing_headers(sandbox_id, HOST)
    with pytest.raises(UsageError, match="no sandbox 'i0'"):
        fake.outgoing_headers("i0", HOST)


@pytest.mark.parametrize(
    "value",
    [
        "${e2b.secrets.key",
        "${e2b.secrets.}",
        "${e2b.secrets. }",
        "${e2b.secrets.sec_x}",
        "${e2b.secrets.a b}",
        "${e2b.secrets.${e2b.secrets.key}}",
        "${e2b.identity.tokens.}",
        "${e2b.identity.tokens.x",
    ],
)
def test_malformed_placeholders_are_refused_at_creation(fake: FakeE2B, value: str) -> None:
    with pytest.raises(SandboxException) as caught:
        with_rules({HOST: setting(value)})
    assert str(caught.value) == (
        "400: Network transform header contains a malformed E2B placeholder."
    )
    assert fake.sandboxes() == []


def test_the_sandbox_shows_the_placeholder_only(fake: FakeE2B) -> None:
    Secret.create("key", VALUE)
    placeholder = Secret.fill("key")
    sandbox = Sandbox.create(network={"rules": {HOST: setting(placeholder)}})
    shown = httpx.get(
        f"{fake.url}/sandboxes/{sandbox.sandbox_id}", headers={"X-API-Key": fake.api_key}
    )
    assert shown.json()["network"]["rules"][HOST] == setting(placeholder)
    assert VALUE not in shown.text
    assert VALUE not in sandbox.commands.run("env").stdout


# -- workload identity -------------------------------------------------------------------------


def claims_of(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(
        base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    )
    return claims


def test_workload_tokens_are_minted_for_each_request(fake: FakeE2B) -> None:
    tokens = {"aws": Secret.iam_token(audience="sts.amazonaws.com", token_type="JWT-SVID")}
    sandbox_id = with_rules(
        {HOST: setting("Bearer ${e2b.identity.tokens.aws}")}, iam={"tokens": tokens}
    )
    first = fake.outgoing_headers(sandbox_id, HOST)[AUTHORIZATION].removeprefix("Bearer ")
    fake.clock.advance(seconds=10)
    second = fake.outgoing_headers(sandbox_id, HOST)[AUTHORIZATION].removeprefix("Bearer ")
    assert first != second
    claims = claims_of(first)
    assert claims["aud"] == ["sts.amazonaws.com"]
    assert claims["sub"].startswith("spiffe://")
    assert claims["sub"].endswith(sandbox_id)
    assert claims["exp"] > claims["iat"]
    assert claims_of(second)["iat"] == claims["iat"] + 10


def test_a_token_that_is_not_registered_stays_as_it_is_written(fake: FakeE2B) -> None:
    text = "Bearer ${e2b.identity.tokens.nobody}"
    sandbox_id = with_rules({HOST: setting(text)})
    assert fake.outgoing_headers(sandbox_id, HOST) == {AUTHORIZATION: text}


def test_tokens_outlive_a_pause(fake: FakeE2B) -> None:
    tokens = {"aws": Secret.iam_token(audience="a", token_type="JWT-SVID")}
    sandbox_id = with_rules({HOST: setting("${e2b.identity.tokens.aws}")}, iam={"tokens": tokens})
    Sandbox.connect(sandbox_id).pause()
    Sandbox.connect(sandbox_id)
    assert claims_of(fake.outgoing_headers(sandbox_id, HOST)[AUTHORIZATION])["aud"] == ["a"]


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (
            {str(number): {"audience": "a", "tokenType": "JWT-SVID"} for number in range(6)},
            "iam.tokens: too many tokens: 6 (max 5)",
        ),
        (
            {"": {"audience": "a", "tokenType": "JWT-SVID"}},
            "iam.tokens: token name must not be empty",
        ),
        (
            {"x": {"audience": "", "tokenType": "JWT-SVID"}},
            "iam.tokens.x.audience: audience is required",
        ),
        (
            {"x": {"audience": "a", "tokenType": "JWT"}},
            'iam.tokens.x.tokenType: only "JWT-SVID" is supported',
        ),
    ],
)
def test_tokens_that_no_sandbox_gets(
    fake: FakeE2B, tokens: dict[str, dict[str, str]], message: str
) -> None:
    response = httpx.post(
        f"{fake.url}/v2/sandboxes",
        headers={"X-API-Key": fake.api_key},
        json={"templateID": "base", "iam": {"tokens": tokens}},
    )
    assert response.json() == {"code": 400, "message": message}
    assert fake.sandboxes() == []
