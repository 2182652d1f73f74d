from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Callable
from io import FileIO
from itertools import groupby
from pathlib import Path

import pytest

from fake_e2b.domain.entry import Change, FilesystemEvent
from fake_e2b.domain.file_ports import Watch
from fake_e2b.runtime.inotify import IS_AVAILABLE
from fake_e2b.runtime.watch import WatchHub

pytestmark = pytest.mark.skipif(not IS_AVAILABLE, reason="needs inotify")

DEADLINE_S = 10
LAST = "zz-last"
CREATE, WRITE, REMOVE, RENAME, CHMOD = (
    Change.CREATE,
    Change.WRITE,
    Change.REMOVE,
    Change.RENAME,
    Change.CHMOD,
)


class Recorder:
    """Collects events until a name that is made last shows up."""

    def __init__(self, hub: WatchHub, folder: Path, *, recursive: bool) -> None:
        self.folder = folder
        self.events: list[tuple[str, Change]] = []
        self._arrived = asyncio.Event()
        self.watch: Watch = hub.watch(
            lambda: os.open(folder, os.O_RDONLY | os.O_DIRECTORY),
            recursive=recursive,
            sink=self._take,
        )

    def _take(self, event: FilesystemEvent) -> None:
        self.events.append((event.name, event.change))
        self._arrived.set()

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                self._arrived.clear()
                await self._arrived.wait()

    async def all(self) -> list[tuple[str, Change]]:
        """What happened so far, repeats in a row counted once: the kernel merges them."""
        last = self.folder / LAST
        last.mkdir()
        await self.wait_until(lambda: (LAST, CREATE) in self.events)
        seen = self.events[: self.events.index((LAST, CREATE))]
        last.rmdir()
        await self.wait_until(lambda: (LAST, REMOVE) in self.events)
        self.events.clear()
        return [event for event, _ in groupby(seen)]


@pytest.fixture
async def hub() -> AsyncIterator[WatchHub]:
    hub = WatchHub()
    yield hub
    assert hub.watched_folders == 0
    hub.close()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    folder.mkdir()
    return folder


@pytest.fixture
async def flat(hub: WatchHub, tree: Path) -> AsyncIterator[Recorder]:
    recorder = Recorder(hub, tree, recursive=False)
    yield recorder
    recorder.watch.close()


@pytest.fixture
async def deep(hub: WatchHub, tree: Path) -> AsyncIterator[Recorder]:
    recorder = Recorder(hub, tree, recursive=True)
    yield recorder
    recorder.watch.close()


async def shell(script: str, folder: Path) -> None:
    done = await asyncio.to_thread(
        subprocess.run, ["bash", "-euc", script], cwd=folder, env={"PATH": os.environ["PATH"]}
    )
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("before", "script", "expected"),
    [
        ("", "touch new", [("new", CREATE), ("new", CHMOD)]),
        ("", "echo x > new", [("new", CREATE), ("new", WRITE)]),
        ("echo a > f", "echo x > f", [("f", WRITE)]),
        ("echo a > f", "echo x >> f", [("f", WRITE)]),
        ("echo abc > f", "truncate -s 1 f", [("f", WRITE)]),
        ("echo a > f", "touch f", [("f", CHMOD)]),
        ("echo a > f", "chmod 600 f", [("f", CHMOD)]),
        ("echo a > f", "chown $(id -u) f", [("f", CHMOD)]),
        ("echo a > a", "mv a b", [("a", RENAME), ("b", CREATE)]),
        ("echo a > a; echo b > b", "mv a b", [("a", RENAME), ("b", CREATE)]),
        ("echo a > a", "mv a ..", [("a", RENAME)]),
        ("echo a > ../in", "mv ../in .", [("in", CREATE)]),
        ("echo a > f", "rm f", [("f", REMOVE)]),
        ("mkdir d", "rmdir d", [("d", REMOVE)]),
        ("", "mkdir d", [("d", CREATE)]),
        ("echo a > ../f", "ln ../f hard", [("hard", CREATE)]),
        ("", "ln -s nowhere soft", [("soft", CREATE)]),
        ("echo a > ../src", "cp ../src new", [("new", CREATE), ("new", WRITE)]),
        ("echo a > f", "cat f; ls", []),
        ("", "mkfifo pipe", [("pipe", CREATE)]),
        ("mkdir d", "chmod 700 d", [("d", CHMOD)]),
        ("mkdir d", "touch d/inside; rm d/inside", []),
        ("", "chmod 700 .", [(".", CHMOD)]),
    ],
)
async def test_an_operation_is_reported_as(
    hub: WatchHub, tree: Path, before: str, script: str, expected: list[tuple[str, Change]]
) -> None:
    await shell(before, tree)
    recorder = Recorder(hub, tree, recursive=False)
    await shell(script, tree)
    assert await recorder.all() == expected
    recorder.watch.close()


