"""`FakeE2B(tls=…)`: found by the domain alone, over TLS."""

from __future__ import annotations

import logging
import multiprocessing
import os
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path

import httpx
import pytest
from e2b import AsyncSandbox, Sandbox

from fake_e2b import FakeE2B, UsageError
from fake_e2b.testing import sdk_age

URLS = ("E2B_API_URL", "E2B_SANDBOX_URL", "E2B_VOLUME_API_URL")


def test_the_domain_alone_leads_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeE2B(runtime="local", tls=True) as fake:
        assert os.environ["E2B_DOMAIN"] == fake.domain == f"e2b.localhost:{fake.port}"
        assert [os.environ[name] for name in URLS] == ["", "", ""]
        for name in URLS:
            monkeypatch.delenv(name)
        sandbox = Sandbox.create()
        assert sandbox.commands.run("echo hi").stdout == "hi\n"
        sandbox.files.write("note.txt", "by URL")
        link = sandbox.download_url("note.txt")
        assert link.startswith(f"https://49983-{sandbox.sandbox_id}.{fake.domain}/files?")
        with urllib.request.urlopen(link, timeout=20) as answer:
            assert answer.read() == b"by URL"


async def test_async_clients_find_it_too() -> None:
    async with FakeE2B(runtime="local", tls=True):
        sandbox = await AsyncSandbox.create()
        assert (await sandbox.commands.run("echo hi")).stdout == "hi\n"
        await sandbox.kill()


def test_plain_http_works_on_the_same_port() -> None:
    with FakeE2B(runtime="local", tls=True) as fake:
        assert fake.url == f"http://127.0.0.1:{fake.port}"
        for url in (fake.url, fake.url.replace("http:", "https:"), f"https://api.{fake.domain}"):
            answer = httpx.get(f"{url}/v2/sandboxes", headers={"X-API-Key": fake.api_key})
            assert (answer.status_code, answer.json()) == (200, [])


def test_everything_is_put_back() -> None:
    before = dict(os.environ)
    with FakeE2B(runtime="local", tls=True) as fake:
        assert fake.ca_file is not None
        folder = Path(fake.ca_file).parent
        assert folder.stat().st_mode & 0o777 == 0o700
        files = [Path(os.environ[name]) for name in ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")]
        assert {path.parent for path in files} == {folder}
        assert b"PRIVATE" not in b"".join(path.read_bytes() for path in folder.iterdir())
    assert dict(os.environ) == before
    assert not folder.exists()


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_leaves_the_files_to_its_parent() -> None:
    with FakeE2B(runtime="local", tls=True) as fake:
        child = multiprocessing.get_context("fork").Process(target=fake.stop)
        child.start()
        child.join(20)
        assert child.exitcode == 0
        child.close()
        assert fake.ca_file is not None
        assert Path(fake.ca_file).exists()
        Sandbox.create().kill()


def test_one_client_believes_one_fake_after_another() -> None:
    # SDKs keep their transports, and with them what they trust, for the life of the process.
    for _ in range(2):
        with FakeE2B(runtime="local", tls=True), FakeE2B(runtime="local", tls=True):
            Sandbox.create().kill()


async def test_clients_that_were_there_before_believe_it() -> None:
    with FakeE2B(runtime="local", tls=False):
        plain = Sandbox.create()
        also_plain = await AsyncSandbox.create()
        with FakeE2B(runtime="local", tls=True):
            Sandbox.create().kill()
            await (await AsyncSandbox.create()).kill()
        assert plain.commands.run("echo hi").stdout == "hi\n"
        assert (await also_plain.commands.run("echo hi")).stdout == "hi\n"
        Sandbox.create().kill()


def test_a_domain_of_ones_own() -> None:
    with FakeE2B(runtime="local", tls=True, domain="sandboxes.fake.localhost") as fake:
        assert fake.domain == f"sandboxes.fake.localhost:{fake.port}"
        sandbox = Sandbox.create()
        assert sandbox.get_host(80) == f"80-{sandbox.sandbox_id}.{fake.domain}"
        sandbox.kill()


def test_a_domain_that_something_in_front_listens_for() -> None:
    with FakeE2B(runtime="local", domain="fake.test:8443") as fake:
        assert fake.domain == fake.env()["E2B_DOMAIN"] == "fake.test:8443"
        assert fake.env()["E2B_API_URL"] == fake.url
        assert fake.ca_file is None


@pytest.mark.parametrize("domain", ["", "localhost", "E2B.localhost", "a b.c", "x.y:0", "x.y:z"])
def test_what_is_no_domain_is_refused(domain: str) -> None:
    with pytest.raises(UsageError, match="domain"):
        FakeE2B(runtime="local", domain=domain).start()


def test_what_is_no_choice_is_refused() -> None:
    with pytest.raises(UsageError, match="'auto', True or False"):
        FakeE2B(runtime="local", tls="yes").start()  # type: ignore[arg-type]


def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, **versions: str) -> None:
    """Make an environment with these packages, as far as their metadata go."""
    for name, version in versions.items():
        folder = tmp_path / f"{name}-{version}.dist-info"
        folder.mkdir()
        package = name.replace("_", "-")
        (folder / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n"
        )
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.parametrize(
    ("versions", "old"),
    [
        ({"e2b": "1.0.0"}, "e2b 1.0.0"),
        ({"e2b": "2.6.4"}, "e2b 2.6.4"),
        ({"e2b": "2.7.0", "e2b_code_interpreter": "2.9.0"}, None),
        ({"e2b": "2.20.0", "e2b_code_interpreter": "2.8.1"}, "e2b-code-interpreter 2.8.1"),
        ({"e2b": "10.0"}, None),
        ({"e2b": "2.6rc1"}, "e2b 2.6rc1"),
    ],
)
def test_old_sdks_are_known_by_their_metadata(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, versions: dict[str, str], old: str | None
) -> None:
    installed(monkeypatch, tmp_path, **versions)
    assert sdk_age.old_sdk() == old


