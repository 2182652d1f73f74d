from __future__ import annotations

import errno
import os
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fake_e2b.domain.user import ROOT, USER
from fake_e2b.runtime.files import RootedFiles
from fake_e2b.runtime.ownership import RealOwnership, RecordedOwnership
from fake_e2b.runtime.resolve import FOLDER, Resolver
from fake_e2b.runtime.watch import WatchHub


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder of the host beside the sandbox's root; nothing in it may be reached."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret").write_text("host")
    return folder


@pytest.fixture
def root(tmp_path: Path, outside: Path) -> Path:
    folder = tmp_path / "root"
    for name in ("home/user", "root", "tmp"):
        (folder / name).mkdir(parents=True)
    return folder


@pytest.fixture
def files(root: Path) -> Iterator[RootedFiles]:
    rooted = RootedFiles(
        os.open(root, FOLDER),
        ownership=RecordedOwnership(),
        watches=WatchHub(),
        path_prefix=str(root),
    )
    yield rooted
    rooted.close()


@pytest.fixture(autouse=True)
def _no_descriptor_stays_open() -> Iterator[None]:
    before = set(os.listdir("/dev/fd"))
    yield
    assert len(os.listdir("/dev/fd")) == len(before)


def write(files: RootedFiles, path: str, data: bytes = b"x") -> None:
    with files.open_write(path, owner=USER) as file:
        file.write(data)


def read(files: RootedFiles, path: str) -> bytes:
    with files.open_read(path) as file:
        return file.read()


def error_of(call: object, *args: object, **kwargs: object) -> int | None:
    with pytest.raises(OSError, match="Errno") as caught:
        call(*args, **kwargs)  # type: ignore[operator]  # any method of RootedFiles
    return caught.value.errno


class TestStayingInside:
    @pytest.mark.parametrize(
        "path",
        [
            "/../../outside/secret",
            "/home/../../../outside/secret",
            "/home/user/../../../../outside/secret",
        ],
    )
    def test_dots_stop_at_the_root(self, files: RootedFiles, path: str) -> None:
        assert error_of(files.open_read, path) == errno.ENOENT
        assert error_of(files.open_write, path, owner=USER) == errno.ENOENT

    def test_dots_above_the_root_are_the_root(self, files: RootedFiles) -> None:
        write(files, "/home/user/a", b"inside")
        assert read(files, "/../../../home/user/./a") == b"inside"

    def test_an_absolute_link_starts_at_the_sandbox_root(
        self, files: RootedFiles, root: Path, outside: Path
    ) -> None:
        (root / "link").symlink_to(outside / "secret")
        assert error_of(files.open_read, "/link") == errno.ENOENT
        assert error_of(files.open_write, "/link", owner=USER) == errno.ENOENT
        assert error_of(files.chown, "/link", USER) == errno.ENOENT
        assert (outside / "secret").read_text() == "host"

    def test_a_relative_link_stops_at_the_root(self, files: RootedFiles, root: Path) -> None:
        (root / "home/user/link").symlink_to("../../../outside")
        assert error_of(files.listdir, "/home/user/link") == errno.ENOENT
        assert error_of(files.open_read, "/home/user/link/secret") == errno.ENOENT
        assert error_of(files.mkdir, "/home/user/link/new", 0o755, USER) == errno.ENOENT

    def test_removing_a_link_leaves_its_target(
        self, files: RootedFiles, root: Path, outside: Path
    ) -> None:
        (root / "home/user/tree").mkdir()
        (root / "home/user/tree/link").symlink_to(outside)
        files.remove("/home/user/tree")
        assert not (root / "home/user/tree").exists()
        assert (outside / "secret").read_text() == "host"

    def test_attributes_of_a_linked_host_file_are_out_of_reach(
        self, files: RootedFiles, root: Path, outside: Path
    ) -> None:
        (root / "link").symlink_to(outside / "secret")
        assert error_of(files.set_xattr, "/link", "user.k", b"v") == errno.ENOENT
        assert error_of(files.xattrs, "/link") == errno.ENOENT

    def test_a_link_swapped_in_during_the_way_never_leads_out(
        self, files: RootedFiles, root: Path, outside: Path
    ) -> None:
        folder, parked, link = root / "swap", root / "parked", root / "link"
        folder.mkdir()
        (folder / "secret").write_text("inside")
        link.symlink_to(outside)
        stop = threading.Event()

        def swap() -> None:
            while not stop.is_set():
                os.rename(folder, parked)
                os.rename(link, folder)
                os.rename(folder, link)
                os.rename(parked, folder)

        swapper = threading.Thread(target=swap)
        swapper.start()
        seen = set()
        errors: set[int | None] = set()
        try:
            for number in range(3000):
                try:
                    seen.add(read(files, "/swap/secret"))
                    write(files, f"/swap/n{number % 7}")
                    seen.add(read(files, "/swap/../swap/secret"))
                except OSError as error:
                    errors.add(error.errno)
        finally:
            stop.set()
            swapper.join()
        assert seen <= {b"inside"}
        assert errors <= {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}
        assert sorted(os.listdir(outside)) == ["secret"]

    def test_the_last_component_swapped_for_a_link_is_never_followed_out(
        self, files: RootedFiles, root: Path, outside: Path
    ) -> None:
        target, spare, link = root / "file", root / "spare", root / "link"
        target.write_text("inside")
        link.symlink_to(outside / "secret")
        stop = threading.Event()

        def swap() -> None:
            while not stop.is_set():
                os.rename(target, spare)
                os.rename(link, target)
                os.rename(target, link)
                os.rename(spare, target)

        swapper = threading.Thread(target=swap)
        swapper.start()
        seen = set()
        errors: set[int | None] = set()
        try:
            for _ in range(3000):
                try:
                    seen.add(read(files, "/file"))
                    write(files, "/file", b"x")
                except OSError as error:
                    errors.add(error.errno)
        finally:
            stop.set()
            swapper.join()
        assert seen <= {b"inside", b"x", b""}
        assert errors <= {errno.ENOENT, errno.ELOOP}
        assert (outside / "secret").read_text() == "host"


