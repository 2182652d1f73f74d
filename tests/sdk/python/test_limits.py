"""Templates with limits, and what sandboxes use, by the published SDK."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.request import Request, urlopen

import pytest
from e2b import CommandExitException, Sandbox
from e2b.exceptions import NotEnoughSpaceException
from e2b_code_interpreter import Sandbox as Interpreter

from fake_e2b import FakeE2B, RuntimeUnavailableError, SandboxTemplate
from tests.helpers.waiting import wait_until

MIB = 1 << 20
HOG = "held = []\nwhile True: held.append(bytearray(1 << 20))"
TEMPLATES = (
    SandboxTemplate("small-disk", disk_limit_mb=24),
    SandboxTemplate("small-memory", memory_limit_mb=160, from_template="code-interpreter-v1"),
    SandboxTemplate("small", memory_limit_mb=160, disk_limit_mb=24, files={"note": "n"}),
)


@pytest.fixture(scope="module")
def isolated() -> Iterator[FakeE2B]:
    """`local` holds no limits."""
    try:
        made = FakeE2B(runtime="isolated", templates=TEMPLATES).start()
    except RuntimeUnavailableError as error:
        pytest.skip(str(error))
    Interpreter.create().run_code("1")  # from now on the kernels' own helper runs
    made.reset()
    yield made
    made.stop()


@pytest.fixture
def fake(isolated: FakeE2B) -> Iterator[FakeE2B]:
    yield isolated
    isolated.reset()


def fill(sandbox: Sandbox) -> None:
    with pytest.raises(CommandExitException, match="No space left on device"):
        sandbox.commands.run("head -c 100M /dev/zero > filler")


def test_a_full_disk_is_not_enough_space(fake: FakeE2B) -> None:
    sandbox, other = Sandbox.create("small-disk"), Sandbox.create("small-disk")
    with pytest.raises(NotEnoughSpaceException, match="not enough disk space available"):
        sandbox.files.write("big", b"x" * (30 * MIB))
    fill(sandbox)
    with pytest.raises(NotEnoughSpaceException):
        sandbox.files.write("more", b"x" * MIB)
    other.files.write("big", b"x" * (10 * MIB))
    assert sandbox.commands.run("echo fine").stdout == "fine\n"
    sandbox.files.remove("filler")
    sandbox.files.remove("big")
    sandbox.files.write("more", b"x" * MIB)
    assert sandbox.files.get_info("more").size == MIB
    assert sandbox.commands.run("df -m --output=size /").stdout.split()[-1] == "24"


def test_so_is_one_without_inodes(fake: FakeE2B) -> None:
    sandbox = Sandbox.create("small-disk")
    make = "import os\nfor i in range(9999): open(f'/tmp/{i}', 'w').close()"
    with pytest.raises(CommandExitException, match="No space left on device"):
        sandbox.commands.run(f'python3 -c "{make}"')
    with pytest.raises(NotEnoughSpaceException, match="not enough inodes available"):
        sandbox.files.write("one-more", "")
    sandbox.commands.run("rm /tmp/1*")
    sandbox.files.write("one-more", "fits")


def test_a_limited_sandboxs_files_are_kept(fake: FakeE2B) -> None:
    sandbox = Sandbox.create("small")
    assert sandbox.files.read("note") == "n"
    sandbox.files.write("mine", "m")
    sandbox.files.write("/etc/mine", "e", user="root")
    sandbox.pause(keep_memory=False)
    sandbox.connect()
    sandbox.pause()
    sandbox.connect(on_resume="reboot")
    (fork,) = sandbox.fork()
    for each in (sandbox, fork, Sandbox.create(sandbox.create_snapshot().snapshot_id)):
        assert each.files.read("mine") == "m"
        assert each.files.read("/etc/mine", user="root") == "e"
        fill(each)


@pytest.mark.parametrize("template", ["small-memory", "small"])
def test_who_takes_too_much_memory_is_killed(fake: FakeE2B, template: str) -> None:
    sandbox, other = Sandbox.create(template), Sandbox.create(template)
    sandbox.files.write("hog.py", HOG)
    with pytest.raises(CommandExitException) as ended:
        sandbox.commands.run("exec python3 hog.py")
    assert (ended.value.exit_code, ended.value.error) == (-1, "signal: killed")
    with pytest.raises(CommandExitException) as ended:
        sandbox.commands.run("python3 hog.py; exit $?")
    assert ended.value.exit_code == 137
    for each in (sandbox, other):
        assert each.commands.run("echo fine").stdout == "fine\n"
        assert each.is_running()


def test_so_is_a_kernel(fake: FakeE2B) -> None:
    sandbox = Interpreter.create("small-memory")
    assert sandbox.run_code("1 + 1").text == "2"
    execution = sandbox.run_code(HOG)
    assert execution.error is not None
    assert sandbox.commands.run("echo fine").stdout == "fine\n"


def test_metrics_are_the_sandboxs_own(fake: FakeE2B) -> None:
    sandbox = Sandbox.create("small")
    sandbox.files.write("big", b"x" * (5 * MIB))
    hold = "held = bytearray(40 << 20)\nwhile True: pass"
    sandbox.files.write("busy.py", hold)
    sandbox.get_metrics()
    busy = sandbox.commands.run("exec python3 busy.py", background=True)

    def hot() -> bool:
        newest = sandbox.get_metrics()[-1]
        return bool(newest.cpu_used_pct > 20 and newest.mem_used > 40 * MIB)

    wait_until(hot)
    found = sandbox.get_metrics()[-1]
    assert found.mem_total == 160 * MIB
    assert found.disk_total == 24 * MIB
    assert 40 * MIB < found.mem_used < 80 * MIB
    assert 5 * MIB < found.disk_used < 7 * MIB
    request = Request(f"{sandbox.envd_api_url}/metrics", headers=envd_headers(sandbox))
    with urlopen(request) as answer:
        inside = json.load(answer)
    assert (inside["mem_total"], inside["disk_total"]) == (160 * MIB, 24 * MIB)
    assert abs(inside["disk_used"] - found.disk_used) < MIB
    assert abs(inside["mem_used"] - found.mem_used) < 10 * MIB
    busy.kill()


def envd_headers(sandbox: Sandbox) -> dict[str, str]:
    return {
        **dict(sandbox.connection_config.sandbox_headers),
        "X-Access-Token": sandbox._envd_access_token or "",
    }
