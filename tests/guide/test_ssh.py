"""Guide: "SSH Access"."""

from __future__ import annotations

import fcntl
import hashlib
import os
import pty
import select
import shutil
import signal
import socket
import struct
import subprocess
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from e2b import Sandbox

from fake_e2b import FakeE2B, RuntimeUnavailableError
from tests.guide.secure_shell import START, TEMPLATE, SecureShell, why_not
from tests.helpers.waiting import wait_until

MB = 1 << 20


@contextmanager
def running(*, tls: bool) -> Iterator[FakeE2B]:
    """A fake with the guide's template."""
    if reason := why_not():
        pytest.skip(reason)
    try:
        fake = FakeE2B(runtime="isolated", templates=[TEMPLATE], tls=tls, set_environment=False)
        fake.start()
    except RuntimeUnavailableError as error:
        pytest.skip(str(error))
    yield fake
    fake.stop()


def create(fake: FakeE2B, folder: Path) -> SecureShell:
    """A sandbox of the template."""
    sandbox = Sandbox.create(
        "ssh",
        api_key=fake.api_key,
        api_url=fake.url,
        sandbox_url=fake.url,
        domain=fake.domain,
    )
    return SecureShell(sandbox, folder, authority=fake.ca_file)


@pytest.fixture(scope="module")
def isolated() -> Iterator[FakeE2B]:
    """A sandbox whose ports and users are its own."""
    with running(tls=False) as fake:
        yield fake


@pytest.fixture(scope="module")
def shell(isolated: FakeE2B, tmp_path_factory: pytest.TempPathFactory) -> SecureShell:
    """One sandbox with the guide's chain, for all tests of this file."""
    return create(isolated, tmp_path_factory.mktemp("ssh"))


def test_a_command_runs_as_the_user_in_the_sandbox(shell: SecureShell) -> None:
    done = shell.run("whoami; hostname; pwd; cat; echo oops >&2; exit 7", data=b"given\n")
    assert (done.returncode, done.stderr) == (7, b"oops\n")
    assert done.stdout.decode().split() == ["user", "e2b.local", "/home/user", "given"]
    assert shell.run("sudo whoami").stdout == b"root\n"


def test_it_is_the_sandbox_that_the_sdk_sees(shell: SecureShell) -> None:
    shell.sandbox.files.write("/home/user/by-sdk", "written by the SDK")
    assert shell.run("cat by-sdk; echo -n answered > by-ssh").stdout == b"written by the SDK"
    assert shell.sandbox.files.read("/home/user/by-ssh") == "answered"


def test_a_terminal_follows_the_size_of_ones_own(shell: SecureShell) -> None:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    process = subprocess.Popen(
        shell.words(options=("-tt",)), stdin=slave, stdout=slave, stderr=slave
    )
    os.close(slave)
    shown = bytearray()

    def see(wanted: bytes) -> None:
        def seen() -> bool:
            while wanted not in shown and select.select([master], [], [], 0)[0]:
                shown.extend(os.read(master, 65536))
            return wanted in shown

        wait_until(seen, message=f"{wanted!r} is shown")

    try:
        os.write(master, b"stty size; tty\n")
        see(b"30 100\r\n/dev/pts/")
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        process.send_signal(signal.SIGWINCH)
        os.write(master, b"sh -c 'echo run\"\"ning; exec sleep 1000'\n")
        see(b"running\r\n")
        os.write(master, b"\x03")
        see(b"^C")
        os.write(master, b"stty size\n")
        see(b"40 120\r\n")
        os.write(master, b"exit 3\n")
        assert process.wait(timeout=20) == 3
    finally:
        process.kill()
        process.wait()
        os.close(master)


def test_scp_of_ten_megabytes_both_ways(shell: SecureShell, tmp_path: Path) -> None:
    data = os.urandom(10 * MB)
    there, back = tmp_path / "there", tmp_path / "back"
    there.write_bytes(data)

    done = shell.call(["scp", *shell.options, str(there), f"{shell.at()}:copy"])
    assert (done.returncode, done.stderr) == (0, b"")
    wanted = hashlib.sha256(data).hexdigest()
    assert shell.sandbox.commands.run("sha256sum copy").stdout.split()[0] == wanted

    done = shell.call(["scp", *shell.options, f"{shell.at()}:copy", str(back)])
    assert (done.returncode, done.stderr) == (0, b"")
    assert hashlib.sha256(back.read_bytes()).hexdigest() == wanted


