"""Forks by the published SDK, on both runtimes."""

from __future__ import annotations

import pytest
from e2b import AsyncSandbox, Sandbox
from e2b.exceptions import NotFoundException, RateLimitException, SandboxException

from fake_e2b import FakeE2B


def test_forks_start_from_the_files_and_go_their_own_ways(fake: FakeE2B) -> None:
    source = Sandbox.create(
        metadata={"who": "a"}, envs={"COLOUR": "red"}, lifecycle={"on_timeout": "pause"}
    )
    source.commands.run(
        "mkdir -p d && echo one > d/a && ln -s a d/link && chmod 750 d && touch -d @1000000000 d/a"
        " && mkfifo pipe && echo x > gone && rm gone"
    )
    source.files.write("/root/by_root", "r", user="root")
    before = source.get_info()
    forks = source.fork(count=2, timeout=120)
    assert [type(fork) for fork in forks] == [Sandbox, Sandbox]
    assert len({source.sandbox_id, *(fork.sandbox_id for fork in forks)}) == 3
    for fork in forks:
        assert fork.commands.run("test -p pipe && echo pipe").stdout == "pipe\n"
        assert fork.files.read("d/link") == "one\n"
        assert fork.files.get_info("d").mode == 0o750
        assert fork.files.get_info("d/a").modified_time.timestamp() == 1_000_000_000
        assert fork.commands.run("echo $COLOUR").stdout == "red\n"
        assert fork.files.read("/root/by_root", user="root") == "r"
        assert not fork.files.exists("gone")
        info = fork.get_info()
        assert info.metadata == {"who": "a"}
        assert info.lifecycle == before.lifecycle
        assert (info.end_at - info.started_at).total_seconds() == 120
    forks[0].files.write("d/a", "two")
    assert source.files.read("d/a") == "one\n"
    assert forks[1].files.read("d/a") == "one\n"
    after = source.get_info()
    assert (after.started_at, after.end_at) == (before.started_at, before.end_at)


def test_the_source_goes_on(fake: FakeE2B) -> None:
    source = Sandbox.create()
    counting = source.commands.run("cat", background=True, stdin=True)
    (fork,) = source.fork()
    assert fork.commands.list() == []
    source.commands.send_stdin(counting.pid, "still here\n")
    source.commands.close_stdin(counting.pid)
    assert counting.wait().stdout == "still here\n"


def test_a_system_folder_that_was_changed_is_copied(fake: FakeE2B) -> None:
    source = Sandbox.create()
    source.files.write("/etc/of-mine", "e", user="root")
    assert source.files.exists("/etc/hosts")
    source.files.remove("/etc/hosts", user="root")
    (fork,) = source.fork()
    assert not fork.files.exists("/etc/hosts")
    assert fork.files.read("/etc/of-mine", user="root") == "e"


async def test_async(fake: FakeE2B) -> None:
    source = await AsyncSandbox.create()
    await source.files.write("a", "1")
    (fork,) = await source.fork()
    assert isinstance(fork, AsyncSandbox)
    assert await fork.files.read("a") == "1"


def test_who_cannot_be_forked(fake: FakeE2B) -> None:
    with pytest.raises(NotFoundException, match="doesn't exist"):
        Sandbox.fork("i" + "0" * 20)
    sandbox = Sandbox.create()
    sandbox.pause()
    with pytest.raises(SandboxException, match=r"^409: .* is paused and cannot be forked"):
        sandbox.fork()
    with pytest.raises(SandboxException, match=r"^400: Timeout must be greater than 0"):
        Sandbox.fork(sandbox.sandbox_id, timeout=0)
    assert len(fake.sandboxes()) == 1


def test_each_fork_counts_against_the_limit() -> None:
    with FakeE2B(max_sandboxes=3):
        source, _other = Sandbox.create(), Sandbox.create()
        fork, refused = source.fork(count=2)
        assert isinstance(fork, Sandbox)
        assert isinstance(refused, RateLimitException)
        with pytest.raises(SandboxException, match=r"^400: Count must be lower than .* \(3\)"):
            source.fork(count=3)