async def test_editing_in_place_shows_the_temporary_file(flat: Recorder) -> None:
    (flat.folder / "f").write_text("a")
    await flat.all()
    await shell("sed -i s/a/b/ f", flat.folder)
    events = await flat.all()
    temporary = events[0][0]
    assert temporary.startswith("sed")
    assert events[0] == (temporary, CREATE)
    assert events[-2:] == [(temporary, RENAME), ("f", CREATE)]
    assert set(events[1:-2]) == {(temporary, CHMOD), (temporary, WRITE)}


async def test_a_bound_socket_is_created(flat: Recorder) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.getcwd()
        os.chdir(flat.folder)
        try:
            listener.bind("s")
        finally:
            os.chdir(here)
    assert await flat.all() == [("s", CREATE)]


async def test_every_write_of_a_slow_program_counts(flat: Recorder) -> None:
    with FileIO(flat.folder / "f", "wb") as file:
        for _ in range(3):
            seen = len(flat.events)
            file.write(b"x")
            await flat.wait_until(lambda seen=seen: len(flat.events) > seen)  # type: ignore[misc]
    assert flat.events == [("f", CREATE), ("f", WRITE), ("f", WRITE), ("f", WRITE)]


class TestTheWatchedFolderItself:
    async def test_removing_it_ends_in_silence(self, flat: Recorder, hub: WatchHub) -> None:
        (flat.folder / "child").write_text("")
        await flat.all()
        shutil.rmtree(flat.folder)
        await flat.wait_until(lambda: (".", REMOVE) in flat.events)
        assert flat.events == [("child", REMOVE), (".", REMOVE)]
        flat.folder.mkdir()
        (flat.folder / "again").write_text("")
        other = Recorder(hub, flat.folder, recursive=False)
        await other.all()
        other.watch.close()
        assert flat.events == [("child", REMOVE), (".", REMOVE)]

    async def test_renaming_it_ends_in_silence(self, deep: Recorder, hub: WatchHub) -> None:
        (deep.folder / "sub").mkdir()
        await deep.all()
        moved = deep.folder.with_name("moved")
        deep.folder.rename(moved)
        await deep.wait_until(lambda: (".", RENAME) in deep.events)
        (moved / "later").write_text("")
        (moved / "sub" / "later").write_text("")
        other = Recorder(hub, moved, recursive=False)
        await other.all()
        other.watch.close()
        assert deep.events == [(".", RENAME)]


