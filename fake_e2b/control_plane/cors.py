"""Cross-origin requests: every origin may ask.

Fact: control.cors
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

from fake_e2b.control_plane.http import Answer, Send

_ALLOWED_HEADERS = (
    "Origin,Content-Length,Content-Type,User-Agent,Authorization,X-API-Key,X-Team-ID,browser,lang,"
    "lang_version,machine,os,package_version,processor,publisher,release,sdk_runtime,system"
)
_EXPOSED_HEADERS = (
    "X-Next-Token,X-Total-Running,RateLimit-Limit,RateLimit-Remaining,RateLimit-Reset,Retry-After"
)
_METHODS = "GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS"


def preflight() -> Answer:
    """What a browser asks before the request itself."""
    return Answer(
        204,
        headers=[
            (b"access-control-allow-origin", b"*"),
            (b"access-control-allow-methods", _METHODS.encode()),
            (b"access-control-allow-headers", _ALLOWED_HEADERS.encode()),
            (b"access-control-max-age", b"43200"),
        ],
    )


def is_preflight(method: str, headers: Mapping[str, str]) -> bool:
    """Whether a request is a browser's question about another one."""
    return method == "OPTIONS" and bool(headers.get("origin"))


def headers_for(request_headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """What the answer to a browser carries; nothing for other clients."""
    if not request_headers.get("origin"):
        return []
    return [
        (b"access-control-allow-origin", b"*"),
        (b"access-control-expose-headers", _EXPOSED_HEADERS.encode()),
    ]


def answering(send: Send, request_headers: Mapping[str, str]) -> Send:
    """A `send` that adds them."""
    added = headers_for(request_headers)
    if not added:
        return send

    async def said(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *added]
        await send(message)

    return said
