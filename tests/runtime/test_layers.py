"""Guests that start on layers: nothing is lost, nobody sees another's changes."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from fake_e2b.domain.entry import FilesystemEvent
from fake_e2b.domain.ports import Capability, Guest, LayerID, Runtime
from fake_e2b.domain.user import ROOT, USER
from tests.runtime.guests import needs, run, shell, wait_until

START = "i" + "a" * 20
Fork = Callable[[str, str], Awaitable[Guest]]


@pytest.fixture
def fork(runtime: Runtime) -> Fork:
    async def make(source: str, target: str) -> Guest:
        layer_id = await runtime.capture(source)
        try:
            return await runtime.create(target, base=layer_id)
        finally:
            await runtime.release(layer_id)

    return make


def write(guest: Guest, path: str, data: bytes = b"x", mode: int = 0o644) -> None:
    with guest.files.open_write(path, owner=USER, mode=mode) as file:
        file.write(data)


def read(guest: Guest, path: str) -> bytes:
    with guest.files.open_read(path) as file:
        data = file.read()
        assert data is not None
        return data


def weigh(guest: Guest, path: str) -> None:
    """So many bytes, in a hole, that the files are shared, not copied."""
    with guest.files.open_write(path, owner=USER) as file:
        file.seek(40 << 20)
        file.write(b"end")


@pytest.fixture(params=["small", "big"])
async def source(request: pytest.FixtureRequest, runtime: Runtime) -> Guest:
    """A guest whose files are copied for each fork, or shared."""
    guest = await runtime.create(START)
    if request.param == "big":
        weigh(guest, "/home/user/weight")
    return guest


class TestFork:
    async def test_what_the_source_holds_is_there(
        self, runtime: Runtime, source: Guest, fork: Fork
    ) -> None:
        made = await run(
            source,
            *shell(
                "mkdir -p d/e; echo one > d/e/f; ln d/e/f hard; ln -s d/e/f soft; mkfifo pipe;"
                "printf x > runs; chmod 4755 runs; "
                "mkdir shut; echo s > shut/s; chmod 0 shut/s shut;"
                "touch -d @86400 d; truncate -s 100M sparse"
            ),
        )
        assert made.exit.code == 0, made.stderr
        other = await fork(START, "i2")
        told = await run(
            other,
            *shell(
                "cat soft; stat -c '%h %a' hard; stat -c '%i' hard d/e/f | uniq | wc -l;"
                "stat -c %F pipe; stat -c %a runs; stat -c '%A' shut; stat -c %Y d;"
                "du -k sparse | cut -f1; ls"
            ),
        )
        expected = ["one", "2 644", "1", "fifo", "4755", "d---------", "86400", "0"]
        assert told.stdout.splitlines()[: len(expected)] == expected
        opened = await run(other, *shell("chmod 700 shut; chmod 600 shut/s; cat shut/s"))
        assert opened.stdout == "s\n"

    async def test_each_goes_its_own_way(self, runtime: Runtime, source: Guest, fork: Fork) -> None:
        await run(source, *shell("mkdir -p d; echo one > d/f; echo 1 > gone; echo 1 > kept"))
        first, second = await fork(START, "i2"), await fork(START, "i3")
        await run(first, *shell("echo two > d/f; rm gone; rm -r d; mkdir d; echo new > d/g"))
        await run(source, *shell("echo three > kept"))
        assert list(first.files.listdir("/home/user/d")) == ["g"]
        assert read(first, "/home/user/kept") == b"1\n"
        for guest in (source, second):
            assert read(guest, "/home/user/d/f") == b"one\n"
            assert read(guest, "/home/user/gone") == b"1\n"
        assert read(second, "/home/user/kept") == b"1\n"

    async def test_what_a_fork_removed_stays_removed_in_its_forks(
        self, runtime: Runtime, source: Guest, fork: Fork
    ) -> None:
        await run(source, *shell("mkdir d; echo 1 > d/f; echo 1 > gone"))
        first = await fork(START, "i2")
        await run(first, *shell("rm gone; rm -r d; mkdir d; echo 2 > d/g; echo 3 >> .bashrc"))
        second = await fork("i2", "i3")
        assert list(second.files.listdir("/home/user/d")) == ["g"]
        assert "gone" not in second.files.listdir("/home/user")
        third = await fork("i3", "i4")
        assert list(third.files.listdir("/home/user/d")) == ["g"]
        assert read(third, "/home/user/.bashrc").endswith(b"3\n")

    async def test_a_tree_deeper_than_a_path_can_say(
        self, runtime: Runtime, source: Guest, fork: Fork
    ) -> None:
        name = "d" * 100
        script = f"for i in $(seq 60); do mkdir {name}; cd {name} || exit; done; echo 1 > x"
        await run(source, *shell(script))
        other = await fork(START, "i2")
        found = await run(other, *shell("find . -name x | wc -c; find . -type d | wc -l"))
        length, folders = map(int, found.stdout.split())
        assert (length > 4096, folders) == (True, 61)
        again = await fork("i2", "i3")
        assert (await run(again, *shell("find . -type d | wc -l"))).stdout == "61\n"

    async def test_owners_survive(self, runtime: Runtime, source: Guest, fork: Fork) -> None:
        with source.files.open_write("/home/user/roots", owner=ROOT) as file:
            file.write(b"r")
        source.files.set_xattr("/home/user/roots", "user.e2b.kind", b"k")
        first = await fork(START, "i2")
        second = await fork("i2", "i3")
        for guest in (first, second):
            entry = guest.files.stat("/home/user/roots")
            assert (entry.owner, entry.group) == ("root", "root")
            assert guest.files.stat("/home/user/.bashrc").owner == "user"
            assert dict(guest.files.xattrs("/home/user/roots")) == {"user.e2b.kind": b"k"}

    async def test_a_long_line_of_forks(self, runtime: Runtime, source: Guest, fork: Fork) -> None:
        """As long as no stack of mounts may be."""
        before, last = START, source
        for number in range(50):
            name = f"i{number}"
            guest = await fork(before, name)
            script = f"echo {number} > f{number}; rm -f f{number - 3}; echo {number} > same"
            assert (await run(guest, *shell(script))).exit.code == 0
            await last.kill()
            before, last = name, guest
        names = [name for name in last.files.listdir("/home/user") if name.startswith("f")]
        assert names == ["f47", "f48", "f49"]
        assert read(last, "/home/user/same") == b"49\n"

    async def test_a_watcher_sees_changes_of_shared_files(
        self, runtime: Runtime, source: Guest, fork: Fork
    ) -> None:
        needs(runtime, Capability.WATCHERS)
        await run(source, *shell("mkdir -p d/e; echo 1 > d/f; echo 1 > d/e/g"))
        other = await fork(START, "i2")
        seen: list[FilesystemEvent] = []
        watch = other.files.watch("/home/user/d", recursive=True, sink=seen.append)
        await run(other, *shell("echo 2 >> d/f; rm d/e/g; echo 1 > d/e/new"))
        await wait_until(
            lambda: {"f", "e/g", "e/new"} <= {event.name for event in seen}, "the events"
        )
        watch.close()

    async def test_a_shared_folder_is_renamed(
        self, runtime: Runtime, source: Guest, fork: Fork
    ) -> None:
        await run(source, *shell("mkdir -p d/e; echo one > d/e/f; ln -s e/f d/link; chmod 750 d"))
        other = await fork(START, "i2")
        other.files.rename("/home/user/d", "/home/user/new")
        assert read(other, "/home/user/new/link") == b"one\n"
        assert stat.S_IMODE(other.files.stat("/home/user/new").mode) == 0o750
        assert "d" not in other.files.listdir("/home/user")
        moved = await run(other, *shell("mv new again && cat again/e/f && ls"))
        assert moved.stdout == "one\nagain\n" or moved.stdout == "one\nagain\nweight\n"

    async def test_a_rename_crosses_the_machines_disks(
        self, runtime: Runtime, source: Guest
    ) -> None:
        needs(runtime, Capability.PROTECTED_HOST)
        write(source, "/home/user/a", b"a", 0o640)
        source.files.rename("/home/user/a", "/etc/a")
        assert read(source, "/etc/a") == b"a"
        assert stat.S_IMODE(source.files.stat("/etc/a").mode) == 0o640
        with pytest.raises(OSError, match="cross-device"):
            source.files.rename("/etc/a", "/dev/shm/a")
        assert read(source, "/etc/a") == b"a"

    async def test_files_of_the_last_boot_are_found_again(
        self, runtime: Runtime, source: Guest, fork: Fork
    ) -> None:
        await run(source, *shell("echo 1 > one; echo 1 > gone"))
        other = await fork(START, "i2")
        await run(other, *shell("rm gone; echo 2 > two"))
        await source.kill()
        await other.stop()
        other = await runtime.boot("i2")
        assert read(other, "/home/user/one") == b"1\n"
        assert read(other, "/home/user/two") == b"2\n"
        assert "gone" not in other.files.listdir("/home/user")


class TestHostFolders:
    async def test_changes_of_the_hosts_folders_go_along(
        self, runtime: Runtime, source: Guest, fork: Fork
    ) -> None:
        needs(runtime, Capability.PROTECTED_HOST)
        hidden = "/usr/share/common-licenses"
        script = f"echo hi > /usr/local/bin/hello; echo 1 > /etc/one; rm -r {hidden}"
        made = await run(source, *shell(script), user=ROOT)
        first = await fork(START, "i2")
        await run(first, *shell("rm /etc/one; echo 2 > /etc/two"), user=ROOT)
        second = await fork("i2", "i3")
        told = await run(second, *shell("cat /usr/local/bin/hello; cat /etc/two; ls /etc/one"))
        assert told.stdout == "hi\n2\n"
        if made.exit.code == 0:  # root of one id may not remove what is the host's root's
            assert Path(hidden).name not in second.files.listdir("/usr/share")
        assert Path(hidden).exists()


class TestLayers:
    async def test_a_layer_goes_with_its_last_guest(
        self, runtime: Runtime, source: Guest, tmp_path: Path
    ) -> None:
        def layers() -> list[Path]:
            return list(tmp_path.glob("fake-e2b-*/run-*/layer-*"))

        is_big = "weight" in source.files.listdir("/home/user")
        layer_id = await runtime.capture(START)
        first = await runtime.create("i2", base=layer_id)
        second = await runtime.create("i3", base=layer_id)
        await source.kill()
        assert len(layers()) == 1
        await runtime.release(layer_id)
        if runtime.name == "isolated":
            assert len(layers()) == is_big  # what is small was copied
        await first.kill()
        assert read(second, "/home/user/.bashrc")
        await second.kill()
        assert layers() == []

    async def test_each_guest_on_a_layer_has_all_of_it(
        self, runtime: Runtime, source: Guest
    ) -> None:
        script = (
            "mkdir -p d/e ~/.ssh; echo 1 > d/e/f; rm .profile; echo more >> .bashrc; chmod 700 d;"
            "touch -d @86400 .bashrc d; ln -s d/e link"
        )
        await run(source, *shell(script))
        layer_id = await runtime.capture(START)
        look = shell(
            "cat d/e/f; tail -n 1 .bashrc; stat -c '%n %a %U %Y' d .bashrc; readlink link; ls -A;"
            "ls -lA --time-style=+ /opt /srv /var /var/lib"
        )
        expected = await run(source, *look)
        assert "1\nmore\nd 700 " in expected.stdout
        for number in range(4):
            guest = await runtime.create(f"i{number}", base=layer_id)
            assert await run(guest, *look) == expected
            await run(guest, *shell("echo 2 > d/e/f; rm -r .ssh; touch .profile /tmp/own"))

    async def test_fresh_files_are_of_one_age(self, runtime: Runtime, source: Guest) -> None:
        needs(runtime, Capability.PROTECTED_HOST)
        other = await runtime.create("i2")
        for path in ("/home/user/.profile", "/root/.bashrc", "/opt", "/var/log"):
            assert other.files.stat(path).mtime_ns == source.files.stat(path).mtime_ns

    async def test_a_layer_outlives_what_it_was_captured_from(
        self, runtime: Runtime, source: Guest
    ) -> None:
        write(source, "/home/user/kept", b"k")
        layer_id = await runtime.capture(START)
        await source.kill()
        guest = await runtime.create("i2", base=layer_id)
        assert read(guest, "/home/user/kept") == b"k"

    async def test_one_that_is_let_go_meanwhile_is_there_to_the_end(
        self, runtime: Runtime, source: Guest
    ) -> None:
        await run(source, *shell("for i in $(seq 200); do echo $i > f$i; done"))
        layer_id = await runtime.capture(START)
        starting = asyncio.create_task(runtime.create("i2", base=layer_id))
        await asyncio.sleep(0)
        await runtime.release(layer_id)
        guest = await starting
        assert sum(name.startswith("f") for name in guest.files.listdir("/home/user")) == 200

    async def test_a_capture_that_fails_leaves_nothing(
        self, runtime: Runtime, source: Guest, tmp_path: Path
    ) -> None:
        folder = next(tmp_path.glob(f"fake-e2b-*/run-*/{START}"))
        os.rename(folder, folder.with_name("away"))
        with pytest.raises(FileNotFoundError):
            await runtime.capture(START)
        os.rename(folder.with_name("away"), folder)
        assert list(tmp_path.glob("fake-e2b-*/run-*/layer-*")) == []
        assert await runtime.capture(START) != LayerID("")
