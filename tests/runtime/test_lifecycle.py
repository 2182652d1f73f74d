"""Sandboxes from create to kill, on both runtimes: nothing escapes, nothing stays."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil
import pytest

from fake_e2b.domain.ports import Capability, Guest, ResourceUsage, Runtime
from fake_e2b.domain.process import ProcessExit, PtySize, SpawnError
from fake_e2b.domain.user import ROOT, USER
from fake_e2b.runtime.select import choose_runtime
from tests.helpers.processes import kill_if_there
from tests.runtime.guests import (
    Conversation,
    host_pids,
    needs,
    request,
    run,
    shell,
    wait_until,
)

MakeGuest = Callable[[], Awaitable[Guest]]

# Every known way to outlive whoever started you.
ESCAPE = """
import os, signal, sys, time
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
for number in range(3): os.close(number)
open(sys.argv[1], "w").close()
while True: time.sleep(1000)
"""

# A server's process: it starts a sandbox with an orphan and a terminal, says so, and waits.
SERVER = """
import asyncio, sys
from fake_e2b.domain.ports import Guest
from fake_e2b.domain.process import PtySize
from fake_e2b.runtime.select import choose_runtime
from tests.runtime.guests import request, run

async def main(name, folder, escape, marker):
    runtime = choose_runtime(name, folder=folder)
    await runtime.start()
    guest = await runtime.create("i" + "s" * 20)
    await run(guest, "python3", "-c", escape, "escaped", marker)
    await guest.spawn(request("sleep", "1000", marker, pty=PtySize(80, 24)))
    await guest.spawn(request("python3", "-c", "import time; time.sleep(1000)", marker))
    print("ready", flush=True)
    await asyncio.sleep(1000)

