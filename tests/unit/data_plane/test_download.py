from __future__ import annotations

import gzip
import os
import random
import zlib
from email.utils import formatdate

import pytest

from tests.unit.data_plane.daemon import Daemon

HOME = "/home/user"


def put(daemon: Daemon, name: str, data: bytes) -> None:
    (daemon.root / "home/user" / name).write_bytes(data)


class TestWhole:
    def test_a_small_file_has_the_daemons_headers(self, daemon: Daemon) -> None:
        put(daemon, "a.txt", b"hello world")
        os.utime(daemon.root / "home/user/a.txt", (1_700_000_000, 1_700_000_000))
        answer = daemon.get("a.txt")
        assert (answer.status, answer.body) == (200, b"hello world")
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert answer.headers["content-disposition"] == "inline; filename=a.txt"
        assert answer.headers["content-length"] == "11"
        assert answer.headers["accept-ranges"] == "bytes"
        assert answer.headers["last-modified"] == formatdate(1_700_000_000, usegmt=True)
        assert answer.headers.get_all("vary") == ["Accept-Encoding"]
        assert answer.headers["etag"] is None
        assert answer.headers["content-encoding"] is None

    def test_an_empty_file_is_text(self, daemon: Daemon) -> None:
        put(daemon, "empty", b"")
        answer = daemon.get("empty")
        assert (answer.status, answer.body) == (200, b"")
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert answer.headers["content-length"] == "0"

    @pytest.mark.parametrize("size", [511, 513, 256 * 1024, 256 * 1024 + 1, 3_000_000])
    @pytest.mark.parametrize("name", ["x.bin", "unknown", "t.json"])
    def test_every_size_arrives_whole(self, daemon: Daemon, name: str, size: int) -> None:
        data = random.Random(size).randbytes(size)
        put(daemon, name, data)
        answer = daemon.get(name)
        assert answer.body == data
        assert answer.headers["content-length"] == str(size)

    @pytest.mark.parametrize(
        ("name", "disposition"),
        [
            ("a b.txt", 'inline; filename="a b.txt"'),
            ('q"u.txt', 'inline; filename="q\\"u.txt"'),
            ("né w.txt", "inline; filename*=utf-8''n%C3%A9%20w.txt"),
            ("a,b;c.txt", 'inline; filename="a,b;c.txt"'),
        ],
    )
    def test_names_are_quoted_as_needed(self, daemon: Daemon, name: str, disposition: str) -> None:
        put(daemon, name, b"x")
        assert daemon.get(name).headers["content-disposition"] == disposition

    @pytest.mark.parametrize(
        ("name", "data", "expected"),
        [
            ("a.json", b"{}", "application/json"),
            ("a.HTML", b"x", "text/html; charset=utf-8"),
            ("a.py", b"x", "text/x-python; charset=utf-8"),
            ("a.png", b"x", "image/png"),
            ("a", b"%PDF-1.7", "application/pdf"),
            ("a", b"\x89PNG\r\n\x1a\n", "image/png"),
            ("a", b"  <html><body>", "text/html; charset=utf-8"),
            ("a", b"plain", "text/plain; charset=utf-8"),
            ("a", b"\x00\x01\x02", "application/octet-stream"),
            ("a", b"\x1f\x8b\x08abc", "application/x-gzip"),
        ],
    )
    def test_the_type_is_that_of_the_name_else_of_the_content(
        self, daemon: Daemon, name: str, data: bytes, expected: str
    ) -> None:
        put(daemon, name, data)
        assert daemon.get(name).headers["content-type"] == expected

    def test_a_plus_in_the_query_is_a_space(self, daemon: Daemon) -> None:
        put(daemon, "a b", b"x")
        assert daemon.ask("GET", "/files?path=a+b").body == b"x"


