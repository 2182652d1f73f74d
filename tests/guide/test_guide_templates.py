# ruff: noqa: E501  the guide's own lines
"""Guide: the templates of "Storage Bucket Integration", "SSH Access" and "Proxy Tunneling".

They are as the guide shows them. Nothing is downloaded: what would have been is told in the build's
log, and stubs stand in where the sandbox would run it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from e2b import Sandbox, Template, wait_for_port
from e2b.exceptions import BuildException

from fake_e2b import FakeE2B, RuntimeUnavailableError
from tests.guide.secure_shell import SecureShell, why_not
from tests.helpers.waiting import wait_until

Create = Callable[[str], Sandbox]

SSH = (
    Template()
    .from_ubuntu_image("25.04")
    .apt_install(["openssh-server"])
    .run_cmd(
        [
            "curl -fsSL -o /usr/local/bin/websocat https://github.com/vi/websocat/releases/latest/download/websocat.x86_64-unknown-linux-musl",
            "chmod a+x /usr/local/bin/websocat",
        ],
        user="root",
    )
    .set_start_cmd(
        "sudo websocat -b --exit-on-eof ws-l:0.0.0.0:8081 tcp:127.0.0.1:22", wait_for_port(8081)
    )
)


@pytest.fixture(scope="module")
def server() -> Iterator[FakeE2B]:
    """Where a sandbox has files, users and ports of its own, as the guide's commands need."""
    with pytest.MonkeyPatch.context() as patch:
        try:
            fake = FakeE2B(runtime="isolated", set_environment=False).start()
        except RuntimeUnavailableError as error:
            pytest.skip(str(error))
        for name, value in fake.env().items():
            patch.setenv(name, value)
        # Its helpers start with the first sandbox: they are no test's leftovers.
        Sandbox.create("code-interpreter-v1").kill()
        yield fake
        fake.stop()


@pytest.fixture
def fake(server: FakeE2B, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeE2B]:
    """Templates stay for the tests that follow, stubs and sandboxes do not."""
    for name, value in server.env().items():
        monkeypatch.setenv(name, value)
    yield server
    server.commands.reset()


@pytest.fixture
def create(fake: FakeE2B) -> Iterator[Create]:
    with ExitStack() as kept:
        yield lambda template: kept.enter_context(Sandbox.create(template))


def build(template: object, name: str) -> list[str]:
    """Build it, all of it; returns the commands that were recorded in place of a download."""
    told: list[str] = []
    Template.build(
        template,  # type: ignore[arg-type]
        name,
        skip_cache=True,
        on_build_logs=lambda entry: told.append(entry.message),
    )
    mark = "recorded, not run, for builds have no network: "
    return [line.partition(mark)[2] for line in told if mark in line]


def test_google_cloud_storage(fake: FakeE2B, create: Create) -> None:
    template = (
        Template()
        .from_template("code-interpreter-v1")
        .apt_install(["gnupg", "lsb-release"])
        .run_cmd("lsb_release -c -s > /tmp/lsb_release")
        .run_cmd(
            'GCSFUSE_REPO=$(cat /tmp/lsb_release) && echo "deb [signed-by=/usr/share/keyrings/cloud.google.asc] https://packages.cloud.google.com/apt gcsfuse-$GCSFUSE_REPO main" | sudo tee /etc/apt/sources.list.d/gcsfuse.list'
        )
        .run_cmd(
            "curl https://packages.cloud.google.com/apt/doc/apt-key.gpg | sudo tee /usr/share/keyrings/cloud.google.asc"
        )
        .apt_install(["gcsfuse"])
    )
    # Not every machine has the program that the recorded package would have brought.
    fake.commands.stub("lsb_release -c -s", stdout="noble\n")
    assert build(template, "gcs") == [
        "apt-get update",
        "apt-get install -y gnupg lsb-release",
        "curl https://packages.cloud.google.com/apt/doc/apt-key.gpg",
        "apt-get update",
        "apt-get install -y gcsfuse",
    ]
    mount = fake.commands.stub(program="gcsfuse", stdout="File system has been mounted\n")

    sandbox = create("gcs")
    sandbox.files.make_dir("/home/user/bucket")
    sandbox.files.write("key.json", "{}")
    mounted = sandbox.commands.run(
        "sudo gcsfuse --key-file /home/user/key.json my-bucket /home/user/bucket"
    )

    assert mounted.stdout == "File system has been mounted\n"
    assert mount.calls[0].argv[1:] == (
        "--key-file", "/home/user/key.json", "my-bucket", "/home/user/bucket",
    )  # fmt: skip
    listed = sandbox.files.read("/etc/apt/sources.list.d/gcsfuse.list")
    assert listed.endswith("https://packages.cloud.google.com/apt gcsfuse-noble main\n")


