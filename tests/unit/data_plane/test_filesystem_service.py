from __future__ import annotations

import json
import os
import socket
import stat
from base64 import b64encode
from typing import Any

import pytest

from tests.unit.data_plane.daemon import Daemon

HOME = "/home/user"
FOREIGN = "failed to expand path '' for user 'user': cannot expand user-specific home dir"


def call(
    daemon: Daemon, method: str, user: str | None = None, agent: str = "t", **message: object
) -> tuple[int, Any]:
    headers = {"Content-Type": "application/json", "User-Agent": agent}
    if user is not None:
        headers["Authorization"] = "Basic " + b64encode(f"{user}:".encode()).decode()
    answer = daemon.ask(
        "POST", f"/filesystem.Filesystem/{method}", json.dumps(message).encode(), headers
    )
    return answer.status, json.loads(answer.text)


def ok(daemon: Daemon, method: str, **message: object) -> Any:
    status, answer = call(daemon, method, **message)
    assert status == 200, answer
    return answer


def refusal(daemon: Daemon, method: str, **message: object) -> tuple[int, str, str]:
    status, answer = call(daemon, method, **message)
    return status, answer["code"], answer["message"]


@pytest.fixture
def home(daemon: Daemon) -> Any:
    """The host's path of the sandbox's home, with a file, a folder and links in it."""
    home = daemon.root / "home/user"
    (home / "d").mkdir()
    (home / "d/a.txt").write_text("hello")
    (home / "d/a.txt").chmod(0o640)
    (home / "d/link").symlink_to("a.txt")
    (home / "d/broken").symlink_to("nowhere")
    (home / "loop").symlink_to("loop")
    return home


