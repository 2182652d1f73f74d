"""Requests as bytes, for what no SDK would send."""

from __future__ import annotations

import httpx

from .target import Target


def send(
    target: Target, method: str, path: str, *, key: str | None, body: bytes | None = None
) -> httpx.Response:
    """One control-plane request; `key` None sends none, `path` may hold a query."""
    assert target.api_url is not None, "raw requests need the target's URL"
    headers = {"Content-Type": "application/json"} if body is not None else {}
    if key is not None:
        headers["X-API-Key"] = key
    return httpx.request(
        method, target.api_url + path, headers=headers, content=body, timeout=30, trust_env=False
    )


def is_error_shape(response: httpx.Response) -> bool:
    """Whether the body is `{"code": <the status>, "message": <text>}`.

    Fact: control.errors.shape
    """
    body = response.json()
    return (
        isinstance(body, dict)
        and body.get("code") == response.status_code
        and isinstance(body.get("message"), str)
        and body["message"] != ""
    )
