"""The variables by which programs trust the run's authority, besides what they trusted before.

Nothing that worked may break by them: each variable that names a file of certificates is pointed
at one that joins what counted before with the run's certificate. `SSL_CERT_DIR` stays as it is,
because OpenSSL and rustls look into both. Facts: fake.tls.trust, fake.tls.trust.joined
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

_CERTIFICATE = re.compile(
    rb"-----BEGIN (?:TRUSTED )?CERTIFICATE-----.*?-----END (?:TRUSTED )?CERTIFICATE-----", re.DOTALL
)
CA_FILE = "ca.pem"
TRUST = ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""The variables that name files of certificates."""


def trust_variables(
    environ: Mapping[str, str], certificate_pem: bytes, folder: str
) -> dict[str, str]:
    """Write the files that are needed into `folder` and name them.

    Args:
        environ: What the programs would get otherwise.
        certificate_pem: The authority's certificate.
    """
    Path(folder, CA_FILE).write_bytes(certificate_pem)
    written: dict[bytes, str] = {}

    def joined(name: str, before: bytes) -> str:
        content = _with(before, certificate_pem)
        if content not in written:
            path = Path(folder, f"{name.lower()}.pem")
            path.write_bytes(content)
            written[content] = str(path)
        return written[content]

    # `requests` and curl know variables of their own; where they are set they win. Node adds what
    # it finds to a list of its own, so only what was added before is kept.
    usual = _usual(environ)
    for_curl = _read(environ.get("CURL_CA_BUNDLE"))
    bases = (
        usual,
        _read(environ.get("NODE_EXTRA_CA_CERTS")),
        _read(environ.get("REQUESTS_CA_BUNDLE")) or for_curl or _certifi() or usual,
        for_curl or usual,
    )
    return {name: joined(name, base) for name, base in zip(TRUST, bases, strict=True)}


def _with(before: bytes, certificate_pem: bytes) -> bytes:
    return before if certificate_pem.strip() in before else before + certificate_pem


def _usual(environ: Mapping[str, str]) -> bytes:
    """What programs trust without us: the user's variables, else the machine's list.

    HTTP clients in Python take the list of `certifi` in place of the machine's: it counts, too.
    """
    named = _read(environ.get("SSL_CERT_FILE")) or _read(environ.get("SSL_CERT_DIR"))
    if named:
        return named
    paths = ssl.get_default_verify_paths()
    machines = _read(paths.openssl_cafile) or _read(paths.openssl_capath)
    return b"".join(
        certificate + b"\n"
        for certificate in dict.fromkeys(_CERTIFICATE.findall(machines + _certifi()))
    )


def _certifi() -> bytes:
    """The list that many Python programs bring along, where it is installed."""
    spec = find_spec("certifi")
    if spec is None or spec.origin is None:
        return b""
    return _read(str(Path(spec.origin).with_name("cacert.pem")))


def _read(places: str | None) -> bytes:
    """The certificates of files, and of folders joined by colons; what cannot be read has none."""
    found: dict[bytes, None] = {}
    for place in (places or "").split(":"):
        for path in _files(Path(place)) if place else ():
            try:
                content = path.read_bytes()
            except OSError:
                continue
            # Folders hold the same ones under several names, and often all of them in one file.
            found.update(dict.fromkeys(_CERTIFICATE.findall(content)))
    return b"".join(certificate + b"\n" for certificate in found)


def _files(place: Path) -> Iterator[Path]:
    try:
        if place.is_dir():
            yield from sorted(place.iterdir())
        else:
            yield place
    except OSError:
        return
