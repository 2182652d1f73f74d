"""Tells apart what arrives at the one port: control plane, the fake's own pages, a sandbox.

On the real service the planes have host names of their own. Here one address may stand for all of
them, so on plain hosts (`localhost`, IP addresses) the path decides first; host names that name a
sandbox or ``sandbox.<domain>`` follow the real proxy's rules and nothing else.

The fake's own leniencies, each marked ``fake.`` in the facts:

- some SDKs send the routing headers of a sandbox's envd with control-plane calls: on a plain host
  a control-plane path goes to the control plane (`fake.dispatch.path-first`);
- signed file URLs made with one `E2B_SANDBOX_URL` name no sandbox: the signature finds it
  (`fake.dispatch.by-signature`), and one that fits none gets envd's own refusal;
- handles of older SDKs carry only `X-Access-Token`: the token finds it
  (`fake.dispatch.by-token`);
- the constant client ID behind a sandbox ID is cut off (`fake.proxy.client-id-tolerated`).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Literal, Protocol
from urllib.parse import parse_qs

from fake_e2b.domain.operations import OPERATIONS, Plane
from fake_e2b.wire.host import (
    ENVD_PORT,
    INTERPRETER_PORT,
    Destination,
    RoutingError,
    RoutingKind,
    from_headers,
    from_host,
    is_shared_gateway,
    split_port,
    uses_headers,
)

Operation = Literal["read", "write"]

_CONTROL_ROOTS = frozenset(
    operation.path.split("/")[1] for operation in OPERATIONS if operation.plane is Plane.CONTROL
) - {"health"} | {"envs", "instances", "v1"}
"""First segments of control-plane paths, the retired ones included.

`/health` is shared with envd and decided apart.
"""

_ENVD_PATHS = frozenset({"/envs", "/files", "/files/compose", "/health", "/init", "/metrics"})
_ENVD_SERVICES = ("/process.Process/", "/filesystem.Filesystem/")
_INTERPRETER_ROOTS = frozenset({"contexts", "execute"})
_EXPIRATION = re.compile(r"-?[0-9]{1,19}")
_RESERVED = frozenset(
    {"/init", "/freeze", "/unfreeze", "/fsfreeze", "/fsthaw", "/collapse", "/upgrade"}
)


class Own(Enum):
    """Destinations that are no sandbox."""

    CONTROL = "control plane"
    ADMIN = "the fake's own pages"
    NO_SIGNER = "a signed file URL that no sandbox signed"


@dataclass(frozen=True, slots=True)
class SignedFile:
    """What a signed file URL says about itself; the sandbox is to be found by the signature."""

    path: str
    operation: Operation
    username: str
    signature: str
    expiration: int | None


class Index(Protocol):
    """Finds running and paused sandboxes by what their clients hold."""

    def by_token(self, token: str) -> str | None: ...
    def by_signature(self, signed: SignedFile) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """The parts of a request that decide where it goes. Header names are lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]


def is_envd_path(path: str) -> bool:
    """Whether envd serves the path."""
    return path in _ENVD_PATHS or path.startswith(_ENVD_SERVICES)


def is_reserved(path: str) -> bool:
    """Whether the proxy keeps the envd path to itself, however it is spelled.

    Fact: proxy.envd.reserved-paths
    """
    return "/" + posixpath.normpath(path).lstrip("/") in _RESERVED


def _root_of(path: str) -> str:
    return path.lstrip("/").partition("/")[0]


def _is_control_path(path: str) -> bool:
    # `/envs` is envd's own path; below it lie retired control-plane paths.
    return _root_of(path) in _CONTROL_ROOTS and path != "/envs"


def _signed_file(asked: Asked) -> SignedFile | None:
    if asked.path != "/files" or "signature" not in asked.query:
        return None
    # The same reading of the bytes as in the signature itself.
    values = parse_qs(asked.query, keep_blank_values=True, errors="surrogateescape")
    query = {name: value[0] for name, value in values.items()}
    if "signature" not in query:
        return None
    expiration = query.get("signature_expiration", "")
    return SignedFile(
        path=query.get("path", ""),
        operation="write" if asked.method == "POST" else "read",
        username=query.get("username", ""),
        signature=query["signature"],
        expiration=int(expiration) if _EXPIRATION.fullmatch(expiration) else None,
    )


