"""`fake-e2b seed`, `fake-e2b export` and `--fill`."""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path

import httpx
import pytest
from e2b import Sandbox, Template, Volume

from fake_e2b import FakeE2B
from fake_e2b.cli.main import main
from tests.helpers.script import run_script
from tests.seeding.test_filling import FILE, named


@pytest.fixture
def fake():
    with FakeE2B() as fake:
        yield fake


@pytest.fixture
def command(capsys):
    """Runs a command; status, standard output and standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        status = main([str(each) for each in arguments])
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


def wrote(folder: Path, text: str, name: str = "seed.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


# -- seed ------------------------------------------------------------------------------------------


def test_it_fills_the_fake_of_the_environment_and_a_second_time_nothing(fake, command):
    status, said, errors = command("seed", FILE)
    assert (status, errors) == (0, "")
    lines = said.splitlines()
    assert lines[0].startswith("made team acme (")
    assert lines[-1] == "12 made, 0 there already"
    assert named("worker").files.read("todo.txt") == "x"
    assert command("seed", FILE) == (0, "nothing changed: all 12 are there already\n", "")


def test_it_reports_as_json(fake, command, tmp_path):
    path = wrote(tmp_path, '[[volume]]\nname = "data"\n')
    _, said, _ = command("seed", path, "--url", fake.url, "--json")
    (made,) = json.loads(said)["made"]
    assert made == {
        "kind": "volume",
        "name": "data",
        "team": None,
        "id": Volume.list()[0].volume_id,
    }


def test_sources_lie_beside_the_file_and_values_come_from_the_environment(
    fake, command, tmp_path, monkeypatch
):
    folder = tmp_path / "site"
    (folder / "sub").mkdir(parents=True)
    (folder / "run").write_text("#!/bin/sh\n")
    (folder / "run").chmod(0o700)
    (folder / "sub" / "image").write_bytes(b"\xff\x00")
    (folder / "link").symlink_to("run")
    path = wrote(
        tmp_path,
        """
