"""What the sandbox's users are and may, whatever ids the machine grants."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fake_e2b.domain.entry import FilesystemEvent
from fake_e2b.domain.errors import RuntimeUnavailableError
from fake_e2b.domain.ports import Capability, Guest
from fake_e2b.domain.user import ROOT, USER
from fake_e2b.runtime.isolated import IsolatedRuntime
from fake_e2b.runtime.select import choose_runtime
from tests.helpers.processes import kill_if_there
from tests.runtime.guests import collect, needs, request, run, shell, wait_until


@pytest.fixture
async def runtime(tmp_path: Path) -> AsyncIterator[IsolatedRuntime]:
    try:
        made = choose_runtime("isolated", folder=str(tmp_path))
    except RuntimeUnavailableError as error:
        pytest.skip(str(error))
    assert isinstance(made, IsolatedRuntime)
    await made.start()
    yield made
    await made.close()
    assert list(tmp_path.glob("fake-e2b-*/*")) == []


async def answer(guest: Guest, script: str, *, root: bool = False) -> list[str]:
    """The lines that a script prints; it must not complain."""
    told = await run(guest, *shell(script), user=ROOT if root else USER)
    assert (told.stderr, told.exit.code) == ("", 0)
    return told.stdout.splitlines()


class TestLooks:
    async def test_both_users_look_as_they_should(self, guest: Guest) -> None:
        assert await answer(guest, "id -un; id -gn; id -u; whoami; echo $HOME") == [
            "user", "user", "1000", "user", "/home/user",
        ]  # fmt: skip
        assert await answer(guest, "id -un; id -gn; id -u; whoami; echo $HOME", root=True) == [
            "root", "root", "0", "root", "/root",
        ]  # fmt: skip

    async def test_a_listing_shows_whose_a_file_is(self, guest: Guest) -> None:
        assert await answer(guest, "touch mine; stat -c %U:%G mine .") == ["user:user"] * 2
        script = "touch /opt/ours; stat -c %U:%G /opt/ours /opt /root /tmp"
        assert await answer(guest, script, root=True) == ["root:root"] * 4

    async def test_the_api_names_the_owner_of_what_commands_made(self, guest: Guest) -> None:
        await answer(guest, "touch mine; mkdir -p deep/er")
        await answer(guest, "touch /root/ours /opt/ours /etc/ours /usr/local/bin/ours", root=True)
        files = guest.files
        for path in ("/home/user/mine", "/home/user/deep/er"):
            assert (files.stat(path).owner, files.stat(path).group) == ("user", "user")
        for path in ("/root/ours", "/opt/ours", "/etc/ours", "/usr/local/bin/ours", "/usr/bin/env"):
            assert (files.stat(path).owner, files.stat(path).group) == ("root", "root"), path

    async def test_commands_see_the_owner_that_the_api_gave(self, guest: Guest) -> None:
        for path, owner in (("/home/user/mine", USER), ("/root/ours", ROOT)):
            with guest.files.open_write(path, owner=owner) as file:
                file.write(b"1")
        guest.files.mkdir("/srv/mine", 0o755, ROOT)
        assert await answer(guest, "stat -c %U mine; echo 2 >> mine; cat mine") == ["user", "12"]
        assert await answer(guest, "stat -c %U /root/ours /srv/mine", root=True) == ["root"] * 2


class TestBecoming:
    async def test_sudo_becomes_root_and_back(self, guest: Guest) -> None:
        assert await answer(guest, "sudo whoami; sudo id -u; sudo -u user id -u") == [
            "root", "0", "1000",
        ]  # fmt: skip
        assert await answer(guest, "sudo sudo -u user sudo whoami") == ["root"]
        assert await answer(guest, "sudo -u user whoami; sudo sudo id -u", root=True) == [
            "user", "0",
        ]  # fmt: skip

    async def test_sudo_has_the_others_home_and_says_who_asked(self, guest: Guest) -> None:
        wanted = "echo $HOME $USER $LOGNAME $SUDO_USER"
        assert await answer(guest, f"sudo -i '{wanted}'; sudo sh -c '{wanted}'") == [
            "/root root root user"
        ] * 2  # fmt: skip
        assert await answer(guest, f"sudo -u user -i '{wanted}; pwd'", root=True) == [
            "/home/user user user root", "/home/user",
        ]  # fmt: skip

    async def test_sudo_passes_variables_that_it_is_given(self, guest: Guest) -> None:
        script = "sudo ONE=1 env | grep ^ONE; ONE=2 sudo -E env | grep ^ONE"
        assert await answer(guest, script) == ["ONE=1", "ONE=2"]
        assert await answer(guest, "sudo env | grep ^user= || echo no more") == ["no more"]

    async def test_su_needs_no_password(self, guest: Guest) -> None:
        assert await answer(guest, "su - user -c 'whoami; pwd'", root=True) == [
            "user", "/home/user",
        ]  # fmt: skip

    async def test_root_changes_the_machine_and_user_through_sudo(self, guest: Guest) -> None:
        script = """
        sudo sh -c 'echo one > /etc/one; echo two > /usr/local/bin/two; chmod +x /usr/local/bin/two'
        sudo mkdir -p /opt/three /usr/local/lib/four
        echo five | sudo tee -a /etc/environment >/dev/null
        sudo sed -i 's/five/six/' /etc/environment
        cat /etc/one; cat /usr/local/bin/two; tail -n1 /etc/environment; ls -d /opt/three
        """
        assert await answer(guest, script) == ["one", "two", "six", "/opt/three"]

    async def test_root_adds_users(self, guest: Guest, runtime: IsolatedRuntime) -> None:
        needs(runtime, Capability.SEPARATE_USERS)
        await answer(guest, "useradd -m -s /bin/bash -u 1500 eve; usermod -aG sudo eve", root=True)
        eve = guest.lookup_user("eve")
        assert eve is not None
        told = await run(guest, *shell("id -un; touch ~/mine; stat -c %U ~/mine"), user=eve)
        assert (told.stdout.split(), told.stderr) == (["eve", "eve"], "")


class TestRights:
    @pytest.fixture(autouse=True)
    def _apart(self, runtime: IsolatedRuntime) -> None:
        needs(runtime, Capability.SEPARATE_USERS)

    async def test_each_sees_what_belongs_to_the_other(self, guest: Guest) -> None:
        assert await answer(guest, "stat -c %U:%G ..") == ["root:root"]
        assert await answer(guest, "stat -c %U:%G /home/user", root=True) == ["user:user"]

    async def test_user_may_not_what_root_may(self, guest: Guest) -> None:
        script = "touch /root/a; touch /etc/a; touch /opt/a; touch /usr/local/a; cat /etc/shadow"
        told = await run(guest, *shell(script))
        assert told.stderr.count("Permission denied") == 5
        assert (await run(guest, *shell(script), user=ROOT)).stderr == ""

    async def test_the_api_reaches_what_a_user_closed_to_others(self, guest: Guest) -> None:
        await answer(
            guest, "mkdir -p a/b; echo 1 > a/b/c; chmod 600 a/b/c; chmod 700 a/b; chmod 0 a"
        )
        files = guest.files
        with files.open_read("/home/user/a/b/c") as file:
            assert file.read() == b"1\n"
        assert files.listdir("/home/user/a") == ["b"]
        with files.open_write("/home/user/a/b/d", owner=USER) as file:
            file.write(b"2")
        files.set_xattr("/home/user/a/b/d", "user.mark", b"\x00\xff")
        assert files.xattrs("/home/user/a/b/d") == {"user.mark": b"\x00\xff"}
        files.rename("/home/user/a/b", "/home/user/e")
        files.chown("/home/user/e/c", ROOT)
        assert await answer(guest, "stat -c '%U %a' e/c e/d") == ["root 600", "user 644"]
        files.remove("/home/user/a")
        files.remove("/home/user/e")
        assert not {"a", "e"} & set(files.listdir("/home/user"))

    async def test_changes_in_roots_own_folders_are_reported(self, guest: Guest) -> None:
        events: list[FilesystemEvent] = []
        watch = guest.files.watch("/root", recursive=True, sink=events.append)
        await answer(guest, "mkdir /root/below; touch /root/below/file", root=True)
        await wait_until(lambda: any(each.name == "below/file" for each in events), "it is told")
        watch.close()

    async def test_what_users_closed_goes_with_the_sandbox(
        self, guest: Guest, runtime: IsolatedRuntime, tmp_path: Path
    ) -> None:
        await answer(guest, "mkdir -p a/b; touch a/b/c; chmod 0 a/b a")
        await answer(guest, "mkdir -m 0 /opt/closed; touch /opt/closed/c", root=True)
        layer_id = await runtime.capture("i" + "a" * 20)
        fork = await runtime.create("i" + "f" * 20, base=layer_id)
        assert await answer(fork, "stat -c '%U %a' a; sudo ls /opt/closed a/b") == [
            "user 0", "/opt/closed:", "c", "", "a/b:", "c",
        ]  # fmt: skip
        await guest.kill()
        await fork.kill()
        await runtime.release(layer_id)  # the fixture looks for what is left

    async def test_files_stay_within_reach_when_their_service_is_killed(
        self, guest: Guest, runtime: IsolatedRuntime
    ) -> None:
        if not runtime.ids.delegated:
            pytest.skip("the server reaches the files by itself here")
        killed = processes_named("fake-e2b-files")
        for pid in killed:
            kill_if_there(pid)
        # Guests that are made ahead of need may have brought up another one.
        await wait_until(
            lambda: not set(killed) & set(processes_named("fake-e2b-files")), "they are gone"
        )
        assert "home" in guest.files.listdir("/")

    async def test_programs_and_the_api_work_on_the_files_at_once(self, guest: Guest) -> None:
        process = await guest.spawn(request(*shell("for i in $(seq 300); do echo $i > f$i; done")))
        ended = asyncio.create_task(collect(process))
        while not ended.done():
            for name in guest.files.listdir("/home/user"):
                guest.files.lstat(f"/home/user/{name}")
            await asyncio.sleep(0)
        assert (await ended).exit.code == 0
        names = guest.files.listdir("/home/user")
        assert len([name for name in names if name.startswith("f")]) == 300


def processes_named(name: str) -> list[int]:
    """Living processes of this user whose short name is `name`."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if (folder / "comm").read_text() == f"{name}\n" and mine(folder):
                    found.append(int(folder.name))
            except OSError:
                continue
    return found


def mine(folder: Path) -> bool:
    """Below this very process: other tests may run at the same time."""
    pid = int(folder.name)
    while pid > 1:
        if pid == os.getpid():
            return True
        pid = int((Path("/proc") / str(pid) / "stat").read_text().rpartition(") ")[2].split()[1])
    return False
