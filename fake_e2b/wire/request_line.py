"""What the service's HTTP library refuses before anybody looks at a request. Pure.

Facts: proxy.http.malformed-request, proxy.http.malformed-host
"""

from __future__ import annotations

import re

_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_HOST = re.compile(rb"[0-9A-Za-z!$%&'()*+,\-.:;=\[\]_~]*")


def refusal(method: str, raw_path: bytes, http_version: str, host: bytes) -> tuple[int, str] | None:
    """Status and detail of a refusal; None for a request that is one.

    Args:
        raw_path: Without the query.
        http_version: As `1.1`.
        host: The `Host` header, empty where there is none.
    """
    if not http_version.startswith("1."):
        return 505, "unsupported protocol version"
    own_form = method == "CONNECT" or (method, raw_path) == ("OPTIONS", b"*")
    if _BROKEN_ESCAPE.search(raw_path) or not (raw_path.startswith(b"/") or own_form):
        return 400, ""
    if not _HOST.fullmatch(host):
        return 400, "malformed Host header"
    return None
