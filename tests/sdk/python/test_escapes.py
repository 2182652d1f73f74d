"""Ways out of an isolated sandbox, tried on purpose through the published SDK."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2b import CommandExitException, Sandbox
from e2b.exceptions import NotFoundException
from e2b_code_interpreter import Sandbox as Interpreter

from fake_e2b import FakeE2B
from tests.helpers.waiting import wait_until

KEYCTL = {"x86_64": 250, "aarch64": 219}
ADD_KEY = {"x86_64": 248, "aarch64": 217}
SESSION_KEYRING = -3
SEARCH, JOIN_SESSION = 10, 1
BOMB = """
import os, time
while True:
    try:
        if not os.fork():
            time.sleep(1000)
    except BlockingIOError:
        print("full", flush=True)
        time.sleep(1000)
"""
ONE_WATCHER = "import ctypes; assert ctypes.CDLL(None).inotify_init() >= 0"
WATCHER = """
import ctypes, resource, time
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
made = 0
while made < 10_000 and ctypes.CDLL(None).inotify_init() >= 0:
    made += 1
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


@pytest.fixture(scope="module", autouse=True)
def kernels_helper(isolated: FakeE2B) -> None:
    """The kernels' own helper runs from the first cell on: it belongs to no test."""
    Interpreter.create().run_code("1")
    isolated.reset()


@pytest.fixture
def sandbox(isolated: FakeE2B) -> Iterator[Sandbox]:
    yield Sandbox.create()
    isolated.reset()


@pytest.fixture
def marked(tmp_path: Path) -> Path:
    """A file of the host that no sandbox may read or change."""
    made = tmp_path / "of-the-host"
    made.write_text("hosts own")
    return made


def tell(sandbox: Sandbox, script: str, *, user: str = "root") -> str:
    """All that a script prints, whatever its exit status."""
    return sandbox.commands.run(f"({script}) 2>&1; true", user=user).stdout


def is_well(sandbox: Sandbox) -> bool:
    return sandbox.commands.run("echo fine").stdout == "fine\n"


@pytest.mark.parametrize("user", ["user", "root"])
class TestFiles:
    def test_links_lead_to_the_sandboxs_own_files(
        self, sandbox: Sandbox, marked: Path, user: str
    ) -> None:
        tell(sandbox, f"cd; ln -s / all; ln -s {marked} direct; ln -s {'../' * 20} up", user=user)
        home = "/root" if user == "root" else "/home/user"
        for path in (f"{home}/all/etc/hostname", f"{home}/up/etc/hostname"):
            assert sandbox.files.read(path, user=user) == "e2b.local\n"
        with pytest.raises(NotFoundException):
            sandbox.files.read(f"{home}/direct", user=user)
        for path in (f"{home}/all{marked}", f"{home}/{'../' * 20}{marked}"):
            assert not sandbox.files.exists(path, user=user)
        assert "hosts own" not in tell(sandbox, f"cd; cat direct all{marked}", user=user)
        sandbox.files.write(f"{home}/all{marked}", "mine", user=user)
        assert marked.read_text() == "hosts own"

    def test_no_process_shows_the_way(self, sandbox: Sandbox, marked: Path, user: str) -> None:
        doors = "/proc/[0-9]*/root /proc/[0-9]*/cwd /proc/[0-9]*/fd/* /proc/[0-9]*/task/*/cwd"
        steps = f"for door in {doors}; do cat $door{marked} $door/{'../' * 20}{marked}; done"
        assert "hosts own" not in tell(sandbox, steps, user=user)
        for path in (f"/proc/1/root{marked}", f"/proc/1/cwd{marked}", f"/proc/1/fd/6{marked}"):
            assert not sandbox.files.exists(path, user=user)

    def test_hard_links_name_no_file_of_the_machine(self, sandbox: Sandbox, user: str) -> None:
        tell(sandbox, "cd; ln /etc/hostname link && echo mine >> link; echo x >> /etc/hosts")
        assert b"mine" not in Path("/etc/hostname").read_bytes()
        assert is_well(sandbox)


