from __future__ import annotations

import pytest

from fake_e2b.server.dispatch import Asked, Own, SignedFile, is_reserved, route
from fake_e2b.wire.host import Destination, RoutingError, RoutingKind

ID = "iabc"
TOKEN = "f" * 64
ENVD = Destination(ID, 49983)
INTERPRETER = Destination(ID, 49999)
SERVICE = Destination(ID, 3000)
BY_ID = {"e2b-sandbox-id": ID}
BY_HEADERS = {**BY_ID, "e2b-sandbox-port": "49983"}
TO_SERVICE = {**BY_ID, "e2b-sandbox-port": "3000"}
KEY = {"x-api-key": "e2b_00"}

PLAIN = ["127.0.0.1:4000", "localhost:4000", "[::1]:4000", "localhost"]


class OneSandbox:
    """An index in which one sandbox has a token and one signed URL."""

    def by_token(self, token: str) -> str | None:
        return ID if token == TOKEN else None

    def by_signature(self, signed: SignedFile) -> str | None:
        known = SignedFile("/home/user/a b.txt", "read", "user", "v1_+/x", 123)
        return ID if signed == known else None


def where(
    path: str,
    headers: dict[str, str] | None = None,
    *,
    host: str = "127.0.0.1:4000",
    method: str = "GET",
    query: str = "",
    any_host: bool = False,
    domain: str = "localhost",
) -> Own | Destination | RoutingKind:
    """Where a request goes, or the kind of its refusal."""
    asked = Asked(method, path, query, {"host": host, **(headers or {})})
    try:
        return route(asked, OneSandbox(), any_host=any_host, domain=domain)
    except RoutingError as refusal:
        return RoutingKind(refusal.kind)


@pytest.mark.parametrize("host", PLAIN)
@pytest.mark.parametrize(
    ("path", "headers", "expected"),
    [
        ("/sandboxes", {}, Own.CONTROL),
        ("/v2/sandboxes", {}, Own.CONTROL),
        ("/v3/templates", KEY, Own.CONTROL),
        ("/health", {}, Own.CONTROL),
        ("/health", KEY, Own.CONTROL),
        ("/nowhere", {}, Own.CONTROL),
        ("/nowhere", KEY, Own.CONTROL),
        ("/instances", {}, Own.CONTROL),
        ("/envs/x", {}, Own.CONTROL),
        # Some SDKs send a sandbox's routing headers to the control plane.
        ("/sandboxes", BY_ID, Own.CONTROL),
        ("/sandboxes/iabc/pause", BY_HEADERS, Own.CONTROL),
        ("/sandboxes/iabc", {**BY_ID, "e2b-sandbox-port": "49999"}, Own.CONTROL),
        # A service in the sandbox may have such paths, too.
        ("/sandboxes", TO_SERVICE, SERVICE),
        ("/health", BY_HEADERS, ENVD),
        ("/health", {"x-access-token": TOKEN}, ENVD),
        ("/files", BY_HEADERS, ENVD),
        ("/process.Process/Start", BY_HEADERS, ENVD),
        ("/anything", TO_SERVICE, SERVICE),
        ("/health", BY_ID, RoutingKind.MISSING_HEADER),
        ("/x", BY_ID, RoutingKind.MISSING_HEADER),
        ("/x", {"e2b-sandbox-port": "3000"}, RoutingKind.MISSING_HEADER),
        ("/", {}, RoutingKind.INVALID_HOST),
        ("/files", {}, RoutingKind.INVALID_HOST),
        ("/envs", {}, RoutingKind.INVALID_HOST),
        ("/process.Process/Start", {}, RoutingKind.INVALID_HOST),
        ("/execute", {}, RoutingKind.INVALID_HOST),
        ("/_fake/state", {}, Own.ADMIN),
        ("/_fake", {}, Own.ADMIN),
        ("/_fake/state", BY_HEADERS, Own.ADMIN),
        # Handles of older SDKs carry nothing but the token.
        ("/files", {"x-access-token": TOKEN}, ENVD),
        ("/metrics", {"x-access-token": TOKEN}, ENVD),
        ("/filesystem.Filesystem/Stat", {"x-access-token": TOKEN}, ENVD),
        ("/execute", {"x-access-token": TOKEN}, INTERPRETER),
        ("/contexts/1/restart", {"x-access-token": TOKEN}, INTERPRETER),
        ("/files", {"x-access-token": "0" * 64}, RoutingKind.INVALID_HOST),
        ("/files", {"x-access-token": "' or 1"}, RoutingKind.INVALID_HOST),
        ("/", {"x-access-token": TOKEN}, RoutingKind.INVALID_HOST),
    ],
)
def test_on_a_plain_host_the_path_decides_first(
    host: str, path: str, headers: dict[str, str], expected: object
) -> None:
    assert where(path, headers, host=host) == expected


@pytest.mark.parametrize("path", ["/", "/sandboxes", "/health", "/_fake/state"])
@pytest.mark.parametrize("headers", [{}, TO_SERVICE, {"e2b-sandbox-id": "other"}, KEY])
def test_a_sandboxes_host_name_leads_nowhere_else(path: str, headers: dict[str, str]) -> None:
    assert where(path, headers, host=f"3000-{ID}.e2b.localhost:4000") == SERVICE


