from __future__ import annotations

import ssl
import subprocess
import sys
from pathlib import Path

import certifi
import pytest

from fake_e2b.domain.errors import UsageError
from fake_e2b.server import authority
from fake_e2b.server.authority import (
    Authority,
    OpensslAuthority,
    TrustmeAuthority,
    process_authority,
    server_context,
)
from fake_e2b.server.trust import CA_FILE, trust_variables


def handshake(made: Authority, name: str) -> ssl.SSLObject:
    """What a client that trusts this authority alone agrees on with its server.

    Raises:
        ssl.SSLCertVerificationError: It does not believe the server.
    """
    context = ssl.create_default_context(cadata=made.certificate_pem.decode())
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(to_client, to_server, server_hostname=name)
    server = server_context(made, "e2b.localhost", "127.0.0.1").wrap_bio(
        to_server, to_client, server_side=True
    )
    waiting = [client, server]
    for _ in range(10):
        for side in tuple(waiting):
            try:
                side.do_handshake()
                waiting.remove(side)
            except ssl.SSLWantReadError:
                pass
    assert not waiting
    return client


@pytest.mark.parametrize("kind", [TrustmeAuthority, OpensslAuthority])
@pytest.mark.parametrize("name", ["3000-iabc.e2b.localhost", "api.e2b.localhost", "::1"])
def test_strict_clients_believe_it(kind: type[Authority], name: str) -> None:
    assert handshake(kind(), name).version() is not None


@pytest.mark.parametrize("kind", [TrustmeAuthority, OpensslAuthority])
def test_it_vouches_for_no_other_name(kind: type[Authority]) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(kind(), "e2b.app")


def test_two_authorities_are_told_apart() -> None:
    one, other = OpensslAuthority(), OpensslAuthority()
    both = one.certificate_pem + other.certificate_pem
    for made in (one, other):
        trusting = type("Both", (), {"certificate_pem": both, "load_into": made.load_into})()
        assert handshake(trusting, "localhost").version() is not None


def test_a_process_has_one() -> None:
    assert process_authority() is process_authority()


def test_openssl_stands_in_where_trustme_is_not_installed() -> None:
    # A process of its own, because this one has its authority already.
    program = (
        "import sys; sys.modules['trustme'] = None\n"
        "from fake_e2b.server.authority import process_authority\n"
        "print(type(process_authority()).__name__)"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert finished.stdout == "OpensslAuthority\n", finished.stderr


def test_without_either_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match=r"fake-e2b\[tls\].*openssl"):
        OpensslAuthority()
    monkeypatch.setitem(sys.modules, "trustme", None)
    assert authority.available() == authority.HINT


def test_a_failing_openssl_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "openssl"
    program.write_text("#!/bin/sh\necho no curve >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(UsageError, match="no curve"):
        OpensslAuthority()


def test_no_private_key_stays_on_the_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for kind in (TrustmeAuthority, OpensslAuthority):
        server_context(kind(), "e2b.localhost", "127.0.0.1")
    assert list(tmp_path.iterdir()) == []


def certificates(text: bytes) -> list[str]:
    context = ssl.create_default_context(cadata=text.decode())
    return sorted(str(found["serialNumber"]) for found in context.get_ca_certs())


@pytest.fixture(scope="module")
def known() -> dict[str, bytes]:
    return {name: OpensslAuthority().certificate_pem for name in ("a", "b", "c", "ours")}


def test_what_was_trusted_before_still_is(known: dict[str, bytes], tmp_path: Path) -> None:
    for name, content in known.items():
        (tmp_path / f"{name}.pem").write_bytes(content)
    folder = tmp_path / "run"
    folder.mkdir()
    before = {
        "SSL_CERT_FILE": str(tmp_path / "a.pem"),
        "NODE_EXTRA_CA_CERTS": str(tmp_path / "b.pem"),
        "REQUESTS_CA_BUNDLE": str(tmp_path / "c.pem"),
    }
    variables = trust_variables(before, known["ours"], str(folder))
    expected = {
        "SSL_CERT_FILE": "a",
        "NODE_EXTRA_CA_CERTS": "b",
        "REQUESTS_CA_BUNDLE": "c",
        "CURL_CA_BUNDLE": "a",
    }
    assert variables.keys() == expected.keys()
    for name, before_name in expected.items():
        found = certificates(Path(variables[name]).read_bytes())
        assert found == certificates(known[before_name] + known["ours"]), name
    assert (folder / CA_FILE).read_bytes() == known["ours"]
    again = trust_variables(variables, known["ours"], str(folder))
    assert len(certificates(Path(again["SSL_CERT_FILE"]).read_bytes())) == 2


def test_folders_of_certificates_count_too(known: dict[str, bytes], tmp_path: Path) -> None:
    for folder, name in (("one", "a"), ("two", "b"), ("two", "a")):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / f"{name}.0").write_bytes(b"# a comment\n" + known[name])
    (tmp_path / "two" / "readme").write_text("no certificate")
    (tmp_path / "two" / "dead").symlink_to(tmp_path / "nowhere")
    before = {"SSL_CERT_DIR": f"{tmp_path}/one:{tmp_path}/two:{tmp_path}/none"}
    variables = trust_variables(before, known["ours"], str(tmp_path))
    assert "SSL_CERT_DIR" not in variables
    found = certificates(Path(variables["SSL_CERT_FILE"]).read_bytes())
    assert found == certificates(known["a"] + known["b"] + known["ours"])


def test_without_variables_the_machines_own_list_counts(
    known: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    variables = trust_variables({}, known["ours"], str(tmp_path))
    usual = ssl.create_default_context()
    found = certificates(Path(variables["SSL_CERT_FILE"]).read_bytes())
    assert {each["serialNumber"] for each in usual.get_ca_certs()} <= set(found)
    # What `requests` and the like would have taken.
    brought = certificates(Path(certifi.where()).read_bytes())
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        assert set(brought) <= set(certificates(Path(variables[name]).read_bytes()))
    extra = Path(variables["NODE_EXTRA_CA_CERTS"]).read_bytes()
    assert extra == known["ours"]