class TestRoot:
    def test_the_programs_of_pid_1_are_not_to_be_had(self, sandbox: Sandbox) -> None:
        if os.geteuid() != 0:
            pytest.skip("an ordinary user's sandbox has no rights that PID 1 could be used for")
        said = tell(sandbox, "readlink /proc/1/exe /proc/1/fd/0; chmod 700 /proc/1/exe")
        assert said.count("Permission denied") == 1
        attach = "import ctypes, os; libc = ctypes.CDLL(None, use_errno=True)\n"
        attach += "print(libc.ptrace(16, 1, 0, 0), os.strerror(ctypes.get_errno()))"
        sandbox.files.write("attach.py", attach)
        assert tell(sandbox, "python3 /home/user/attach.py") == "-1 Operation not permitted\n"

    @pytest.mark.usefixtures("sandbox")
    def test_a_cell_cannot_change_the_python_that_runs_it(self) -> None:
        # It asks for the mode that it has, so that a test that fails harms nobody.
        code = (
            "import os, stat\n"
            "mode = stat.S_IMODE(os.stat('/proc/self/exe').st_mode)\n"
            "try: os.chmod('/proc/self/exe', mode); done = 'changed'\n"
            "except OSError as error: done = error.strerror\n"
            "done"
        )
        told = Interpreter.create().run_code(code)
        assert told.text in ("Read-only file system", "Operation not permitted"), told.error

    def test_the_machines_devices_keep_their_modes(self, sandbox: Sandbox) -> None:
        names = ("null", "zero", "full", "random", "urandom", "tty")
        before = [os.stat(f"/dev/{name}") for name in names]
        paths = " ".join(f"/dev/{name}" for name in names)
        tell(sandbox, f"chmod 600 {paths}; chown user:user {paths}; touch {paths}; rm -f {paths}")
        for name, found in zip(names, before, strict=True):
            now = os.stat(f"/dev/{name}")
            assert (now.st_mode, now.st_uid, now.st_gid) == (
                found.st_mode,
                found.st_uid,
                found.st_gid,
            )
        assert sandbox.commands.run("head -c 3 /dev/zero | wc -c; echo > /dev/null").stdout == "3\n"

    def test_a_device_of_ones_own_opens_nothing(self, sandbox: Sandbox) -> None:
        said = tell(sandbox, "mknod d b 8 0; mknod m c 1 1; head -c 1 d; head -c 1 m; ls /dev")
        assert said.count("Operation not permitted") == 2
        assert not {"mem", "kmem", "sda", "vda", "kvm", "fuse"} & set(said.split())

    def test_settings_of_the_machine_are_not_changed(self, sandbox: Sandbox) -> None:
        # Each gets the value it has, so that a test that fails harms nobody.
        steps = (
            "for name in kernel/core_pattern vm/swappiness fs/file-max; do"
            " value=$(cat /proc/sys/$name); echo $value > /proc/sys/$name && echo changed $name;"
            " done; for name in /sys/kernel/mm/transparent_hugepage/enabled"
            " /sys/kernel/uevent_seqnum /proc/sysrq-trigger; do (: >> $name) && echo opened; done;"
            " mount -o remount,rw /sys; mount -o remount,rw,bind /sys;"
            " (: >> /sys/kernel/mm/transparent_hugepage/enabled) && echo opened"
        )
        said = tell(sandbox, steps)
        assert "changed" not in said
        assert "opened" not in said

    def test_what_is_shown_read_only_stays_so(self, sandbox: Sandbox) -> None:
        folder = sys.base_prefix
        seen = tell(sandbox, "cat /proc/mounts")
        shown = [line.split()[1] for line in seen.splitlines() if " ro," in line]
        shown = [path for path in shown if not path.startswith(("/dev", "/proc", "/sys"))]
        assert shown or folder.startswith("/usr")
        for path in shown:
            steps = f"mount -o remount,rw,bind {path}; umount {path}; umount -l {path};"
            steps += f" mount --bind {path} /mnt; mount -o remount,rw,bind /mnt;"
            steps += f" touch {path}/of-a-sandbox /mnt/of-a-sandbox"
            said = tell(sandbox, steps)
            assert said.count("Read-only file system") == 2, said
            assert not os.path.lexists(f"{path}/of-a-sandbox")

    def test_mounts_stay_inside_and_uncover_nothing(self, sandbox: Sandbox, marked: Path) -> None:
        other = Sandbox.create()
        tell(sandbox, "mount -t tmpfs none /mnt && touch /mnt/mark; mount --rbind / /srv")
        assert tell(sandbox, "ls /mnt") == "mark\n"
        assert tell(other, "ls /mnt /srv") == "/mnt:\n\n/srv:\n"
        tell(sandbox, "for name in /usr /etc /proc /dev /dev/null /sys; do umount -l $name; done")
        assert "hosts own" not in tell(sandbox, f"cat {marked}; cat /*{marked}")
        nested = "unshare -Urmpf sh -c 'umount -l /proc; umount -l /usr; ls /root'"
        tell(sandbox, f"{nested}; unshare -m umount -R /dev")
        assert is_well(sandbox)
        assert is_well(other)

    def test_pid_1_outlives_its_root(self, sandbox: Sandbox) -> None:
        tell(sandbox, "kill -9 1; kill -TERM 1; kill -STOP 1; kill -SEGV 1")
        assert is_well(sandbox)
        sandbox.commands.run("kill -9 -1", user="root", background=True)
        wait_until(lambda: not sandbox.commands.list())
        assert is_well(sandbox)
        assert sandbox.commands.run("whoami", user="root").stdout == "root\n"