def route(
    asked: Asked, index: Index, *, any_host: bool = False, domain: str = "localhost"
) -> Own | Destination:
    """Where a request goes.

    ``api.<anything>`` is the control plane by its name, as on the real service: there the SDKs of
    every age send what is meant for it, whatever headers they add. Fact: fake.domain.api

    Args:
        any_host: Routing headers count on every host that names no sandbox. Off as on the real
            proxy; on for a fake that listens beyond loopback, where it goes by names such as a
            container's.
        domain: The fake's own; its names are trusted as those below ``localhost`` are.

    Raises:
        RoutingError: It names neither a plane nor a sandbox.
    """
    name, _ = split_port(asked.headers.get("host", ""))
    if is_shared_gateway(name):
        return _by_headers(asked, index)
    if uses_headers(name):
        return _on_plain_host(asked, index)
    trusted = any_host or "." not in name or _is_below(name, "localhost") or _is_below(name, domain)
    if name.startswith("api."):
        # Pages that need no key stay out of the reach of a foreign name that points here.
        is_admin = _root_of(asked.path) == "_fake"
        return Own.ADMIN if is_admin and trusted else Own.CONTROL
    try:
        return from_host(name)
    except RoutingError as refusal:
        if refusal.kind is not RoutingKind.INVALID_HOST:
            raise
        # Any other name of this machine.
        plane = _on_plain_host(asked, index) if trusted else _plane_of(asked)
        if isinstance(plane, Destination) and not any_host:
            raise
        if plane is None or (plane is Own.ADMIN and not trusted):
            raise
        return plane


def _is_below(name: str, domain: str) -> bool:
    return name == domain or name.endswith(f".{domain}")


def _plane_of(asked: Asked) -> Own | None:
    """The plane that a path belongs to by itself."""
    if _root_of(asked.path) == "_fake":
        return Own.ADMIN
    port = asked.headers.get("e2b-sandbox-port", "")
    if _is_control_path(asked.path) and port in ("", str(ENVD_PORT), str(INTERPRETER_PORT)):
        return Own.CONTROL
    names_sandbox = any(
        asked.headers.get(name) for name in ("e2b-sandbox-id", "e2b-sandbox-port", "x-access-token")
    )
    if asked.path == "/health" and not names_sandbox:
        return Own.CONTROL
    return None


def _on_plain_host(asked: Asked, index: Index) -> Own | Destination:
    plane = _plane_of(asked)
    if plane is not None:
        return plane
    try:
        return _by_headers(asked, index)
    except RoutingError as refusal:
        if refusal.kind is not RoutingKind.INVALID_HOST:
            raise
        has_key = "x-api-key" in asked.headers or "authorization" in asked.headers
        ours = is_envd_path(asked.path) or _root_of(asked.path) in (*_INTERPRETER_ROOTS, "")
        if ours and not has_key:
            raise
        # The control plane has its own answer for paths it does not know.
        return Own.CONTROL


def _by_headers(asked: Asked, index: Index) -> Own | Destination:
    sandbox_id = asked.headers.get("e2b-sandbox-id", "")
    port = asked.headers.get("e2b-sandbox-port", "")
    if sandbox_id or port:
        return from_headers(sandbox_id, port)
    token = asked.headers.get("x-access-token", "")
    in_interpreter = _root_of(asked.path) in _INTERPRETER_ROOTS
    if token and (in_interpreter or is_envd_path(asked.path)):
        found = index.by_token(token)
        if found is not None:
            return Destination(found, INTERPRETER_PORT if in_interpreter else ENVD_PORT)
    signed = _signed_file(asked)
    if signed is not None:
        found = index.by_signature(signed)
        return Own.NO_SIGNER if found is None else Destination(found, ENVD_PORT)
    raise RoutingError(RoutingKind.INVALID_HOST)