class TestRefusals:
    def test_each_case_has_its_text(self, daemon: Daemon) -> None:
        put(daemon, "f", b"x")
        (daemon.root / "home/user/d").mkdir()
        (daemon.root / "home/user/broken").symlink_to("nowhere")
        cases = {
            "nope": (404, f"path '{HOME}/nope' does not exist"),
            "broken": (404, f"path '{HOME}/broken' does not exist"),
            "f/x": (
                500,
                f"error checking if path exists '{HOME}/f/x': stat {HOME}/f/x: not a directory",
            ),
            "d": (400, f"path '{HOME}/d' is a directory"),
            "/home/user/d/": (400, "path '/home/user/d/' is a directory"),
            "": (400, f"path '{HOME}' is a directory"),
            "~root": (
                400,
                "error expanding and resolving path '~root': failed to expand path '' for user "
                "'user': cannot expand user-specific home dir",
            ),
        }
        for path, (status, message) in cases.items():
            answer = daemon.get(path)
            assert answer.status == status
            assert answer.text == f'{{"code":{status},"message":"{message}"}}\n'
            assert answer.headers["content-type"] == "application/json; charset=utf-8"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers.get_all("vary") == ["Origin"]
        assert daemon.get(None).status == 400

    @pytest.mark.parametrize("name", ["nouser", ""])
    def test_an_unknown_user(self, daemon: Daemon, name: str) -> None:
        answer = daemon.get("a", more=f"&username={name}")
        assert answer.status == 401
        assert answer.text == (
            f'{{"code":401,"message":"error looking up user \'{name}\': '
            f'user: unknown user {name}"}}\n'
        )

    @pytest.mark.parametrize(
        ("query", "text"),
        [
            (
                "path=a&path=b",
                "path: multiple values for single value parameter 'path'",
            ),
            (
                "signature_expiration=abc",
                "signature_expiration: error binding string parameter: "
                'strconv.ParseInt: parsing "abc": invalid syntax',
            ),
        ],
    )
    def test_a_query_that_cannot_be_read(self, daemon: Daemon, query: str, text: str) -> None:
        for method in ("GET", "POST"):
            answer = daemon.ask(method, f"/files?{query}")
            assert (answer.status, answer.text) == (
                400,
                f"Invalid format for parameter {text}\n",
            )
            assert answer.headers["content-type"] == "text/plain; charset=utf-8"

    def test_what_cannot_be_sought_needs_gzip(self, daemon: Daemon) -> None:
        os.mkfifo(daemon.root / "home/user/fifo")
        answer = daemon.get("fifo")
        assert (answer.status, answer.text) == (500, "seeker can't seek\n")
        answer = daemon.get("fifo", {"Accept-Encoding": "gzip"})
        assert answer.status == 200
        assert gzip.decompress(answer.body) == b""

    def test_other_verbs_are_refused(self, daemon: Daemon) -> None:
        answer = daemon.ask("DELETE", "/files")
        assert (answer.status, answer.body) == (405, b"")
        assert answer.headers.get_all("allow") == ["GET", "POST"]


