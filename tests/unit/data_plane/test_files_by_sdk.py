"""The published Python SDK's file calls against the daemon alone."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import e2b
import pytest
from e2b import AsyncSandbox, FileType, Sandbox
from e2b.connection_config import ConnectionConfig
from e2b.sandbox.filesystem.filesystem import WriteEntry
from e2b.sandbox.filesystem.watch_handle import FilesystemEventType
from packaging.version import Version

from tests.unit.data_plane.daemon import Daemon


def handle(kind: Any, daemon: Daemon) -> Any:
    token = daemon.envd.access_token
    return kind(
        sandbox_id="i0",
        envd_version=Version("0.6.13"),
        envd_access_token=token,
        sandbox_domain=None,
        connection_config=ConnectionConfig(
            sandbox_url=f"http://127.0.0.1:{daemon.port}",
            extra_sandbox_headers={"X-Access-Token": token} if token else {},
        ),
    )


@pytest.fixture
def sandbox(daemon: Daemon) -> Any:
    return handle(Sandbox, daemon)


def test_writing_and_reading(sandbox: Any) -> None:
    info = sandbox.files.write("a.txt", "héllo")
    assert (info.name, info.path, info.type) == ("a.txt", "/home/user/a.txt", FileType.FILE)
    assert sandbox.files.read("a.txt") == "héllo"
    assert bytes(sandbox.files.read("a.txt", format="bytes")) == "héllo".encode()
    assert sandbox.files.write("raw", io.BytesIO(b"\0\xff" * 100_000)).path == "/home/user/raw"
    assert b"".join(sandbox.files.read("raw", format="stream")) == b"\0\xff" * 100_000
    sandbox.files.write("zip", b"packed" * 1000, gzip=True)
    assert sandbox.files.read("zip", gzip=True) == "packed" * 1000
    sandbox.files.write("empty", "")
    assert sandbox.files.read("empty") == ""


def test_many_files_at_once(sandbox: Any) -> None:
    entries = [WriteEntry(path="m/1", data="1"), WriteEntry(path="/tmp/2 é", data=b"2")]
    assert [info.path for info in sandbox.files.write_files(entries)] == [
        "/home/user/m/1",
        "/tmp/2 é",
    ]
    assert sandbox.files.read("/tmp/2 é") == "2"


def test_metadata(sandbox: Any) -> None:
    info = sandbox.files.write("a", "x", metadata={"k": "v"})
    assert info.metadata == {"k": "v"}
    assert sandbox.files.get_info("a").metadata == {"k": "v"}
    sandbox.files.write("a", "x")
    assert not sandbox.files.get_info("a").metadata


def test_looking_and_changing(sandbox: Any, daemon: Daemon) -> None:
    assert sandbox.files.make_dir("d/e") is True
    assert sandbox.files.make_dir("d/e") is False
    sandbox.files.write("d/f", "x")
    (daemon.root / "home/user/d/link").symlink_to("f")
    assert [entry.name for entry in sandbox.files.list("d")] == ["e", "f", "link"]
    info = sandbox.files.get_info("d/link")
    assert (info.type, info.symlink_target) == (FileType.FILE, "/home/user/d/f")
    assert sandbox.files.rename("d/f", "g").path == "/home/user/g"
    assert sandbox.files.exists("g")
    assert not sandbox.files.exists("d/f")
    sandbox.files.remove("d")
    sandbox.files.remove("d")
    assert sandbox.is_running()


def test_refusals_become_the_sdks_exceptions(sandbox: Any) -> None:
    with pytest.raises(e2b.FileNotFoundException, match="path '/home/user/no' does not exist"):
        sandbox.files.read("no")
    with pytest.raises(e2b.FileNotFoundException):
        sandbox.files.list("no")
    with pytest.raises(e2b.InvalidArgumentException, match="is a directory"):
        sandbox.files.read("/home/user")
    with pytest.raises(e2b.AuthenticationException):
        sandbox.files.read("a", user="nobody-here")
    with pytest.raises(e2b.InvalidArgumentException, match="cannot expand"):
        sandbox.files.list("~x")


def test_watching_by_asking(sandbox: Any) -> None:
    watch = sandbox.files.watch_dir("/home/user", recursive=True, include_entry=True)
    sandbox.files.write("sub/f", "x")
    seen: list[Any] = []
    while not any(event.name == "sub/f" for event in seen):
        seen += watch.get_new_events()
    assert (seen[0].name, seen[0].type) == ("sub", FilesystemEventType.CREATE)
    assert seen[0].entry.path == "/home/user/sub"
    watch.stop()


async def test_watching_by_a_stream(daemon: Daemon) -> None:
    sandbox = handle(AsyncSandbox, daemon)
    arrived: asyncio.Queue[Any] = asyncio.Queue()
    watch = await sandbox.files.watch_dir("/home/user", on_event=arrived.put_nowait)
    await sandbox.files.write("f", "x")
    async with asyncio.timeout(10):
        kinds = [(await arrived.get()).type for _ in range(3)]
    assert kinds == [
        FilesystemEventType.CREATE,
        FilesystemEventType.CHMOD,
        FilesystemEventType.WRITE,
    ]
    await watch.stop()
    with pytest.raises(e2b.FileNotFoundException):
        await sandbox.files.watch_dir("/nope", on_event=print)


def test_signed_urls(secured: Daemon) -> None:
    sandbox = handle(Sandbox, secured)
    assert sandbox.files.read("a.txt") == "hello world"
    download = sandbox.download_url("a.txt", user="user", use_signature_expiration=10**9)
    target = download.removeprefix(f"http://127.0.0.1:{secured.port}")
    assert secured.ask("GET", target).body == b"hello world"
    unlimited = sandbox.download_url("a.txt").removeprefix(f"http://127.0.0.1:{secured.port}")
    assert secured.ask("GET", unlimited).body == b"hello world"
    upload = sandbox.upload_url("up load").removeprefix(f"http://127.0.0.1:{secured.port}")
    secured.ask("POST", upload, b"x", {"Content-Type": "application/octet-stream"})
    assert (secured.root / "home/user/up load").read_bytes() == b"x"
