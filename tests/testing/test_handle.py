"""The `FakeE2B` handle: life, environment, clock, seeds, several at once."""

from __future__ import annotations

import itertools
import json
import os
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from e2b import AsyncSandbox, Sandbox

from fake_e2b import FakeE2B, UsageError
from fake_e2b.domain.journal import RecordKind
from fake_e2b.domain.sandbox import State
from fake_e2b.testing.environment import Environment, bypass_proxies

VARIABLES = (
    "E2B_API_KEY",
    "E2B_ACCESS_TOKEN",
    "E2B_API_URL",
    "E2B_SANDBOX_URL",
    "E2B_VOLUME_API_URL",
    "E2B_DOMAIN",
    "E2B_DOCS_BASE",
    "E2B_DEBUG",
)


def test_a_block_sets_the_variables_and_puts_them_back(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("E2B_API_KEY", "mine")
    monkeypatch.setenv("E2B_DEBUG", "true")
    before = dict(os.environ)
    resolver = socket.getaddrinfo

    def block_that_fails() -> None:
        with FakeE2B(runtime="local") as fake:
            assert {name: os.environ[name] for name in VARIABLES} == {
                name: fake.env()[name] for name in VARIABLES
            }
            assert os.environ["E2B_DEBUG"] == "false"
            raise KeyError

    with pytest.raises(KeyError):
        block_that_fails()
    assert dict(os.environ) == before
    assert socket.getaddrinfo is resolver


def test_the_environment_can_be_left_alone() -> None:
    before = dict(os.environ)
    resolver = socket.getaddrinfo
    with FakeE2B(runtime="local", set_environment=False):
        assert dict(os.environ) == before
        assert socket.getaddrinfo is resolver


def test_the_variables_lead_only_to_the_fake() -> None:
    with FakeE2B(runtime="local") as fake:
        env = fake.env()
        assert fake.url == f"http://127.0.0.1:{fake.port}"
        assert env["E2B_API_URL"] == env["E2B_SANDBOX_URL"] == fake.url
        assert env["E2B_DOMAIN"] == fake.domain == f"e2b.localhost:{fake.port}"
        assert env["E2B_API_KEY"] == fake.api_key
        assert len(fake.api_key) == 44
        int(fake.api_key.removeprefix("e2b_"), 16)
        assert env["E2B_ACCESS_TOKEN"].startswith("sk_e2b_")


def test_a_program_finds_the_fake_by_the_variables_alone() -> None:
    program = "from e2b import Sandbox; s = Sandbox.create(); print(s.sandbox_id); s.kill()"
    with FakeE2B(runtime="local", set_environment=False) as fake:
        finished = subprocess.run(
            [sys.executable, "-c", program],
            env={"PATH": os.environ["PATH"], **fake.env()},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert finished.returncode == 0, finished.stderr
        requests = fake.journal.records(kind=RecordKind.REQUEST)
        operations = [record.operation for record in requests]
        assert operations == ["createSandbox", "killSandbox"]


def test_a_machines_http_proxy_is_bypassed() -> None:
    assert bypass_proxies({"PATH": "/bin"}) == {}
    added = bypass_proxies({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "a.test, localhost"})
    assert added["no_proxy"] == added["NO_PROXY"] == "a.test,localhost,127.0.0.1,::1,.localhost"
    assert bypass_proxies({"all_proxy": "x"})["no_proxy"] == "127.0.0.1,::1,localhost,.localhost"


def test_an_environment_is_set_and_restored_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_E2B_TEST_A", "before")
    environment = Environment({"FAKE_E2B_TEST_A": "set", "FAKE_E2B_TEST_B": "set"})
    environment.set()
    environment.set()
    environment.restore()
    assert os.environ["FAKE_E2B_TEST_A"] == "before"
    assert "FAKE_E2B_TEST_B" not in os.environ
    os.environ["FAKE_E2B_TEST_A"] = "later"
    environment.restore()
    assert os.environ["FAKE_E2B_TEST_A"] == "later"


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_overlapping_environments_end_in_any_order(
    order: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_E2B_TEST_A", "before")
    # The one in the middle sets a variable that the others leave alone.
    blocks = [
        Environment(
            {"FAKE_E2B_TEST_A": str(number)} | ({"FAKE_E2B_TEST_B": "1"} if number == 1 else {})
        )
        for number in range(3)
    ]
    for block in blocks:
        block.set()
    still_open = [0, 1, 2]
    for number in order:
        blocks[number].restore()
        still_open.remove(number)
        latest = str(still_open[-1]) if still_open else "before"
        assert os.environ["FAKE_E2B_TEST_A"] == latest
        assert ("FAKE_E2B_TEST_B" in os.environ) == (1 in still_open)


def test_two_fakes_never_see_each_other() -> None:
    with FakeE2B(runtime="local") as one:
        first = Sandbox.create(metadata={"of": "one"})
        with FakeE2B(runtime="local") as two:
            second = Sandbox.create(metadata={"of": "two"})
            assert [each.sandbox_id for each in one.sandboxes()] == [first.sandbox_id]
            assert [each.sandbox_id for each in two.sandboxes()] == [second.sandbox_id]
            # Each SDK object stays with the fake that made it; a key counts only at home.
            assert first.commands.run("echo one").stdout == "one\n"
            answer = httpx.get(
                f"{two.url}/v2/sandboxes", headers={"X-API-Key": one.api_key}, trust_env=False
            )
            assert answer.status_code == 401
            two.reset()
            assert first.is_running()
        assert os.environ["E2B_API_URL"] == one.url
        assert first.is_running()


async def test_an_async_block_works_with_async_clients() -> None:
    async with FakeE2B(runtime="local") as fake:
        sandbox = await AsyncSandbox.create()
        assert (await sandbox.commands.run("echo hi")).stdout == "hi\n"
        assert len(fake.sandboxes()) == 1
        await sandbox.kill()
        fake.reset()


def test_it_can_be_started_again() -> None:
    fake = FakeE2B(runtime="local", seed=7)
    keys = []
    for _ in range(2):
        fake.start()
        keys.append(fake.api_key)
        assert fake.sandboxes() == []
        Sandbox.create()
        fake.stop()
        fake.stop()
    assert keys[0] == keys[1]


def test_a_running_fake_cannot_be_started_twice() -> None:
    with FakeE2B(runtime="local") as fake, pytest.raises(UsageError, match="running already"):
        fake.start()


USES: dict[str, Callable[[FakeE2B], object]] = {
    "url": lambda fake: fake.url,
    "key": lambda fake: fake.api_key,
    "env": lambda fake: fake.env(),
    "journal": lambda fake: fake.journal,
    "reset": lambda fake: fake.reset(),
    "sandboxes": lambda fake: fake.sandboxes(),
    "now": lambda fake: fake.clock.now_ns(),
    "advance": lambda fake: fake.clock.advance(seconds=1),
    "freeze": lambda fake: fake.clock.freeze(),
    "next deadline": lambda fake: fake.clock.next_deadline(),
}


@pytest.mark.parametrize("use", USES)
def test_a_fake_that_does_not_run_says_so(use: str) -> None:
    with pytest.raises(UsageError, match="not running"):
        USES[use](FakeE2B())


def test_a_seed_gives_the_same_ids_and_tokens() -> None:
    def made() -> list[str]:
        with FakeE2B(runtime="local", seed=42) as fake:
            sandbox = Sandbox.create()
            return [fake.api_key, sandbox.sandbox_id, sandbox.download_url("x").partition("?")[2]]

    assert made() == made()


def test_a_manual_clock_ends_sandboxes_when_it_is_moved() -> None:
    with FakeE2B(runtime="local", clock="manual") as fake:
        killed = Sandbox.create(timeout=60)
        paused = Sandbox.create(timeout=30, lifecycle={"on_timeout": "pause"})
        kept = Sandbox.create(timeout=3600)
        start_ns = fake.clock.now_ns()
        assert fake.clock.advance(seconds=29.5) == []
        happened = fake.clock.advance(seconds=60)
        assert [(each.sandbox_id, each.outcome) for each in happened] == [
            (paused.sandbox_id, "paused"),
            (killed.sandbox_id, "killed"),
        ]
        assert fake.clock.now_ns() - start_ns == 89_500_000_000
        states = {each.sandbox_id: each.state for each in fake.sandboxes()}
        assert states == {paused.sandbox_id: State.PAUSED, kept.sandbox_id: State.RUNNING}
        assert not killed.is_running()


def test_the_journal_notes_what_ran_out_of_time() -> None:
    with FakeE2B(runtime="local", clock="manual") as fake:
        paused = Sandbox.create(timeout=30, lifecycle={"on_timeout": "pause"})
        killed = Sandbox.create(timeout=60)
        Sandbox.create().kill()
        fake.clock.advance(seconds=60)
        notes = fake.journal.records(kind=RecordKind.STATE, operation="expired")
        assert [(each.sandbox_id, each.json) for each in notes] == [
            (paused.sandbox_id, {"becomes": "paused"}),
            (killed.sandbox_id, {"becomes": "killed"}),
        ]
        assert notes[1].at_ns - notes[0].at_ns >= 29_000_000_000


def test_a_real_clock_ends_sandboxes_by_itself() -> None:
    with FakeE2B(runtime="local"):
        sandbox = Sandbox.create()
        command = sandbox.commands.run("sleep 600", background=True, timeout=0)
        sandbox.set_timeout(1)
        with pytest.raises(Exception, match="end of life"):
            command.wait()
        assert not sandbox.is_running()


def test_a_reset_forgets_everything_but_keys() -> None:
    with FakeE2B(runtime="local", clock="manual") as fake:
        Sandbox.create(timeout=60)
        Sandbox.create().pause()
        key = fake.api_key
        fake.reset()
        assert fake.sandboxes() == []
        assert fake.journal.records() == []
        assert fake.api_key == key
        assert fake.clock.advance(seconds=120) == []
        Sandbox.create()


def test_further_keys_and_teams() -> None:
    more, theirs = "e2b_" + "ab" * 20, "e2b_" + "cd" * 20
    with FakeE2B(runtime="local", api_keys=[more], teams={"other": [theirs]}):
        sandbox = Sandbox.create(api_key=more)
        assert Sandbox.connect(sandbox.sandbox_id).sandbox_id == sandbox.sandbox_id
        with pytest.raises(Exception, match="not found"):
            Sandbox.connect(sandbox.sandbox_id, api_key=theirs)


def test_a_malformed_key_is_refused_at_the_start() -> None:
    before = dict(os.environ)
    with pytest.raises(UsageError, match="hex"):
        FakeE2B(runtime="local", api_keys=["nope"]).start()
    assert dict(os.environ) == before


def test_limits_can_be_set() -> None:
    with FakeE2B(runtime="local", max_sandboxes=1, max_length_hours=2):
        with pytest.raises(Exception, match="greater than 2 hours"):
            Sandbox.create(timeout=3 * 3600)
        Sandbox.create()
        with pytest.raises(Exception, match=r"maximum number of concurrent E2B sandboxes \(1\)"):
            Sandbox.create()


def test_other_machines_are_kept_out_unless_allowed() -> None:
    with pytest.raises(UsageError, match="allow_remote"):
        FakeE2B(host="0.0.0.0").start()
    with FakeE2B(runtime="local", host="0.0.0.0", allow_remote=True) as fake:
        assert fake.url == f"http://127.0.0.1:{fake.port}"
        Sandbox.create().kill()


def test_a_fixed_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with FakeE2B(runtime="local", port=port) as fake:
        assert fake.port == port
        with pytest.raises(UsageError, match=str(port)):
            FakeE2B(runtime="local", port=port).start()


def test_it_may_be_used_from_many_threads() -> None:
    with FakeE2B(runtime="local") as fake, ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: Sandbox.create().sandbox_id, range(16)))
        seen = list(threads.map(lambda _: len(fake.sandboxes()), range(16)))
        assert sorted(each.sandbox_id for each in fake.sandboxes()) == sorted(made)
        assert set(seen) == {16}


def test_several_live_and_end_in_any_order() -> None:
    before = dict(os.environ)
    resolver = socket.getaddrinfo
    threads = threading.active_count()
    fakes = [FakeE2B(runtime="local", set_environment=False).start() for _ in range(4)]
    assert len({fake.url for fake in fakes}) == 4
    for index in (2, 0, 3, 1):
        fakes[index].stop()
    assert threading.active_count() == threads
    assert dict(os.environ) == before
    assert socket.getaddrinfo is resolver


def test_the_admin_page_shows_the_same_environment() -> None:
    with FakeE2B(runtime="local") as fake:
        with urllib.request.urlopen(f"{fake.url}/_fake/env", timeout=10) as answer:
            shown = json.loads(answer.read())
        assert shown.items() <= fake.env().items()
