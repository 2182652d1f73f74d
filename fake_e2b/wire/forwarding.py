"""What the sandbox proxy changes on requests and answers that pass through it. Pure.

Facts: proxy.forward.headers, proxy.forward.host, proxy.forward.query, proxy.forward.path,
proxy.forward.length, proxy.http2.upgrade
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote_plus, unquote_to_bytes

from fake_e2b.wire.host import Destination, is_shared_gateway, split_port, to_host

Header = tuple[bytes, bytes]

_HOP_BY_HOP = frozenset(
    {
        b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization",
        b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade",
    }
)  # fmt: skip
_ORIGIN = frozenset({b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto"})
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
"""Methods whose requests say that they have no body; those of the others do not."""
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def upgrade_of(headers: Iterable[Header]) -> bytes | None:
    """The protocol that a request or a 101 wants to switch to; None when it does not."""
    wanted: bytes | None = None
    named = False
    # To HTTP/2 in clear text the proxy itself would switch, which this one cannot: as if unasked.
    for name, value in headers:
        if name == b"upgrade":
            wanted = value
        elif name == b"connection":
            named = named or b"upgrade" in _tokens(value)
    return wanted if named and wanted != b"h2c" else None


def request_headers(
    headers: Iterable[Header], *, host: str, masked_from: str | None, method: str = "GET"
) -> list[Header]:
    """The headers that the service gets, `Host` first.

    Args:
        headers: As received, names in lower case.
        method: Decides whether a request without a body says so.
        host: What the service sees as its host.
        masked_from: The requested host when `host` is a mask, else None.
    """
    received = list(headers)
    upgrade = upgrade_of(received)
    chunked = any(name == b"transfer-encoding" for name, _ in received)
    kept = [(b"Host", host.encode("latin-1"))]
    kept += [
        (_canonical(name), value)
        for name, value in _end_to_end(received)
        if name not in _ORIGIN
        and name != b"host"
        # Both at once is how requests are smuggled past a proxy.
        and not (chunked and name == b"content-length")
        and not (name == b"content-length" and not value.strip(b"0"))
    ]
    if masked_from is not None:
        kept.append((b"X-Forwarded-Host", masked_from.encode("latin-1")))
    if any(name == b"te" and b"trailers" in _tokens(value) for name, value in received):
        kept.append((b"Te", b"trailers"))
    if chunked:
        kept.append((b"Transfer-Encoding", b"chunked"))
    elif method in _WITH_BODY and all(name != b"Content-Length" for name, _ in kept):
        kept.append((b"Content-Length", b"0"))
    if upgrade is not None:
        kept += [(b"Connection", b"Upgrade"), (b"Upgrade", upgrade)]
    else:
        # One connection a request: what the service sees is that it will not be used again.
        kept.append((b"Connection", b"close"))
    return kept


def response_headers(headers: Iterable[Header]) -> list[Header]:
    """The headers of the service's answer that reach the client, names in lower case.

    Trailers pass, so the header that announces them does too. A length beside chunks is wrong.
    """
    received = list(headers)
    if any(name == b"transfer-encoding" for name, _ in received):
        received = [header for header in received if header[0] != b"content-length"]
    return _end_to_end(received) + [header for header in received if header[0] == b"trailer"]


def seen_host(requested: str, destination: Destination, mask: str | None) -> tuple[str, str | None]:
    """`Host` and `X-Forwarded-Host` for the service.

    Args:
        requested: The request's `Host`.
        mask: `maskRequestHost` of the sandbox's network settings, with `${PORT}` in it.
    """
    name, _ = split_port(requested)
    host = requested
    if is_shared_gateway(name):
        host = to_host(destination, name.removeprefix("sandbox."))
    if mask:
        return mask.replace("${PORT}", str(destination.port)), host
    return host, None


def target(raw_path: bytes, query: bytes, *, bare: bool = False) -> bytes:
    """The request target for the service: the path verbatim, the query cleaned.

    Args:
        bare: Whether the target ended in a question mark with nothing behind it.
    """
    cleaned = clean_query(query.decode("latin-1")).encode("latin-1")
    return raw_path + b"?" + cleaned if cleaned or (bare and not query) else raw_path


def clean_query(query: str) -> str:
    """Unchanged, unless it holds a broken escape or a raw ``;``.

    Then the parameters that do are dropped and the others re-encoded, sorted by name.

    >>> clean_query("x=1;y=2&z=%zz")
    ''
    """
    if ";" not in query and not _BAD_ESCAPE.search(query):
        return query
    kept: list[tuple[bytes, bytes]] = []
    for parameter in query.split("&"):
        if parameter and ";" not in parameter and not _BAD_ESCAPE.search(parameter):
            name, _, value = parameter.partition("=")
            kept.append((_unquote(name), _unquote(value)))
    kept.sort(key=lambda pair: pair[0])
    return "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in kept)


def _unquote(text: str) -> bytes:
    return unquote_to_bytes(text.replace("+", " ").encode("latin-1"))


def _end_to_end(headers: Iterable[Header]) -> list[Header]:
    received = list(headers)
    named = {token for name, value in received if name == b"connection" for token in _tokens(value)}
    return [
        (name, value) for name, value in received if name not in _HOP_BY_HOP and name not in named
    ]


def _tokens(value: bytes) -> list[bytes]:
    return [token.strip().lower() for token in value.split(b",")]


def _canonical(name: bytes) -> bytes:
    """`x-api-key` → `X-Api-Key`, as the real proxy's HTTP library writes names."""
    return b"-".join(part.capitalize() for part in name.split(b"-"))
