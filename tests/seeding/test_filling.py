"""A fake that was filled from a file has it all, as the published SDK sees it."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from e2b import Sandbox, SandboxQuery, SandboxState, Template, Volume

from fake_e2b import FakeE2B, UsageError
from fake_e2b.domain.seed.forms import SEED_NAME, SeedError
from fake_e2b.domain.seed.outcome import SeedConflictError, SeedFailedError
from fake_e2b.server.seeding.furnishing import Furnisher
from tests.helpers.waiting import wait_until

FILE = Path(__file__).with_name("environment.toml")
SECRET = {"name": "token", "value": "v"}


def named(name: str, **more: str) -> Sandbox:
    query = SandboxQuery(metadata={SEED_NAME: name})
    (found,) = Sandbox.list(query=query, **more).next_items()
    return Sandbox.connect(found.sandbox_id, **more)


@pytest.fixture(scope="module")
def filled():
    with FakeE2B(fill=FILE) as fake:
        yield fake


def nothing(fake: FakeE2B) -> bool:
    """Whether the fake holds nothing that a seed could have made."""
    headers = {"X-API-Key": fake.api_key}
    paths = ("/volumes", "/secrets", "/templates", "/events/webhooks", "/v2/sandboxes")
    return all(httpx.get(fake.url + path, headers=headers).json() == [] for path in paths)


# -- what is there ---------------------------------------------------------------------------------


def test_a_sandbox_runs_with_its_files_commands_and_volume(filled):
    worker = named("worker")
    assert worker.files.read("todo.txt") == "x"
    assert worker.files.read("l") == "x"
    assert worker.files.get_info("sub/deep").owner == "root"
    assert worker.files.read("site/ran") == "ran 1\n"
    assert worker.files.read("shared/notes/a.txt") == "hello\n"
    started = [each.args[-1] for each in worker.commands.list() if each.args]
    assert started == ["touch started; exec sleep 4321", "exec sleep 1234"]
    info = worker.get_info()
    assert info.metadata == {"role": "worker", SEED_NAME: "worker"}
    assert info.cpu_count == 4


def test_a_paused_one_is_asleep_until_someone_connects(filled):
    (found,) = Sandbox.list(query=SandboxQuery(metadata={SEED_NAME: "asleep"})).next_items()
    assert found.state is SandboxState.PAUSED
    assert Sandbox.connect(found.sandbox_id).files.read("dream") == "sheep"


def test_volumes_have_their_files(filled):
    (found,) = [each for each in Volume.list() if each.name == "data"]
    volume = Volume.connect(found.volume_id)
    assert volume.read_file("/notes/a.txt") == "hello\n"
    assert volume.read_file("/bin/b", format="bytes") == b"\x00\x01\x02\xff"
    assert volume.get_info("/bin/b").mode & 0o777 == 0o755
    assert volume.get_info("/empty").uid == 0


def test_a_template_is_found_by_name_and_tag(filled):
    assert Template.exists("web")
    box = Sandbox.create("web:v2")
    assert box.files.read("/home/user/site/one") == "2"
    assert box.files.read("site/index.html") == '<h1>hi</h1>\n"quotes" and \\ """\n'
    assert box.files.get_info("/opt/run").mode == 0o755
    box.kill()


def test_another_teams_key_opens_what_is_its(filled):
    assert [each.name for each in Volume.list(api_key="e2b_00ff")] == ["data"]
    box = Sandbox.create("fake/web", api_key="e2b_aabbccdd")  # it is public
    box.kill()


def test_secrets_have_all_their_versions(filled):
    answer = httpx.get(
        f"{filled.url}/secrets/api-key", headers={"X-API-Key": filled.api_key}
    ).json()
    assert (answer["currentVersion"], answer["metadata"]) == (2, {"owner": "ops"})


def test_an_access_token_is_taken(filled):
    answer = httpx.get(f"{filled.url}/teams", headers={"Authorization": "Bearer sk_e2b_aabb"})
    assert {each["name"] for each in answer.json()} >= {"acme"}


def test_webhooks_come_last_and_hear_nothing_of_the_filling():
    hook = {"name": "h", "url": "http://127.0.0.1:9/", "events": ["sandbox.lifecycle.created"]}
    seed = {"webhook": [{**hook, "secret": "s"}], "sandbox": [{"name": "box"}]}
    with FakeE2B(fill=seed) as fake:
        headers = {"X-API-Key": fake.api_key}
        (made,) = httpx.get(f"{fake.url}/events/webhooks", headers=headers).json()
        path = f"/events/webhooks/{made['id']}/deliveries"
        assert httpx.get(fake.url + path, headers=headers).json()["data"] == []


