"""Records without files, over the end of the fake: keys, secrets, webhooks, events, the clock."""

from __future__ import annotations

import datetime
import json
import os
import sqlite3

import httpx
import pytest
from e2b import Sandbox, SandboxException, Secret, Template

from fake_e2b import FakeE2B, SandboxTemplate
from fake_e2b.domain.clock import to_datetime
from fake_e2b.domain.errors import UsageError
from fake_e2b.runtime.clock import SystemClock
from tests.helpers.waiting import wait_until
from tests.state.asking import ask


def machine_time():
    return to_datetime(SystemClock().now_ns())


def test_keys_tokens_and_ids_are_the_same(next_records):
    fake = next_records(teams={"other": ["e2b_" + "ab" * 20]})
    env, team_id, seed = fake.env(), fake.team_id, fake.seed
    user, admin = fake.user_token, fake.admin_token
    again = next_records()
    for name in ("E2B_API_KEY", "E2B_ACCESS_TOKEN"):
        assert again.env()[name] == env[name]
    assert (again.team_id, again.seed) == (team_id, seed)
    assert (again.user_token, again.admin_token) == (user, admin)


def test_another_seed_is_refused(next_records):
    next_records(seed=5)
    next_records(seed=5)
    with pytest.raises(UsageError, match="begun with seed 5"):
        next_records(seed=6)


def test_made_keys_stay_and_deleted_ones_stay_deleted(next_records):
    given = "e2b_" + "cd" * 20
    fake = next_records(api_keys=[given])
    bearer = {"Authorization": f"Bearer {fake.user_token}", "X-Team-ID": fake.team_id}
    made = ask(fake, "POST", "/api-keys", {"name": "made"}, bearer)
    keys = {each["name"]: each for each in ask(fake, "GET", "/api-keys", None, bearer)}
    ask(fake, "PATCH", f"/api-keys/{keys['made']['id']}", {"name": "renamed"}, bearer)
    # The first key asked for after the fake's own.
    mask = next(each for each in keys.values() if each["mask"]["maskedValueSuffix"] == given[-4:])
    ask(fake, "DELETE", f"/api-keys/{mask['id']}", None, bearer)

    fake = next_records(api_keys=[given])
    assert ask(fake, "GET", "/v2/sandboxes", None, {"X-API-Key": made["key"]}) == []
    names = {each["name"] for each in ask(fake, "GET", "/api-keys", None, bearer)}
    assert "renamed" in names
    with pytest.raises(httpx.HTTPStatusError) as refused:
        ask(fake, "GET", "/v2/sandboxes", None, {"X-API-Key": given})
    assert refused.value.response.status_code == 401


def test_secrets_with_their_versions(next_records):
    next_records()
    made = Secret.create("token", "one", metadata={"a": "b"})
    Secret.update("token", "two")
    Secret.create("gone", "x")
    Secret.destroy("gone")
    fake = next_records()
    info = Secret.get_info("token")
    assert (info.secret_id, info.version, info.metadata) == (made.secret_id, 2, {"a": "b"})
    assert len(Secret.list().next_items()) == 1
    rule = {"api.example.com": [{"transform": {"headers": {"X": "${e2b.secrets.token}"}}}]}
    sandbox = Sandbox.create(network={"rules": rule})
    headers = fake.outgoing_headers(sandbox.sandbox_id, "api.example.com")
    assert headers["X"] == "two"


def test_webhooks_and_events(next_records):
    fake = next_records()
    body = {
        "name": "w",
        "url": "http://127.0.0.1:9/",
        "events": ["sandbox.lifecycle.created"],
        "signatureSecret": "s" * 32,
        "enabled": True,
    }
    hook = ask(fake, "POST", "/events/webhooks", body)
    sandbox = Sandbox.create()
    sandbox.pause()
    before = ask(fake, "GET", f"/events/sandboxes/{sandbox.sandbox_id}")
    assert len(before) == 2

    fake = next_records()
    (shown,) = ask(fake, "GET", "/events/webhooks")
    assert (shown["id"], shown["url"]) == (hook["id"], body["url"])
    assert ask(fake, "GET", f"/events/sandboxes/{sandbox.sandbox_id}") == before
    Sandbox.kill(sandbox.sandbox_id)
    newest = ask(fake, "GET", f"/events/sandboxes/{sandbox.sandbox_id}")[0]
    assert newest["type"] == "sandbox.lifecycle.killed"
    assert newest["sandboxExecutionId"] == before[0]["sandboxExecutionId"]


def test_logs(next_records):
    fake = next_records()
    sandbox = Sandbox.create()
    sandbox.pause()
    path = f"/v2/sandboxes/{sandbox.sandbox_id}/logs"
    before = ask(fake, "GET", path)["logs"]
    assert before
    assert ask(next_records(), "GET", path)["logs"] == before


def test_the_clock_goes_on_where_it_was(next_records):
    fake = next_records(clock="manual")
    fake.clock.advance(seconds=86_400)
    then = fake.clock.now
    assert next_records(clock="manual").clock.now == then
    follows = next_records()
    assert follows.clock.now >= then
    follows.clock.advance(seconds=3600)
    day = datetime.timedelta(days=1)
    assert next_records().clock.now - machine_time() > day
    # A reset goes back to the machine's time, for the next fake as well.
    again = next_records()
    again.reset()
    assert next_records().clock.now - machine_time() < day / 2


