from __future__ import annotations

import gzip
import json
import os
import random
import stat
from collections.abc import Iterator

import pytest

from tests.unit.data_plane.daemon import Daemon

HOME = "/home/user"


def on_disk(daemon: Daemon, name: str) -> bytes:
    return (daemon.root / "home/user" / name).read_bytes()


def message(status: int, text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'{{"code":{status},"message":"{escaped}"}}\n'


class TestRaw:
    def test_it_answers_what_was_written(self, daemon: Daemon) -> None:
        answer = daemon.put("x/y/a.txt", b"hello")
        assert answer.status == 200
        assert answer.text == f'[{{"name":"a.txt","path":"{HOME}/x/y/a.txt","type":"file"}}]'
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert on_disk(daemon, "x/y/a.txt") == b"hello"
        files = daemon.envd.guest.files
        assert files.stat(f"{HOME}/x/y").owner == "user"
        assert stat.S_IMODE(files.stat(f"{HOME}/x").mode) == 0o755
        assert stat.S_IMODE(files.stat(f"{HOME}/x/y/a.txt").mode) == 0o644

    def test_the_type_may_have_parameters(self, daemon: Daemon) -> None:
        kind = {"Content-Type": "Application/Octet-Stream; charset=x"}
        assert daemon.put("a", b"1", kind).status == 200

    def test_an_existing_file_is_replaced_and_keeps_its_mode(self, daemon: Daemon) -> None:
        daemon.put("a", b"a long content")
        (daemon.root / "home/user/a").chmod(0o755)
        daemon.put("a", b"short")
        assert on_disk(daemon, "a") == b"short"
        assert stat.S_IMODE((daemon.root / "home/user/a").stat().st_mode) == 0o755

    def test_links_are_followed(self, daemon: Daemon) -> None:
        daemon.put("target", b"old")
        (daemon.root / "home/user/link").symlink_to("target")
        (daemon.root / "home/user/broken").symlink_to("none/there")
        daemon.put("link", b"new")
        assert on_disk(daemon, "target") == b"new"
        answer = daemon.put("broken", b"x")
        assert answer.text == message(
            500, f"error opening file: open {HOME}/broken: no such file or directory"
        )

    def test_chunks_and_large_bodies(self, daemon: Daemon) -> None:
        data = random.Random(3).randbytes(5_000_000)

        def pieces() -> Iterator[bytes]:
            for at in range(0, len(data), 77_777):
                yield data[at : at + 77_777]

        assert daemon.put("chunked", pieces()).status == 200
        assert on_disk(daemon, "chunked") == data
        assert daemon.put("whole", data).status == 200
        assert on_disk(daemon, "whole") == data
        assert daemon.put("empty", b"").status == 200
        assert on_disk(daemon, "empty") == b""

    def test_the_username_decides_home_and_owner(self, daemon: Daemon) -> None:
        answer = daemon.put("a", b"x", more="&username=root")
        assert json.loads(answer.text)[0]["path"] == "/root/a"
        daemon.put(f"{HOME}/b", b"x", more="&username=root")
        assert daemon.envd.guest.files.stat(f"{HOME}/b").owner == "root"
        daemon.put(f"{HOME}/b", b"x")
        assert daemon.envd.guest.files.stat(f"{HOME}/b").owner == "user"

    def test_each_refusal_has_its_text(self, daemon: Daemon) -> None:
        daemon.put("f", b"x")
        (daemon.root / "home/user/d").mkdir()
        (daemon.root / "home/user/loop").symlink_to("loop")
        cases: list[tuple[str | None, int, str]] = [
            (None, 400, "path query parameter is required for raw body upload"),
            ("", 400, f"path is a directory: {HOME}"),
            ("d", 400, f"path is a directory: {HOME}/d"),
            (f"{HOME}/new/", 400, f"path is a directory: {HOME}/new/"),
            ("f/x", 500, f"error ensuring directories: path is a file: {HOME}/f"),
            ("f/x/y", 500, f"error ensuring directories: path is a file: {HOME}/f"),
            (
                "loop",
                500,
                f"error opening file: open {HOME}/loop: too many levels of symbolic links",
            ),
            (
                "a\0b",
                500,
                f"error opening file: open {HOME}/a\\u0000b: invalid argument",
            ),
            (
                "n" * 300,
                500,
                f"error opening file: open {HOME}/{'n' * 300}: file name too long",
            ),
            (
                "~root/x",
                400,
                "error resolving path: failed to expand path '' for user 'user': "
                "cannot expand user-specific home dir",
            ),
        ]
        for path, status, text in cases:
            answer = daemon.put(path, b"content")
            assert (answer.status, answer.text) == (
                status,
                message(status, text).replace("\\\\u", "\\u"),
            )
        assert (daemon.root / "home/user/new").is_dir()
        assert daemon.put("a", b"x", more="&username=no").status == 401

    def test_a_fifo_without_a_reader_is_refused_at_once(self, daemon: Daemon) -> None:
        os.mkfifo(daemon.root / "home/user/fifo")
        assert "no such device or address" in daemon.put("fifo", b"x").text

    @pytest.mark.parametrize("kind", ["text/plain", "application/json", ""])
    def test_other_types_are_refused(self, daemon: Daemon, kind: str) -> None:
        answer = daemon.put("a", b"x", {"Content-Type": kind})
        assert answer.text == message(
            400,
            f"unsupported content type: {kind}, "
            "expected multipart/form-data or application/octet-stream",
        )


class TestForm:
    def test_the_path_wins_over_the_filename(self, daemon: Daemon) -> None:
        answer = daemon.form([('name="file"; filename="/home/user/no"', b"1")], "yes")
        assert json.loads(answer.text) == [{"name": "yes", "path": f"{HOME}/yes", "type": "file"}]
        assert not (daemon.root / "home/user/no").exists()

    def test_filenames_are_paths(self, daemon: Daemon) -> None:
        answer = daemon.form(
            [
                ('name="file"; filename="sub/rel.txt"', b"1"),
                ('name="other"; filename="ignored"', b"2"),
                ('name="file"; filename="/tmp/abs"', b""),
                ('name="file"; filename="../up.txt"', b"4\r\n"),
                ('name="file"; filename="plain"; filename*=utf-8\'\'n%C3%A9', b"5"),
                ('name="file"; filename="per%20cent"', b"6"),
                ('name="file"; filename="q\\"uote"', b"7"),
                ("name=file; filename=bare", b"x--b0 8"),
            ]
        )
        paths = [each["path"] for each in json.loads(answer.text)]
        assert paths == [
            f"{HOME}/sub/rel.txt", "/tmp/abs", "/home/up.txt", f"{HOME}/né",
            f"{HOME}/per%20cent", f'{HOME}/q"uote', f"{HOME}/bare",
        ]  # fmt: skip
        contents = [(daemon.root / path[1:]).read_bytes() for path in paths]
        assert contents == [b"1", b"", b"4\r\n", b"5", b"6", b"7", b"x--b0 8"]
        assert not (daemon.root / "home/user/ignored").exists()

    def test_no_file_parts_give_an_empty_list(self, daemon: Daemon) -> None:
        assert daemon.form([('name="x"; filename="y"', b"1")]).text == "[]"

    def test_content_that_looks_like_a_boundary(self, daemon: Daemon) -> None:
        near = b"\r\n--b0x\r\n--b\r\n\r--b0\r\n-" * 5000 + b"\r\n--b"
        answer = daemon.form([('name="file"; filename="near"', near)])
        assert answer.status == 200
        assert on_disk(daemon, "near") == near

    @pytest.mark.parametrize("step", [1, 2, 7, 64])
    def test_pieces_of_any_size(self, daemon: Daemon, step: int) -> None:
        body = (
            b"preamble\r\n--b0\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\n"
            b"one\r\n--b1\r\n\r\n--b0  \r\nContent-Disposition: form-data;\r\n name=file;"
            b" filename=b\r\nX: y\r\n\r\n\r\n--b0--\r\nepilogue"
        )
        pieces = (body[at : at + step] for at in range(0, len(body), step))
        answer = daemon.ask(
            "POST",
            "/files",
            pieces,
            {"Content-Type": 'multipart/form-data; boundary="b0"'},
        )
        assert answer.status == 200
        assert (on_disk(daemon, "a"), on_disk(daemon, "b")) == (b"one\r\n--b1\r\n", b"")

    def test_the_same_target_twice(self, daemon: Daemon) -> None:
        file = 'name="file"; filename='
        answer = daemon.form([(f"{file}a", b"1"), (f"{file}b", b"2"), (f"{file}a", b"3")])
        text = (
            f"you cannot upload multiple files to the same path '{HOME}/a' in one upload request, "
            "only the first specified file was uploaded"
        )
        assert answer.text == message(400, text)
        assert on_disk(daemon, "a") == b"1"
        answer = daemon.form([(f"{file}{name}", b"1") for name in "abca"])
        assert answer.text == message(
            400, text + f", also the following files were uploaded: {HOME}/b, {HOME}/c"
        )
        assert daemon.form([(f"{file}a", b"1"), (f"{file}b", b"2")], "p").status == 400

    @pytest.mark.parametrize(
        ("kind", "body", "status", "text"),
        [
            (
                "multipart/form-data",
                b"x",
                500,
                "error parsing multipart form: no multipart boundary param in Content-Type",
            ),
            (
                "multipart/form-data; boundary=b0",
                b"",
                500,
                "error reading form: multipart: NextPart: EOF",
            ),
            (
                "multipart/mixed; boundary=b0",
                b"no boundary\r\n",
                500,
                "error reading form: multipart: NextPart: EOF",
            ),
            (
                "multipart/form-data; boundary=b0",
                b"--b0\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\ncut",
                500,
                "error writing file: unexpected EOF",
            ),
            (
                "multipart/form-data; boundary=b0",
                b'--b0\r\nContent-Disposition: form-data; name="file"\r\n\r\nx\r\n--b0--',
                400,
                "error getting multipart custom part file name: "
                "filename not found in Content-Disposition header",
            ),
        ],
    )
    def test_broken_forms(
        self, daemon: Daemon, kind: str, body: bytes, status: int, text: str
    ) -> None:
        answer = daemon.ask("POST", "/files", body, {"Content-Type": kind})
        assert (answer.status, answer.text) == (status, message(status, text))


class TestPacked:
    GZIP = {"Content-Encoding": "gzip"}

    def test_gzip_bodies_are_unpacked(self, daemon: Daemon) -> None:
        data = random.Random(4).randbytes(300_000) + b"\0" * 2_000_000
        assert daemon.put("a", gzip.compress(data), self.GZIP).status == 200
        assert on_disk(daemon, "a") == data
        two = gzip.compress(b"one") + gzip.compress(b"two")
        assert daemon.put("b", two, self.GZIP).status == 200
        assert on_disk(daemon, "b") == b"onetwo"
        assert daemon.put("c", b"plain", {"Content-Encoding": "identity"}).status == 200

    def test_a_whole_form_may_be_packed(self, daemon: Daemon) -> None:
        body = b"--b0\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\n1\r\n--b0--"
        kind = {"Content-Type": "multipart/form-data; boundary=b0"}
        answer = daemon.ask("POST", "/files", gzip.compress(body), {**kind, **self.GZIP})
        assert answer.status == 200
        assert on_disk(daemon, "a") == b"1"

    @pytest.mark.parametrize(
        ("encoding", "body", "status", "text"),
        [
            (
                "br",
                b"x",
                400,
                "error decompressing request body: "
                "unsupported Content-Encoding: br, supported: [gzip]",
            ),
            (
                "gzip",
                b"this is not packed",
                400,
                "error decompressing request body: "
                "failed to create gzip reader: gzip: invalid header",
            ),
            (
                "gzip",
                b"",
                400,
                "error decompressing request body: failed to create gzip reader: EOF",
            ),
            (
                "gzip",
                gzip.compress(random.Random(5).randbytes(100_000))[:-20],
                500,
                "error writing file: unexpected EOF",
            ),
        ],
    )
    def test_what_is_packed_wrongly(
        self, daemon: Daemon, encoding: str, body: bytes, status: int, text: str
    ) -> None:
        answer = daemon.put("a", body, {"Content-Encoding": encoding})
        assert (answer.status, answer.text) == (status, message(status, text))


class TestMetadata:
    @pytest.fixture(autouse=True)
    def _needs_attributes(self, daemon: Daemon) -> None:
        probe = daemon.root / "home/user/probe"
        probe.touch()
        try:
            os.setxattr(probe, "user.k", b"v")
        except OSError:
            pytest.skip("this file system keeps no attributes")

    def test_it_is_stored_shown_and_replaced(self, daemon: Daemon) -> None:
        answer = daemon.put("a", b"x", {"X-Metadata-Key": "v 1", "X-Metadata-Empty": ""})
        assert answer.text == (
            '[{"metadata":{"empty":"","key":"v 1"},"name":"a","path":"/home/user/a","type":"file"}]'
        )
        path = daemon.root / "home/user/a"
        os.setxattr(path, "user.mine", b"stays")
        assert os.getxattr(path, "user.e2b.key") == b"v 1"
        answer = daemon.put("a", b"x", {"X-Metadata-Other": "2"})
        assert json.loads(answer.text)[0]["metadata"] == {"other": "2"}
        assert sorted(os.listxattr(path)) == ["user.e2b.other", "user.mine"]
        assert "metadata" not in daemon.put("a", b"x").text
        assert os.listxattr(path) == ["user.mine"]

    def test_every_file_of_a_form_gets_it(self, daemon: Daemon) -> None:
        parts = [(f"name=file; filename={name}", b"1") for name in "ab"]
        answer = daemon.form(parts, headers={"X-Metadata-K": "v"})
        assert [each["metadata"] for each in json.loads(answer.text)] == [{"k": "v"}] * 2

    def test_each_limit_has_its_text(self, daemon: Daemon) -> None:
        long_key = "k" * 247
        cases = {
            ("X-Metadata-K", "abc\xe9"): (
                'metadata value for key "k" contains non-printable-ASCII byte 0xe9 at offset 3'
            ),
            (f"X-Metadata-{long_key}", "v"): f'metadata key "{long_key}" exceeds 246 bytes',
            ("X-Metadata-K", "v" * 4087): "total metadata size 4097 exceeds 4096 bytes",
        }
        for (name, value), text in cases.items():
            answer = daemon.put("a", b"x", {name: value})
            assert answer.text == message(400, f"invalid metadata: {text}")
        assert not (daemon.root / "home/user/a").exists()


class TestSecured:
    def test_writing_needs_its_own_signature(self, secured: Daemon) -> None:
        read = "v1_kZYd1fyNcp11XTTAlijNfud3E+wFCY1WOHgeUWluplY".replace("+", "%2B")
        write = "v1_1lfIFLruaxG8Pfrq3JokwOLGIHwraMqmCjOuSlO0BxM"
        assert "invalid signature" in secured.put("w.txt", b"1", more=f"&signature={read}").text
        assert secured.put("w.txt", b"1", more=f"&signature={write}").status == 200
        assert secured.put("w.txt", b"1").status == 401

    def test_a_signed_empty_path_takes_any_filename(self, secured: Daemon) -> None:
        signature = "v1_DgOg5wQvfLDcDqWB6U2/jw2xLY0zduh7rlglSEB+fIg"
        encoded = signature.replace("+", "%2B").replace("/", "%2F")
        part = ("name=file; filename=/tmp/free", b"1")
        answer = secured.form([part], more=f"signature={encoded}")
        assert json.loads(answer.text)[0]["path"] == "/tmp/free"


class TestTrouble:
    def test_half_sent_bodies_leave_nothing_open(self, daemon: Daemon) -> None:
        before = len(os.listdir("/dev/fd"))
        form = b"--b0\r\nContent-Disposition: form-data; name=file; filename=half\r\n\r\nhalf"
        for kind, body in (
            (b"application/octet-stream", b"half"),
            (b"multipart/form-data; boundary=b0", form),
            (b"multipart/form-data; boundary=b0", form[:30]),
        ):
            connection = daemon.raw(
                b"POST /files?path=half HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
                b"Content-Type: " + kind + b"\r\n\r\n" + body
            )
            connection.close()
        assert daemon.put("whole", b"x").status == 200
        while len(os.listdir("/dev/fd")) > before:
            assert daemon.get("whole").body == b"x"
        assert on_disk(daemon, "half") in {b"half", b""}

    def test_a_large_refused_body_still_gets_its_answer(self, daemon: Daemon) -> None:
        answer = daemon.put("", b"\0" * 20_000_000)
        assert answer.text == message(400, f"path is a directory: {HOME}")

    def test_a_client_that_waits_for_a_refusal_gets_it(self, daemon: Daemon) -> None:
        with daemon.raw(
            b"POST /files?username=no HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf"
        ) as connection:
            assert connection.recv(100).startswith(b"HTTP/1.1 401")

    @pytest.mark.skipif(os.geteuid() != 0, reason="making a device needs root")
    def test_a_full_disk_is_507(self, daemon: Daemon) -> None:
        os.mknod(daemon.root / "home/user/full", 0o666 | stat.S_IFCHR, os.makedev(1, 7))
        answer = daemon.put("full", b"12345")
        assert answer.text == message(
            507, "attempted to write 5 bytes: not enough disk space available"
        )
        answer = daemon.put("full", iter([b"123"]))
        assert (answer.status, answer.text) == (
            507,
            message(507, "not enough disk space available"),
        )


class TestCompose:
    def compose(self, daemon: Daemon, body: object) -> tuple[int, str]:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = daemon.ask("POST", "/files/compose", raw)
        return answer.status, answer.text

    def test_sources_become_one_file(self, daemon: Daemon) -> None:
        daemon.put("c1", b"one")
        daemon.put("c2", b"2" * 700_000)
        answer = daemon.ask(
            "POST",
            "/files/compose",
            json.dumps({"source_paths": ["c2", "c1", "c2"], "destination": "new/o"}).encode(),
        )
        assert answer.text == f'{{"name":"o","path":"{HOME}/new/o","type":"file"}}\n'
        assert answer.headers["content-type"] == "application/json"
        assert on_disk(daemon, "new/o") == b"2" * 700_000 + b"one" + b"2" * 700_000
        assert os.listdir(daemon.root / "home/user") == ["new"]
        assert os.listdir(daemon.root / "home/user/new") == ["o"]

    def test_each_refusal_has_its_text(self, daemon: Daemon) -> None:
        daemon.put("c1", b"1")
        (daemon.root / "home/user/d").mkdir()
        foreign = "failed to expand path '' for user 'user': cannot expand user-specific home dir"
        cases: list[tuple[object, int, str]] = [
            (b"", 400, "invalid request body: EOF"),
            ({"destination": "o"}, 400, "source_paths must not be empty"),
            ({"source_paths": ["c1"]}, 400, "destination is required"),
            (
                {"source_paths": ["c1"], "destination": "o", "username": "no"},
                401,
                "error looking up user 'no': user: unknown user no",
            ),
            (
                {"source_paths": ["c1"], "destination": "~x"},
                400,
                f"error resolving destination path: {foreign}",
            ),
            (
                {"source_paths": ["~x"], "destination": "o"},
                400,
                f'error resolving source path "~x": {foreign}',
            ),
            (
                {"source_paths": ["c1"], "destination": "c1"},
                400,
                'source path "c1" cannot be the same as destination',
            ),
            ({"source_paths": ["no"], "destination": "o"}, 404, "source file not found: no"),
            (
                {"source_paths": ["d"], "destination": "o"},
                400,
                "source path is not a regular file: d",
            ),
        ]
        for body, status, text in cases:
            assert self.compose(daemon, body) == (status, message(status, text))
        assert on_disk(daemon, "c1") == b"1"

    def test_a_folder_cannot_be_the_destination(self, daemon: Daemon) -> None:
        daemon.put("c1", b"1")
        (daemon.root / "home/user/d").mkdir()
        status, text = self.compose(daemon, {"source_paths": ["c1"], "destination": "d"})
        assert status == 500
        assert "error finalizing compose: rename /home/user/d.e2b-compose." in text
        assert f".tmp {HOME}/d: file exists" in text
        assert sorted(os.listdir(daemon.root / "home/user")) == ["c1", "d"]

    def test_malformed_json_is_named(self, daemon: Daemon) -> None:
        status, text = self.compose(daemon, b"{bad")
        assert status == 400
        assert text.startswith('{"code":400,"message":"invalid request body: invalid character')
        status, text = self.compose(daemon, {"source_paths": "c1", "destination": "o"})
        assert (status, "json: cannot unmarshal string into Go struct field" in text) == (400, True)


class TestSmallRoutes:
    def test_health(self, daemon: Daemon) -> None:
        answer = daemon.ask("GET", "/health")
        assert (answer.status, answer.body) == (204, b"")
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-type"] == ""

    def test_envs(self, daemon: Daemon) -> None:
        answer = daemon.ask("GET", "/envs")
        assert answer.text == (
            '{"A":"\\u003c1\\u003e","B":"2","E2B_SANDBOX":"true","E2B_SANDBOX_ID":"i0",'
            '"E2B_TEMPLATE_ID":"t0"}\n'
        )
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["cache-control"] == "no-store"

    def test_metrics(self, daemon: Daemon) -> None:
        answer = daemon.ask("GET", "/metrics")
        assert json.loads(answer.text) == {
            "ts": 1_795_383_209, "cpu_count": 2, "cpu_used_pct": 12.35, "mem_total": 8 << 30,
            "mem_used": 1 << 30, "mem_cache": 1 << 20, "mem_total_mib": 8192, "mem_used_mib": 1024,
            "disk_total": 100, "disk_used": 40,
        }  # fmt: skip

    def test_unsigned_routes_are_guarded(self, secured: Daemon) -> None:
        assert secured.ask("GET", "/health").status == 204
        for method, path in (("GET", "/envs"), ("GET", "/metrics"), ("POST", "/files/compose")):
            assert secured.ask(method, path).status == 401
