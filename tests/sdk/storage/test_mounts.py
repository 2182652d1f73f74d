"""Volumes in sandboxes, on both runtimes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from e2b import AsyncSandbox, Sandbox, Volume
from e2b.exceptions import (
    InvalidArgumentException,
    SandboxException,
    VolumeException,
    VolumePathNotFoundException,
)

from fake_e2b import FakeE2B, SandboxTemplate
from fake_e2b.domain.errors import RuntimeUnavailableError
from tests.helpers.waiting import wait_until

PATH = "/mnt/data"
NOWHERE = (VolumePathNotFoundException, VolumeException)


@pytest.fixture(scope="module", params=["local", "isolated"])
def server(request: pytest.FixtureRequest) -> Iterator[FakeE2B]:
    try:
        made = FakeE2B(runtime=request.param).start()
    except RuntimeUnavailableError as error:
        pytest.skip(str(error))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def isolated() -> Iterator[FakeE2B]:
    try:
        made = FakeE2B(runtime="isolated").start()
    except RuntimeUnavailableError as error:
        pytest.skip(str(error))
    yield made
    made.stop()


@pytest.fixture
def volume(fake: FakeE2B) -> Volume:
    return Volume.create("data")


def run(sandbox: Sandbox, script: str, user: str | None = None) -> str:
    """Run a script in the volume; under `local` an absolute path in it would be the host's."""
    return sandbox.commands.run(script, cwd=PATH, user=user).stdout


def test_two_sandboxes_see_each_others_writes_at_once(fake: FakeE2B, volume: Volume) -> None:
    one = Sandbox.create(volume_mounts={PATH: volume})
    two = Sandbox.create(volume_mounts={"/srv/shared": "data"})
    one.files.write(f"{PATH}/a", "api")
    assert two.files.read("/srv/shared/a") == "api"
    run(one, "echo command > b && mkdir c && mv a c/")
    assert two.files.read("/srv/shared/b") == "command\n"
    assert two.commands.run("cat c/a", cwd="/srv/shared").stdout == "api"
    assert volume.read_file("/c/a") == "api"
    volume.write_file("/d", "content api")
    assert run(one, "cat d") == "content api"
    volume.remove("/c")
    assert not two.files.exists("/srv/shared/c")
    assert one.get_info().volume_mounts == [{"name": "data", "path": PATH}]


def test_content_outlives_its_sandboxes(fake: FakeE2B, volume: Volume) -> None:
    sandbox = Sandbox.create(volume_mounts={PATH: volume})
    sandbox.files.write(f"{PATH}/deep/a", "x")
    run(sandbox, "echo y > b")
    sandbox.kill()
    assert [each.path for each in volume.list("/", depth=2)] == ["/b", "/deep", "/deep/a"]
    assert run(Sandbox.create(volume_mounts={PATH: volume}), "cat b deep/a") == "y\nx"


@pytest.mark.parametrize("memory", [True, False])
def test_a_resumed_sandbox_has_its_volume(fake: FakeE2B, volume: Volume, memory: bool) -> None:
    sandbox = Sandbox.create(volume_mounts={PATH: volume})
    run(sandbox, "echo before > a")
    httpx.post(
        f"{fake.url}/sandboxes/{sandbox.sandbox_id}/pause",
        headers={"X-API-Key": fake.api_key},
        json={"memory": memory},
    )
    volume.write_file("/b", "meanwhile")
    resumed = Sandbox.connect(sandbox.sandbox_id)
    assert run(resumed, "cat a b") == "before\nmeanwhile"
    run(resumed, "echo after > c")
    assert volume.read_file("/c") == "after\n"


def test_a_sandbox_that_loses_files_keeps_its_volume(fake: FakeE2B, volume: Volume) -> None:
    sandbox = Sandbox.create(volume_mounts={PATH: volume})
    fake.sandbox(sandbox).lose_files()
    for text in ("1", "2"):
        sandbox.files.write("text", text)
        sandbox.files.write(f"{PATH}/text", text)
        sandbox.pause()
        sandbox.connect()
    assert sandbox.files.read("text") == "1"
    assert sandbox.files.read(f"{PATH}/text") == volume.read_file("/text") == "2"