asyncio.run(main(*sys.argv[1:]))
"""


async def escape(guest: Guest, marker: str) -> None:
    result = await run(guest, "python3", "-c", ESCAPE, "escaped", marker)
    assert result.exit == ProcessExit(0), result.stderr
    await wait_until(lambda: "escaped" in guest.files.listdir("/home/user"), "it got away")


def run_folders(parent: Path) -> list[Path]:
    return list(parent.glob("fake-e2b-*/*"))


class TestEnd:
    async def test_a_killed_sandbox_takes_its_orphans_along(
        self, runtime: Runtime, guest: Guest, tmp_path: Path
    ) -> None:
        needs(runtime, Capability.RECURSIVE_KILL)
        marker = f"orphan-of-{os.getpid()}-{runtime.name}"
        await escape(guest, marker)
        process = await guest.spawn(request("sleep", "1000"))
        assert host_pids(marker)
        await guest.kill()
        assert host_pids(marker) == []
        assert not guest.alive
        assert await process.wait() == ProcessExit(None, signal.SIGKILL)
        assert list(tmp_path.glob("fake-e2b-*/run-*/iaaa*")) == []
        await guest.kill()

    async def test_the_others_do_not_notice(self, make_guest: MakeGuest) -> None:
        doomed, other = await make_guest(), await make_guest()
        talker = await other.spawn(request("cat", stdin=True))
        await run(doomed, "true")
        await doomed.kill()
        with talker.subscribe() as events:
            await talker.write(b"still here")
            await Conversation(events).until(b"still here")
        assert other.alive

    async def test_stopping_the_runtime_ends_everything(self, runtime: Runtime) -> None:
        needs(runtime, Capability.RECURSIVE_KILL)
        marker = f"stopped-with-{os.getpid()}-{runtime.name}"
        guest = await runtime.create("i" + "b" * 20)
        await escape(guest, marker)
        await runtime.close()
        assert host_pids(marker) == []
        await runtime.close()

    async def test_a_killed_server_leaves_nothing(self, runtime: Runtime, tmp_path: Path) -> None:
        needs(runtime, Capability.RECURSIVE_KILL)
        marker = f"left-by-{os.getpid()}-{runtime.name}"
        own = tmp_path / "server"
        own.mkdir()
        server = await asyncio.create_subprocess_exec(
            sys.executable, "-c", SERVER, runtime.name, str(own), ESCAPE, marker,
            stdout=asyncio.subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )  # fmt: skip
        assert server.stdout is not None
        assert await server.stdout.readline() == b"ready\n"
        await wait_until(lambda: len(host_pids(marker)) >= 3, "they are all there")
        server.kill()
        await server.wait()
        await wait_until(lambda: host_pids(marker) == [], "its programs end")
        await wait_until(lambda: run_folders(own) == [], "its folder goes")

    async def test_what_a_killed_helper_left_is_swept_at_the_next_start(
        self, runtime: Runtime, tmp_path: Path
    ) -> None:
        needs(runtime, Capability.RECURSIVE_KILL)
        marker = f"swept-after-{os.getpid()}-{runtime.name}"
        own = tmp_path / "server"
        own.mkdir()
        server = await asyncio.create_subprocess_exec(
            sys.executable, "-c", SERVER, runtime.name, str(own), ESCAPE, marker,
            stdout=asyncio.subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )  # fmt: skip
        assert server.stdout is not None
        assert await server.stdout.readline() == b"ready\n"
        helpers = host_pids(str(own) + "/fake-e2b-")
        helpers = [pid for pid in helpers if "guest/__main__.py" in cmdline(pid)]
        assert helpers
        helpers += [child.pid for pid in helpers for child in psutil.Process(pid).children()]
        for pid in (*helpers, server.pid):  # the helper, its agents and the server at once
            kill_if_there(pid)  # one may take another along
        await server.wait()
        again = choose_runtime(runtime.name, folder=str(own))
        await wait_until(lambda: not any(map(alive, helpers)), "the helper is gone")
        await again.start()
        try:
            await wait_until(lambda: host_pids(marker) == [], "its programs end")
            assert len(run_folders(own)) == 1
        finally:
            await again.close()
        assert run_folders(own) == []

    async def test_a_guest_killed_from_outside_is_dead_and_the_rest_goes_on(
        self, runtime: Runtime, make_guest: MakeGuest
    ) -> None:
        needs(runtime, Capability.RECURSIVE_KILL)
        doomed, other = await make_guest(), await make_guest()
        marker = f"lost-by-{os.getpid()}-{runtime.name}"
        await escape(doomed, marker)
        process = await doomed.spawn(request("sleep", "1000"))
        (orphan,) = host_pids(marker)
        agent = parent_of(orphan)
        os.kill(agent, signal.SIGKILL)
        assert await process.wait() == ProcessExit(None, signal.SIGKILL)
        await wait_until(lambda: host_pids(marker) == [], "its orphans end")
        await wait_until(lambda: not doomed.alive, "it is seen")
        assert (await run(other, "echo", "fine")).stdout == "fine\n"

    async def test_files_survive_a_stop_and_programs_do_not(self, runtime: Runtime) -> None:
        guest = await runtime.create("i" + "c" * 20)
        await run(guest, *shell("echo kept > file; sleep 1000 >/dev/null 2>&1 &"))
        await guest.stop()
        assert not guest.alive
        again = await runtime.boot("i" + "c" * 20)
        assert (await run(again, "cat", "file")).stdout == "kept\n"
        await again.stop()
        await runtime.discard("i" + "c" * 20)
        await runtime.discard("i" + "c" * 20)


def cmdline(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except OSError:
        return False
    return state not in "ZX"


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[1])


class TestPrivacy:
    async def test_nothing_of_the_servers_environment_leaks(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, runtime: Runtime
    ) -> None:
        monkeypatch.setenv("SECRET_API_KEY", "hunter2")
        monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
        monkeypatch.setenv("PYTHONPATH", "/somewhere")
        folder = tmp_path / "own"
        folder.mkdir()
        own = choose_runtime(runtime.name, folder=str(folder))
        await own.start()
        try:
            guest = await own.create("i" + "e" * 20)
            result = await run(guest, "env")
            names = {line.partition("=")[0] for line in result.stdout.splitlines()}
            assert names <= {"PATH", "HOME", "USER", "LOGNAME", "PWD", "TMPDIR"}
            every = await run(
                guest, *shell("cat /proc/$PPID/environ /proc/1/environ | tr '\\0' '\\n'")
            )
            assert "hunter2" not in every.stdout
            home = (await run(guest, *shell("cd ~ && ls -A"))).stdout.split()
            assert home == [".bashrc", ".profile"]
        finally:
            await own.close()

    async def test_only_three_descriptors_are_open(self, guest: Guest) -> None:
        result = await run(guest, *shell("ls -l /proc/$$/fd; true"))
        numbers = [line.split()[-3] for line in result.stdout.splitlines()[1:]]
        assert set(numbers) <= {"0", "1", "2", "255"}, result.stdout

    async def test_removing_the_home_hits_the_private_one_only(
        self, guest: Guest, make_guest: MakeGuest
    ) -> None:
        other = await make_guest()
        await run(guest, "/bin/bash", "-l", "-c", "cd / && rm -rf ~; mkdir ~")
        assert list(guest.files.listdir("/home/user")) == []
        assert ".profile" in other.files.listdir("/home/user")

    async def test_a_file_written_by_the_api_is_the_commands_file(self, guest: Guest) -> None:
        with guest.files.open_write("/home/user/from-api", owner=USER) as file:
            file.write(b"hello")
        assert (await run(guest, "cat", "from-api")).stdout == "hello"
        await run(guest, *shell("echo back > from-command; mkdir -p a/b"))
        with guest.files.open_read("/home/user/from-command") as file:
            assert file.read() == b"back\n"
        assert "b" in guest.files.listdir("/home/user/a")

    async def test_absolute_paths_are_the_same_for_both(
        self, runtime: Runtime, guest: Guest
    ) -> None:
        needs(runtime, Capability.SAME_PATHS)
        await run(guest, *shell("echo data > /home/user/x; echo more > /tmp/y; pwd > /tmp/cwd"))
        with guest.files.open_read("/tmp/cwd") as file:
            assert file.read() == b"/home/user\n"
        assert "y" in guest.files.listdir("/tmp")

    async def test_users_are_root_and_user(self, runtime: Runtime, guest: Guest) -> None:
        needs(runtime, Capability.OWN_USERS)
        script = "whoami; id -u; hostname; echo ~; stat -c %U:%G ~"
        assert (await run(guest, *shell(script))).stdout.split() == [
            "user", "1000", "e2b.local", "/home/user", "user:user",
        ]  # fmt: skip
        script = "whoami; id -u; echo ~"
        assert (await run(guest, *shell(script), user=ROOT)).stdout.split() == [
            "root", "0", "/root",
        ]  # fmt: skip
        assert (await run(guest, "sudo", "whoami")).stdout == "root\n"
        assert (await run(guest, "sudo", "-u", "user", "whoami")).stdout == "user\n"

    async def test_user_may_not_what_root_may(self, runtime: Runtime, guest: Guest) -> None:
        needs(runtime, Capability.SEPARATE_USERS)
        touch = "touch /usr/bin/mine /root/mine; cat /etc/shadow >/dev/null; stat -c %U /usr/bin"
        result = await run(guest, *shell(touch))
        assert result.stderr.count("Permission denied") == 3
        assert result.stdout == "root\n"
        assert (await run(guest, *shell(touch), user=ROOT)).stderr == ""
        assert not Path("/usr/bin/mine").exists()
        assert (await run(guest, "sudo", "stat", "-c", "%U", "/root/mine")).stdout == "root\n"
        with pytest.raises(SpawnError) as caught:
            await guest.spawn(request("true", cwd="/root/private"))
        assert caught.value.stage == "cwd"

    async def test_what_only_the_hosts_root_may_read_is_hidden(
        self, runtime: Runtime, guest: Guest
    ) -> None:
        needs(runtime, Capability.PROTECTED_HOST)
        script = "cat /etc/shadow /etc/ssh/ssh_host_*_key; ls /etc/ssl/private; ls /home"
        result = await run(guest, *shell(script), user=ROOT)
        assert "$" not in result.stdout
        assert "PRIVATE KEY" not in result.stdout
        assert result.stdout.splitlines()[-1] == "user"

    async def test_the_hosts_own_files_are_safe(
        self, runtime: Runtime, guest: Guest, make_guest: MakeGuest
    ) -> None:
        needs(runtime, Capability.PROTECTED_HOST)
        other = await make_guest()
        await run(guest, *shell("rm -rf /usr/bin /etc/* /home /root /var"), user=ROOT)
        assert Path("/etc/passwd").exists()
        assert Path("/usr/bin/env").exists()
        assert (await run(other, "whoami")).stdout == "user\n"

    async def test_pids_are_the_sandboxs_own(self, runtime: Runtime, guest: Guest) -> None:
        needs(runtime, Capability.OWN_PROCESSES)
        process = await guest.spawn(request("sleep", "1000"))
        listing = await run(guest, "ps", "-eo", "pid=,args=")
        rows = [line.split(None, 1) for line in listing.stdout.splitlines()]
        assert [str(process.pid), "sleep 1000"] in rows
        assert len(rows) < 8
        assert process.pid < 100

    async def test_nothing_leaves_the_machine(self, runtime: Runtime, guest: Guest) -> None:
        needs(runtime, Capability.NO_NETWORK)
        result = await run(guest, *shell("exec 3<>/dev/tcp/192.0.2.1/80"))
        assert "Network is unreachable" in result.stderr


class TestPause:
    COUNTER = "i=0; while :; do i=$((i+1)); echo $i > count.new; mv count.new count; done"

    @staticmethod
    def count(guest: Guest) -> int:
        try:
            with guest.files.open_read("/home/user/count") as file:
                return int(file.read() or b"0")
        except FileNotFoundError:
            return 0

    async def test_no_time_passes_until_the_resume(
        self, guest: Guest, make_guest: MakeGuest
    ) -> None:
        process = await guest.spawn(request(*shell(self.COUNTER)))
        await wait_until(lambda: self.count(guest) > 3, "it counts")
        await guest.pause()
        stood_at = self.count(guest)
        other = await make_guest()
        await other.spawn(request(*shell(self.COUNTER)))
        await wait_until(lambda: self.count(other) > 20, "time passes for another one")
        assert self.count(guest) == stood_at
        await guest.resume()
        await wait_until(lambda: self.count(guest) > stood_at, "it goes on")
        process.signal(signal.SIGKILL)
        with process.subscribe():
            await process.wait()

    async def test_a_terminals_job_goes_on_as_if_nothing_was(
        self, guest: Guest, make_guest: MakeGuest
    ) -> None:
        argv = ("/bin/bash", "--norc", "--noprofile", "-i")
        process = await guest.spawn(request(*argv, env={"PS1": "$ "}, pty=PtySize(80, 24)))
        with process.subscribe() as events:
            talk = Conversation(events)
            await talk.until(b"$ ")
            await process.write(b"sh -c 'echo wait''ing; read x; echo got $x'\n")
            await talk.until(b"waiting\r\n")
            await guest.pause()
            await process.write(b"word\n")
            await run(await make_guest(), *shell("true"))  # time enough to do what it must not
            await guest.resume()
            said = await talk.until(b"got word\r\n")
            assert b"Stopped" not in said

    async def test_a_paused_sandbox_can_be_killed(self, guest: Guest) -> None:
        marker = f"paused-{os.getpid()}"
        await guest.spawn(request("python3", "-c", "import time; time.sleep(1000)", marker))
        await guest.pause()
        await guest.kill()
        assert host_pids(marker) == []


class TestPorts:
    LISTEN = """