# -- twice, and over a reset -----------------------------------------------------------------------


def test_a_second_time_changes_nothing(filled):
    before = [each.sandbox_id for each in filled.sandboxes()]
    again = filled.fill(FILE)
    assert again.made == ()
    assert {each.kind for each in again.unchanged} == {
        *("access token", "team", "API key", "secret", "volume", "template", "sandbox", "webhook")
    }
    assert [each.sandbox_id for each in filled.sandboxes()] == before


def test_what_is_missing_is_made_and_the_rest_stays():
    seed = {"volume": [{"name": "one"}, {"name": "two"}]}
    with FakeE2B() as fake:
        Volume.create("one").write_file("/mine", "kept")
        filled = fake.fill(seed)
        assert [str(each) for each in filled.unchanged] == ["volume one"]
        assert [each.name for each in filled.made] == ["two"]
        (one,) = [each for each in Volume.list() if each.name == "one"]
        assert Volume.connect(one.volume_id).read_file("/mine") == "kept"


def test_a_reset_brings_back_what_was_there_at_the_start_and_no_more():
    with FakeE2B(fill={"team": [{"slug": "first"}], "sandbox": [{"name": "box"}]}) as fake:
        named("box").kill()
        fake.fill({"team": [{"slug": "later"}, {"slug": "fake", "max_length_hours": 1}]})
        fake.fill({"volume": [{"name": "later"}]})
        fake.reset()
        assert named("box").is_running()
        assert Volume.list() == []
        teams = httpx.get(
            f"{fake.url}/teams", headers={"Authorization": f"Bearer {fake.access_token}"}
        ).json()
        assert sorted(each["name"] for each in teams) == ["fake", "first"]
        Sandbox.create(timeout=7200).kill()


def test_a_reset_ends_a_filling_that_is_under_way():
    later = {"volume": [{"name": "later"}], "sandbox": [{"name": "box", "run": ["sleep 1000"]}]}
    with FakeE2B(fill={"volume": [{"name": "first"}]}) as fake, ThreadPoolExecutor() as pool:
        filling = pool.submit(fake.fill, later)
        wait_until(lambda: bool(fake.sandboxes()))
        fake.reset()
        with pytest.raises(SeedFailedError, match="was reset before all was made"):
            filling.result()
        assert fake.sandboxes() == []
        assert [each.name for each in Volume.list()] == ["first"]
        assert [each.name for each in fake.fill(later | {"sandbox": []}).made] == ["later"]


def test_its_sandboxes_are_no_leaks(filled):
    assert [each for each in filled.leaks() if each.sandbox_id] == []


def test_the_journal_begins_after_the_filling():
    with FakeE2B(fill={"sandbox": [{"name": "box", "run": ["true"]}]}) as fake:
        assert list(fake.journal.records()) == []


def test_a_state_that_survives_is_not_made_again(tmp_path):
    with FakeE2B(fill=FILE, state=tmp_path) as fake:
        before = {each.sandbox_id for each in fake.sandboxes()}
        (volume,) = Volume.list(api_key="e2b_00ff")
        volumes = {volume.volume_id, *(each.volume_id for each in Volume.list())}
    with FakeE2B(state=tmp_path) as fake:  # without the file
        assert [each.volume_id for each in Volume.list(api_key="e2b_00ff")] == [volume.volume_id]
        assert [each.name for each in fake.fill(FILE).made] == ["worker"]
    with FakeE2B(fill=FILE, state=tmp_path) as fake:
        assert {each.volume_id for each in Volume.list()} < volumes
        assert len(before & {each.sandbox_id for each in fake.sandboxes()}) == 1
        fake.reset()
        assert len(fake.fill(FILE).unchanged) == 12
    with FakeE2B(state=tmp_path) as fake:
        assert [each.metadata for each in fake.sandboxes()] == [{SEED_NAME: "asleep"}]


# -- what cannot be --------------------------------------------------------------------------------