class TestLinks:
    def test_a_link_that_holds_the_roots_own_host_path_means_the_sandbox(
        self, files: RootedFiles, root: Path
    ) -> None:
        write(files, "/home/user/a", b"1")
        (root / "abs").symlink_to(root / "home/user/a")
        (root / "top").symlink_to(root)
        (root / "sibling").symlink_to(f"{root}x/home")
        assert read(files, "/abs") == b"1"
        assert files.readlink("/abs") == "/home/user/a"
        assert files.realpath("/top/home") == "/home"
        assert error_of(files.stat, "/sibling") == errno.ENOENT

    def test_a_chain_longer_than_the_kernels_is_a_loop(
        self, files: RootedFiles, root: Path
    ) -> None:
        (root / "l0").write_text("end")
        for number in range(1, 301):
            (root / f"l{number}").symlink_to(f"l{number - 1}")
        assert read(files, "/l40") == b"end"
        assert error_of(files.open_read, "/l41") == errno.ELOOP
        assert files.realpath("/l255") == "/l0"
        assert error_of(files.realpath, "/l256") == errno.ELOOP

    def test_a_link_to_itself_is_a_loop(self, files: RootedFiles, root: Path) -> None:
        (root / "self").symlink_to("self")
        assert error_of(files.stat, "/self") == errno.ELOOP
        assert error_of(files.lstat, "/self/x") == errno.ELOOP
        assert error_of(files.open_write, "/self", owner=USER) == errno.ELOOP
        assert stat.S_ISLNK(files.lstat("/self").mode)

    def test_a_trailing_slash_follows_the_link(self, files: RootedFiles, root: Path) -> None:
        (root / "link").symlink_to("home")
        assert stat.S_ISLNK(files.lstat("/link").mode)
        assert stat.S_ISDIR(files.lstat("/link/").mode)
        write(files, "/f")
        assert error_of(files.lstat, "/f/") == errno.ENOTDIR
        assert error_of(files.lstat, "/f/.") == errno.ENOTDIR

    def test_dots_after_a_link_are_above_its_target(self, files: RootedFiles, root: Path) -> None:
        (root / "home/user/deep").mkdir()
        (root / "link").symlink_to("home/user/deep")
        assert files.realpath("/link/..") == "/home/user"
        assert files.realpath("/link/../../..") == "/"

    def test_writing_through_a_broken_link_makes_its_target(
        self, files: RootedFiles, root: Path
    ) -> None:
        (root / "home/user/link").symlink_to("target")
        write(files, "/home/user/link", b"new")
        assert (root / "home/user/target").read_bytes() == b"new"


