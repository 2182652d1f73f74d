"""Volumes and their content through the Python SDK, sync and async."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import httpx
import psutil
import pytest
from e2b import AsyncVolume, Volume
from e2b.exceptions import (
    AuthenticationException,
    VolumeException,
    VolumeNotFoundException,
    VolumePathNotFoundException,
)

from fake_e2b import effects
from fake_e2b.testing import FakeE2B
from tests.helpers.waiting import wait_until

FOREIGN = "e2b_" + "1" * 40
UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def volume(fake: FakeE2B) -> Volume:
    return Volume.create("data")


def tree(volume: Volume, path: str = "/", depth: int = 10) -> list[str]:
    return [each.path for each in volume.list(path, depth=depth)]


def refused(call: Any, *args: Any, **options: Any) -> str:
    with pytest.raises(VolumeException) as caught:
        call(*args, **options)
    return str(caught.value)


# -- the volumes themselves --------------------------------------------------------------------


def test_a_volume_lives(fake: FakeE2B) -> None:
    made = Volume.create("My_Data-1")
    assert made.name == "My_Data-1"
    assert made.token
    other = Volume.create("my_data-1")  # another one: case counts
    assert {(each.volume_id, each.name) for each in Volume.list()} == {
        (made.volume_id, "My_Data-1"),
        (other.volume_id, "my_data-1"),
    }
    info = Volume.get_info(made.volume_id)
    assert (info.volume_id, info.name) == (made.volume_id, made.name)
    assert info.token not in ("", made.token)  # a fresh one each time
    assert Volume.connect(made.volume_id).list("/") == []
    assert Volume.destroy(made.volume_id)
    assert not Volume.destroy(made.volume_id)
    with pytest.raises(VolumeNotFoundException, match=f"Volume {made.volume_id} not found"):
        Volume.get_info(made.volume_id)


async def test_a_volume_lives_by_the_async_sdk(fake: FakeE2B) -> None:
    made = await AsyncVolume.create("data")
    written = await made.write_file("/a/b.txt", b"one", force=True, mode=0o600)
    assert (written.path, written.size, written.mode) == ("/a/b.txt", 3, 0o600)
    assert await made.read_file("a/b.txt") == "one"
    assert b"".join([piece async for piece in await made.read_file("a/b.txt", "stream")]) == b"one"
    assert (await made.make_dir("/c")).path == "/c"
    assert [each.path for each in await made.list("/", depth=2)] == ["/a", "/a/b.txt", "/c"]
    assert (await made.update_metadata("/c", uid=1, gid=2, mode=0o700)).uid == 1
    await made.remove("/a")
    assert not await made.exists("/a/b.txt")
    connected = await AsyncVolume.connect(made.volume_id)
    assert (await connected.get_info("/c")).gid == 2
    assert await AsyncVolume.destroy(made.volume_id)
    assert await AsyncVolume.list() == []


@pytest.mark.parametrize("name", ["", "a b", "a/b", "ä", "a.b", "a\n"])
def test_names_that_no_volume_has(fake: FakeE2B, name: str) -> None:
    assert refused(Volume.create, name) == (
        "400: validation error: error in openapi3filter.RequestError: request body has an error: "
        "doesn't match schema #/components/schemas/NewVolume: Error at \"/name\": string doesn't "
        'match the regular expression "^[a-zA-Z0-9_-]+$"'
    )
    assert Volume.list() == []


def test_names_end_at_250_characters(fake: FakeE2B) -> None:
    assert refused(Volume.create, "x" * 251) == "400: Invalid volume name"
    assert Volume.create("x" * 250).name == "x" * 250


def test_a_name_is_given_once(fake: FakeE2B) -> None:
    first = Volume.create("data")
    first.write_file("/a", "one")
    assert refused(Volume.create, "data") == "400: Volume with name 'data' already exists"
    Volume.destroy(first.volume_id)
    again = Volume.create("data")
    assert again.volume_id != first.volume_id
    assert again.list("/") == []


@pytest.mark.parametrize("text", ["data", "0000", f"{UNKNOWN}x"])
def test_what_is_no_id_is_refused(volume: Volume, text: str) -> None:
    for call in (Volume.get_info, Volume.destroy):
        assert refused(call, text) == "400: Invalid volume ID"
    assert Volume.get_info(volume.volume_id.upper()).name == "data"


def test_teams_do_not_see_each_others(fake: FakeE2B) -> None:
    with FakeE2B(runtime="local", teams={"other": [FOREIGN]}, set_environment=False) as second:
        options = {"api_key": second.api_key, "api_url": second.url}
        made = Volume.create("data", **options)
        options["api_key"] = FOREIGN
        assert Volume.list(**options) == []
        assert not Volume.destroy(made.volume_id, **options)
        with pytest.raises(VolumeNotFoundException):
            Volume.get_info(made.volume_id, **options)
        assert Volume.create("data", **options).volume_id != made.volume_id


def test_reset_forgets_volumes(fake: FakeE2B, volume: Volume) -> None:
    fake.reset()
    assert Volume.list() == []
    with pytest.raises(VolumePathNotFoundException):
        volume.list("/")
    assert Volume.create("data").list("/") == []


# -- its token ---------------------------------------------------------------------------------


def ask(fake: FakeE2B, volume: Volume, token: str | None, path: str = "/") -> httpx.Response:
    return httpx.get(
        f"{fake.url}/volumecontent/{volume.volume_id}/path",
        params={"path": path},
        headers={} if token is None else {"Authorization": f"Bearer {token}"},
    )


def test_the_token_alone_lets_in(fake: FakeE2B, volume: Volume) -> None:
    other = Volume.create("other")
    assert ask(fake, volume, volume.token).status_code == 200
    for token, status in ((None, 401), ("nonsense", 401), (f"{volume.token}x", 401)):
        response = ask(fake, volume, token)
        assert response.status_code == status
        assert isinstance(response.json()["code"], str)
    assert ask(fake, volume, other.token).status_code == 403
    assert ask(fake, volume, fake.api_key).status_code == 401
    with pytest.raises(AuthenticationException):
        volume.list("/", token="nonsense")


def test_a_token_lasts_an_hour_of_the_fakes_clock(fake: FakeE2B, volume: Volume) -> None:
    fake.clock.advance(seconds=3599)
    assert volume.list("/") == []
    fake.clock.advance(seconds=1)
    with pytest.raises(AuthenticationException):
        volume.list("/")
    assert Volume.connect(volume.volume_id).list("/") == []


def test_a_deleted_volumes_token_finds_nothing(fake: FakeE2B, volume: Volume) -> None:
    Volume.destroy(volume.volume_id)
    with pytest.raises(VolumePathNotFoundException):
        volume.write_file("/a", "x")
    assert ask(fake, volume, volume.token).json() == {
        "code": "PATH_NOT_FOUND",
        "message": "volume not found",
    }


def test_tokens_do_not_stand_in_the_journal(fake: FakeE2B, volume: Volume) -> None:
    volume.list("/")
    token = volume.token
    assert token is not None
    assert token not in str(fake.journal.records())
    assert token not in httpx.get(f"{fake.url}/_fake/journal").text


# -- what is in it -----------------------------------------------------------------------------


def test_files_are_written_and_read(volume: Volume) -> None:
    entry = volume.write_file("/a.txt", "ü\n")
    assert (entry.name, entry.path, entry.type.value, entry.size) == ("a.txt", "/a.txt", "file", 3)
    assert volume.read_file("a.txt") == "ü\n"
    assert volume.read_file("//./a.txt", "bytes") == "ü\n".encode()
    assert b"".join(volume.read_file("/a.txt", "stream")) == "ü\n".encode()
    assert volume.write_file("empty", b"").size == 0
    assert volume.read_file("empty", "bytes") == b""
    assert b"".join(volume.read_file("empty", "stream")) == b""
    assert volume.write_file("text", io.StringIO("abc")).size == 3
    assert volume.write_file("name with space+%/#".replace("/", "_"), io.BytesIO(b"x")).size == 1
    assert volume.exists("/name with space+%_#")


def test_what_is_made_belongs_to_9090_and_is_open_to_all(volume: Volume) -> None:
    root = volume.get_info("/")
    folder = volume.make_dir("/d")
    file = volume.write_file("/f", "")
    assert [(each.uid, each.gid, each.mode) for each in (root, folder, file)] == [
        (9090, 9090, 0o777),
        (9090, 9090, 0o777),
        (9090, 9090, 0o666),
    ]
    assert root.name == root.path == "/"
    made = volume.make_dir("/p/q", uid=1, gid=2, mode=0o700, force=True)
    assert (made.uid, made.gid, made.mode) == (1, 2, 0o700)
    parent = volume.get_info("/p")
    assert (parent.uid, parent.gid, parent.mode) == (1, 2, 0o777)
    made = volume.write_file("/x/y", "", uid=3, gid=4, mode=0o6755, force=True)
    assert (made.uid, made.gid, made.mode) == (3, 4, 0o6755)


def test_a_second_write_needs_force(volume: Volume) -> None:
    volume.write_file("/a", "first one", uid=1, gid=1, mode=0o600)
    assert refused(volume.write_file, "/a", "x") == ('409: failed to write: "/a" already exists.')
    assert volume.read_file("/a") == "first one"
    again = volume.write_file("/a", "two", force=True)
    assert (again.size, again.uid, again.mode) == (3, 9090, 0o666)
    assert volume.read_file("/a") == "two"


def test_what_lacks_its_folder_needs_force(volume: Volume) -> None:
    for make in (lambda: volume.write_file("/a/b", "x"), lambda: volume.make_dir("/a/b")):
        with pytest.raises(VolumePathNotFoundException, match="Path /a/b not found"):
            make()
    assert volume.list("/") == []
    volume.write_file("/a/b/c", "x", force=True)
    volume.make_dir("/d/e/f", force=True)
    assert tree(volume) == ["/a", "/a/b", "/a/b/c", "/d", "/d/e", "/d/e/f"]


def test_a_folder_that_is_there(volume: Volume) -> None:
    volume.make_dir("/d", mode=0o700)
    volume.write_file("/f", "x")
    assert refused(volume.make_dir, "/d").startswith("409: ")
    assert refused(volume.make_dir, "/").startswith("409: ")
    assert volume.make_dir("/d", mode=0o777, force=True).mode == 0o700
    assert volume.make_dir("/", force=True).path == "/"
    assert refused(volume.make_dir, "/f", force=True).startswith("409: ")
    assert refused(volume.write_file, "/d", "x").startswith("409: ")
    assert refused(volume.write_file, "/d", "x", force=True) == (
        '400: failed to write: "/d": is a directory'
    )
    assert refused(volume.read_file, "/d").startswith("500: ")


def test_a_path_through_a_file(volume: Volume) -> None:
    volume.write_file("/f", "x")
    text = "a component of the path is a file, but must be a directory"
    calls = [
        (volume.get_info, "stat"),
        (volume.read_file, "read"),
        (volume.remove, "delete"),
        (volume.make_dir, "create directory"),
        (volume.list, "read"),
    ]
    for call, action in calls:
        assert refused(call, "/f/x") == f'400: failed to {action}: "/f/x": {text}'
    assert refused(volume.write_file, "/f/x", "y", force=True) == (
        f'400: failed to write: "/f/x": {text}'
    )
    assert refused(volume.update_metadata, "/f/x", mode=1) == (
        f'400: failed to chmod: "/f/x": {text}'
    )
    assert tree(volume) == ["/f"]


def test_metadata_is_changed_one_by_one(volume: Volume) -> None:
    volume.write_file("/f", "x")
    before = volume.get_info("/f")
    after = volume.update_metadata("/f", mode=0o640)
    assert (after.mode, after.uid, after.gid) == (0o640, before.uid, before.gid)
    after = volume.update_metadata("/f", uid=1)
    assert (after.mode, after.uid, after.gid) == (0o640, 1, before.gid)
    after = volume.update_metadata("/f", gid=2)
    assert (after.mode, after.uid, after.gid) == (0o640, 1, 2)
    assert volume.update_metadata("/f").uid == 1
    assert after.mtime == before.mtime
    for options in ({"mode": 1}, {"uid": 1}):
        with pytest.raises(VolumePathNotFoundException):
            volume.update_metadata("/nothing", **options)


def test_folders_are_removed_with_what_is_in_them(volume: Volume) -> None:
    volume.write_file("/a/b/c", "x", force=True)
    volume.remove("/a")
    assert tree(volume) == []
    with pytest.raises(VolumePathNotFoundException):
        volume.remove("/a")
    volume.write_file("/b", "x")
    assert refused(volume.remove, "/") == "400: cannot delete root"
    assert refused(volume.remove, "/b/..") == "400: cannot delete root"
    assert tree(volume) == ["/b"]


def test_lists_go_as_deep_as_they_are_told(volume: Volume) -> None:
    volume.write_file("/a/b/c/d", "x", force=True)
    volume.write_file("/a.txt", "x")
    assert [each.path for each in volume.list("/")] == ["/a", "/a.txt"]
    assert tree(volume, depth=0) == ["/a", "/a.txt"]
    assert tree(volume, depth=2) == ["/a", "/a/b", "/a.txt"]
    assert tree(volume, "/a/b") == ["/a/b/c", "/a/b/c/d"]
    assert refused(volume.list, "/", depth=11) == "400: depth must be between 1 and 10"
    with pytest.raises(VolumePathNotFoundException):
        volume.list("/nothing")


def test_paths_cannot_get_out(volume: Volume) -> None:
    volume.write_file("/../../a", "x")
    volume.make_dir("../b")
    assert tree(volume) == ["/a", "/b"]
    assert volume.read_file("b/../../a") == "x"
    assert volume.get_info("..").path == "/"


@pytest.mark.parametrize("name", ["a" * 255, "ü" * 127])
def test_the_longest_name(volume: Volume, name: str) -> None:
    assert volume.write_file(name, "x").name == name
    assert refused(volume.write_file, f"{name}xx", "x").startswith("400: failed to write")
    assert len(volume.list("/")) == 1


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("", "path"),
        ("path=/a&mode=0o777", "mode"),
        ("path=/a&mode=4096", "mode"),
        ("path=/a&mode=-1", "mode"),
        ("path=/a&uid=4294967296", "uid"),
        ("path=/a&gid=x", "gid"),
        ("path=/a&force=yes", "force"),
        ("path=/a&path=/b", "path"),
        ("path=/a%00b", "path"),
        ("path=/a&uid=", "uid"),
        ("path=/a&depth=4294967296", "depth"),
    ],
)
def test_parameters_that_cannot_be_read(
    fake: FakeE2B, volume: Volume, query: str, name: str
) -> None:
    for method, kind in (("PUT", "file"), ("POST", "dir"), ("GET", "dir")):
        response = httpx.request(
            method,
            f"{fake.url}/volumecontent/{volume.volume_id}/{kind}?{query}",
            headers={"Authorization": f"Bearer {volume.token}"},
            content=b"x" if method == "PUT" else None,
        )
        assert response.status_code == 400
        assert response.json()["code"] == "INVALID_REQUEST"
        assert f"parameter {name}" in response.json()["message"]
    assert volume.list("/") == []


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"mode": 4096}', b'{"uid": -1}', b'{"gid": "x"}', b'{"uid": 1.5}']
)
def test_updates_that_cannot_be_read(fake: FakeE2B, volume: Volume, body: bytes) -> None:
    before = volume.write_file("/f", "x")
    response = httpx.patch(
        f"{fake.url}/volumecontent/{volume.volume_id}/path?path=/f",
        headers={"Authorization": f"Bearer {volume.token}", "Content-Type": "application/json"},
        content=body,
    )
    assert response.status_code == 400
    assert response.json()["code"] == "INVALID_REQUEST"
    assert volume.get_info("/f").mode == before.mode


def test_codes_are_strings(fake: FakeE2B, volume: Volume) -> None:
    volume.write_file("/f", "x")
    url = f"{fake.url}/volumecontent/{volume.volume_id}"
    headers = {"Authorization": f"Bearer {volume.token}"}
    answers = [
        httpx.get(f"{url}/path?path=/nothing", headers=headers),
        httpx.put(f"{url}/file?path=/f", headers=headers, content=b"x"),
        httpx.delete(f"{url}/path?path=/", headers=headers),
        httpx.get(f"{url}/dir?path=/&depth=11", headers=headers),
        httpx.get(f"{url}/path?path=/f/x", headers=headers),
    ]
    assert [(each.status_code, each.json()["code"]) for each in answers] == [
        (404, "PATH_NOT_FOUND"),
        (409, "PATH_ALREADY_EXISTS"),
        (400, "CANNOT_DELETE_ROOT"),
        (400, "DEPTH_OUT_OF_RANGE"),
        (400, "INVALID_REQUEST"),
    ]
    assert answers[0].json()["message"] == 'failed to stat: "/nothing" not found.'


def test_unknown_paths_are_the_control_planes(fake: FakeE2B, volume: Volume) -> None:
    url = f"{fake.url}/volumecontent/{volume.volume_id}"
    for method, kind in (("GET", "nothing"), ("POST", "file")):
        response = httpx.request(method, f"{url}/{kind}", headers={"X-API-Key": fake.api_key})
        assert (response.status_code, response.json()["code"]) == (404, 404)


def test_browsers_may_ask(fake: FakeE2B, volume: Volume) -> None:
    response = httpx.get(
        f"{fake.url}/volumecontent/{volume.volume_id}/path?path=/",
        headers={"Authorization": f"Bearer {volume.token}", "Origin": "https://x.test"},
    )
    assert response.headers["access-control-allow-origin"] == "*"


def test_faults_speak_the_content_apis_language(fake: FakeE2B, volume: Volume) -> None:
    with fake.faults.add("statVolumePath", effects.Status(404)):
        assert not volume.exists("/")
        response = ask(fake, volume, volume.token)
    assert response.json()["code"] == "PATH_NOT_FOUND"
    assert volume.exists("/")


def test_an_upload_that_breaks_off_leaves_what_came(fake: FakeE2B, volume: Volume) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"x" * 1000
        wait_until(lambda: volume.exists("/f"))  # it has begun to come
        raise OSError("the client fails")

    with pytest.raises(OSError, match="the client fails"):
        httpx.put(
            f"{fake.url}/volumecontent/{volume.volume_id}/file?path=/f",
            headers={"Authorization": f"Bearer {volume.token}"},
            content=pieces(),
        )
    assert volume.get_info("/f").size <= 1000
    assert volume.write_file("/f", "whole", force=True).size == 5


def test_memory_stays_small_while_much_is_transferred(fake: FakeE2B, volume: Volume) -> None:
    size = 64 << 20

    class Zeros(io.RawIOBase):
        left = size

        def readable(self) -> bool:
            return True

        def read(self, count: int = -1) -> bytes:
            taken = min(self.left, 1 << 16 if count < 0 else count)
            self.left -= taken
            return bytes(taken)

    volume.write_file("/warm", b"x" * (1 << 20))
    before = psutil.Process().memory_info().rss
    assert volume.write_file("/big", Zeros()).size == size
    assert sum(map(len, volume.read_file("/big", "stream"))) == size
    # The client is in this process as well.
    assert psutil.Process().memory_info().rss - before < 32 << 20