def test_sftp_lists_puts_and_gets(shell: SecureShell, tmp_path: Path) -> None:
    (tmp_path / "one").write_text("by sftp")
    batch = f"put {tmp_path}/one two\nls\nget two {tmp_path}/three\nrm two\n"
    done = shell.call(["sftp", *shell.options, "-b", "-", shell.at()], batch.encode())
    assert done.returncode == 0, done.stderr
    assert b"two" in done.stdout
    assert (tmp_path / "three").read_text() == "by sftp"
    assert not shell.sandbox.files.exists("two")


def test_a_port_of_the_sandbox_is_forwarded(shell: SecureShell, tmp_path: Path) -> None:
    shell.sandbox.files.write("site/index.html", "served inside")
    server = shell.sandbox.commands.run(
        "python3 -m http.server 9000 --bind 127.0.0.1 -d site", background=True
    )
    local = tmp_path / "port"
    options = ("-N", "-o", "ExitOnForwardFailure=yes", "-L", f"{local}:127.0.0.1:9000")
    process = subprocess.Popen(shell.words(options=options))
    try:
        wait_until(lambda: local.exists() or process.poll() is not None)

        def answered() -> bytes:
            # Until the server listens, the client gives up what it was to forward.
            with socket.socket(socket.AF_UNIX) as connection, suppress(ConnectionError):
                connection.connect(str(local))
                connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
                return b"".join(iter(lambda: connection.recv(65536), b""))
            return b""

        assert wait_until(answered).endswith(b"served inside")
    finally:
        process.terminate()
        process.wait()
        server.kill()


def test_several_sessions_at_once(shell: SecureShell) -> None:
    running = [
        subprocess.Popen(shell.words(f"sleep 0.2; echo {number}"), stdout=subprocess.PIPE)
        for number in range(4)
    ]
    told = [process.communicate(timeout=60)[0] for process in running]
    assert told == [f"{number}\n".encode() for number in range(4)]


def test_root_gets_in_where_there_really_is_one(shell: SecureShell) -> None:
    ids = shell.sandbox.commands.run("cat /proc/self/setgroups").stdout
    done = shell.run("whoami", user="root")
    if ids == "allow\n":
        assert done.stdout == b"root\n", done.stderr
    else:
        assert (done.returncode, done.stdout) == (255, b"")
        assert b"Permission denied" in done.stderr


def test_the_published_websocat_leads_there_too(shell: SecureShell, isolated: FakeE2B) -> None:
    if not (real := shutil.which("websocat")):
        pytest.skip("websocat is not installed")
    # Few machines' resolvers know *.localhost: the name goes into the header.
    proxy = f"{real} -b -H='Host: 8081-%h.e2b.localhost' - ws://127.0.0.1:{isolated.port}"
    assert shell.run("echo hi", options=("-o", f"ProxyCommand={proxy}")).stdout == b"hi\n"


def test_it_goes_over_tls_as_in_the_guide(tmp_path: Path) -> None:
    with running(tls=True) as fake:
        shell = create(fake, tmp_path)
        assert "wss://" in " ".join(shell.options)
        assert shell.run("cat; whoami", data=b"x" * MB).stdout == b"x" * MB + b"user\n"


def test_two_sandboxes_of_the_template_are_two(
    shell: SecureShell, isolated: FakeE2B, tmp_path: Path
) -> None:
    other = create(isolated, tmp_path)
    shell.run("echo mine > which")
    other.run("echo other > which")
    assert shell.run("cat which").stdout == b"mine\n"
    other.sandbox.kill()


def test_a_sandbox_that_is_none_is_said_so(shell: SecureShell) -> None:
    words = shell.words("true")
    words[words.index(shell.at())] = "user@i0000000000000000000"
    done = shell.call(words)
    assert done.returncode == 255
    assert b"502 Bad Gateway" in done.stderr


def test_the_docs_show_what_is_played_here() -> None:
    docs = (Path(__file__).parents[2] / "docs" / "ssh.md").read_text()
    for line in START.split(" && "):
        assert line in docs
    assert f"--binary -B 65536 - ws://8081-%h.{'e2b.localhost'}" in docs