[[template]]
name = "web"
files = { site = { source = "site" } }
[[volume]]
name = "data"
files = { "a" = { source = "site/sub/image" }, "b" = { source = "site/sub", mode = "600" } }
[[secret]]
name = "token"
value = { env = "TOKEN_OF_THE_TEST" }
""",
    )
    monkeypatch.setenv("TOKEN_OF_THE_TEST", "v4lue")
    assert command("seed", path)[0] == 0
    box = Sandbox.create("web")
    assert box.commands.run("cat site/link && stat -c %a site/run").stdout == "#!/bin/sh\n755\n"
    volume = Volume.connect(Volume.list()[0].volume_id)
    assert volume.read_file("/a", format="bytes") == b"\xff\x00"
    assert volume.get_info("/b/image").mode & 0o777 == 0o600
    exported = httpx.get(f"{fake.url}/_fake/seed?secrets=true").json()
    assert exported["secret"][0]["value"] == "v4lue"


def test_a_source_that_is_no_file_is_refused(fake, command, tmp_path):
    (tmp_path / "site").mkdir()
    os.mkfifo(tmp_path / "site" / "pipe")
    path = wrote(tmp_path, '[[volume]]\nname = "a"\nfiles = { x = { source = "site" } }\n')
    status, _, errors = command("seed", path)
    assert status == 2
    assert f"x/pipe: {tmp_path}/site/pipe is neither a file nor a folder" in errors


WRONG = [
    ("x = [", "seed.toml: not TOML", ""),
    ("[[volumes]]\n", "seed.toml:1: a seed does not know 'volumes'; did you mean 'volume'", ""),
    (
        '[[volume]]\nname = "a"\n\n[[volume]]\nnam = "b"\n',
        "seed.toml:4: a volume: the table does not know 'nam'",
        "name",
    ),
    ('[[volume]]\nname = "a"\n[[volume]]\nname = "a"\n', "seed.toml:3: there are two", "'a'"),
    ('[[volume]]\nname = "a b"\n', "seed.toml:1: volume 'a b': validation error", "regular"),
    ('\n[[secret]]\nname = "s"\n', "seed.toml:2: secret 's': a secret has a value", ""),
    ('[[secret]]\nname = "s"\nvalue = { env = "NO_SUCH_ONE" }\n', "seed.toml:1", "NO_SUCH_ONE"),
    ('[[volume]]\nname = "a"\nfiles = { x = { source = "../x" } }\n', "seed.toml:1", "below it"),
    ('[[volume]]\nname = "a"\nfiles = { x = { source = "x" } }\n', "seed.toml:1", "cannot be read"),
    ('[[sandbox]]\nname = "a"\ntimeout = 0\n', "seed.toml:1: sandbox 'a': Timeout must be", ""),
    ('[[template]]\nname = "a"\nuser = "me"\n', "seed.toml:1: template 'a': there is no user", ""),
]


@pytest.mark.parametrize(("text", "begin", "also"), WRONG)
def test_a_wrong_file_is_refused_with_its_line(fake, command, tmp_path, text, begin, also):
    status, said, errors = command("seed", wrote(tmp_path, text))
    assert (status, said) == (2, "")
    assert f"{tmp_path}/{begin}" in errors
    assert also in errors
    assert Volume.list() == []


def test_a_json_file_is_refused_with_its_line(fake, command, tmp_path):
    text = '{"x-y": 1,\n "volume": [\n  {"name": "a"},\n  {"name": "b b"}\n ]}'.replace(
        '"x-y": 1', '"secret": []'
    )
    status, _, errors = command("seed", wrote(tmp_path, text, "seed.json"))
    assert status == 2
    assert "seed.json:4: volume 'b b'" in errors


def test_a_conflict_and_a_failure_are_status_1(fake, command, tmp_path):
    secret = '[[secret]]\nname = "s"\nvalue = "{}"\n'
    assert command("seed", wrote(tmp_path, secret.format("a")))[0] == 0
    status, said, errors = command("seed", wrote(tmp_path, secret.format("b")))
    assert (status, said) == (1, "")
    assert "secret 's' is there already: it has another value" in errors
    text = '[[volume]]\nname = "v"\n\n[[sandbox]]\nname = "box"\nrun = ["exit 7"]\n'
    status, _, errors = command("seed", wrote(tmp_path, text))
    assert status == 1
    assert "seed.toml:4: sandbox 'box': the command 'exit 7' failed: exit status 7" in errors
    assert Volume.list() == []


def test_where_nothing_answers_it_says_how_to_start_one(command, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for arguments in (("seed", wrote(tmp_path, "")), ("export",)):
        status, said, errors = command(*arguments, "--url", f"http://127.0.0.1:{port}")
        assert (status, said) == (2, "")
        assert f"fake-e2b serve --port {port}" in errors


def test_what_is_no_fake_is_sent_nothing(command, tmp_path):
    """Whoever has the real service's URL in the environment keeps their secrets."""
    from http.server import BaseHTTPRequestHandler, HTTPServer
    from threading import Thread

    asked = []

    class Other(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        def do_POST(self):
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *args):
            """Quiet."""

    path = wrote(tmp_path, '[[secret]]\nname = "s"\nvalue = "v"\n')
    with HTTPServer(("127.0.0.1", 0), Other) as other:
        thread = Thread(target=other.handle_request)
        thread.start()
        status, _, errors = command("seed", path, "--url", f"http://127.0.0.1:{other.server_port}")
        thread.join()
    assert (status, asked) == (2, ["/_fake/health"])
    assert "is no fake-e2b" in errors