def test_a_fork_shares_the_volume_and_a_snapshot_leaves_it_out(
    fake: FakeE2B, volume: Volume
) -> None:
    sandbox = Sandbox.create(volume_mounts={PATH: volume})
    sandbox.files.write(f"{PATH}/a", "x")
    (fork,) = sandbox.fork()
    assert isinstance(fork, Sandbox)
    assert fork.get_info().volume_mounts == [{"name": "data", "path": PATH}]
    run(fork, "echo fork > b")
    assert run(sandbox, "cat a b") == "xfork\n"
    snapshot = sandbox.create_snapshot()
    alone = Sandbox.create(snapshot.snapshot_id)
    assert alone.get_info().volume_mounts == []
    assert alone.files.list(PATH) == []
    alone.files.write(f"{PATH}/c", "its own")
    assert not volume.exists("/c")
    again = Sandbox.create(snapshot.snapshot_id, volume_mounts={PATH: volume})
    assert run(again, "cat a b") == "xfork\n"


def test_owners_and_modes_are_the_same_from_all_sides(fake: FakeE2B, volume: Volume) -> None:
    sandbox = Sandbox.create(volume_mounts={PATH: volume})
    volume.make_dir("/a/b", mode=0o750, uid=1000, gid=1000, force=True)
    volume.write_file("/a/b/c", "x", mode=0o640, uid=1000, gid=1000)
    run(sandbox, "touch d && chmod 604 d")
    assert run(sandbox, "stat -c %a a/b a/b/c d").split() == ["750", "640", "604"]
    assert run(sandbox, "cat a/b/c") == "x"
    entries = {each.path: each for each in volume.list("/", depth=3)}
    shown = {path: (each.uid, each.gid, each.mode) for path, each in entries.items()}
    assert shown == {
        "/a": (1000, 1000, 0o777),
        "/a/b": (1000, 1000, 0o750),
        "/a/b/c": (1000, 1000, 0o640),
        "/d": (1000, 1000, 0o604),
    }
    volume.update_metadata("/d", uid=9090, mode=0o666)
    assert volume.get_info("/d").uid == 9090
    assert run(sandbox, "echo y >> d; cat d") == "y\n"  # everybody may


def test_one_volume_at_several_paths_and_one_in_another(fake: FakeE2B, volume: Volume) -> None:
    other = Volume.create("other")
    sandbox = Sandbox.create(
        volume_mounts={PATH: volume, "/home/user/d": "data", f"{PATH}/below": other}
    )
    sandbox.files.write("d/a", "x")
    assert sandbox.files.read(f"{PATH}/a") == "x"
    sandbox.files.write(f"{PATH}/below/b", "y")
    assert other.read_file("/b") == "y"
    assert volume.list("/below") == []
    assert sandbox.files.read(f"{PATH}/below/../a") == "x"


def test_many_sandboxes_write_at_the_same_time(fake: FakeE2B, volume: Volume) -> None:
    def write(number: int) -> None:
        sandbox = Sandbox.create(volume_mounts={PATH: volume})
        run(sandbox, f"echo {number} > {number}; echo {number} >> all")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(6)))
    assert sorted(volume.read_file("/all").split()) == [str(number) for number in range(6)]
    assert len(volume.list("/")) == 7


def test_files_move_between_the_volume_and_the_sandbox(fake: FakeE2B, volume: Volume) -> None:
    sandbox = Sandbox.create(volume_mounts={PATH: volume})
    sandbox.files.write("a", "x")
    sandbox.files.rename("/home/user/a", f"{PATH}/a")
    assert volume.read_file("/a") == "x"
    assert not sandbox.files.exists("a")
    sandbox.files.rename(f"{PATH}/a", "/home/user/b")
    assert volume.list("/") == []
    assert sandbox.commands.run("cat b").stdout == "x"


def test_the_mount_point_stays(fake: FakeE2B, volume: Volume) -> None:
    sandbox = Sandbox.create(volume_mounts={PATH: volume})
    volume.write_file("/a", "x")
    sandbox.files.make_dir("/srv/x")
    for path in ("/mnt", "/mnt/"):
        with pytest.raises(SandboxException, match="busy"):
            sandbox.files.remove(path)
    for paths in ((PATH, "/mnt/other"), ("/srv/x", PATH)):
        with pytest.raises(SandboxException):
            sandbox.files.rename(*paths)
    assert volume.read_file("/a") == "x"
    with pytest.raises(SandboxException, match="busy"):
        sandbox.files.remove(PATH)
    assert volume.list("/") == []
    assert [each.name for each in sandbox.files.list("/mnt")] == ["data"]
    sandbox.files.write(f"{PATH}/b", "y")
    assert volume.read_file("/b") == "y"


