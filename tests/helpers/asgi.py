"""An HTTP client that calls an ASGI app in this process, without a socket."""

from __future__ import annotations

from typing import Any

import httpx


def client_of(app: Any) -> httpx.AsyncClient:
    """Failures of the app are 500s to this client, as they are to a real one."""
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:3000")
