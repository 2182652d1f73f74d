"""Archives that COPY steps unpack: what is in them is anybody's, and may be made to do harm."""

from __future__ import annotations

import gzip
import io
import socket
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from e2b import Sandbox

from fake_e2b import FakeE2B
from tests.helpers.waiting import wait_until


@pytest.fixture
def api(fake: FakeE2B) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=fake.url, headers={"X-API-Key": fake.api_key}, timeout=60) as client:
        yield client


def archive(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    return gzip.compress(tar_of(*members), 1)


def tar_of(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as tar:
        for member, content in members:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return written.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, target
    return made


def begin_build(api: httpx.Client, content: bytes, source: str = "a") -> tuple[str, str]:
    """The paths of a template that copies from an archive, and of its build."""
    asked = api.post("/v3/templates", json={"name": "mine"}).json()
    template = f"/templates/{asked['templateID']}"
    place = api.get(f"{template}/files/{'0' * 64}").json()
    assert httpx.put(place["url"], content=content).status_code == 200
    assert api.get(f"{template}/files/{'0' * 64}").json()["present"] is True
    step = {"type": "COPY", "args": [source, "/tmp/copied/", "", ""], "filesHash": "0" * 64}
    build = f"{template}/builds/{asked['buildID']}"
    started = api.post(f"/v2{build}", json={"fromImage": "x", "steps": [step]})
    assert (started.status_code, started.content) == (202, b"")
    assert started.headers["content-length"] == "0"
    return template, build


def build_of(api: httpx.Client, content: bytes, source: str = "a") -> dict[str, object]:
    """The status of a build that copies from an archive."""
    _, build = begin_build(api, content, source)
    return wait_until(lambda: _ended(api.get(f"{build}/status").json()))


def _ended(status: dict[str, object]) -> dict[str, object] | None:
    return status if status["status"] in ("ready", "error") else None


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ([(member("../a"), b"x")], "leads out of the archive"),
        ([(member("/a"), b"x")], "leads out of the archive"),
        ([(member("a/../../b"), b"x")], "leads out of the archive"),
        ([(member("a", tarfile.CHRTYPE), b"")], "neither file, folder nor link"),
        ([(member("a", tarfile.FIFOTYPE), b"")], "neither file, folder nor link"),
        ([(member("a", tarfile.BLKTYPE), b"")], "neither file, folder nor link"),
        ([(member("a", tarfile.LNKTYPE, "/etc/passwd"), b"")], "a link to what is not there"),
        ([(member("a", tarfile.LNKTYPE, "../../a"), b"")], "a link to what is not there"),
        ([(member("a", tarfile.LNKTYPE, "a"), b"")], "a link to what is not there"),
        (
            [(member("d", tarfile.DIRTYPE), b""), (member("a", tarfile.LNKTYPE, "d"), b"")],
            "a link to what is not there",
        ),
        (
            [
                (member("s", tarfile.SYMTYPE, "/etc/passwd"), b""),
                (member("a", tarfile.LNKTYPE, "s"), b""),
            ],
            "a link to what is not there",
        ),
        (
            [(member("a/b"), b"x"), (member("a", tarfile.SYMTYPE, "/etc"), b"")],
            "a link in place of a folder",
        ),
        ([(member("a/" * 3000 + "b"), b"x")], "no possible name"),
        ([(member("a", tarfile.SYMTYPE, "/etc"), b""), (member("a/b"), b"x")], "behind a link"),
    ],
)
def test_archives_that_could_do_harm_are_refused(
    api: httpx.Client, members: list[tuple[tarfile.TarInfo, bytes]], text: str
) -> None:
    ended = build_of(api, archive((member("good"), b"good"), *members), ".")
    assert ended["status"] == "error"
    assert ended["reason"]["message"].startswith("failed to extract files: ")  # type: ignore[index]
    assert text in ended["reason"]["message"]  # type: ignore[index]
    assert ended["reason"]["step"] == "1"  # type: ignore[index]