@pytest.mark.parametrize(
    "command",
    [
        "s3fs my-bucket /home/user/bucket",
        "s3fs -o url=https://0123.r2.cloudflarestorage.com my-bucket /home/user/bucket",
    ],
    ids=["s3", "r2"],
)
def test_amazon_s3_and_cloudflare_r2(fake: FakeE2B, create: Create, command: str) -> None:
    template = Template().from_image("ubuntu:latest").apt_install(["s3fs"])
    assert build(template, "s3") == ["apt-get update", "apt-get install -y s3fs"]
    mount = fake.commands.stub(command)

    sandbox = create("s3")
    sandbox.files.make_dir("/home/user/bucket")
    sandbox.files.write("/root/.passwd-s3fs", "<AWS_ACCESS_KEY_ID>:<AWS_SECRET_ACCESS_KEY>")
    sandbox.commands.run("sudo chmod 600 /root/.passwd-s3fs")
    sandbox.commands.run(f"sudo {command}")

    assert mount.hits == 1
    assert sandbox.commands.run("sudo stat -c %a /root/.passwd-s3fs").stdout == "600\n"


def test_without_a_stub_a_sandbox_says_what_was_not_installed(
    fake: FakeE2B, create: Create
) -> None:
    build(Template().from_image("ubuntu:latest").apt_install(["s3fs-of-nobody"]), "s3")
    done = create("s3").commands.run("s3fs-of-nobody || echo $?")
    assert done.stdout == "127\n"


@pytest.fixture(scope="module")
def shell(server: FakeE2B, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureShell]:
    """One sandbox for all tests of SSH, and no key of anybody's."""
    if reason := why_not():
        pytest.skip(reason)
    assert build(SSH, "ssh")[1:] == [
        "apt-get install -y openssh-server (this machine's own /usr/sbin/sshd runs in the sandboxes)",
        "curl -fsSL -o /usr/local/bin/websocat https://github.com/vi/websocat/releases/latest/download/websocat.x86_64-unknown-linux-musl",
    ]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in server.env().items():
            patch.setenv(name, value)
        sandbox = Sandbox.create("ssh")
        yield SecureShell(sandbox, tmp_path_factory.mktemp("ssh"))
        sandbox.kill()


def test_ssh_serves_without_more_words(shell: SecureShell) -> None:
    done = shell.run("whoami; cat", data=b"given")
    assert (done.stdout, done.stderr) == (b"user\ngiven", b"")
    # As a service it is none of the processes that clients started.
    commands = [" ".join([each.cmd, *each.args]) for each in shell.sandbox.commands.list()]
    assert [each for each in commands if "sshd" in each] == []
    assert [each for each in commands if "websocat" in each] != []


def test_ssh_serves_again_after_the_sandbox_was_booted_anew(shell: SecureShell) -> None:
    sandbox = shell.sandbox
    sandbox.pause(mode="filesystem")
    sandbox.connect()
    listening = "ss -Htln sport = :22"
    assert wait_until(lambda: sandbox.commands.run(listening).stdout)


def test_ssh_is_in_templates_built_upon_it(
    shell: SecureShell, create: Create, tmp_path: Path
) -> None:
    build(Template().from_template("ssh").run_cmd("echo more > more"), "upon")
    upon = SecureShell(create("upon"), tmp_path)
    assert upon.run("cat more").stdout == b"more\n"


SHADOWSOCKS = "shadowsocks-v1.24.0.x86_64-unknown-linux-gnu.tar.xz"


def proxy(folder: Path) -> object:
    (folder / "config.json").write_text('{"server": "192.0.2.7"}\n')
    return (
        Template(file_context_path=folder)
        .from_base_image()
        .run_cmd(
            [
                f"wget https://github.com/shadowsocks/shadowsocks-rust/releases/latest/download/{SHADOWSOCKS}",
                "tar -xf shadowsocks-*.tar.xz",
                "sudo mv sslocal /usr/local/bin/",
            ]
        )
        .copy("config.json", "config.json")
        .set_start_cmd("sudo sslocal -c config.json --daemonize", wait_for_port(1080))
    )


def test_proxy_tunneling(fake: FakeE2B, create: Create, tmp_path: Path) -> None:
    unpacked = fake.commands.stub(f"tar -xf {SHADOWSOCKS}")
    moved = fake.commands.stub("mv sslocal /usr/local/bin/")
    started = fake.commands.stub("sslocal -c config.json --daemonize")
    assert [each.split()[0] for each in build(proxy(tmp_path), "shadowsocks-client")] == ["wget"]
    assert (unpacked.hits, moved.hits, started.hits) == (1, 1, 1)
    fake.commands.stub(pattern="curl https://ifconfig.me", stdout="203.0.113.1")
    fake.commands.stub("curl --socks5 127.0.0.1:1080 https://ifconfig.me", stdout="192.0.2.7")

    sbx = create("shadowsocks-client")
    curl = sbx.commands.run("curl --socks5 127.0.0.1:1080 https://ifconfig.me")
    direct = sbx.commands.run("curl https://ifconfig.me")

    assert (curl.stdout, direct.stdout) == ("192.0.2.7", "203.0.113.1")
    assert (started.hits, started.calls[1].cwd) == (2, "/home/user")
    assert sbx.files.read("config.json") == '{"server": "192.0.2.7"}\n'


def test_proxy_tunneling_without_stubs_fails_where_nothing_was_downloaded(
    fake: FakeE2B, tmp_path: Path
) -> None:
    with pytest.raises(BuildException, match="tar -xf"):
        build(proxy(tmp_path), "shadowsocks-client")