@pytest.mark.parametrize(
    ("path", "headers", "expected"),
    [
        ("/files", BY_HEADERS, ENVD),
        ("/sandboxes", BY_HEADERS, ENVD),
        ("/health", {}, RoutingKind.INVALID_HOST),
        ("/sandboxes", KEY, RoutingKind.INVALID_HOST),
        ("/_fake/state", {}, RoutingKind.INVALID_HOST),
        ("/", BY_ID, RoutingKind.MISSING_HEADER),
    ],
)
def test_the_shared_gateway_serves_sandboxes_only(
    path: str, headers: dict[str, str], expected: object
) -> None:
    assert where(path, headers, host="sandbox.e2b.localhost:4000") == expected


@pytest.mark.parametrize("host", ["e2b.localhost", "fake.localhost:4000", "fake"])
def test_other_names_of_this_machine_have_control_plane_and_pages(host: str) -> None:
    assert where("/sandboxes", host=host) is Own.CONTROL
    assert where("/_fake/state", host=host) is Own.ADMIN
    assert where("/files", BY_HEADERS, host=host) is RoutingKind.INVALID_HOST


@pytest.mark.parametrize("host", ["api.e2b.localhost:4000", "api.fake.test", "api.localhost"])
def test_the_api_has_a_name_of_its_own(host: str) -> None:
    for path in ("/sandboxes", "/health", "/files", "/nowhere", "/"):
        for headers in ({}, KEY, BY_HEADERS, TO_SERVICE, {"x-access-token": TOKEN}):
            assert where(path, headers, host=host) is Own.CONTROL
    assert where("/_fake/state", host=host, domain="fake.test") is Own.ADMIN


def test_the_fakes_own_domain_is_a_name_of_this_machine() -> None:
    for host in ("fake.test:4000", "any.fake.test"):
        assert where("/_fake/state", host=host, domain="fake.test") is Own.ADMIN
        assert where("/_fake/state", host=host) is RoutingKind.INVALID_HOST
    assert where("/_fake/state", host="api.fake.test") is Own.CONTROL
    assert where("/_fake/state", host="notfake.test", domain="fake.test") is not Own.ADMIN


@pytest.mark.parametrize("host", ["evil.example", "rebound.example:4000"])
def test_a_foreign_name_does_not_open_pages_that_need_no_key(host: str) -> None:
    assert where("/_fake/reset", host=host) is RoutingKind.INVALID_HOST
    assert where("/sandboxes", KEY, host=host) is Own.CONTROL
    assert where("/files", BY_HEADERS, host=host) is RoutingKind.INVALID_HOST
    assert where("/", host=host) is RoutingKind.INVALID_HOST


def test_a_fake_that_listens_wider_takes_routing_headers_on_any_name() -> None:
    assert where("/files", BY_HEADERS, host="fake:4000", any_host=True) == ENVD
    assert where("/files", BY_HEADERS, host="fake.compose.test", any_host=True) == ENVD


@pytest.mark.parametrize(
    ("host", "kind"),
    [
        ("80-.e2b.app", RoutingKind.INVALID_SANDBOX_ID),
        ("80-IABC.e2b.app", RoutingKind.INVALID_SANDBOX_ID),
        ("+80-iabc.e2b.app", RoutingKind.INVALID_PORT),
        ("-iabc.e2b.app", RoutingKind.INVALID_PORT),
        ("", RoutingKind.INVALID_HOST),
    ],
)
def test_a_broken_host_name_is_refused(host: str, kind: RoutingKind) -> None:
    assert where("/", host=host) is kind


SIGNED = "path=%2Fhome%2Fuser%2Fa+b.txt&username=user&signature=v1_%2B%2Fx"


def test_a_signed_file_is_found_by_its_signature() -> None:
    assert where("/files", query=f"{SIGNED}&signature_expiration=123") == ENVD


@pytest.mark.parametrize(
    "query",
    [
        SIGNED,
        f"{SIGNED}&signature_expiration=124",
        f"{SIGNED}&signature_expiration=" + "9" * 5000,
        "signature=",
        "signature=%ff%fe&path=%00",
    ],
)
def test_a_signature_that_fits_no_sandbox_is_refused_as_envd_does(query: str) -> None:
    assert where("/files", query=query) is Own.NO_SIGNER


def test_a_signature_counts_for_its_direction_only() -> None:
    query = f"{SIGNED}&signature_expiration=123"
    assert where("/files", query=query, method="POST") is Own.NO_SIGNER


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/init", True),
        ("/init/", True),
        ("//init", True),
        ("///upgrade", True),
        ("/files/../init", True),
        ("/./freeze", True),
        ("/collapse", True),
        ("/initial", False),
        ("/files", False),
        ("/x/init", False),
        ("/", False),
    ],
)
def test_reserved_paths_are_known_in_every_spelling(path: str, expected: bool) -> None:
    assert is_reserved(path) is expected