class TestOtherWays:
    def test_abstract_sockets_of_the_machine_are_another_networks(self, sandbox: Sandbox) -> None:
        name = f"fake-e2b-test-{os.getpid()}"
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(f"\0{name}")
            listening.listen()
            code = f"import socket; socket.socket(socket.AF_UNIX).connect(chr(0) + {name!r})"
            said = tell(sandbox, f'python3 -c "{code}"; cat /proc/net/unix')
        assert "Connection refused" in said
        assert name not in said

    @pytest.mark.skipif(platform.machine() not in KEYCTL, reason="its call numbers are unknown")
    def test_the_keys_of_the_users_session_stay_outside(self, tmp_path: Path) -> None:
        script = f"""
import ctypes
from e2b import Sandbox
from fake_e2b import FakeE2B
libc = ctypes.CDLL(None, use_errno=True)
keyctl, add_key = {KEYCTL[platform.machine()]}, {ADD_KEY[platform.machine()]}
libc.syscall(keyctl, {JOIN_SESSION}, None)
assert libc.syscall(add_key, b"user", b"of-the-host", b"key", 3, {SESSION_KEYRING}) > 0
look = "import ctypes; libc = ctypes.CDLL(None); print(libc.syscall("
look += f"{{keyctl}}, {SEARCH}, {SESSION_KEYRING}, b'user', b'of-the-host', 0))"
with FakeE2B(runtime="isolated"):
    sandbox = Sandbox.create()
    for user in ("user", "root"):
        print(sandbox.commands.run(f'python3 -c "{{look}}"', user=user).stdout.strip())
"""
        # Of its own: what a session keyring is, is the process's business.
        (tmp_path / "look.py").write_text(script)
        asked = subprocess.run(
            [sys.executable, tmp_path / "look.py"], capture_output=True, text=True, check=False
        )
        if "AssertionError" in asked.stderr:
            pytest.skip("this machine lets nobody add keys")
        assert asked.stdout.split() == ["-1", "-1"], asked.stderr


class TestHunger:
    @pytest.mark.parametrize("user", ["user", "root"])
    def test_a_fork_bomb_fills_its_own_sandbox_only(self, sandbox: Sandbox, user: str) -> None:
        other = Sandbox.create()
        sandbox.files.write("/tmp/bomb.py", BOMB)
        bomb = sandbox.commands.run("exec python3 /tmp/bomb.py", user=user, background=True)
        assert next(iter(bomb))[0] == "full\n"
        assert is_well(other)
        assert Sandbox.create().get_info().state.value == "running"
        assert sandbox.kill()
        assert is_well(other)

    def test_whoever_watches_everything_leaves_watches_to_the_others(
        self, sandbox: Sandbox
    ) -> None:
        other = Sandbox.create()
        sandbox.files.write("watch.py", WATCHER)
        watcher = sandbox.commands.run("exec python3 watch.py", user="root", background=True)
        assert int(next(iter(watcher))[0] or "") > 1
        watch = other.files.watch_dir("/home/user")
        other.files.write("seen", "s")
        wait_until(lambda: [event.name for event in watch.get_new_events()])
        other.commands.run(f"python3 -c '{ONE_WATCHER}'")

    def test_one_that_ignores_every_signal_can_be_killed(self, sandbox: Sandbox) -> None:
        sandbox.files.write("stubborn.py", STUBBORN)
        stubborn = sandbox.commands.run("exec python3 stubborn.py", background=True)
        assert next(iter(stubborn))[0] == "ready\n"
        tell(sandbox, f"kill {stubborn.pid}; kill -INT {stubborn.pid}", user="user")
        assert [process.pid for process in sandbox.commands.list()] == [stubborn.pid]
        assert stubborn.kill()
        with pytest.raises(CommandExitException) as ended:
            stubborn.wait()
        assert ended.value.exit_code == -1