def test_old_javascript_sdks_are_known_by_their_packages(tmp_path: Path) -> None:
    def install(place: str, package: str, text: str) -> None:
        folder = tmp_path / place / "node_modules" / package
        folder.mkdir(parents=True)
        (folder / "package.json").write_text(text)

    install("", "e2b", '{"version": "2.6.4"}')
    install("new", "e2b", '{"version": "2.7.0"}')
    install("code", "e2b", '{"version": "2.51.0"}')
    install("code", "@e2b/code-interpreter", '{"version": "2.6.1"}')
    install("broken", "e2b", "[")
    for place, old in {
        "": "e2b 2.6.4",
        "src/deep": "e2b 2.6.4",
        "new/src": None,
        "code": "@e2b/code-interpreter 2.6.1",
        "broken": "e2b 2.6.4",
    }.items():
        assert sdk_age.old_node_sdk(tmp_path / place) == old, place


def test_an_old_sdk_turns_tls_on_by_itself(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with FakeE2B(runtime="local") as fake:
        assert fake.ca_file is None
    installed(monkeypatch, tmp_path, e2b="2.0.0")
    with FakeE2B(runtime="local") as fake:
        assert fake.ca_file is not None
        Sandbox.create().kill()
    with FakeE2B(runtime="local", tls=False) as fake:
        assert fake.ca_file is None


def test_where_tls_cannot_be_had_it_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    installed(monkeypatch, tmp_path, e2b="2.0.0")
    monkeypatch.setitem(sys.modules, "trustme", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with caplog.at_level(logging.WARNING), FakeE2B(runtime="local") as fake:
        assert fake.ca_file is None
    assert "e2b 2.0.0 finds a fake by TLS only" in caplog.text
    assert 'pip install "fake-e2b[tls]"' in caplog.text


def test_a_modern_sdk_costs_no_import_of_tls_tools() -> None:
    program = (
        "import sys; from fake_e2b import FakeE2B\n"
        "with FakeE2B(runtime='local'): pass\n"
        "print([name for name in ('trustme', 'cryptography', 'e2b') if name in sys.modules])"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert finished.stdout == "[]\n", finished.stderr


def test_it_is_believed_by_those_only_who_were_told() -> None:
    with FakeE2B(runtime="local", tls=True, set_environment=False) as fake:
        url = f"https://localhost:{fake.port}/_fake/health"
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            httpx.get(url)
        context = ssl.create_default_context(cafile=fake.ca_file)
        assert httpx.get(url, verify=context).json()["status"] == "ok"