def test_links_never_lead_out_of_the_volume(fake: FakeE2B, volume: Volume) -> None:
    sandbox = Sandbox.create(volume_mounts={PATH: volume})
    run(
        sandbox,
        "echo x > file; mkdir folder; ln -s file good; ln -s folder down; ln -s /etc out;"
        "ln -s /etc/passwd secret; ln -s ../../../../etc/passwd up; ln -s nowhere broken;"
        "ln -s loop loop; ln -s /tmp/made new",
    )
    good, down = volume.get_info("/good"), volume.get_info("/down")
    assert (good.type.value, good.target) == ("file", "/file")
    assert (down.type.value, down.target) == ("directory", "/folder")
    assert volume.read_file("/good") == "x\n"
    for name in ("out", "secret", "up", "broken", "loop", "new"):
        assert volume.get_info(name).type.value == "unknown"
        for read in (volume.read_file, volume.list):
            with pytest.raises(NOWHERE):
                read(f"/{name}")
        for make in (lambda each: volume.write_file(each, "x"), volume.make_dir):
            with pytest.raises(VolumeException, match="409"):
                make(f"/{name}")
    for name in ("out/passwd", "out/new", "up/x", "loop/x", "broken", "new"):
        with pytest.raises(NOWHERE):
            volume.write_file(f"/{name}/x", "x", force=True)
    for name in ("out", "secret", "up", "loop", "broken", "new"):
        volume.remove(f"/{name}")
    assert volume.get_info("/good").target == "/file"
    assert not sandbox.files.exists("/tmp/made")
    assert len(volume.list("/")) == 4


def test_what_is_no_file_is_not_read(fake: FakeE2B, volume: Volume) -> None:
    sandbox = Sandbox.create(volume_mounts={PATH: volume})
    run(sandbox, "mkfifo fifo")
    assert volume.get_info("/fifo").type.value == "unknown"
    with pytest.raises(VolumeException, match=r"400: .* is not supported"):
        volume.read_file("/fifo")
    with pytest.raises(VolumeException, match=r"400: .* is not supported"):
        volume.write_file("/fifo", "x", force=True)
    volume.remove("/fifo")
    assert volume.list("/") == []


def test_a_deleted_volume_is_empty_and_its_sandboxes_go_on(fake: FakeE2B, volume: Volume) -> None:
    sandbox = Sandbox.create(volume_mounts={PATH: volume})
    run(sandbox, "echo x > a")
    assert Volume.destroy(volume.volume_id)
    wait_until(lambda: sandbox.files.list(PATH) == [])
    assert sandbox.commands.run("echo hi").stdout == "hi\n"
    again = Volume.create("data")  # another one, that only new sandboxes get
    run(Sandbox.create(volume_mounts={PATH: again}), "echo y > b")
    assert sandbox.files.list(PATH) == []


def test_who_sees_changes_of_a_volume(fake: FakeE2B, volume: Volume) -> None:
    one = Sandbox.create(volume_mounts={PATH: volume})
    with pytest.raises(InvalidArgumentException, match="network"):
        one.files.watch_dir(PATH)
    with pytest.raises(InvalidArgumentException, match="network"):
        one.files.watch_dir(f"{PATH}/.")
    watching = one.files.watch_dir(PATH, allow_network_mounts=True)
    one.files.write(f"{PATH}/a", "x")
    wait_until(lambda: any(event.name == "a" for event in watching.get_new_events()))
    watching.stop()
    one.files.watch_dir("/mnt").stop()


