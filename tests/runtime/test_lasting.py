"""Files that outlive a run: those of paused guests, layers, volumes; and nothing else."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from fake_e2b.domain.errors import RuntimeUnavailableError
from fake_e2b.domain.file_ports import parents
from fake_e2b.domain.ids import VolumeID
from fake_e2b.domain.limits import Limits
from fake_e2b.domain.ports import Guest, LayerID, Recovered, Remembered, Runtime
from fake_e2b.domain.user import ROOT, USER
from fake_e2b.domain.volume import Mount
from fake_e2b.runtime.local import LocalRuntime
from fake_e2b.runtime.select import choose_runtime
from tests.runtime.guests import run, shell

ONE, OTHER = "i" + "a" * 20, "i" + "b" * 20
VOLUME = VolumeID("11111111-2222-4333-8444-555555555555")
Run = Callable[[], Awaitable[Runtime]]


@pytest.fixture(params=["local", "isolated"])
async def next_run(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Run]:
    """Ends the runtime of before, and starts one on what it has left."""
    runs: list[Runtime] = []

    async def begin() -> Runtime:
        if runs:
            await runs[-1].close()
        made = choose_runtime(request.param, folder=str(tmp_path), outlived=True)
        await made.start()
        runs.append(made)
        return made

    try:
        choose_runtime(request.param, folder=str(tmp_path))
    except RuntimeUnavailableError as error:
        pytest.skip(str(error))
    yield begin
    if runs:
        await runs[-1].close()
    assert [each.name for each in tmp_path.glob("fake-e2b-*/*")] in ([], ["kept"])


def kept(folder: Path) -> set[str]:
    (found,) = folder.glob("fake-e2b-*/kept")
    return {each for each in os.listdir(found) if each != "about.json"}


def write(guest: Guest, path: str, data: bytes = b"x", owner=USER) -> None:
    for above in parents(path):
        with suppress(FileExistsError):
            guest.files.mkdir(above, 0o755, owner)
    with guest.files.open_write(path, owner=owner) as file:
        file.write(data)


def read(guest: Guest, path: str) -> bytes:
    with guest.files.open_read(path) as file:
        return file.read()


async def recover(
    runtime: Runtime,
    layers: Sequence[LayerID] = (),
    volumes: Sequence[VolumeID] = (),
    sandboxes: Sequence[str] = (),
) -> Recovered:
    return await runtime.recover(Remembered(layers, volumes, sandboxes))


@pytest.mark.parametrize("pause", ["frozen", "stopped"])
async def test_a_paused_guest_has_its_files_after_the_next_start(next_run, pause):
    first = await next_run()
    guest = await first.create(ONE)
    write(guest, "/home/user/mine", b"mine")
    write(guest, "/home/user/roots", b"roots", ROOT)
    await run(guest, *shell("mkdir -p sub; echo program > sub/written"))
    await (guest.pause() if pause == "frozen" else guest.stop())
    await first.preserve(ONE)

    second = await next_run()
    assert (await recover(second, sandboxes=[ONE])).sandboxes == {ONE}
    await second.take_back(ONE)
    again = await second.boot(ONE)
    assert read(again, "/home/user/mine") == b"mine"
    assert read(again, "/home/user/sub/written") == b"program\n"
    assert again.files.stat("/home/user/roots").owner == "root"
    assert again.files.stat("/home/user/mine").owner == "user"
    assert (await run(again, *shell("cat mine"))).stdout == "mine"


async def test_who_owns_what_after_the_next_start_counts_from_then_on(next_run):
    first = await next_run()
    guest = await first.create(ONE)
    write(guest, "/home/user/a", b"", ROOT)
    await guest.stop()
    await first.preserve(ONE)

    second = await next_run()
    await recover(second, sandboxes=[ONE])
    await second.take_back(ONE)
    guest = await second.boot(ONE)
    guest.files.chown("/home/user/a", USER)
    await guest.stop()
    assert (await second.boot(ONE)).files.stat("/home/user/a").owner == "user"


async def test_programs_go_on_where_files_were_preserved_meanwhile(next_run, tmp_path):
    runtime = await next_run()
    guest = await runtime.create(ONE)
    write(guest, "/home/user/a", b"before")
    await guest.pause()
    await runtime.preserve(ONE)
    await runtime.take_back(ONE)
    await guest.resume()
    assert (await run(guest, *shell("cat a; echo after > b; cat b"))).stdout == "beforeafter\n"
    assert read(guest, "/home/user/b") == b"after\n"
    assert kept(tmp_path) == set()
    await guest.kill()


async def test_who_was_not_preserved_leaves_nothing(next_run, tmp_path):
    first = await next_run()
    guest = await first.create(ONE)
    write(guest, "/home/user/mine")
    other = await first.create(OTHER)
    await other.pause()
    await first.preserve(OTHER)
    await other.kill()
    assert kept(tmp_path) == set()
    await next_run()


async def test_what_no_record_names_is_removed(next_run, tmp_path):
    first = await next_run()
    guest = await first.create(ONE)
    await first.capture(ONE)
    await first.create_volume(VOLUME)
    await guest.pause()
    await first.preserve(ONE)
    second = await next_run()
    assert len(kept(tmp_path)) >= 3
    found = await recover(second)
    assert not found.layers
    assert not found.volumes
    assert not found.sandboxes
    await next_run()
    assert kept(tmp_path) == set()


async def test_layers_last_with_those_below_them(next_run):
    first = await next_run()
    guest = await first.create(ONE)
    write(guest, "/home/user/low", b"low", ROOT)
    write(guest, "/usr/local/bin/tool", b"tool", ROOT)
    low = await first.capture(ONE)
    upper = await first.create(OTHER, base=low)
    write(upper, "/home/user/high", b"high")
    high = await first.capture(OTHER)
    await first.release(low)

    second = await next_run()
    found = await recover(second, layers=[high, high])
    assert found.layers == {high}
    guest = await second.create(ONE, base=high)
    assert read(guest, "/home/user/low") == b"low"
    assert read(guest, "/home/user/high") == b"high"
    assert read(guest, "/usr/local/bin/tool") == b"tool"
    assert guest.files.stat("/home/user/low").owner == "root"
    newest = await second.capture(ONE)
    assert newest not in (low, high)
    await second.release(high)
    assert read(await second.create(OTHER, base=high), "/home/user/high") == b"high"


async def test_a_guest_on_a_layer_lasts_without_its_owner(next_run):
    first = await next_run()
    guest = await first.create(ONE)
    write(guest, "/opt/deep", b"deep", ROOT)
    layer = await first.capture(ONE)
    upper = await first.create(OTHER, base=layer)
    write(upper, "/home/user/own", b"own")
    await upper.stop()
    await first.preserve(OTHER)
    await first.release(layer)

    second = await next_run()
    await recover(second, sandboxes=[OTHER])
    await second.take_back(OTHER)
    again = await second.boot(OTHER)
    assert read(again, "/opt/deep") == b"deep"
    assert read(again, "/home/user/own") == b"own"


async def test_volumes_last_with_owners_and_mounts(next_run):
    first = await next_run()
    files = await first.create_volume(VOLUME)
    files.mkdir("/folder", mode=0o750, uid=1234, gid=4321)
    with files.open_write("/folder/a", mode=0o640, uid=5, gid=6, exclusive=True) as file:
        file.write(b"content")
    guest = await first.create(ONE, mounts=[Mount(VOLUME, "/data")])
    await run(guest, *shell("echo written > x"))
    await guest.stop()
    await first.preserve(ONE)

    second = await next_run()
    found = await recover(second, volumes=[VOLUME], sandboxes=[ONE])
    files = found.volumes[VOLUME]
    entry = files.stat("/folder")
    assert (entry.uid, entry.gid, entry.mode) == (1234, 4321, 0o750)
    entry = files.stat("/folder/a")
    assert (entry.uid, entry.gid, entry.mode, entry.size) == (5, 6, 0o640, 7)
    await second.take_back(ONE)
    again = await second.boot(ONE)
    assert read(again, "/data/folder/a") == b"content"
    assert read(again, "/home/user/x") == b"written\n"
    await second.discard_volume(VOLUME)
    third = await next_run()
    assert not (await recover(third, volumes=[VOLUME])).volumes


async def test_a_limited_disk_lasts_though_it_is_in_memory(next_run):
    first = await next_run()
    if isinstance(first, LocalRuntime):
        pytest.skip("its disks have no limit")
    guest = await first.create(ONE, limits=Limits(disk_mb=64))
    write(guest, "/home/user/a", b"in memory")
    await guest.pause()
    await first.preserve(ONE)
    second = await next_run()
    await recover(second, sandboxes=[ONE])
    await second.take_back(ONE)
    again = await second.boot(ONE)
    assert read(again, "/home/user/a") == b"in memory"
    assert again.files.disk_usage().total == 64 << 20


async def test_another_kind_of_runtime_is_refused(next_run, tmp_path):
    first = await next_run()
    await recover(first)
    await first.close()
    (about,) = tmp_path.glob("fake-e2b-*/kept/about.json")
    about.write_text('{"files": "some other runtime"}')
    second = await next_run()
    with pytest.raises(RuntimeUnavailableError, match="some other runtime"):
        await recover(second)


@pytest.mark.parametrize("change", ["more", "fewer"])
async def test_what_another_release_has_noted_is_not_there(next_run, tmp_path, change):
    first = await next_run()
    guest = await first.create(ONE)
    layer = await first.capture(ONE)
    await guest.stop()
    await first.preserve(ONE)
    await first.close()
    for note in tmp_path.glob("fake-e2b-*/kept/*.json"):
        if note.name != "about.json":
            about = json.loads(note.read_text())
            other = {**about, "other": 1} if change == "more" else {"other": 1}
            note.write_text(json.dumps(other | {"limits": {"other": 1}}))
    second = await next_run()
    found = await recover(second, layers=[layer], sandboxes=[ONE])
    assert (found.layers, found.sandboxes) == (frozenset(), frozenset())
    assert kept(tmp_path) == set()