def test_a_template_that_is_given_again_is_the_same_one(next_records):
    given = SandboxTemplate("mine", files={"a": b"\xff\x00one"})
    next_records(templates=[given])
    sandbox = Sandbox.create("mine")
    template_id = sandbox.get_info().template_id
    sandbox.pause()
    fake = next_records(templates=[SandboxTemplate("mine", files={"a": "two"})])
    fresh = Sandbox.create("mine")
    assert fresh.get_info().template_id == template_id
    assert fresh.files.read("/home/user/a") == "two"
    path = f"/templates/{template_id}"
    shown = ask(fake, "GET", path)
    assert len(shown["builds"]) == 1
    assert Sandbox.connect(sandbox.sandbox_id).files.read("a", "bytes") == b"\xff\x00one"


def test_a_template_that_was_added_meanwhile_stays(next_records):
    fake = next_records()
    fake.add_template(SandboxTemplate("added", files={"a": b"\xff\x00"}))
    next_records()
    sandbox = Sandbox.create("added")
    assert bytes(sandbox.files.read("a", "bytes")) == b"\xff\x00"


def test_what_was_added_starts_from_what_is_given_again(next_records):
    given = [SandboxTemplate("given", files={"low": "low"})]
    fake = next_records(templates=given)
    fake.add_template(SandboxTemplate("added", from_template="given", files={"high": "high"}))
    next_records(templates=given)
    sandbox = Sandbox.create("added")
    assert (sandbox.files.read("low"), sandbox.files.read("high")) == ("low", "high")
    next_records()
    with pytest.raises(SandboxException, match="does not exist"):
        Sandbox.create("added")


def test_ids_of_deleted_templates_stay_taken(next_records):
    def ask_for(fake, name):
        with pytest.raises(httpx.HTTPStatusError) as refused:
            ask(fake, "POST", "/v3/templates", {"name": name})
        return refused.value.response.status_code

    fake = next_records()
    template_id = ask(fake, "POST", "/v3/templates", {"name": "mine"})["templateID"]
    ask(fake, "DELETE", f"/templates/{template_id}")
    assert ask_for(fake, template_id) == 409
    fake = next_records()
    assert ask_for(fake, template_id) == 409
    fake.reset()
    assert ask(fake, "POST", "/v3/templates", {"name": template_id})


def test_templates_of_the_platform_keep_their_ids(next_records):
    next_records()
    before = Sandbox.create().get_info().template_id
    next_records()
    assert Sandbox.create().get_info().template_id == before


def test_two_fakes_cannot_share_a_state(next_records, tmp_path):
    next_records()
    with pytest.raises(UsageError, match="another fake keeps its state in"):
        FakeE2B(state=tmp_path / "state").start()


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda path: path.write_text("no database at all" * 50), "not a database"),
        (lambda path: sqlite3.connect(path).execute("CREATE TABLE x (y)"), "not one of fake-e2b"),
    ],
)
def test_what_is_no_state_is_left_alone(tmp_path, spoil, told):
    path = tmp_path / "records.db"
    spoil(path)
    before = path.read_bytes()
    with pytest.raises(UsageError, match=told):
        FakeE2B(state=tmp_path).start()
    assert path.read_bytes() == before


def test_a_later_versions_state_is_refused(next_records, tmp_path):
    next_records().stop()
    connection = sqlite3.connect(tmp_path / "state" / "records.db")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(UsageError, match="later version"):
        next_records()


def test_a_kept_step_of_another_release_is_done_again(next_records, tmp_path):
    def build():
        said = []
        template = Template().from_base_image().set_envs({"A": "b"})
        Template.build(template, "mine", on_build_logs=lambda line: said.append(line.message))
        return "CACHED" in "\n".join(said)

    next_records()
    assert not build()
    next_records().stop()
    connection = sqlite3.connect(tmp_path / "state" / "records.db")
    ((text,),) = connection.execute("SELECT form FROM records WHERE kind = 'cached layer'")
    value = json.loads(text)
    value["context"]["other"] = 1
    changed = (json.dumps(value), "cached layer")
    connection.execute("UPDATE records SET form = ? WHERE kind = ?", changed)
    connection.commit()
    connection.close()
    next_records()
    assert not build()
    next_records()
    assert build()


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="no state can be kept"):
        FakeE2B(state=tmp_path / "file" / "below").start()


def test_what_the_next_user_must_not_read_is_closed_to_others(next_records, tmp_path):
    next_records()
    for name in ("files", "lock", "records.db"):
        assert os.stat(tmp_path / "state" / name).st_mode & 0o077 == 0, name


def test_a_build_of_a_dockerfile_can_be_started_by_the_next_fake(next_records):
    fake = next_records(plan="pro")
    body = {"dockerfile": "FROM e2bdev/base\nENV A=1", "alias": "old"}
    made = ask(fake, "POST", "/templates", body)
    fake = next_records(plan="pro")
    path = f"/templates/{made['templateID']}/builds/{made['buildID']}"
    ask(fake, "POST", path)
    assert wait_until(lambda: ask(fake, "GET", f"{path}/status")["status"] == "ready")
    assert Sandbox.create("old").is_running()


def test_a_template_that_was_renamed_has_that_name(next_records):
    fake = next_records()
    made = ask(fake, "POST", "/templates", {"dockerfile": "FROM x", "alias": "old"})
    path = f"/templates/{made['templateID']}"
    ask(fake, "POST", path, {"dockerfile": "FROM x", "alias": "new"})
    fake = next_records()
    assert ask(fake, "GET", path)["aliases"] == ["new"]