class TestHardNames:
    def test_a_nul_is_invalid(self, files: RootedFiles) -> None:
        assert error_of(files.lstat, "/a\0b") == errno.EINVAL
        assert error_of(files.remove, "/a\0b") == errno.EINVAL

    @pytest.mark.parametrize("path", ["/" + "n" * 4096, "/n" * 2048, "/" + "é" * 2048])
    def test_a_path_of_4096_bytes_is_too_long(self, files: RootedFiles, path: str) -> None:
        assert error_of(files.lstat, path) == errno.ENAMETOOLONG
        assert error_of(files.open_write, path, owner=USER) == errno.ENAMETOOLONG

    def test_a_name_of_256_bytes_is_too_long(self, files: RootedFiles) -> None:
        write(files, "/" + "n" * 255)
        assert error_of(files.open_write, "/" + "n" * 256, owner=USER) == errno.ENAMETOOLONG

    def test_names_are_listed_in_byte_order(self, files: RootedFiles) -> None:
        names = ["B", "a", "é", "\U0001f600", "ﬀ", ".hidden", "with space", "new\nline"]
        for name in names:
            write(files, f"/tmp/{name}")
        assert files.listdir("/tmp") == sorted(names, key=str.encode)

    def test_a_name_that_is_no_text_can_be_used(self, files: RootedFiles, root: Path) -> None:
        os.close(os.open(os.fsencode(root / "tmp") + b"/\xff", os.O_CREAT | os.O_WRONLY))
        (name,) = files.listdir("/tmp")
        assert files.lstat(f"/tmp/{name}").size == 0


class TestOpening:
    def test_a_new_file_is_0644_whatever_the_umask(self, files: RootedFiles) -> None:
        before = os.umask(0o077)
        try:
            write(files, "/home/user/a")
            files.mkdir("/home/user/d", 0o755, USER)
        finally:
            os.umask(before)
        assert stat.S_IMODE(files.stat("/home/user/a").mode) == 0o644
        assert stat.S_IMODE(files.stat("/home/user/d").mode) == 0o755

    def test_an_existing_file_is_cut_and_keeps_its_mode(
        self, files: RootedFiles, root: Path
    ) -> None:
        write(files, "/home/user/a", b"long content")
        (root / "home/user/a").chmod(0o751)
        write(files, "/home/user/a", b"short")
        assert read(files, "/home/user/a") == b"short"
        assert stat.S_IMODE(files.stat("/home/user/a").mode) == 0o751

    def test_a_folder_cannot_be_written(self, files: RootedFiles) -> None:
        assert error_of(files.open_write, "/home", owner=USER) == errno.EISDIR
        assert error_of(files.open_write, "/home/new/", owner=USER) == errno.EISDIR

    def test_a_fifo_never_makes_the_server_wait(self, files: RootedFiles, root: Path) -> None:
        os.mkfifo(root / "fifo")
        assert error_of(files.open_write, "/fifo", owner=USER) == errno.ENXIO
        with files.open_read("/fifo") as file:
            assert file.read(10) == b""
            with pytest.raises(OSError, match="seek"):
                file.seek(0, os.SEEK_END)
        assert stat.S_ISFIFO(files.lstat("/fifo").mode)

    def test_a_socket_cannot_be_opened(self, files: RootedFiles, root: Path) -> None:
        with socket.socket(socket.AF_UNIX) as listener:
            here = os.getcwd()
            os.chdir(root)
            try:
                listener.bind("sock")
            finally:
                os.chdir(here)
            assert error_of(files.open_read, "/sock") == errno.ENXIO