class TestRecursive:
    async def test_folders_that_exist_are_watched(self, hub: WatchHub, tree: Path) -> None:
        (tree / "sub/deep").mkdir(parents=True)
        recorder = Recorder(hub, tree, recursive=True)
        (tree / "sub/deep/z").write_text("x")
        assert await recorder.all() == [("sub/deep/z", CREATE), ("sub/deep/z", WRITE)]
        (tree / "sub/deep").chmod(0o700)
        assert await recorder.all() == [("sub/deep", CHMOD)]
        recorder.watch.close()

    async def test_a_folder_moved_in_is_reported_with_its_content(self, deep: Recorder) -> None:
        await shell("mkdir -p ../pop/in; echo a > ../pop/f; echo a > ../pop/in/g", deep.folder)
        await shell("mv ../pop .", deep.folder)
        assert await deep.all() == [
            ("pop", CREATE),
            ("pop/f", CREATE),
            ("pop/in", CREATE),
            ("pop/in/g", CREATE),
        ]
        await shell("echo b >> pop/in/g", deep.folder)
        assert await deep.all() == [("pop/in/g", WRITE)]

    async def test_folders_made_at_once_miss_nothing_and_repeat_nothing(
        self, deep: Recorder
    ) -> None:
        for number in range(20):
            await shell(f"mkdir -p p{number}/q/r; echo 1 > p{number}/q/r/z", deep.folder)
        events = await deep.all()
        creations = [name for name, change in events if change is CREATE]
        assert sorted(creations) == sorted(
            f"p{number}{below}" for number in range(20) for below in ("", "/q", "/q/r", "/q/r/z")
        )

    async def test_a_file_replaced_after_it_was_announced_is_created_again(
        self, deep: Recorder
    ) -> None:
        await shell("mkdir ../pop; echo a > ../pop/f; echo b > ../g; mv ../pop .", deep.folder)
        await deep.all()
        await shell("mv ../g pop/f", deep.folder)
        assert await deep.all() == [("pop/f", CREATE)]

    async def test_a_renamed_folder_reports_under_its_new_name(self, deep: Recorder) -> None:
        await shell("mkdir -p old/in; echo a > old/in/f", deep.folder)
        await deep.all()
        await shell("mv old new", deep.folder)
        assert await deep.all() == [("old", RENAME), ("new", CREATE)]
        await shell("echo b >> new/in/f", deep.folder)
        assert await deep.all() == [("new/in/f", WRITE)]

    async def test_a_folder_moved_between_folders_keeps_reporting(self, deep: Recorder) -> None:
        await shell("mkdir -p a/s b", deep.folder)
        await deep.all()
        await shell("mv a/s b/t; rmdir a; touch b/t/x", deep.folder)
        assert await deep.all() == [
            ("a/s", RENAME),
            ("b/t", CREATE),
            ("a", REMOVE),
            ("b/t/x", CREATE),
            ("b/t/x", CHMOD),
        ]

    async def test_a_folder_moved_out_is_no_longer_watched(
        self, deep: Recorder, hub: WatchHub
    ) -> None:
        await shell("mkdir -p out/in", deep.folder)
        await deep.all()
        assert hub.watched_folders == 3
        await shell("mv out ..; touch ../out/in/x", deep.folder)
        assert await deep.all() == [("out", RENAME)]
        assert hub.watched_folders == 1

    async def test_removing_a_tree_goes_from_the_bottom_up(self, deep: Recorder) -> None:
        await shell("mkdir -p p1/p2; echo a > p1/p2/f", deep.folder)
        await deep.all()
        await shell("rm -r p1", deep.folder)
        assert await deep.all() == [("p1/p2/f", REMOVE), ("p1/p2", REMOVE), ("p1", REMOVE)]

    async def test_a_link_to_a_folder_is_not_entered(self, deep: Recorder) -> None:
        await shell("mkdir ../other; ln -s ../other link; touch ../other/x", deep.folder)
        assert await deep.all() == [("link", CREATE)]

    async def test_lost_events_do_not_lose_folders(self, deep: Recorder, hub: WatchHub) -> None:
        (deep.folder / "gone").mkdir()
        await deep.all()
        limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
        (deep.folder / "gone").rmdir()
        flood = os.open(deep.folder, os.O_RDONLY)
        for number in range(limit // 2 + 10):
            os.close(os.open(f"f{number % 2}", os.O_CREAT | os.O_WRONLY, dir_fd=flood))
            os.unlink(f"f{number % 2}", dir_fd=flood)
        os.close(flood)
        (deep.folder / "came/in").mkdir(parents=True)
        await deep.wait_until(lambda: ("came/in", CREATE) in deep.events)
        deep.events.clear()
        await shell("touch came/in/x", deep.folder)
        await deep.wait_until(lambda: ("came/in/x", CREATE) in deep.events)
        assert hub.watched_folders == 3


class TestSharing:
    async def test_two_watches_of_one_folder_hear_the_same(self, hub: WatchHub, tree: Path) -> None:
        (tree / "sub").mkdir()
        above, below = (
            Recorder(hub, tree, recursive=True),
            Recorder(hub, tree / "sub", recursive=False),
        )
        (tree / "sub/f").write_text("x")
        assert await below.all() == [("f", CREATE), ("f", WRITE)]
        assert (await above.all())[:2] == [("sub/f", CREATE), ("sub/f", WRITE)]
        below.watch.close()
        (tree / "sub/g").mkdir()
        assert await above.all() == [("sub/g", CREATE)]
        assert below.events == []
        above.watch.close()

    async def test_closing_leaves_nothing(self, hub: WatchHub, tree: Path) -> None:
        (tree / "a/b/c").mkdir(parents=True)
        descriptors = len(os.listdir("/dev/fd"))
        recorder = Recorder(hub, tree, recursive=True)
        assert hub.watched_folders == 4
        recorder.watch.close()
        recorder.watch.close()
        assert hub.watched_folders == 0
        hub.close()
        assert len(os.listdir("/dev/fd")) == descriptors

    async def test_a_file_cannot_be_watched(self, hub: WatchHub, tree: Path) -> None:
        (tree / "f").write_text("")
        descriptors = len(os.listdir("/dev/fd"))
        with pytest.raises(NotADirectoryError):
            hub.watch(lambda: os.open(tree / "f", os.O_RDONLY), recursive=True, sink=print)
        hub.close()
        assert len(os.listdir("/dev/fd")) == descriptors