CONFLICTS = [
    ("secret", {"name": "token", "value": "a"}, {"name": "token", "value": "b"}, "another value"),
    (
        "secret",
        {"name": "token", "value": "a"},
        {"name": "token", "value": "a", "metadata": {"x": "y"}},
        "other metadata",
    ),
    (
        "template",
        {"name": "web", "files": {"a": "1"}},
        {"name": "web", "files": {"a": "2"}},
        "other files",
    ),
    ("template", {"name": "web"}, {"name": "web", "cpu_count": 4}, "other sizes"),
    ("template", {"name": "web"}, {"name": "web", "start_command": "true"}, "start command"),
    (
        "template",
        {"name": "web"},
        {"name": "web", "from_template": "desktop"},
        "start from 'desktop'",
    ),
    ("template", {"name": "web"}, {"name": "web", "public": True}, "private"),
    ("template", {"name": "web"}, {"name": "web", "memory_limit_mb": 64}, "other limits"),
    ("sandbox", {"name": "b"}, {"name": "b", "metadata": {"a": "b"}}, "other metadata"),
    (
        "webhook",
        {"name": "h", "url": "http://a/", "events": ["sandbox.lifecycle.killed"], "secret": "s"},
        {"name": "h", "url": "http://b/", "events": ["sandbox.lifecycle.killed"], "secret": "s"},
        "another URL",
    ),
]


@pytest.mark.parametrize(("section", "there", "wanted", "why"), CONFLICTS)
def test_what_is_there_and_differs_is_named_and_nothing_is_done(section, there, wanted, why):
    with FakeE2B(fill={section: [there]}) as fake:
        with pytest.raises(SeedConflictError, match=why) as refusal:
            fake.fill({section: [wanted], "volume": [{"name": "new"}]})
        assert len(refusal.value.conflicts) == 1
        assert Volume.list() == []
        assert fake.fill({section: [there]}).made == ()


def test_a_key_that_stands_for_another_team_is_a_conflict():
    with FakeE2B(teams={"acme": ["e2b_aa"]}) as fake:
        with pytest.raises(SeedConflictError, match="stands for team 'acme'"):
            fake.fill({"team": [{"slug": "other", "api_keys": ["e2b_aa"]}]})
        assert fake.fill({"team": [{"slug": "acme", "api_keys": ["e2b_aa"]}]}).made == ()


def test_what_a_file_says_twice_of_keys_and_tokens_is_made_once():
    token, key = {"token": "sk_e2b_cd", "name": "CI"}, {"key": "e2b_cd", "name": "CI"}
    seed = {
        "access_tokens": [token, "sk_e2b_ab", "sk_e2b_cd"],
        "team": [{"slug": "acme", "api_keys": [key, "e2b_ab", "e2b_cd"]}],
    }
    with FakeE2B() as fake:
        made = [(each.kind, each.name) for each in fake.fill(seed).made]
        assert made == [
            ("team", "acme"),
            ("API key", "CI"),
            ("API key", "Default"),
            ("access token", "CI"),
            ("access token", "Default"),
        ]
        assert fake.fill(seed).made == ()


WHOLE = {
    "team": [{"slug": "fake", "concurrent_sandboxes": 7}],
    "secret": [SECRET],
    "volume": [{"name": "data", "files": {"a": "b"}}],
    "template": [{"name": "web"}],
    "webhook": [
        {"name": "h", "url": "http://a/", "events": ["sandbox.lifecycle.killed"], "secret": "s"}
    ],
}
FAILURES = [
    ({"name": "box", "run": ["echo so it is >&2; exit 3"]}, "exit status 3: so it is"),
    ({"name": "box", "files": {"/etc/hostname/x": "y"}}, "path is a file: /etc/hostname"),
]


@pytest.mark.parametrize(("box", "why"), FAILURES)
def test_what_cannot_be_made_takes_all_of_it_back(box, why):
    acme = {"slug": "acme", "api_keys": ["e2b_aa"]}
    seed = {**WHOLE, "team": [*WHOLE["team"], acme], "sandbox": [{"name": "first"}, box]}
    with FakeE2B() as fake:
        with pytest.raises(SeedFailedError) as refusal:
            fake.fill(seed)
        assert why in str(refusal.value)
        assert (refusal.value.section, refusal.value.index) == ("sandbox", 1)
        assert nothing(fake)
        assert httpx.get(f"{fake.url}/volumes", headers={"X-API-Key": "e2b_aa"}).status_code == 401
        filled = fake.fill({"team": [{"slug": "fake", "concurrent_sandboxes": 7}]})
        assert [str(each) for each in filled.made] == ["limits of team fake"]