import socket, sys
s = socket.socket(getattr(socket, sys.argv[1]))
s.bind((sys.argv[2], int(sys.argv[3])))
s.listen()
print(s.getsockname()[1], flush=True)
while True:
    c, _ = s.accept()
    c.sendall(sys.argv[4].encode())
    c.close()
"""

    async def listen(self, guest: Guest, family: str, address: str, port: int, text: str) -> int:
        argv = ("python3", "-c", self.LISTEN, family, address, str(port), text)
        process = await guest.spawn(request(*argv))
        with process.subscribe() as events:
            return int(await Conversation(events).until(b"\n"))

    async def read(self, guest: Guest, port: int) -> bytes:
        fd = await guest.dial(port)
        connection = socket.socket(fileno=fd)
        with connection:
            return await asyncio.get_running_loop().sock_recv(connection, 100)

    @pytest.mark.parametrize(("family", "address"), [("AF_INET", "127.0.0.1"), ("AF_INET6", "::1")])
    async def test_a_listener_is_reached(self, guest: Guest, family: str, address: str) -> None:
        port = await self.listen(guest, family, address, 0, "hello")
        assert await self.read(guest, port) == b"hello"

    async def test_a_closed_port_refuses(self, guest: Guest) -> None:
        with pytest.raises(ConnectionRefusedError):
            await guest.dial(1)

    async def test_two_sandboxes_have_the_same_port(
        self, runtime: Runtime, make_guest: MakeGuest
    ) -> None:
        needs(runtime, Capability.OWN_PORTS)
        one, two = await make_guest(), await make_guest()
        await self.listen(one, "AF_INET", "0.0.0.0", 8080, "one")
        await self.listen(two, "AF_INET", "0.0.0.0", 8080, "two")
        assert await self.read(one, 8080) == b"one"
        assert await self.read(two, 8080) == b"two"


class TestUsage:
    async def test_it_shows_what_the_programs_use(self, guest: Guest) -> None:
        idle = await guest.usage()
        hold = "x = bytearray(50_000_000); print('held', flush=True)\nwhile True: pass"
        process = await guest.spawn(request("python3", "-c", hold))
        with process.subscribe() as events:
            await Conversation(events).until(b"held")
            busy = await until_it_uses(guest.usage, lambda used: used.cpu_used_pct > 0)
        assert busy.mem_used > idle.mem_used + 40_000_000
        assert 0 < busy.cpu_used_pct <= 100 * busy.cpu_count
        assert busy.mem_total > busy.mem_used
        process.signal(signal.SIGKILL)
        await process.wait()
        await until_it_uses(lambda: guest.usage(), lambda found: found.cpu_used_pct == 0)

    async def test_short_programs_count_too(self, guest: Guest) -> None:
        if not os.path.isdir("/proc/self"):
            pytest.skip("nothing is counted where there is no /proc")
        await guest.usage()
        script = "for i in $(seq 40); do python3 -c 'sum(range(300000))'; done"
        began = asyncio.get_running_loop().time()
        await run(guest, *shell(script))
        used = await guest.usage()
        assert used.cpu_used_pct * (asyncio.get_running_loop().time() - began) > 30

    async def test_the_disk_is_what_the_sandbox_holds(self, guest: Guest) -> None:
        before = (await guest.usage()).disk
        assert before.used < 1_000_000
        await run(guest, *shell("head -c 8M /dev/urandom > file; ln file link"))
        with guest.files.open_write("/tmp/more", owner=USER) as file:
            file.write(os.urandom(4 << 20))
        written = await until_it_uses(
            lambda: guest.usage(), lambda found: found.disk.used > before.used + (11 << 20)
        )
        assert written.disk.used < before.used + (13 << 20)
        assert written.disk.total > written.disk.used
        guest.files.remove("/home/user/file")
        guest.files.remove("/home/user/link")
        await until_it_uses(
            lambda: guest.usage(), lambda found: found.disk.used < before.used + (5 << 20)
        )

    async def test_idle_sandboxes_are_light(self, runtime: Runtime, make_guest: MakeGuest) -> None:
        needs(runtime, Capability.RECURSIVE_KILL)
        if runtime.name != "local":
            pytest.skip("its guests are processes; scripts/bench measures them")
        before = resident_bytes()
        guests = [await make_guest() for _ in range(200)]
        assert (resident_bytes() - before) / 200 < 500_000
        assert len(guests) == 200


async def until_it_uses(
    ask: Callable[[], Awaitable[ResourceUsage]], condition: Callable[[ResourceUsage], bool]
) -> ResourceUsage:
    """Wait for what a sandbox uses."""
    async with asyncio.timeout(20):
        while not condition(found := await ask()):  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.02)
    return found


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