class TestChanging:
    def test_a_tree_is_removed_whatever_its_depth(self, files: RootedFiles, root: Path) -> None:
        folder = os.open(root / "tmp", os.O_RDONLY)
        for _ in range(1500):
            os.mkdir("d", dir_fd=folder)
            below = os.open("d", os.O_RDONLY, dir_fd=folder)
            os.close(os.open("f", os.O_CREAT | os.O_WRONLY, dir_fd=below))
            os.close(folder)
            folder = below
        os.close(folder)
        files.remove("/tmp/d")
        assert files.listdir("/tmp") == []

    def test_removing_nothing_is_no_error(self, files: RootedFiles) -> None:
        write(files, "/home/user/f")
        files.remove("/home/user/none")
        files.remove("/home/user/f/below")
        files.remove("/none/at/all")
        files.remove("/home/user/f/")
        files.remove("/home/user/f")

    def test_the_root_cannot_be_removed(self, files: RootedFiles) -> None:
        assert error_of(files.remove, "/") == errno.EBUSY
        assert files.listdir("/") == ["home", "root", "tmp"]

    def test_renaming_replaces_a_file(self, files: RootedFiles) -> None:
        write(files, "/a", b"a")
        write(files, "/b", b"b")
        files.rename("/a", "/b")
        assert read(files, "/b") == b"a"
        assert error_of(files.rename, "/a", "/c") == errno.ENOENT

    def test_attributes_are_kept_with_the_file(self, files: RootedFiles) -> None:
        write(files, "/home/user/a")
        try:
            files.set_xattr("/home/user/a", "user.e2b.k", b"v")
        except OSError:
            pytest.skip("this file system keeps no attributes")
        assert files.xattrs("/home/user/a") == {"user.e2b.k": b"v"}
        files.remove_xattr("/home/user/a", "user.e2b.k")
        assert files.xattrs("/home/user/a") == {}
        assert files.xattrs("/home") == {}

    def test_the_disk_is_larger_than_what_is_used(self, files: RootedFiles) -> None:
        usage = files.disk_usage()
        assert 0 < usage.used <= usage.total
        assert not files.is_network_mount("/home")


class TestOwners:
    def test_the_usual_owner_is_root_in_roots_places(self, files: RootedFiles, root: Path) -> None:
        (root / "root/x").write_text("")
        (root / "home/user/x").write_text("")
        (root / "tmp/x").write_text("")
        owners = {
            path: files.lstat(path).owner
            for path in ("/", "/home", "/root", "/root/x", "/home/user", "/home/user/x", "/tmp/x")
        }
        assert owners == {
            "/": "root", "/home": "root", "/root": "root", "/root/x": "root",
            "/home/user": "user", "/home/user/x": "user", "/tmp/x": "user",
        }  # fmt: skip

    def test_what_was_given_away_stays_so_through_a_rename(self, files: RootedFiles) -> None:
        with files.open_write("/home/user/a", owner=ROOT):
            pass
        files.mkdir("/root/d", 0o755, USER)
        files.rename("/home/user/a", "/home/user/b")
        assert files.lstat("/home/user/b").owner == "root"
        assert files.lstat("/root/d").group == "user"
        files.chown("/home/user/b", USER)
        assert files.lstat("/home/user/b").owner == "user"

    def test_a_removed_files_owner_is_forgotten(self, files: RootedFiles) -> None:
        for _ in range(20):
            with files.open_write("/home/user/a", owner=ROOT):
                pass
            files.remove("/home/user/a")
            write(files, "/home/user/b")
            assert files.lstat("/home/user/b").owner == "user"
            files.remove("/home/user/b")

    @pytest.mark.skipif(os.geteuid() != 0, reason="giving files away needs root")
    def test_real_owners_are_read_and_given(self, root: Path) -> None:
        names = {0: "root", 1000: "user"}
        rooted = RootedFiles(
            os.open(root, FOLDER),
            ownership=RealOwnership(names.get, names.get, offset=100_000),
            watches=WatchHub(),
        )
        try:
            with rooted.open_write("/home/user/a", owner=USER):
                pass
            assert (root / "home/user/a").stat().st_uid == 101_000
            assert rooted.lstat("/home/user/a").owner == "user"
            os.chown(root / "home/user/a", 104_242, 100_000)
            assert rooted.lstat("/home/user/a").owner == "4242"
            assert rooted.lstat("/home/user/a").group == "root"
        finally:
            rooted.close()


def test_a_closed_root_gives_nothing_away(files: RootedFiles, outside: Path) -> None:
    files.close()
    other = os.open(outside, os.O_RDONLY)  # likely to get the number that became free
    try:
        assert error_of(files.lstat, "/secret") == errno.EBADF
        assert error_of(files.open_read, "/secret") == errno.EBADF
    finally:
        os.close(other)


def test_resolving_counts_only_links_that_were_followed(root: Path) -> None:
    (root / "link").symlink_to("home")
    folder = os.open(root, FOLDER)
    try:
        with Resolver(folder).resolve("/link/user", follow=True, most_links=1) as place:
            assert place.path == "/home/user"
    finally:
        os.close(folder)