class TestEntries:
    def test_a_file(self, daemon: Daemon, home: Any) -> None:
        os.utime(home / "d/a.txt", ns=(0, 1_700_000_000_123_456_789))
        assert ok(daemon, "Stat", path="d/a.txt")["entry"] == {
            "name": "a.txt",
            "type": "FILE_TYPE_FILE",
            "path": f"{HOME}/d/a.txt",
            "size": "5",
            "mode": 0o640,
            "permissions": "-rw-r-----",
            "owner": "user",
            "group": "user",
            "modifiedTime": "2023-11-14T22:13:20.123456789Z",
        }

    def test_a_link_shows_its_target_and_itself(self, daemon: Daemon, home: Any) -> None:
        entry = ok(daemon, "Stat", path=f"{HOME}/d/link")["entry"]
        assert entry["type"] == "FILE_TYPE_FILE"
        assert (entry["size"], entry["mode"]) == ("5", 0o640)
        assert entry["permissions"] == "Lrwxrwxrwx"
        assert entry["symlinkTarget"] == f"{HOME}/d/a.txt"
        assert "isSymlink" not in entry

    def test_a_link_to_nowhere_is_its_own_target(self, daemon: Daemon, home: Any) -> None:
        for path in (f"{HOME}/d/broken", f"{HOME}/loop"):
            entry = ok(daemon, "Stat", path=path)["entry"]
            assert "type" not in entry
            assert "mode" not in entry
            assert entry["symlinkTarget"] == path

    def test_paths_are_echoed_uncleaned(self, daemon: Daemon, home: Any) -> None:
        for path in (f"{HOME}/d/", f"{HOME}/x/../d", "//home//user/d"):
            if path == f"{HOME}/x/../d":
                (home / "x").mkdir()
            entry = ok(daemon, "Stat", path=path)["entry"]
            assert (entry["name"], entry["path"]) == ("d", path)
        assert ok(daemon, "Stat", path="/")["entry"]["name"] == "/"
        assert ok(daemon, "Stat")["entry"]["path"] == HOME
        assert ok(daemon, "Stat", path="~/d/../d")["entry"]["path"] == f"{HOME}/d"

    def test_permissions_in_gos_letters(self, daemon: Daemon, home: Any) -> None:
        os.mkfifo(home / "fifo", 0o644)
        (home / "suid").write_text("")
        (home / "suid").chmod(0o4755)
        (home / "sticky").mkdir()
        (home / "sticky").chmod(0o1777)
        with socket.socket(socket.AF_UNIX) as listener:
            here = os.getcwd()
            os.chdir(home)
            try:
                listener.bind("sock")
                os.chmod("sock", 0o755)
            finally:
                os.chdir(here)
        shown = {
            entry["name"]: (entry["permissions"], entry.get("type"))
            for entry in ok(daemon, "ListDir", path=HOME)["entries"]
        }
        assert shown["fifo"] == ("prw-r--r--", None)
        assert shown["sock"] == ("Srwxr-xr-x", None)
        assert shown["suid"] == ("urwxr-xr-x", "FILE_TYPE_FILE")
        assert shown["sticky"] == ("dtrwxrwxrwx", "FILE_TYPE_DIRECTORY")
        assert shown["d"][0] == "drwxr-xr-x"

    @pytest.mark.skipif(os.geteuid() != 0, reason="making a device needs root")
    def test_a_device(self, daemon: Daemon, home: Any) -> None:
        os.mknod(home / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        (home / "null").chmod(0o666)
        assert ok(daemon, "Stat", path="null")["entry"]["permissions"] == "Dcrw-rw-rw-"

    def test_metadata_is_shown(self, daemon: Daemon, home: Any) -> None:
        try:
            os.setxattr(home / "d/a.txt", "user.e2b.k", b"v")
            os.setxattr(home / "d/a.txt", "user.other", b"v")
            os.setxattr(home / "d/a.txt", "user.e2b.bad", b"\xff")
        except OSError:
            pytest.skip("this file system keeps no attributes")
        assert ok(daemon, "Stat", path="d/a.txt")["entry"]["metadata"] == {"k": "v"}
        assert ok(daemon, "Stat", path="d/link")["entry"]["metadata"] == {"k": "v"}

    def test_an_old_client_gets_the_short_form(self, daemon: Daemon, home: Any) -> None:
        _, answer = call(daemon, "Stat", agent="connect-python", path="d")
        assert answer["entry"] == {
            "name": "d", "type": "FILE_TYPE_DIRECTORY", "path": f"{HOME}/d",
        }  # fmt: skip


class TestStat:
    @pytest.mark.parametrize(
        ("path", "expected"),
        [
            (
                "/nonexistent",
                (404, "not_found",
                 "file not found: lstat /nonexistent: no such file or directory"),
            ),
            (
                f"{HOME}/d/a.txt/x",
                (500, "internal",
                 f"error getting file info: lstat {HOME}/d/a.txt/x: not a directory"),
            ),
            (
                f"{HOME}/loop/x",
                (500, "internal",
                 f"error getting file info: lstat {HOME}/loop/x: "
                 "too many levels of symbolic links"),
            ),
            (
                "/a\0b",
                (500, "internal", "error getting file info: lstat /a\0b: invalid argument"),
            ),
            (
                "/" + "n" * 4096,
                (500, "internal",
                 f"error getting file info: lstat /{'n' * 4096}: file name too long"),
            ),
            ("~root", (400, "invalid_argument", FOREIGN)),
        ],
    )  # fmt: skip
    def test_refusals(
        self, daemon: Daemon, home: Any, path: str, expected: tuple[int, str, str]
    ) -> None:
        assert refusal(daemon, "Stat", path=path) == expected


class TestMakeDir:
    def test_parents_are_made_for_the_user(self, daemon: Daemon) -> None:
        entry = ok(daemon, "MakeDir", path="n/e/w")["entry"]
        assert (entry["path"], entry["permissions"]) == (f"{HOME}/n/e/w", "drwxr-xr-x")
        call(daemon, "MakeDir", user="root", path=f"{HOME}/of/root")
        for path in ("of", "of/root"):
            assert ok(daemon, "Stat", path=path)["entry"]["owner"] == "root"
        entry = ok(daemon, "MakeDir", path=f"{HOME}/slash/")["entry"]
        assert entry["path"] == f"{HOME}/slash/"

    def test_refusals(self, daemon: Daemon, home: Any) -> None:
        (home / "dl").symlink_to("d")
        exists = "directory already exists: "
        no_folder = "path already exists but it is not a directory: "
        cases = {
            "d": (409, "already_exists", f"{exists}{HOME}/d"),
            "dl": (409, "already_exists", f"{exists}{HOME}/dl"),
            "": (409, "already_exists", f"{exists}{HOME}"),
            "d/a.txt": (400, "invalid_argument", f"{no_folder}{HOME}/d/a.txt"),
            "d/link": (400, "invalid_argument", f"{no_folder}{HOME}/d/link"),
            "d/a.txt/x": (
                500,
                "internal",
                f"error getting file info: stat {HOME}/d/a.txt/x: not a directory",
            ),
            "d/broken": (
                500,
                "internal",
                f"failed to chown directory: chown {HOME}/d/broken: no such file or directory",
            ),
            "d/broken/x": (
                500,
                "internal",
                f"failed to chown directory: chown {HOME}/d/broken: no such file or directory",
            ),
        }
        for path, expected in cases.items():
            assert refusal(daemon, "MakeDir", path=path) == expected


class TestMove:
    def move(self, daemon: Daemon, source: str, destination: str) -> Any:
        return ok(daemon, "Move", source=source, destination=destination)["entry"]

    def test_what_works(self, daemon: Daemon, home: Any) -> None:
        assert self.move(daemon, "d/a.txt", "new/b")["path"] == f"{HOME}/new/b"
        (home / "c").write_text("c")
        self.move(daemon, "new/b", "c")
        assert (home / "c").read_text() == "hello"
        self.move(daemon, "c", "c")
        entry = self.move(daemon, "d/link", "moved")
        assert entry["symlinkTarget"] == f"{HOME}/moved"
        self.move(daemon, "d", "e")
        assert self.move(daemon, f"{HOME}/e/", f"{HOME}/f/")["path"] == f"{HOME}/f/"

    def test_refusals(self, daemon: Daemon, home: Any) -> None:
        (home / "empty").mkdir()
        (home / "f").write_text("")
        cases = {
            ("no", "x/y"): ("not_found", "source file not found: ", "no such file or directory"),
            ("d/a.txt", "empty"): ("internal", "error renaming: ", "file exists"),
            ("d", "empty"): ("internal", "error renaming: ", "file exists"),
            ("d", "d"): ("internal", "error renaming: ", "file exists"),
            ("d", "f"): ("internal", "error renaming: ", "not a directory"),
            ("d", "d/sub/in"): ("internal", "error renaming: ", "invalid argument"),
        }
        for (source, destination), (code, start, reason) in cases.items():
            _, *answer = refusal(daemon, "Move", source=source, destination=destination)
            assert answer == [
                code, f"{start}rename {HOME}/{source} {HOME}/{destination}: {reason}",
            ]  # fmt: skip
        assert (home / "x").is_dir()
        answer = list(refusal(daemon, "Move", source="d", destination="f/x/y"))
        assert answer == [500, "internal", f"path is a file: {HOME}/f"]


class TestListDir:
    def names(self, daemon: Daemon, **message: object) -> list[str]:
        entries = ok(daemon, "ListDir", **message).get("entries", [])
        return [entry["path"] for entry in entries]

    def test_depth_and_order(self, daemon: Daemon, home: Any) -> None:
        (home / "d/B").mkdir()
        (home / "d/B/in").write_text("")
        (home / "d/.hidden").write_text("")
        top = [f"{HOME}/d/{name}" for name in (".hidden", "B", "a.txt", "broken", "link")]
        assert self.names(daemon, path="d") == top
        assert self.names(daemon, path="d", depth=0) == top
        assert self.names(daemon, path="d", depth=9) == [*top[:2], f"{HOME}/d/B/in", *top[2:]]
        assert self.names(daemon)[:2] == [f"{HOME}/d", f"{HOME}/loop"]
        assert f"{HOME}/d" not in self.names(daemon, path="d")

    def test_a_linked_folder_is_read_under_its_own_name(self, daemon: Daemon, home: Any) -> None:
        (home / "d/e").mkdir()
        (home / "d/e/b.txt").write_text("")
        (home / "dl").symlink_to("d")
        (home / "d/inner").symlink_to("e")
        shown = self.names(daemon, path=f"{HOME}/dl/", depth=3)
        assert f"{HOME}/dl/e/b.txt" in shown
        assert f"{HOME}/dl/inner" in shown
        assert f"{HOME}/dl/inner/b.txt" not in shown

    @pytest.mark.parametrize(
        ("path", "expected"),
        [
            ("/no/x", (404, "not_found",
                       "path not found: lstat /no: no such file or directory")),
            ("d/broken", (404, "not_found",
                          f"path not found: lstat {HOME}/d/nowhere: no such file or directory")),
            ("d/a.txt", (400, "invalid_argument", f"path is not a directory: {HOME}/d/a.txt")),
            ("d/link", (400, "invalid_argument", f"path is not a directory: {HOME}/d/a.txt")),
            ("loop", (400, "failed_precondition",
                      f'cyclic symlink or chain >255 links at "{HOME}/loop"')),
            ("d/a.txt/x", (500, "internal", "error resolving symlink: not a directory")),
        ],
    )  # fmt: skip
    def test_refusals(
        self, daemon: Daemon, home: Any, path: str, expected: tuple[int, str, str]
    ) -> None:
        assert refusal(daemon, "ListDir", path=path) == expected


class TestRemove:
    def test_whatever_is_there(self, daemon: Daemon, home: Any) -> None:
        for path in ("d/link", "d/broken", "d", "d", "no/thing", "loop"):
            assert ok(daemon, "Remove", path=path) == {}
        assert os.listdir(home) == []
        (home / "f").write_text("")
        assert ok(daemon, "Remove", path="f/below") == {}

    def test_a_dot_at_the_end_is_invalid(self, daemon: Daemon, home: Any) -> None:
        assert refusal(daemon, "Remove", path="/home/user/d/.") == (
            500,
            "internal",
            "error removing file or directory: RemoveAll /home/user/d/.: invalid argument",
        )


class TestWatchers:
    def wait_for(self, daemon: Daemon, watcher: str, name: str) -> list[Any]:
        """Events up to the one about `name`; the answers come as fast as we ask."""
        events: list[Any] = []
        for _ in range(20_000):
            got = ok(daemon, "GetWatcherEvents", watcherId=watcher).get("events", [])
            events += got
            if any(event["name"] == name for event in events):
                return events
        raise TimeoutError(events)

    def test_a_life(self, daemon: Daemon, home: Any) -> None:
        watcher = ok(daemon, "CreateWatcher", path="d")["watcherId"]
        assert watcher[0] == "w"
        assert len(watcher) == 21
        assert ok(daemon, "GetWatcherEvents", watcherId=watcher) == {}
        ok(daemon, "MakeDir", path="d/mk/a")
        ok(daemon, "Move", source="d/mk", destination="d/mk2")
        ok(daemon, "Remove", path="d/mk2")
        (home / "d/end").write_text("")
        events = self.wait_for(daemon, watcher, "end")
        shown = [(event["name"], event["type"].removeprefix("EVENT_TYPE_")) for event in events]
        assert shown[:5] == [
            ("mk", "CREATE"), ("mk", "CHMOD"), ("mk", "RENAME"), ("mk2", "CREATE"),
            ("mk2", "REMOVE"),
        ]  # fmt: skip
        assert ok(daemon, "RemoveWatcher", watcherId=watcher) == {}
        for method in ("GetWatcherEvents", "RemoveWatcher"):
            assert refusal(daemon, method, watcherId=watcher) == (
                404, "not_found", f"watcher with id {watcher} not found",
            )  # fmt: skip

    def test_uploads_are_created_given_and_written(self, daemon: Daemon, home: Any) -> None:
        watcher = ok(daemon, "CreateWatcher", path=HOME, includeEntry=True)["watcherId"]
        daemon.put("up", b"content")
        events = self.wait_for(daemon, watcher, "up")
        while len(events) < 3:
            events += ok(daemon, "GetWatcherEvents", watcherId=watcher).get("events", [])
        kinds = [event["type"].removeprefix("EVENT_TYPE_") for event in events]
        assert kinds == ["CREATE", "CHMOD", "WRITE"]
        assert events[-1]["entry"]["path"] == f"{HOME}/up"
        assert events[-1]["entry"]["size"] == "7"
        ok(daemon, "Remove", path="up")
        (event,) = self.wait_for(daemon, watcher, "up")
        assert "entry" not in event
        ok(daemon, "RemoveWatcher", watcherId=watcher)

    def test_recursive_ones_see_below(self, daemon: Daemon, home: Any) -> None:
        watcher = ok(daemon, "CreateWatcher", path=HOME, recursive=True)["watcherId"]
        daemon.put("deep/er/f", b"x")
        names = {event["name"] for event in self.wait_for(daemon, watcher, "deep/er/f")}
        assert names >= {"deep", "deep/er", "deep/er/f"}
        ok(daemon, "RemoveWatcher", watcherId=watcher)

    @pytest.mark.parametrize(
        ("path", "expected"),
        [
            ("/no", (404, "not_found",
                     "path /no not found: stat /no: no such file or directory")),
            ("d/a.txt", (400, "invalid_argument",
                         f"path {HOME}/d/a.txt not a directory: %!w(<nil>)")),
            ("d/a.txt/x", (500, "internal",
                           f"error statting path {HOME}/d/a.txt/x: "
                           f"stat {HOME}/d/a.txt/x: not a directory")),
            ("~no", (400, "invalid_argument", FOREIGN)),
        ],
    )  # fmt: skip
    def test_refusals(
        self, daemon: Daemon, home: Any, path: str, expected: tuple[int, str, str]
    ) -> None:
        assert refusal(daemon, "CreateWatcher", path=path) == expected
