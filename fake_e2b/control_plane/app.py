"""The control plane as one ASGI app.

A request passes in the service's order: CORS, routing, credentials, query, body, rates, blocked
teams, operation. So a request that is both unauthenticated and malformed answers 401.

Fact: control.order
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fake_e2b.backend.control import ControlBackend
from fake_e2b.control_plane import (
    administration,
    builds,
    cors,
    dockerfile_builds,
    events,
    lifecycle,
    nodes,
    observations,
    sandboxes,
    secrets,
    snapshots,
    tags,
    team_metrics,
    teams,
    templates,
    volumes,
    webhooks,
)
from fake_e2b.control_plane.auth import Authentication, check_not_blocked
from fake_e2b.control_plane.call import Call, Route
from fake_e2b.control_plane.http import (
    TEXT,
    Answer,
    App,
    Body,
    ClientGoneError,
    Receive,
    Scope,
    Send,
    read_headers,
    send_answer,
)
from fake_e2b.control_plane.routing import Match, Router, is_of_old_client
from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.domain.errors import FakeE2BError, GapError
from fake_e2b.domain.rate import Allowance
from fake_e2b.wire import control_errors, service_json
from fake_e2b.wire.endpoints import ENDPOINTS, Endpoint
from fake_e2b.wire.rest import Shape
from fake_e2b.wire.validation import BodyReader, InvalidRequestError, QueryReader

LOGGER = logging.getLogger("fake_e2b.control_plane")
LOGGER.addHandler(logging.NullHandler())

NoteRate = Callable[[Allowance], object]
GAP_HEADER = b"x-fake-e2b-gap"
VOLUME_CONTENT = "/volumecontent/"

ROUTES: Mapping[tuple[str, str], Route] = {
    ("POST", "/sandboxes"): sandboxes.create,
    ("POST", "/v2/sandboxes"): sandboxes.create_v2,
    ("GET", "/sandboxes"): sandboxes.list_running,
    ("GET", "/v2/sandboxes"): sandboxes.list_page,
    ("GET", "/sandboxes/metrics"): observations.many_metrics,
    ("GET", "/sandboxes/{sandboxID}"): sandboxes.detail,
    ("DELETE", "/sandboxes/{sandboxID}"): sandboxes.kill,
    ("GET", "/sandboxes/{sandboxID}/metrics"): observations.metrics,
    ("GET", "/sandboxes/{sandboxID}/logs"): observations.logs,
    ("GET", "/v2/sandboxes/{sandboxID}/logs"): observations.logs_v2,
    ("POST", "/sandboxes/{sandboxID}/pause"): lifecycle.pause,
    ("POST", "/sandboxes/{sandboxID}/resume"): lifecycle.resume,
    ("POST", "/sandboxes/{sandboxID}/connect"): lifecycle.connect,
    ("POST", "/v2/sandboxes/{sandboxID}/connect"): lifecycle.connect,
    ("POST", "/sandboxes/{sandboxID}/fork"): lifecycle.fork,
    ("POST", "/sandboxes/{sandboxID}/snapshots"): snapshots.create,
    ("GET", "/snapshots"): snapshots.list_page,
    ("GET", "/templates"): templates.list_all,
    ("GET", "/v2/templates"): templates.list_page,
    ("GET", "/default-templates"): templates.list_defaults,
    ("GET", "/templates/{templateID}"): templates.get,
    ("PATCH", "/templates/{templateID}"): templates.update_v1,
    ("PATCH", "/v2/templates/{templateID}"): templates.update,
    ("DELETE", "/templates/{templateID}"): templates.delete,
    ("GET", "/templates/aliases/{alias}"): templates.check_alias,
    ("POST", "/v3/templates"): builds.request,
    ("POST", "/v2/templates"): builds.request_v2,
    ("POST", "/templates"): dockerfile_builds.request,
    ("POST", "/templates/{templateID}"): dockerfile_builds.rebuild,
    ("POST", "/templates/{templateID}/builds/{buildID}"): dockerfile_builds.start,
    ("GET", "/templates/{templateID}/files/{hash}"): builds.upload,
    ("POST", "/v2/templates/{templateID}/builds/{buildID}"): builds.start,
    ("GET", "/templates/{templateID}/builds/{buildID}/status"): builds.status,
    ("GET", "/templates/{templateID}/builds/{buildID}/logs"): builds.logs,
    ("POST", "/templates/tags"): tags.assign,
    ("DELETE", "/templates/tags"): tags.remove,
    ("GET", "/templates/{templateID}/tags"): tags.list_all,
    ("GET", "/templates/{templateID}/tags/count"): tags.count,
    ("GET", "/templates/{templateID}/tags/exists"): tags.exists,
    ("GET", "/templates/{templateID}/tags/groups"): tags.groups,
    ("GET", "/templates/{templateID}/tags/{tag}/assignments"): tags.history,
    ("POST", "/sandboxes/{sandboxID}/timeout"): sandboxes.set_timeout,
    ("POST", "/sandboxes/{sandboxID}/refreshes"): sandboxes.refresh,
    ("PUT", "/sandboxes/{sandboxID}/network"): sandboxes.update_network,
    ("GET", "/teams"): teams.list_all,
    ("GET", "/teams/{teamID}/metrics"): team_metrics.series,
    ("GET", "/teams/{teamID}/metrics/max"): team_metrics.highest,
    ("GET", "/api-keys"): teams.list_keys,
    ("POST", "/api-keys"): teams.create_key,
    ("PATCH", "/api-keys/{apiKeyID}"): teams.rename_key,
    ("DELETE", "/api-keys/{apiKeyID}"): teams.delete_key,
    ("POST", "/access-tokens"): teams.create_access_token,
    ("DELETE", "/access-tokens/{accessTokenID}"): teams.delete_access_token,
    ("GET", "/nodes"): nodes.list_all,
    ("GET", "/nodes/{nodeID}"): nodes.detail,
    ("POST", "/nodes/{nodeID}"): nodes.update,
    ("POST", "/admin/teams/{teamID}/sandboxes/kill"): administration.kill_sandboxes,
    ("GET", "/admin/sandboxes/running-counts"): administration.running_counts,
    ("POST", "/admin/teams/{teamID}/builds/cancel"): administration.cancel_builds,
    ("POST", "/admin/teams/{teamID}/api-keys"): administration.create_key,
    ("DELETE", "/admin/teams/{teamID}/api-keys/{apiKeyID}"): administration.delete_key,
    ("GET", "/volumes"): volumes.list_all,
    ("POST", "/volumes"): volumes.create,
    ("GET", "/volumes/{volumeID}"): volumes.detail,
    ("DELETE", "/volumes/{volumeID}"): volumes.delete,
    ("GET", "/secrets"): secrets.list_page,
    ("POST", "/secrets"): secrets.create,
    ("GET", "/secrets/{secretID}"): secrets.detail,
    ("POST", "/secrets/{secretID}"): secrets.update,
    ("DELETE", "/secrets/{secretID}"): secrets.delete,
    ("GET", "/events/sandboxes"): events.list_all,
    ("GET", "/events/sandboxes/{sandboxID}"): events.list_of_sandbox,
    ("POST", "/events/webhooks"): webhooks.create,
    ("GET", "/events/webhooks"): webhooks.list_all,
    ("GET", "/events/webhooks/{webhookID}"): webhooks.detail,
    ("PATCH", "/events/webhooks/{webhookID}"): webhooks.update,
    ("DELETE", "/events/webhooks/{webhookID}"): webhooks.delete,
    ("GET", "/events/webhooks/{webhookID}/deliveries"): webhooks.deliveries,
    ("GET", "/events/webhooks/{webhookID}/stats"): webhooks.stats,
}
"""What is built; every other operation of the API is a gap."""


@dataclass(frozen=True, slots=True)
class _Operation:
    route: Route
    query: QueryReader[Shape] | None
    body: BodyReader[Shape] | None


class ControlPlane:
    """An ASGI app; see `control_plane_app`."""

    def __init__(self, backend: ControlBackend, volume_content: App | None) -> None:
        self._backend = backend
        self._authentication = Authentication(backend.teams, backend.accounts)
        self._volume_content = volume_content
        self._router = Router()
        self._endpoints = {(each.method, each.path): each for each in ENDPOINTS}
        self._operations: dict[tuple[str, str], _Operation] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        headers = read_headers(scope)
        if self._volume_content is not None and self._is_about_content(scope):
            await self._volume_content(scope, receive, cors.answering(send, headers))
            return
        body = Body(receive, headers)
        rate: list[Allowance] = []
        try:
            answer = await self._answer(scope, headers, body, rate.append)
            await body.drain()
        except ClientGoneError:
            return
        for allowance in rate:
            answer.headers += _rate_headers(allowance)
        if not cors.is_preflight(scope["method"], headers):
            answer.headers += cors.headers_for(headers)
            if secrets.is_about(_raw_path(scope)):
                answer.headers.append(secrets.NO_STORE)
        await send_answer(send, answer)

    def _is_about_content(self, scope: Scope) -> bool:
        path = _raw_path(scope)
        return path.startswith(VOLUME_CONTENT) and self._router.knows(scope["method"], path)

    async def _answer(
        self, scope: Scope, headers: Mapping[str, str], body: Body, note: NoteRate
    ) -> Answer:
        method: str = scope["method"]
        path = _raw_path(scope)
        if cors.is_preflight(method, headers):
            return cors.preflight()
        if path.endswith("/") and self._router.knows(method, path[:-1]):
            return _redirect(method, path[:-1], scope["query_string"])
        try:
            match = self._router.match(method, path)
            return await self._perform(match, scope, headers, body, note)
        except (ControlError, InvalidRequestError) as error:
            if secrets.is_about(path):
                return _refused(secrets.restated(error))
            if isinstance(error, InvalidRequestError):
                return _invalid(error)
            self._backend.fates.refused(error)
            if error.__cause__ is not None and not isinstance(error.__cause__, FakeE2BError):
                LOGGER.error("%s %s failed", method, path, exc_info=error.__cause__)
            return _refused(error)
        except GapError as error:
            gap = control_errors.render_gap(error)
            return Answer(
                gap.status,
                service_json.encode(gap.body),
                headers=[(GAP_HEADER, error.operation.encode())],
            )

    async def _perform(
        self,
        match: Match,
        scope: Scope,
        headers: Mapping[str, str],
        body: Body,
        note: NoteRate,
    ) -> Answer:
        named = match.operation
        if named.path == "/health":
            return Answer(200, b"Health check successful", TEXT)
        if named.path.startswith(VOLUME_CONTENT):
            raise GapError(named.name)  # nothing serves it here
        caller = self._authentication.caller(named, headers)
        operation = self._operation(named.method, named.path)
        if operation is None:
            if caller.team is not None:
                check_not_blocked(caller.team, named)
            raise GapError(named.name)
        query = None if operation.query is None else operation.query.read(scope["query_string"])
        content = None
        if operation.body is not None:
            data = await body.read()
            content_type = headers.get("content-type", "")
            if is_of_old_client(named.path, content_type):
                raise ControlError(ControlKind.DEPRECATED_CLIENT)
            content = operation.body.read(content_type, data)
        if caller.team is not None:
            allowance = self._backend.rates.take(caller.team, named.name)
            if allowance is not None:
                note(allowance)
            check_not_blocked(caller.team, named)
        return await operation.route(
            Call(self._backend, caller, match.parameters, headers, query, content)
        )

    def _operation(self, method: str, path: str) -> _Operation | None:
        """What serves an operation; readers are made when they are first needed."""
        key = (method, path)
        operation = self._operations.get(key)
        if operation is None and key in ROUTES:
            operation = _make_operation(ROUTES[key], self._endpoints[key])
            self._operations[key] = operation
        return operation


def _make_operation(route: Route, endpoint: Endpoint) -> _Operation:
    return _Operation(
        route,
        None if endpoint.query is None else QueryReader(endpoint.query),
        None
        if endpoint.body is None
        else BodyReader(
            endpoint.body,
            required=endpoint.body_required,
            typed_empty_is_eof=endpoint.typed_empty_is_eof,
        ),
    )


def _raw_path(scope: Scope) -> str:
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.partition(b"?")[0].decode("latin-1")


def _refused(error: ControlError) -> Answer:
    refusal = control_errors.render(error)
    if refusal.plain is not None:
        return Answer(refusal.status, refusal.plain.encode(), TEXT if refusal.plain else None)
    answer = Answer(refusal.status, service_json.encode(refusal.body))
    allowance = error.fields.get("allowance")
    if isinstance(allowance, Allowance):
        answer.headers += _rate_headers(allowance)
        answer.headers.append((b"retry-after", str(allowance.reset_s).encode()))
    elif refusal.status in control_errors.NO_RETRY:
        # The same request gets the same answer: clients that retry by themselves need not.
        answer.headers.append((b"should-retry", b"false"))
    return answer


def _rate_headers(left: Allowance) -> list[tuple[bytes, bytes]]:
    """What every answer says where a rate holds. Fact: control.limits.rate"""
    shown = {"limit": left.limit, "remaining": left.remaining, "reset": left.reset_s}
    return [(b"ratelimit-" + each.encode(), str(value).encode()) for each, value in shown.items()]


def _invalid(error: InvalidRequestError) -> Answer:
    encoded = service_json.encode({"code": 400, "message": error.message})
    return Answer(400, encoded, TEXT) if error.plain else Answer(400, encoded)


def _redirect(method: str, path: str, query_string: bytes) -> Answer:
    location = path.encode("latin-1") + (b"?" + query_string if query_string else b"")
    headers = [(b"location", location)]
    if method != "GET":
        return Answer(307, b"", TEXT, headers)
    link = b'<a href="' + location.replace(b"&", b"&amp;").replace(b'"', b"&#34;")
    page = link + b'">Moved Permanently</a>.\n\n'
    return Answer(301, page, b"text/html; charset=utf-8", headers)


def control_plane_app(backend: ControlBackend, volume_content: App | None = None) -> ControlPlane:
    """The control plane over one backend.

    Args:
        volume_content: Serves the content of volumes, which is asked for at the same host; without
            it that is a gap.
    """
    return ControlPlane(backend, volume_content)