class TestGzip:
    @pytest.mark.parametrize("size", [0, 10, 5000, 256 * 1024, 256 * 1024 + 1, 2_000_000])
    @pytest.mark.parametrize("is_random", [True, False])
    def test_content_survives(self, daemon: Daemon, size: int, is_random: bool) -> None:
        data = random.Random(1).randbytes(size) if is_random else b"abc " * (size // 4)
        put(daemon, "a.txt", data)
        answer = daemon.get("a.txt", {"Accept-Encoding": "gzip, deflate, br, zstd"})
        unpacker = zlib.decompressobj(31)
        assert unpacker.decompress(answer.body) == data
        assert unpacker.eof
        assert unpacker.unused_data == b""
        assert answer.headers["content-encoding"] == "gzip"
        assert answer.headers["accept-ranges"] is None
        assert answer.headers["last-modified"] is None
        assert (answer.headers["content-length"] is not None) == (len(answer.body) <= 2048)

    def test_the_type_is_never_sniffed(self, daemon: Daemon) -> None:
        put(daemon, "unknown", b"plain text")
        answer = daemon.get("unknown", {"Accept-Encoding": "gzip"})
        assert answer.headers["content-type"] == "application/octet-stream"

    @pytest.mark.parametrize(
        ("header", "encoding"),
        [
            ("", None),
            ("identity", None),
            ("GZIP", "gzip"),
            ("br, zstd", None),
            ("*", None),
            ("gzip;q=0", None),
            ("gzip;q=0.5, identity", None),
            ("identity;q=0.5, gzip", "gzip"),
            ("*, identity;q=0", "gzip"),
            ("gzip;q=0.5, *;q=0.4", "gzip"),
        ],
    )
    def test_the_best_usable_encoding_wins(
        self, daemon: Daemon, header: str, encoding: str | None
    ) -> None:
        put(daemon, "a", b"x")
        assert daemon.get("a", {"Accept-Encoding": header}).headers["content-encoding"] == encoding

    @pytest.mark.parametrize("header", ["identity;q=0", "*;q=0", "br, identity;q=0"])
    def test_nothing_usable_is_not_acceptable(self, daemon: Daemon, header: str) -> None:
        put(daemon, "a", b"x")
        answer = daemon.get("a", {"Accept-Encoding": header})
        assert answer.text == (
            '{"code":406,"message":"error parsing Accept-Encoding: '
            'no acceptable encoding found, supported: [gzip]"}\n'
        )

    def test_a_range_needs_identity(self, daemon: Daemon) -> None:
        put(daemon, "a", b"hello")
        answer = daemon.get("a", {"Accept-Encoding": "gzip", "Range": "bytes=0-1"})
        assert (answer.status, answer.body) == (206, b"he")
        answer = daemon.get("a", {"Accept-Encoding": "gzip, identity;q=0", "Range": "bytes=0-1"})
        assert answer.status == 406
        assert "identity encoding not acceptable for Range or conditional" in answer.text


class TestRanges:
    @pytest.mark.parametrize(
        ("header", "body", "content_range"),
        [
            ("bytes=0-4", b"hello", "bytes 0-4/11"),
            ("bytes=6-", b"world", "bytes 6-10/11"),
            ("bytes=-3", b"rld", "bytes 8-10/11"),
            ("bytes=-99", b"hello world", "bytes 0-10/11"),
            ("bytes=4-99", b"o world", "bytes 4-10/11"),
        ],
    )
    def test_one_range(self, daemon: Daemon, header: str, body: bytes, content_range: str) -> None:
        put(daemon, "a.txt", b"hello world")
        answer = daemon.get("a.txt", {"Range": header})
        assert (answer.status, answer.body) == (206, body)
        assert answer.headers["content-range"] == content_range

    def test_several_ranges(self, daemon: Daemon) -> None:
        put(daemon, "a", b"hello world")
        answer = daemon.get("a", {"Range": "bytes=0-1, 9-"})
        kind, boundary = answer.headers["content-type"].split("; boundary=")
        assert (answer.status, kind) == (206, "multipart/byteranges")
        assert answer.text == (
            f"--{boundary}\r\nContent-Range: bytes 0-1/11\r\n"
            "Content-Type: text/plain; charset=utf-8\r\n\r\nhe"
            f"\r\n--{boundary}\r\nContent-Range: bytes 9-10/11\r\n"
            f"Content-Type: text/plain; charset=utf-8\r\n\r\nld\r\n--{boundary}--\r\n"
        )
        assert answer.headers["content-length"] == str(len(answer.body))

    def test_a_large_range(self, daemon: Daemon) -> None:
        data = random.Random(2).randbytes(1_000_000)
        put(daemon, "a", data)
        assert daemon.get("a", {"Range": "bytes=5-900000"}).body == data[5:900_001]

    @pytest.mark.parametrize(
        ("header", "text", "content_range"),
        [
            ("bytes=11-", "invalid range: failed to overlap\n", "bytes */11"),
            ("bytes=5-2", "invalid range\n", None),
            ("lines=1-2", "invalid range\n", None),
        ],
    )
    def test_what_cannot_be_served(
        self, daemon: Daemon, header: str, text: str, content_range: str | None
    ) -> None:
        put(daemon, "a", b"hello world")
        answer = daemon.get("a", {"Range": header})
        assert (answer.status, answer.text) == (416, text)
        assert answer.headers["content-range"] == content_range
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"

    def test_ranges_larger_than_the_file_send_it_whole(self, daemon: Daemon) -> None:
        put(daemon, "a", b"hello")
        answer = daemon.get("a", {"Range": "bytes=0-3,1-4"})
        assert (answer.status, answer.body) == (200, b"hello")


class TestConditions:
    def test_an_unchanged_file_is_not_sent(self, daemon: Daemon) -> None:
        put(daemon, "a", b"hello")
        modified = daemon.get("a").headers["last-modified"]
        answer = daemon.get("a", {"If-Modified-Since": modified})
        assert (answer.status, answer.body) == (304, b"")
        assert answer.headers["last-modified"] == modified
        old = formatdate(1, usegmt=True)
        assert daemon.get("a", {"If-Modified-Since": old}).status == 200
        assert (
            daemon.get("a", {"If-None-Match": '"x"', "If-Modified-Since": modified}).status == 200
        )
        assert daemon.get("a", {"If-None-Match": "*"}).status == 304
        assert daemon.get("a", {"If-Unmodified-Since": old}).status == 412
        ranged = {"Range": "bytes=0-0"}
        assert daemon.get("a", {**ranged, "If-Range": modified}).status == 206
        assert daemon.get("a", {**ranged, "If-Range": '"tag"'}).status == 200


class TestSignatures:
    GET = "v1_kZYd1fyNcp11XTTAlijNfud3E+wFCY1WOHgeUWluplY"
    AS_USER = "v1_UQk28RSiyyOAivVQb32zp3VQ0o8oX+tbsas2YSk26qc"
    EXPIRING = "v1_pdOucrkE95UC4f7d7vwuIsFcMqXHWXVEeqdFicQ0Ne8"

    def signed(self, daemon: Daemon, signature: str, more: str = "", **headers: str) -> str:
        encoded = signature.replace("+", "%2B").replace("/", "%2F")
        answer = daemon.get("a.txt", headers, f"&signature={encoded}{more}")
        return answer.text

    def test_each_form_of_a_right_signature(self, secured: Daemon) -> None:
        assert self.signed(secured, self.GET) == "hello world"
        assert self.signed(secured, self.AS_USER, "&username=user") == "hello world"
        expiring = "&signature_expiration=1795383209"
        assert self.signed(secured, self.EXPIRING, expiring) == "hello world"

    def test_the_token_in_the_header_decides_alone(self, secured: Daemon) -> None:
        assert secured.get("a.txt", {"X-Access-Token": "a1b2c3"}).text == "hello world"
        refusal = secured.get(
            "a.txt", {"X-Access-Token": "no"}, f"&signature={self.GET.replace('+', '%2B')}"
        )
        assert refusal.text == (
            '{"code":401,"message":"access token present in header but does not match"}\n'
        )

    def test_every_wrong_one_is_named(self, secured: Daemon) -> None:
        assert "missing signature query parameter" in secured.get("a.txt").text
        assert "invalid signature" in self.signed(secured, "v1_x")
        assert "invalid signature" in self.signed(secured, self.GET, "&username=user")
        assert "invalid signature" in self.signed(secured, self.GET, "&signature_expiration=0")
        answer = secured.get("/home/user/a.txt", more=f"&signature={self.GET.replace('+', '%2B')}")
        assert (answer.status, "invalid signature" in answer.text) == (401, True)

    def test_it_expires_when_its_second_is_over(self, secured: Daemon) -> None:
        expiring = "&signature_expiration=1795383209"
        before = secured.clock.now_ns()
        try:
            secured.clock.move_to(before + 1_000_000_000)
            assert "signature is already expired" in self.signed(secured, self.EXPIRING, expiring)
        finally:
            secured.clock._now_ns = before

    def test_without_a_token_signatures_do_not_count(self, daemon: Daemon) -> None:
        put(daemon, "a.txt", b"x")
        assert self.signed(daemon, "nonsense", "&signature_expiration=0") == "x"


def test_a_client_that_leaves_during_a_download_frees_everything(daemon: Daemon) -> None:
    put(daemon, "big", b"\0" * 50_000_000)
    before = len(os.listdir("/dev/fd"))
    for _ in range(5):
        connection = daemon.raw(b"GET /files?path=big HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(10)
        connection.close()
    put(daemon, "a", b"x")
    while len(os.listdir("/dev/fd")) > before:
        assert daemon.get("a").body == b"x"