@pytest.mark.parametrize(
    ("mounts", "reasons"),
    [
        ([("x", "/a")], ["0: volume 'x' not found"]),
        ([("data", "")], ["0: path cannot be empty"]),
        ([("data", "a")], ["0: path must be absolute"]),
        ([("data", "/a/../b")], ["0: path must not contain any '.' or '..' components"]),
        ([("data", "/a/")], ["0: path must not contain any '.' or '..' components"]),
        ([("data", "/a//b")], ["0: path must not contain any '.' or '..' components"]),
        ([("data", "/a"), ("data", "/a")], ["1: path '/a' is already used"]),
        (
            [("x", "/a"), ("data", "/b"), ("data", "c"), ("data", "/b")],
            [
                "0: volume 'x' not found",
                "2: path must be absolute",
                "3: path '/b' is already used",
            ],
        ),
    ],
)
def test_bad_mounts_are_named_together(
    fake: FakeE2B, volume: Volume, mounts: list[tuple[str, str]], reasons: list[str]
) -> None:
    response = httpx.post(
        f"{fake.url}/v2/sandboxes",
        headers={"X-API-Key": fake.api_key},
        json={
            "templateID": "base",
            "volumeMounts": [{"name": name, "path": path} for name, path in mounts],
        },
    )
    lines = "".join(f"\n\t- volume mount #{reason}" for reason in reasons)
    assert response.json() == {"code": 400, "message": f"invalid mounts:{lines}"}
    assert fake.sandboxes() == []


@pytest.mark.parametrize("path", ["/", "/etc/passwd/x"])
def test_where_nothing_can_be_mounted_there_is_no_sandbox(
    fake: FakeE2B, volume: Volume, path: str
) -> None:
    with pytest.raises(SandboxException):
        Sandbox.create(volume_mounts={path: volume})
    assert fake.sandboxes() == []
    assert volume.list("/") == []
    assert Sandbox.create(volume_mounts={PATH: volume}).is_running()


async def test_mounts_by_the_async_sdk(fake: FakeE2B, volume: Volume) -> None:
    sandbox = await AsyncSandbox.create(volume_mounts={PATH: volume.name})
    await sandbox.files.write(f"{PATH}/a", "x")
    assert volume.read_file("/a") == "x"


# -- what only a real mount shows ----------------------------------------------------------------


def test_a_mount_is_one_for_programs_too(isolated: FakeE2B) -> None:
    isolated.reset()
    volume = Volume.create("data", api_key=isolated.api_key, api_url=isolated.url)
    options = {"api_key": isolated.api_key, "api_url": isolated.url, "sandbox_url": isolated.url}
    sandbox = Sandbox.create(volume_mounts={PATH: volume.name}, **options)
    assert sandbox.commands.run(f"echo x > {PATH}/a; mountpoint {PATH}").exit_code == 0
    assert PATH in sandbox.commands.run("cat /proc/mounts").stdout
    assert sandbox.commands.run(f"umount {PATH} || rmdir {PATH} || echo kept", user="root").stdout
    assert sandbox.files.read(f"{PATH}/a") == "x\n"
    isolated.reset()


def test_a_link_of_a_snapshot_leads_no_mount_to_the_machine(isolated: FakeE2B) -> None:
    isolated.reset()
    options = {"api_key": isolated.api_key, "api_url": isolated.url, "sandbox_url": isolated.url}
    first = Sandbox.create(**options)
    first.commands.run("ln -s /etc /data; ln -s /home/user /links", user="root")
    snapshot = first.create_snapshot()
    Volume.create("data", api_key=isolated.api_key, api_url=isolated.url)
    sandbox = Sandbox.create(
        snapshot.snapshot_id,
        volume_mounts={"/data/fake-e2b-volume": "data", "/links/v": "data"},
        **options,
    )
    sandbox.files.write("/data/fake-e2b-volume/a", "x")
    assert sandbox.commands.run("cat /etc/fake-e2b-volume/a /home/user/v/a").stdout == "xx"
    with pytest.raises(FileNotFoundError):
        open("/etc/fake-e2b-volume/a").close()
    isolated.reset()


def test_a_volume_is_outside_a_sandboxs_limits(isolated: FakeE2B) -> None:
    isolated.reset()
    isolated.add_template(SandboxTemplate("small", disk_limit_mb=16, memory_limit_mb=256))
    options = {"api_key": isolated.api_key, "api_url": isolated.url, "sandbox_url": isolated.url}
    volume = Volume.create("data", api_key=isolated.api_key, api_url=isolated.url)
    sandbox = Sandbox.create("small", volume_mounts={PATH: "data"}, **options)
    size = 32 << 20
    sandbox.commands.run(f"head -c {size} /dev/zero > {PATH}/big")
    assert volume.get_info("/big", api_url=isolated.url).size == size
    sandbox.pause()
    again = Sandbox.connect(sandbox.sandbox_id, **options)
    assert again.commands.run(f"stat -c %s {PATH}/big").stdout == f"{size}\n"
    isolated.reset()
