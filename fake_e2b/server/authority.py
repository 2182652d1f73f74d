"""The certificate authority of the run, and the server certificates that it signs.

Made by `trustme` (the extra ``fake-e2b[tls]``) or, where that is not installed, by the program
`openssl`, so that users of old SDKs need no step of their own. Private keys are never left on the
disk: they lie in a private folder for the moment in which they are made or read.

One authority serves a whole process. SDKs keep their transports, and with them the certificates
that they trust, for the life of the process: a fake that is started after another one must be
believed by the same clients. Nobody sees the other's sandboxes by it.
"""

from __future__ import annotations

import secrets
import shutil
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from typing import Protocol

from fake_e2b.domain.errors import UsageError

HINT = (
    'TLS needs a tool that makes certificates: pip install "fake-e2b[tls]", '
    "or install the program openssl"
)
_NAME = "fake-e2b (made for one run)"
_OPENSSL_S = 30


class Authority(Protocol):
    """Signs server certificates."""

    certificate_pem: bytes
    """What clients are to trust."""

    def load_into(self, context: ssl.SSLContext, names: Sequence[str]) -> None:
        """Give the server a certificate for host names (``*.`` in front allowed) and addresses."""


def process_authority() -> Authority:
    """The process's authority, made when it is first asked for.

    Raises:
        UsageError: Nothing is installed that makes certificates, or it failed.
    """
    with _LOCK:
        return _made()


_LOCK = threading.Lock()


@cache
def _made() -> Authority:
    try:
        return TrustmeAuthority()
    except ModuleNotFoundError as error:
        if error.name != "trustme":
            raise
    return OpensslAuthority()


def available() -> str | None:
    """Why no certificate can be made here; None if one can. Cheap: nothing is made."""
    if find_spec("trustme") is not None or shutil.which("openssl") is not None:
        return None
    return HINT


def server_context(authority: Authority, domain: str, address: str) -> ssl.SSLContext:
    """TLS for the API, every sandbox of `domain` and plain `localhost`, over HTTP/1.1.

    Args:
        domain: Without a port.
        address: The IP address on which the server listens.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    names = [domain, f"*.{domain}", "localhost", "127.0.0.1", "::1", address]
    authority.load_into(context, list(dict.fromkeys(names)))
    return context


class TrustmeAuthority:
    """By the package `trustme`.

    Raises:
        ModuleNotFoundError: It is not installed.
    """

    def __init__(self) -> None:
        import trustme  # an extra, and costly to import: only where TLS is wanted

        self._ca = trustme.CA(organization_name=_NAME)
        self.certificate_pem: bytes = self._ca.cert_pem.bytes()

    def load_into(self, context: ssl.SSLContext, names: Sequence[str]) -> None:
        """See `Authority`."""
        self._ca.issue_cert(*names).configure_cert(context)


_CONFIG = """
[req]
distinguished_name = subject
prompt = no
[subject]
O = {name}
OU = {number}
[ca]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = {names}
"""


class OpensslAuthority:
    """By the program `openssl` (OpenSSL or LibreSSL).

    Raises:
        UsageError: It is not installed, or it failed.
    """

    def __init__(self) -> None:
        with tempfile.TemporaryDirectory(prefix="fake-e2b-tls-") as folder:
            _configure(folder, ["localhost"])
            _openssl(folder, "ecparam -name prime256v1 -genkey -noout -out ca.key")
            _openssl(
                folder,
                "req -new -x509 -key ca.key -config cnf -extensions ca -days 397 -sha256 "
                "-out ca.pem",
            )
            self.certificate_pem = Path(folder, "ca.pem").read_bytes()
            self._key = Path(folder, "ca.key").read_bytes()

    def load_into(self, context: ssl.SSLContext, names: Sequence[str]) -> None:
        """See `Authority`."""
        with tempfile.TemporaryDirectory(prefix="fake-e2b-tls-") as folder:
            _configure(folder, names)
            Path(folder, "ca.pem").write_bytes(self.certificate_pem)
            Path(folder, "ca.key").write_bytes(self._key)
            _openssl(folder, "ecparam -name prime256v1 -genkey -noout -out leaf.key")
            _openssl(folder, "req -new -key leaf.key -config cnf -sha256 -out leaf.csr")
            _openssl(
                folder,
                "x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -extfile cnf -extensions leaf "
                f"-set_serial {secrets.randbits(62) + 1} -days 397 -sha256 -out leaf.pem",
            )
            context.load_cert_chain(f"{folder}/leaf.pem", f"{folder}/leaf.key")


def _configure(folder: str, names: Sequence[str]) -> None:
    kinds = ", ".join(f"{'IP' if _is_address(name) else 'DNS'}:{name}" for name in names)
    # A number of its own, because clients look authorities up by their names.
    number = secrets.token_hex(8)
    Path(folder, "cnf").write_text(_CONFIG.format(name=_NAME, number=number, names=kinds))


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _openssl(folder: str, arguments: str) -> None:
    try:
        subprocess.run(
            ["openssl", *arguments.split()],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_OPENSSL_S,
            check=True,
        )
    except FileNotFoundError as error:
        raise UsageError(HINT) from error
    except subprocess.CalledProcessError as error:
        raise UsageError(f"openssl failed to make a certificate: {error.stderr.strip()}") from error