def test_a_team_that_may_run_no_more_fails_the_filling():
    seed = {
        "team": [{"slug": "fake", "concurrent_sandboxes": 1}],
        "sandbox": [{"name": "one"}, {"name": "two"}],
    }
    with FakeE2B() as fake:
        with pytest.raises(SeedFailedError, match=r"sandbox 'two': .*maximum number"):
            fake.fill(seed)
        assert nothing(fake)


HOOK = WHOLE["webhook"][0]
KEY = {"api_keys": ["e2b_ab"]}
REFUSED = [
    ({"team": [{"slug": "a"}, {"slug": "a"}]}, "two of team 'a'"),
    ({"team": [{"slug": "a", **KEY}, {"slug": "b", **KEY}]}, "is also that of team 'a'"),
    ({"volume": [{"name": "v"}, {"name": "v"}]}, "two of volume 'v'"),
    ({"volume": [{"name": "v"}, {"name": "v", "team": "fake"}]}, "two of volume 'v'"),
    ({"secret": [SECRET, {**SECRET, "name": "TOKEN"}]}, "two of secret 'TOKEN'"),
    ({"template": [{"name": "w"}, {"name": "w:default"}]}, "two of template 'w:default'"),
    ({"sandbox": [{"name": "b"}, {"name": "b", "team": "fake"}]}, "two of sandbox 'b'"),
    (
        {
            "sandbox": [{"name": "b"}],
            "snapshot": [{"name": name, "sandbox": "b"} for name in ("s", "s:default")],
        },
        "two of snapshot 's:default'",
    ),
    ({"webhook": [HOOK, {**HOOK, "team": "fake"}]}, "two of webhook 'h'"),
    ({"volume": [{"name": "no good"}]}, "validation error"),
    ({"volume": [{"name": "n" * 251}]}, "Invalid volume name"),
    ({"secret": [{"name": "sec_x", "value": "v"}]}, "Invalid secrets request"),
    ({"sandbox": [{"name": "box", "timeout": 0}]}, "Timeout must be greater than 0"),
    ({"sandbox": [{"name": "box", "template": "absent"}]}, "template 'absent' not found"),
    ({"sandbox": [{"name": "box", "volume_mounts": {"/mnt": "absent"}}]}, "'absent' not found"),
    ({"sandbox": [{"name": "box", "network": {"allowOut": "x"}}]}, "validation error"),
    ({"sandbox": [{"name": "box", "team": "absent"}]}, "no team 'absent'"),
    ({"template": [{"name": "t", "from_template": "absent"}]}, "no template 'absent'"),
    ({"snapshot": [{"name": "s", "sandbox": "absent"}]}, "no sandbox 'absent'"),
    (
        {"webhook": [{"name": "h", "url": "ftp://x", "events": [], "secret": "s"}]},
        "must be a valid http or https URL",
    ),
]


@pytest.mark.parametrize(("seed", "why"), REFUSED)
def test_what_the_service_would_refuse_is_refused_before_anything_is_made(seed, why):
    with FakeE2B() as fake:
        with pytest.raises(SeedError) as refusal:
            fake.fill({**WHOLE, **seed} if "volume" not in seed else {"secret": [SECRET], **seed})
        assert why in str(refusal.value)
        assert nothing(fake)


def test_a_wrong_file_fails_the_start_with_its_line(tmp_path):
    path = tmp_path / "seed.toml"
    path.write_text('[[sandbox]]\nname = "box"\n\n[[sandbox]]\nname = "bad"\ntimeout = 0\n')
    with pytest.raises(UsageError, match=rf"{path}:4: sandbox 'bad': Timeout"):
        FakeE2B(fill=path).start()


def test_the_fake_answers_while_files_are_written(monkeypatch):
    holds_up = []
    write = Furnisher.write

    def noted(*args):
        try:
            holds_up.append(asyncio.get_running_loop())
        except RuntimeError:
            holds_up.append(None)
        write(*args)

    monkeypatch.setattr(Furnisher, "write", noted)
    with FakeE2B() as fake:
        fake.fill({"sandbox": [{"name": "box", "files": {"a": "b"}}]})
        assert named("box").files.read("a") == "b"
    assert holds_up == [None]


def test_a_snapshot_holds_what_its_sandbox_had():
    seed = {
        "sandbox": [{"name": "source", "files": {"a": "b"}, "paused": True}],
        "snapshot": [{"name": "snap:v1", "sandbox": "source"}],
    }
    with FakeE2B(fill=seed) as fake:
        assert fake.fill(seed).made == ()
        box = Sandbox.create("snap:v1")
        assert box.files.read("a") == "b"