def header(kind: bytes, content: bytes) -> bytes:
    """Describes the member that follows."""
    made = tarfile.TarInfo("header")
    made.type, made.size = kind, len(content)
    return made.tobuf(tarfile.USTAR_FORMAT) + content.ljust(-(-len(content) // 512) * 512, b"\0")


LINKS = [(member(f"h{number}", tarfile.LNKTYPE, "a"), b"") for number in range(4)]


@pytest.mark.parametrize(
    "content",
    [
        archive((member("a"), bytes(2_000_000))),
        archive((member("a"), bytes(300_000)), *LINKS),
        archive(*((member("a"), b"") for _ in range(30))),
        gzip.compress(header(tarfile.XHDTYPE, bytes(2 << 20)), 1),
        gzip.compress(header(tarfile.GNUTYPE_LONGNAME, bytes(2 << 20)), 1),
        gzip.compress(tar_of((member("a"), b"")) + bytes(300 << 20), 1),
    ],
    ids=["content", "links", "members", "header", "name", "behind its end"],
)
def test_a_bomb_is_refused_before_it_goes_off(
    api: httpx.Client, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    monkeypatch.setattr("fake_e2b.server.builder.inspect_archive.MOST_UNPACKED", 1_000_000)
    monkeypatch.setattr("fake_e2b.server.builder.inspect_archive.MOST_MEMBERS", 20)
    ended = build_of(api, content)
    assert ended["reason"]["message"] == "failed to extract files: it holds too much"  # type: ignore[index]


def test_headers_without_end_are_refused(api: httpx.Client) -> None:
    chain = b"".join(header(tarfile.XHDTYPE, b"9 path=a\n") for _ in range(1100))
    ended = build_of(api, chain + tar_of((member("a"), b"")))
    assert ended["reason"]["message"].startswith("failed to extract files: ")  # type: ignore[index]


GOOD = tar_of((member("a"), b"x" * 5000))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no archive at all",
        GOOD[:3000],
        gzip.compress(GOOD)[:-20],
        gzip.compress(GOOD)[:-8] + bytes(8),
    ],
    ids=["empty", "text", "cut", "cut within", "another checksum"],
)
def test_what_is_no_archive_is_told(api: httpx.Client, content: bytes) -> None:
    ended = build_of(api, content)
    assert "failed to extract files: it is no archive: " in ended["reason"]["message"]  # type: ignore[index]
    assert ended["reason"]["step"] == "1"  # type: ignore[index]


def test_an_archive_that_is_not_compressed(api: httpx.Client) -> None:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as tar:
        tar.addfile(member("a"), io.BytesIO())
    assert build_of(api, written.getvalue())["status"] == "ready"


def test_what_is_not_in_it_cannot_be_copied(api: httpx.Client) -> None:
    ended = build_of(api, archive((member("b"), b"x")))
    assert ended["reason"] == {
        "message": "failed to move files in sandbox: exit status 1",
        "step": "1",
        "logEntries": [],
    }


def test_upload_urls_are_signed_and_end(fake: FakeE2B, api: httpx.Client) -> None:
    asked = api.post("/v3/templates", json={"name": "mine"}).json()
    url = api.get(f"/templates/{asked['templateID']}/files/{'1' * 64}").json()["url"]
    assert httpx.put(url.replace("1" * 64, "2" * 64), content=b"x").status_code == 403
    assert httpx.put(url, content=iter([b"x"])).status_code == 501
    assert httpx.get(url).status_code == 405
    fake.clock.advance(seconds=1801)
    assert httpx.put(url, content=b"x").status_code == 403


def test_links_within_an_archive_become_copies(api: httpx.Client) -> None:
    ended = build_of(
        api, archive((member("a/x"), b"word"), (member("a/y", tarfile.LNKTYPE, "a/x"), b""))
    )
    assert ended["status"] == "ready"
    sandbox = Sandbox.create("mine")
    sandbox.files.write("/tmp/copied/x", "changed")
    assert sandbox.files.read("/tmp/copied/y") == "word"


def test_what_one_step_leaves_leads_the_next_nowhere(
    fake: FakeE2B, api: httpx.Client, tmp_path: Path
) -> None:
    """A link to a folder of the machine's is one of the sandbox's own."""
    tmp_path.chmod(0o777)
    asked = api.post("/v3/templates", json={"name": "mine"}).json()
    template = f"/templates/{asked['templateID']}"
    steps = []
    for digit, content in (
        ("1", archive((member("a", tarfile.SYMTYPE, str(tmp_path)), b""))),
        ("2", archive((member("b"), b"escaped"))),
    ):
        place = api.get(f"{template}/files/{digit * 64}").json()
        assert httpx.put(place["url"], content=content).status_code == 200
        target = "/tmp/copied/a" if digit == "1" else "/tmp/copied/a/"
        source = "a" if digit == "1" else "b"
        steps.append({"type": "COPY", "args": [source, target], "filesHash": digit * 64})
    order = {"fromImage": "x", "steps": steps}
    api.post(f"/v2{template}/builds/{asked['buildID']}", json=order)
    status = f"{template}/builds/{asked['buildID']}/status"
    wait_until(lambda: _ended(api.get(status).json()))
    assert list(tmp_path.iterdir()) == []


def test_an_upload_that_breaks_off_is_none(fake: FakeE2B, api: httpx.Client) -> None:
    asked = api.post("/v3/templates", json={"name": "mine"}).json()
    files = f"/templates/{asked['templateID']}/files/{'3' * 64}"
    url = urlsplit(api.get(files).json()["url"])
    with socket.create_connection((url.hostname, url.port)) as connection:
        head = f"PUT {url.path} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Length: 1000000\r\n\r\n"
        connection.sendall(head.encode() + bytes(1000))
    with socket.create_connection((url.hostname, url.port)) as connection:
        head = head.replace("Content-Length: 1000000", "Content-Length: -1")
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 400 ")
    with socket.create_connection((url.hostname, url.port)) as connection:
        head = head.replace("Content-Length: -1", "Content-Length: 5\r\nTransfer-Encoding: chunked")
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 501 ")
    for _ in range(3):
        assert api.get(files).json()["present"] is False


def test_a_template_may_go_while_files_are_copied(
    fake: FakeE2B, api: httpx.Client, machine_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing, ended = threading.Event(), threading.Event()

    def endless(_: object) -> Iterator[bytes]:
        try:
            while True:
                yield b"x"
                writing.set()
        finally:
            ended.set()

    def left() -> set[Path]:
        found = machine_folder.glob("fake-e2b-*/run-*/*")
        return {each for each in found if "build-" in each.name or "layer-" in each.name}

    monkeypatch.setattr("fake_e2b.server.builder.unpack._pieces", endless)
    before = left()
    template, _ = begin_build(api, archive((member("a"), b"")))
    assert writing.wait(30)
    assert api.delete(template).status_code == 204
    assert ended.wait(30)
    wait_until(lambda: left() == before)


@pytest.mark.parametrize(
    ("where", "error"),
    [
        ("steps.unpack", ZeroDivisionError()),
        ("builder.TemplateBuilder._capture", OSError(28, "No space left on device", "/the/host")),
    ],
)
def test_a_fault_of_the_fakes_own_ends_the_build(
    api: httpx.Client,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    where: str,
    error: Exception,
) -> None:
    def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr(f"fake_e2b.server.builder.{where}", broken)
    assert build_of(api, archive((member("a"), b"")))["reason"] == {
        "message": "An internal error occurred. Please try again or contact support with the "
        "build ID."
    }
    logged = "a template build failed"
    wait_until(lambda: any(each.message == logged for each in caplog.records))
    assert [each.exc_info[1] for each in caplog.records if each.exc_info] == [error]