def test_what_speaks_no_http_is_no_fake(command):
    from threading import Thread

    def greet(server):
        with server.accept()[0] as connection:
            connection.recv(65536)
            connection.sendall(b"SSH-2.0-other\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=greet, args=(server,))
        thread.start()
        status, _, errors = command(
            "export", "--url", f"http://127.0.0.1:{server.getsockname()[1]}"
        )
        thread.join()
    assert status == 2
    assert "is no fake-e2b (it speaks no HTTP)" in errors


# -- export ----------------------------------------------------------------------------------------


ALL = ("--with-files", "--with-secrets")


def test_what_is_exported_fills_a_fresh_fake_that_exports_the_same(fake, command, tmp_path):
    command("seed", FILE)
    first = tmp_path / "first.toml"
    assert command("export", *ALL, "--output", first) == (0, "", "")
    with FakeE2B(set_environment=False) as fresh:
        status, said, errors = command("seed", first, "--url", fresh.url)
        assert (status, errors) == (0, "")
        assert "12 made" in said
        _, second, _ = command("export", *ALL, "--url", fresh.url)
        assert second == first.read_text()
    status, said, _ = command("seed", first)
    assert (status, said) == (0, "nothing changed: all 12 are there already\n")


def test_what_depends_on_a_later_teams_template_is_exported(fake, command, tmp_path):
    first = wrote(
        tmp_path,
        """
team = [{ slug = "acme" }, { slug = "zeta" }]
template = [
  { name = "root", team = "zeta", public = true },
  { name = "middle", team = "acme", from_template = "zeta/root", public = true },
  { name = "top", from_template = "acme/middle" },
]
sandbox = [{ name = "box", template = "zeta/root" }, { name = "other", template = "top" }]
""",
    )
    assert command("seed", first)[0] == 0
    status, said, errors = command("export", *ALL)
    assert (status, errors) == (0, "")
    assert command("seed", first)[1] == "nothing changed: all 7 are there already\n"
    exported = wrote(tmp_path, said, "exported.toml")
    with FakeE2B(set_environment=False) as fresh:
        assert command("seed", exported, "--url", fresh.url)[::2] == (0, "")
        assert command("export", *ALL, "--url", fresh.url)[1] == said


def test_what_a_sandbox_does_not_have_is_not_exported(fake, command):
    Sandbox.create()
    assert "start" not in command("export")[1]


def test_long_and_binary_files_go_into_a_folder_beside(fake, command, tmp_path):
    command("seed", FILE)
    Volume.create("more").write_file("/sub/long name", "line\n" * 1000, force=True)
    output = tmp_path / "seed.toml"
    command("export", *ALL, "--output", output, "--files", tmp_path / "files")
    assert (tmp_path / "files/volume/more/sub/long name").read_text() == "line\n" * 1000
    assert (tmp_path / "files/volume/data/bin/b").read_bytes() == b"\x00\x01\x02\xff"
    assert "base64" not in output.read_text()
    with FakeE2B(set_environment=False) as fresh:
        assert command("seed", output, "--url", fresh.url)[0] == 0
        whole = command("export", *ALL, "--url", fresh.url)
    assert whole == command("export", *ALL)


def test_each_file_in_the_folder_has_a_place_of_its_own(fake, command, tmp_path):
    first = wrote(
        tmp_path,
        """
team = [{ slug = "acme" }]
sandbox = [
  { name = ".", files = { "web/c" = { base64 = "AAEC/w==" } } },
  { name = "web", files = { c = { base64 = "AAEC/g==" } } },
]
volume = [
  { name = "acme", files = { "/b/c" = { base64 = "AAEC/w==" } } },
  { name = "b", team = "acme", files = { "/c" = { base64 = "AAEC/g==" } } },
]

[[template]]
name = "web"
files = { "/app" = { base64 = "AAEC/w==" }, app = { base64 = "AAEC/g==" } }
""",
    )
    assert command("seed", first)[0] == 0
    output = tmp_path / "seed.toml"
    assert command("export", *ALL, "--output", output, "--files", tmp_path / "files")[0] == 0
    with FakeE2B(set_environment=False) as fresh:
        assert command("seed", output, "--url", fresh.url)[0] == 0
        whole = command("export", *ALL, "--url", fresh.url)
    assert whole == command("export", *ALL)
    found = [each.relative_to(tmp_path / "files") for each in tmp_path.glob("files/**/*")]
    assert {each.as_posix() for each in found} >= {
        "volume/acme/b/c",
        "team/acme/volume/b/c",
        "template/web/%2F/app",
    }


def test_as_json_it_is_the_same(fake, command, tmp_path):
    command("seed", FILE)
    output = tmp_path / "seed.json"
    command("export", *ALL, "--output", output)
    with FakeE2B(set_environment=False) as fresh:
        assert command("seed", output, "--url", fresh.url)[0] == 0
        assert command("export", *ALL, "--url", fresh.url) == command("export", *ALL)


def test_values_of_secrets_stay_unless_asked_for(fake, command, tmp_path, monkeypatch):
    command("seed", FILE)
    _, said, _ = command("export")
    assert "s3cret" not in said
    assert '"old"' not in said
    path = wrote(tmp_path, said)
    assert command("seed", path)[0] == 2  # nobody has said what they are
    for name, value in (("API_KEY_V1", "old"), ("API_KEY_V2", "new")):
        monkeypatch.setenv(f"SEED_SECRET_{name}", value)
    monkeypatch.setenv("SEED_WEBHOOK_HOOK", "s3cret")
    assert command("seed", path)[:2] == (0, "nothing changed: all 12 are there already\n")


def test_what_no_file_can_say_is_named(fake, command):
    Template.build(Template().from_base_image().run_cmd("true"), "built:v1")
    box = Sandbox.create("built:v1")
    other = Sandbox.create()
    other.create_snapshot(name="snap")
    other.commands.run("exec sleep 100", background=True)
    other.commands.run("exec sleep 200", background=True, envs={"A": "1"})
    Volume.create("data")
    other.commands.run("mkfifo pipe")
    status, said, errors = command("export", "--with-files")
    assert status == 0
    for sentence in (
        "template built:v1: it was built by steps",
        f"sandbox {box.sandbox_id}: what it was made from is not exported",
        "snapshot fake/snap: its files are kept as a layer",
        f"file of a sandbox {other.sandbox_id}:/home/user/pipe: it is neither",
        f"program {other.sandbox_id}: exec sleep 200: it has variables",
    ):
        assert f"fake-e2b: not exported: {sentence}" in errors
        assert f"# - {sentence}" in said
    assert 'start = ["exec sleep 100"]' in said
    assert f'name = "{other.sandbox_id}"' in said


def test_a_sandbox_that_no_seed_made_is_known_by_its_id(fake, command, tmp_path):
    box = Sandbox.create(metadata={"a": "b"})
    box.files.write("note", "kept")
    output = tmp_path / "seed.toml"
    command("export", "--with-files", "--output", output)
    assert command("seed", output)[1] == "nothing changed: all 1 are there already\n"
    fake.reset()
    assert command("seed", output)[0] == 0
    assert named(box.sandbox_id).files.read("note") == "kept"


def test_a_folder_of_files_has_to_be_below_that_of_the_output(fake, command, tmp_path):
    output = tmp_path / "a" / "seed.toml"
    for folder in (tmp_path, output.parent):
        status, _, errors = command("export", "--output", output, "--files", folder)
        assert (status, "is not below the folder" in errors) == (2, True)
    status, _, errors = command("export", "--files", "x")
    assert (status, "goes with --output" in errors) == (2, True)
    status, _, errors = command("export", "--output", output)
    assert (status, "cannot write" in errors) == (2, True)


# -- from the start --------------------------------------------------------------------------------


READ = """
from e2b import Sandbox, SandboxQuery
(found,) = Sandbox.list(query=SandboxQuery(metadata={"seedName": "box"})).next_items()
print(Sandbox.connect(found.sandbox_id).files.read("note"))
"""


def test_a_command_finds_what_the_fake_is_filled_with(tmp_path):
    path = wrote(tmp_path, '[[sandbox]]\nname = "box"\nfiles = { note = "from the file" }\n')
    ended = run_script("run", "--fill", str(path), "--", sys.executable, "-c", READ)
    assert (ended.returncode, ended.stdout) == (0, "from the file\n"), ended.stderr


def test_a_file_that_cannot_be_is_a_usage_error(tmp_path):
    path = wrote(tmp_path, '[[sandbox]]\nname = "box"\nrun = ["exit 5"]\n')
    ended = run_script("run", "--fill", str(path), "--", "true")
    assert ended.returncode == 2
    assert f"{path}:1: sandbox 'box': the command 'exit 5' failed: exit status 5" in ended.stderr
