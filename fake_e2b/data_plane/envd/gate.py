"""What every request to envd passes before it is served: CORS, token, user, router."""

from __future__ import annotations

import hmac
from base64 import b64decode
from collections.abc import Mapping, MutableMapping
from typing import Any

from fake_e2b.data_plane.asgi import Endpoint, Headers, Receive, Scope, Send, answer, read_headers
from fake_e2b.data_plane.connect import ConnectService
from fake_e2b.data_plane.envd.access import USERNAME_KEY, envd_of
from fake_e2b.domain.envd_errors import EnvdError
from fake_e2b.wire import envelope
from fake_e2b.wire.connect import HTTP_STATUS, content_type_of
from fake_e2b.wire.envd_errors import rpc_failure

Routes = Mapping[str, Mapping[str, Endpoint]]
"""By path, then by verb."""

_OWN_CHECK = frozenset(
    {("GET", "/health"), ("GET", "/files"), ("POST", "/files"), ("POST", "/init")}
)
_CORS_METHODS = frozenset({"HEAD", "GET", "POST", "PUT", "PATCH", "DELETE"})
_EXPOSED = (
    b"Grpc-Status, Grpc-Message, Grpc-Status-Details-Bin, "
    b"Location, Cache-Control, X-Content-Type-Options"
)
_VARY = (b"vary", b"Origin")
_PREFLIGHT_VARY = (
    b"vary",
    b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
)
_ALLOW_ORIGIN = (b"access-control-allow-origin", b"*")
_NO_SNIFF = (b"x-content-type-options", b"nosniff")
_UNAUTHORIZED = (
    b'{"code":401,"message":"unauthorized access, please provide a valid access token '
    b'or method signing if supported"}\n'
)


class EnvdApp:
    """The daemon as an ASGI app; the scope names the sandbox (`data_plane.target`).

    Args:
        service: The RPCs.
        routes: The plain HTTP routes.
    """

    def __init__(self, service: ConnectService, routes: Routes) -> None:
        self._service = service
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Facts: envd.cors.*, envd.token.*, envd.user.*, envd.router.*"""
        headers = read_headers(scope)
        method = scope["method"]
        if method == "OPTIONS" and "access-control-request-method" in headers:
            await answer(send, 204, _preflight(headers))
            return
        cors = [_VARY]
        if "origin" in headers and (method in _CORS_METHODS or method == "OPTIONS"):
            cors += [_ALLOW_ORIGIN, (b"access-control-expose-headers", _EXPOSED)]

        def send_with_cors(event: MutableMapping[str, Any]) -> Any:
            if event["type"] == "http.response.start":
                own = event["headers"]
                varies = any(name.lower() == b"vary" for name, _ in own)
                event["headers"] = [*own, *(cors[1:] if varies else cors)]
            return send(event)

        await self._admit(scope, headers, receive, send_with_cors)

    async def _admit(
        self, scope: Scope, headers: Mapping[str, str], receive: Receive, send: Send
    ) -> None:
        envd = envd_of(scope)
        if not _may_pass(envd.access_token, scope, headers):
            unauthorized: Headers = [
                (b"content-type", b"application/json; charset=utf-8"),
                _NO_SNIFF,
            ]
            await answer(send, 401, unauthorized, _UNAUTHORIZED)
            return
        name = basic_username(headers.get("authorization", ""))
        if name is not None:
            try:
                envd.user(name)
            except EnvdError as error:
                await self._refuse_user(error, headers.get("content-type", ""), send)
                return
            scope[USERNAME_KEY] = name
        await self._route(scope, receive, send)

    async def _refuse_user(self, error: EnvdError, content_type: str, send: Send) -> None:
        """The content type alone decides whether the error comes in a frame."""
        failure = rpc_failure(error)
        streamed = content_type_of(content_type, unary=False)
        if streamed is not None and streamed.protocol == "connect":
            headers = [(b"content-type", streamed.name.encode())]
            await answer(send, 200, headers, envelope.frame(failure.end(), envelope.END))
        else:
            headers = [(b"content-type", b"application/json")]
            await answer(send, HTTP_STATUS[failure.code], headers, failure.body())

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if self._service.serves(path):
            await self._service(scope, receive, send)
            return
        verbs = self._routes.get(path)
        if verbs is None:
            not_found: Headers = [(b"content-type", b"text/plain; charset=utf-8"), _NO_SNIFF]
            await answer(send, 404, not_found, b"404 page not found\n")
            return
        endpoint = verbs.get(scope["method"])
        if endpoint is None:
            await answer(send, 405, [(b"allow", verb.encode()) for verb in verbs])
            return
        await endpoint(scope, receive, send)


def _preflight(headers: Mapping[str, str]) -> Headers:
    """Fact: envd.cors.preflight"""
    requested = headers["access-control-request-method"].upper()
    if "origin" not in headers or requested not in _CORS_METHODS:
        return [_PREFLIGHT_VARY]
    allowed = [
        _PREFLIGHT_VARY,
        _ALLOW_ORIGIN,
        (b"access-control-allow-methods", requested.encode("latin-1")),
    ]
    if names := headers.get("access-control-request-headers"):
        allowed.append((b"access-control-allow-headers", names.encode("latin-1")))
    return [*allowed, (b"access-control-max-age", b"7200")]


def _may_pass(token: str | None, scope: Scope, headers: Mapping[str, str]) -> bool:
    if token is None or (scope["method"], scope["path"]) in _OWN_CHECK:
        return True
    given = headers.get("x-access-token", "")
    return hmac.compare_digest(given.encode("latin-1"), token.encode())


def basic_username(header: str) -> str | None:
    """The user that an Authorization header names; None when it is not a readable Basic one.

    Fact: envd.user.basic-header
    """
    scheme, _, credentials = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = b64decode(credentials, validate=True).decode(errors="replace")
    except ValueError:
        return None
    name, colon, _ = decoded.partition(":")
    return name if colon else None
