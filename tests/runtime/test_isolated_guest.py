"""What only a guest of its own can promise, and attempts to break it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fake_e2b.domain.errors import RuntimeUnavailableError
from fake_e2b.domain.ports import Capability, Guest, Runtime
from fake_e2b.domain.process import ProcessExit
from fake_e2b.domain.user import ROOT, USER, User
from fake_e2b.runtime.select import choose_runtime
from tests.runtime.guests import Conversation, collect, needs, request, run, shell, wait_until


@pytest.fixture
async def runtime(tmp_path: Path) -> AsyncIterator[Runtime]:
    try:
        made = choose_runtime("isolated", folder=str(tmp_path))
    except RuntimeUnavailableError as error:
        pytest.skip(str(error))
    await made.start()
    yield made
    await made.close()


BOMB = """
import os, time
made = 0
try:
    while made < 3 * 2048:
        if not os.fork():
            time.sleep(1000)
        made += 1
except BlockingIOError:
    print(made, flush=True)
time.sleep(1000)
"""
STUBBORN = """
import signal, time
for number in range(1, signal.NSIG):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
print("ready", flush=True)
time.sleep(1000)
"""


class TestAttacks:
    @pytest.mark.parametrize(("user", "most"), [(USER, 2048), (ROOT, 4096)])
    async def test_a_fork_bomb_is_bounded_and_ends_with_its_sandbox(
        self, guest: Guest, runtime: Runtime, user: User, most: int
    ) -> None:
        other = await runtime.create("i" + "o" * 20)
        bomb = await guest.spawn(request("python3", "-c", BOMB, user=user))
        with bomb.subscribe() as events:
            made = int(await Conversation(events).until(b"\n"))
        assert 100 < made < most
        assert (await run(other, "echo", "fine")).stdout == "fine\n"
        await guest.kill()
        assert (await bomb.wait()).signal == signal.SIGKILL
        assert (await run(other, "echo", "fine")).stdout == "fine\n"

    async def test_one_that_ignores_every_signal_ends_with_its_sandbox(self, guest: Guest) -> None:
        process = await guest.spawn(request("python3", "-c", STUBBORN))
        with process.subscribe() as events:
            await Conversation(events).until(b"ready\n")
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            process.signal(number)
        assert (await run(guest, "echo", "fine")).stdout == "fine\n"
        await guest.kill()
        assert (await process.wait()).signal == signal.SIGKILL

    async def test_a_hard_link_reaches_no_file_of_the_machine(self, guest: Guest) -> None:
        await run(guest, *shell("ln /etc/hostname ~/link; echo mine >> ~/link"), user=ROOT)
        assert Path("/etc/hostname").read_bytes().find(b"mine") == -1
        for path in ("/home/user/../../../../etc/hostname", "/../etc/hostname"):
            with guest.files.open_read(path) as file:
                assert file.read().startswith(b"e2b.local\n")

    async def test_killing_everything_as_user_leaves_the_sandbox_usable(self, guest: Guest) -> None:
        process = await guest.spawn(request(*shell("read -r; kill -9 -1"), stdin=True))
        await process.write(b"now\n")
        await collect(process)
        assert (await run(guest, "echo", "fine")).stdout == "fine\n"
        assert guest.alive

    async def test_stopping_everything_as_user_does_not_stop_the_agents(self, guest: Guest) -> None:
        process = await guest.spawn(request(*shell("kill -STOP -1; echo went on")))
        assert (await collect(process)).stdout == "went on\n"
        assert (await run(guest, "echo", "fine")).stdout == "fine\n"

    async def test_pid_1_cannot_be_killed_from_inside(self, guest: Guest) -> None:
        await run(guest, *shell("kill -9 1; kill -TERM 1; kill -STOP 1"), user=ROOT)
        assert (await run(guest, "echo", "fine", user=ROOT)).stdout == "fine\n"

    async def test_a_link_to_the_hosts_files_reads_the_sandboxs(self, guest: Guest) -> None:
        await run(guest, *shell("ln -s /etc/hostname link; ln -s ../../../../etc/hostname up"))
        for name in ("link", "up"):
            with guest.files.open_read(f"/home/user/{name}") as file:
                assert file.read() == b"e2b.local\n"

    async def test_devices_of_the_machine_are_out_of_reach(self, guest: Guest) -> None:
        script = "ls /dev; mknod /tmp/disk b 254 0 && cat /tmp/disk | head -c1 | wc -c"
        result = await run(guest, *shell(script), user=ROOT)
        assert not {"mem", "kmem", "vda", "sda", "kvm"} & set(result.stdout.split())
        assert result.exit != ProcessExit(0) or result.stdout.endswith("0\n")

    async def test_a_mount_inside_stays_inside(self, guest: Guest, runtime: Runtime) -> None:
        other = await runtime.create("i" + "o" * 20)
        await run(guest, *shell("mount -t tmpfs none /mnt && touch /mnt/mark"), user=ROOT)
        assert (await run(guest, "ls", "/mnt")).stdout == "mark\n"
        assert (await run(other, "ls", "/mnt")).stdout == ""
        assert "mark" not in os.listdir("/mnt")

    async def test_one_sandbox_does_not_see_the_other(self, guest: Guest, runtime: Runtime) -> None:
        other = await runtime.create("i" + "o" * 20)
        await run(guest, *shell("echo mine > /tmp/mine; echo mine > ~/mine"))
        result = await run(other, *shell("ls /tmp ~"))
        assert "mine" not in result.stdout


class TestMachine:
    async def test_orphans_become_children_of_pid_1(self, guest: Guest) -> None:
        result = await run(
            guest, *shell("(setsid sh -c 'sleep 0.05; echo $PPID > parent' >/dev/null 2>&1 &)")
        )
        assert result.exit == ProcessExit(0)
        await wait_until(lambda: "parent" in guest.files.listdir("/home/user"), "it wrote")
        pids = (await run(guest, "ps", "-o", "pid=,comm=", "-p", "1")).stdout
        assert pids.split() == ["1", "init"]

    async def test_the_running_python_works_inside(self, guest: Guest) -> None:
        result = await run(guest, sys.executable, "-c", "import json, ssl; print(json.dumps([1]))")
        assert (result.stdout, result.stderr) == ("[1]\n", "")

    async def test_so_do_packages_that_lie_elsewhere(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        packages = tmp_path / "of-the-user" / "site-packages"
        packages.mkdir(parents=True)
        (packages / "mine_alone.py").write_text("print('found')")
        monkeypatch.setattr(sys, "path", [*sys.path, str(packages)])
        try:
            runtime = choose_runtime("isolated", folder=str(tmp_path))
        except RuntimeUnavailableError as error:
            pytest.skip(str(error))
        await runtime.start()
        try:
            guest = await runtime.create("i" + "p" * 20)
            path = {"PYTHONPATH": str(packages)}
            result = await run(guest, "python3", "-c", "import mine_alone", env=path, user=ROOT)
            assert result.stdout == "found\n", result.stderr
        finally:
            await runtime.close()

    async def test_a_reboot_keeps_every_kind_of_file(self, runtime: Runtime) -> None:
        guest = await runtime.create("i" + "r" * 20)
        names = ["/home/user/a", "/root/a", "/tmp/a", "/opt/a", "/etc/a", "/usr/local/a", "/a"]
        await run(guest, *shell(f"touch {' '.join(names)}; rm /etc/issue"), user=ROOT)
        await guest.stop()
        again = await runtime.boot("i" + "r" * 20)
        result = await run(again, "ls", "-d", *names, "/etc/issue", user=ROOT)
        assert result.stdout.split() == sorted(names)

    async def test_root_changes_the_machine_and_the_host_does_not_notice(
        self, runtime: Runtime, guest: Guest
    ) -> None:
        needs(runtime, Capability.SEPARATE_USERS)
        script = "useradd -m -u 1234 alice && cp /bin/echo /usr/local/bin/mine && mine done"
        result = await run(guest, *shell(script), user=ROOT)
        assert result.stdout == "done\n", result.stderr
        alice = guest.lookup_user("alice")
        assert alice is not None
        assert (alice.uid, alice.home) == (1234, "/home/alice")
        told = await run(guest, *shell("whoami; pwd"), user=alice)
        assert told.stdout.split() == ["alice", "/home/alice"]
        assert not Path("/usr/local/bin/mine").exists()
        assert guest.lookup_user("bob") is None

    async def test_user_listens_on_low_ports(self, guest: Guest) -> None:
        listen = "import socket; s = socket.socket(); s.bind(('', 80)); print('ok')"
        assert (await run(guest, "python3", "-c", listen)).stdout == "ok\n"

    async def test_a_killed_guest_is_dead(self, guest: Guest) -> None:
        process = await guest.spawn(request("sleep", "1000", user=ROOT))
        pid = guest.joining().namespaces_of
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        assert await process.wait() == ProcessExit(None, signal.SIGKILL)
        await wait_until(lambda: not guest.alive, "it is seen")
