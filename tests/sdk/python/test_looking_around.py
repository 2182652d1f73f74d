"""What a person who looks around in an isolated sandbox sees, and what he can do there."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2b import CommandExitException, Sandbox

from fake_e2b import FakeE2B, RuntimeUnavailableError
from fake_e2b.runtime.isolated.layer import exposed_folders

STANDARD_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ADDRESS = "169.254.0.21"
FETCH = "fetch('http://example.com').catch(e => { throw e.cause })"
PACKAGE = '[project]\nname = "mine"\nversion = "1"\n[tool.setuptools]\npy-modules = ["mine"]\n'


@pytest.fixture(scope="module")
def isolated() -> Iterator[FakeE2B]:
    try:
        made = FakeE2B(runtime="isolated", set_environment=False).start()
    except RuntimeUnavailableError as error:
        pytest.skip(str(error))
    yield made
    made.stop()


@pytest.fixture
def sandbox(isolated: FakeE2B) -> Iterator[Sandbox]:
    yield Sandbox.create(api_key=isolated.api_key, api_url=isolated.url, sandbox_url=isolated.url)
    isolated.reset()


def needs_program(name: str) -> None:
    if shutil.which(name, path=STANDARD_PATH) is None:
        pytest.skip(f"{name} is not installed where sandboxes see it")


def out(sandbox: Sandbox, command: str, **options: str) -> str:
    return sandbox.commands.run(command, **options).stdout


def failed(sandbox: Sandbox, command: str) -> str:
    """All that a command says which must fail."""
    with pytest.raises(CommandExitException) as error:
        sandbox.commands.run(command)
    return error.value.stdout + error.value.stderr


class TestMachine:
    def test_it_has_a_name_of_its_own(self, sandbox: Sandbox) -> None:
        told = out(sandbox, "hostname; hostname -f; uname -n; cat /etc/hostname")
        assert set(told.split()) == {"e2b.local"}
        assert socket.gethostname() not in out(sandbox, "cat /etc/hosts /etc/hostname")
        assert "127.0.0.1" in out(sandbox, "getent ahostsv4 e2b.local")

    def test_it_has_an_address_that_leads_to_itself(self, sandbox: Sandbox) -> None:
        assert out(sandbox, "getent ahostsv4 localhost").startswith("127.0.0.1 ")
        sandbox.commands.run("python3 -m http.server 8000", background=True)
        ask = f"until curl -sf http://{ADDRESS}:8000/ > page; do sleep 0.05; done"
        sandbox.commands.run(ask)
        assert "Directory listing" in sandbox.files.read("page")

    def test_its_programs_are_its_own(self, sandbox: Sandbox, isolated: FakeE2B) -> None:
        shown = out(sandbox, "ps -eo args --no-headers; sudo cat /proc/1/cmdline | tr '\\0' ' '")
        assert "/sbin/init" in shown
        assert "python" not in shown
        assert "fake-e2b" not in shown
        assert str(os.getpid()) not in out(sandbox, "ps -eo pid --no-headers").split()

    def test_nothing_of_this_process_is_in_its_environment(
        self, isolated: FakeE2B, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("A_SECRET_OF_THE_HOST", "1")
        with FakeE2B(runtime="isolated"):
            sandbox = Sandbox.create()
            names = {line.partition("=")[0] for line in out(sandbox, "env").splitlines()}
            told = out(sandbox, "sudo cat /proc/1/environ 2>/dev/null | tr '\\0' '\\n'; sudo env")
        assert names <= {
            "E2B_SANDBOX", "E2B_SANDBOX_ID", "E2B_TEMPLATE_ID", "HOME", "LOGNAME", "PATH", "PS1",
            "PWD", "SHELL", "SHLVL", "USER", "_",
        }  # fmt: skip
        assert "A_SECRET_OF_THE_HOST" not in told

    def test_its_time_is_utc_and_its_profile_its_own(self, sandbox: Sandbox) -> None:
        assert out(sandbox, "date +%Z; cat /etc/timezone") == "UTC\nEtc/UTC\n"
        assert out(sandbox, "ls -A /etc/profile.d") == ""

    def test_its_folders_are_as_on_any_machine(self, sandbox: Sandbox) -> None:
        told = out(sandbox, "stat -c '%a %n' /tmp /var/tmp /dev/shm /run /home/user /usr/local/bin")
        assert told.splitlines() == [
            "1777 /tmp", "1777 /var/tmp", "1777 /dev/shm", "755 /run", "755 /home/user",
            "755 /usr/local/bin",
        ]  # fmt: skip
        # What the sandbox is shown of this machine may lie in /tmp: this very checkout.
        shown = {path.split("/")[2] for path in exposed_folders() if path.startswith("/tmp/")}
        assert set(out(sandbox, "ls -A /tmp").split()) <= shown
        assert out(sandbox, "ls -A /var/log") == ""
        assert out(sandbox, "cd; ls -A").split() == [".bashrc", ".profile"]

    def test_destroying_its_programs_leaves_the_machine_alone(
        self, sandbox: Sandbox, isolated: FakeE2B
    ) -> None:
        before = sorted(os.listdir("/usr/bin"))
        sandbox.commands.run(
            "rm -rf /usr/bin /usr/lib/python3* /etc ~ 2>/dev/null; true", user="root"
        )
        assert sorted(os.listdir("/usr/bin")) == before
        other = Sandbox.create(
            api_key=isolated.api_key, api_url=isolated.url, sandbox_url=isolated.url
        )
        assert out(other, "ls ~ && echo fine") == "fine\n"

    def test_a_program_of_ones_own_is_installed_for_all(self, sandbox: Sandbox) -> None:
        sandbox.files.write("/usr/local/bin/mine", "#!/bin/sh\necho mine\n", user="root")
        sandbox.commands.run("sudo chmod +x /usr/local/bin/mine")
        assert out(sandbox, "mine") == out(sandbox, "mine", user="root") == "mine\n"
        assert not os.path.exists("/usr/local/bin/mine")

    def test_programs_elsewhere_on_the_machine_are_found(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if shutil.which("npx", path=STANDARD_PATH):
            pytest.skip("this machine has npx in a standard place")
        folder = tmp_path / "tools" / "bin"
        folder.mkdir(parents=True)
        (folder / "npx").write_text("#!/bin/sh\necho elsewhere\n")
        (folder / "npx").chmod(0o755)
        monkeypatch.setenv("PATH", f"{os.environ['PATH']}:{folder}")
        with FakeE2B(runtime="isolated"):
            assert out(Sandbox.create(), "npx") == "elsewhere\n"


class TestSudo:
    def test_it_tells_what_it_permits(self, sandbox: Sandbox) -> None:
        assert "(ALL) NOPASSWD: ALL" in out(sandbox, "sudo -l")
        assert out(sandbox, "sudo -n -v; sudo -k; echo $?") == "0\n"

    def test_the_callers_variables_stay_behind_unless_named(self, sandbox: Sandbox) -> None:
        seen = out(sandbox, "MINE=1 TERM=dumb sudo env").splitlines()
        assert "TERM=dumb" in seen
        assert {"HOME=/root", "USER=root", "LOGNAME=root", f"PATH={STANDARD_PATH}"} <= set(seen)
        assert {"SUDO_USER=user", "SUDO_UID=1000", "SUDO_GID=1000", "SUDO_COMMAND=env"} <= set(seen)
        assert not [line for line in seen if line.startswith(("MINE=", "E2B_"))]
        assert "MINE=1" in out(sandbox, "MINE=1 sudo -E env").splitlines()
        assert "MINE=1" in out(sandbox, "MINE=1 sudo --preserve-env=MINE env").splitlines()
        assert "MINE=/a b" in out(sandbox, "sudo MINE='/a b' env").splitlines()

    def test_it_finds_the_administrators_programs(self, sandbox: Sandbox) -> None:
        sandbox.files.write("/usr/local/sbin/administer", "#!/bin/sh\nid -un\n", user="root")
        sandbox.commands.run("sudo chmod +x /usr/local/sbin/administer")
        assert out(sandbox, "sudo administer") == "root\n"
        assert "sudo: no-such-program: command not found" in failed(sandbox, "sudo no-such-program")

    def test_it_becomes_any_user_by_name_or_number(self, sandbox: Sandbox) -> None:
        assert out(sandbox, "sudo -u nobody whoami; sudo -u '#1000' whoami") == "nobody\nuser\n"
        assert "unknown user stranger" in failed(sandbox, "sudo -u stranger whoami")
        sandbox.commands.run("sudo sh -c 'echo alice:x:1234:100::/tmp:/bin/sh >> /etc/passwd'")
        assert out(sandbox, "sudo -u alice -i sh -c 'whoami; pwd'") == "alice\n/tmp\n"

    def test_added_users_are_somebody_else(self, sandbox: Sandbox) -> None:
        if out(sandbox, "cat /proc/self/setgroups") != "allow\n":
            pytest.skip("the sandbox has a single id: there is nobody else to be")
        needs_program("useradd")
        sandbox.commands.run("sudo useradd -m bob")
        told = out(sandbox, "sudo -u bob sh -c 'whoami; touch ~/his; stat -c %U ~/his'")
        assert told == "bob\nbob\n"

    def test_login_and_shell(self, sandbox: Sandbox) -> None:
        assert out(sandbox, "sudo -i pwd; sudo -s 'echo $HOME'; sudo -D /etc pwd") == (
            "/root\n/root\n/etc\n"
        )


class TestPackages:
    def test_the_resolver_is_not_the_machines(self, sandbox: Sandbox) -> None:
        assert out(sandbox, "cat /etc/resolv.conf") == "nameserver 8.8.8.8\n"

    @pytest.mark.parametrize(
        ("program", "command", "wanted"),
        [
            ("curl", "curl -sS https://example.com", "Could not resolve host"),
            ("curl", "curl -sS http://192.0.2.1", "Failed to connect"),
            ("git", "git clone -q https://example.com/x.git", "Could not resolve host"),
            ("node", f'node -e "{FETCH}"', "EAI_AGAIN"),
            ("pip3", "pip3 install --no-input no-such-package", "No matching distribution"),
            ("npm", "npm install no-such-package", "EAI_AGAIN"),
            ("apt-get", "sudo apt-get install -y no-such-package", "Unable to locate package"),
        ],
    )  # fmt: skip
    def test_what_needs_a_network_fails_in_words(
        self, sandbox: Sandbox, program: str, command: str, wanted: str
    ) -> None:
        needs_program(program)
        assert wanted in failed(sandbox, command)

    @pytest.mark.parametrize(
        "call",
        [
            "socket.create_connection(('192.0.2.1', 80))",
            "socket.create_connection(('169.254.169.254', 80))",
            "socket.create_connection(('169.254.0.22', 80))",
            "socket.create_connection(('2001:db8::1', 80))",
            "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))",
        ],
    )
    def test_addresses_are_unreachable(self, sandbox: Sandbox, call: str) -> None:
        assert "Network is unreachable" in failed(sandbox, f'python3 -c "import socket; {call}"')

    def test_installed_packages_are_known(self, sandbox: Sandbox) -> None:
        needs_program("dpkg")
        assert out(sandbox, "dpkg-query -W -f '${Status}' dpkg") == "install ok installed"
        assert "dpkg is already the newest version" in out(sandbox, "sudo apt-get install -y dpkg")

    def test_pip_installs_what_is_there(self, sandbox: Sandbox) -> None:
        needs_program("pip3")
        sandbox.files.write("mine/pyproject.toml", PACKAGE)
        sandbox.files.write("mine/mine.py", "value = 7")
        has_tools = sandbox.commands.run("python3 -c 'import setuptools, wheel' || echo no").stdout
        if has_tools:
            pytest.skip("the machine's python3 has no setuptools to build a package with")
        sandbox.commands.run("pip3 install --no-build-isolation ./mine")
        assert out(sandbox, "cd /; python3 -c 'import mine; print(mine.value)'") == "7\n"

    def test_npm_installs_what_is_there(self, sandbox: Sandbox) -> None:
        needs_program("npm")
        sandbox.files.write("app/mine/package.json", '{"name": "mine", "version": "1.0.0"}')
        sandbox.files.write("app/mine/index.js", "module.exports = 7")
        sandbox.commands.run("cd app && npm init -y && npm install ./mine")
        assert out(sandbox, "cd app && node -p \"require('mine')\"") == "7\n"

    def test_git_keeps_a_history(self, sandbox: Sandbox) -> None:
        needs_program("git")
        sandbox.commands.run(
            "git config --global user.email u@e2b.local && git config --global user.name U && "
            "git init -q repo && cd repo && echo 1 > a && git add a && git commit -qm First"
        )
        assert out(sandbox, "cd repo && git log --format=%s") == "First\n"
