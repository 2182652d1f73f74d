"""The laws of refusal: every "no" has the service's shape, and names what it is about."""

from __future__ import annotations

from functools import partial

from e2b import Sandbox
from e2b.exceptions import AuthenticationException, SandboxException, SandboxNotFoundException
from hypothesis import strategies as st

from ..raw import is_error_shape, send
from ..refusal import refusal_of
from ..target import Target

UNKNOWN_IDS = st.from_regex(r"\Ai[a-z0-9]{20}\Z")
BY_ID = st.sampled_from(
    [
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/pause"),
        ("POST", "/resume"),
        ("POST", "/connect"),
        ("POST", "/timeout"),
        ("POST", "/refreshes"),
    ]
)
BODIES = st.sampled_from(
    [b"{", b"[]", b'"text"', b"null", b'{"timeout": "soon"}', b'{"timeout": -1}', b"\xff\xfe"]
)


def an_unknown_sandbox_is_not_found(
    target: Target, *, sandbox_id: str, operation: tuple[str, str]
) -> None:
    """404 with the error body, whatever is asked of it.

    Fact: control.errors.shape
    """
    method, suffix = operation
    body = b'{"timeout": 60}' if suffix in ("/connect", "/timeout", "/resume") else None
    path = f"/sandboxes/{sandbox_id}{suffix}"
    response = send(target, method, path, key=target.api_key, body=body)
    assert response.status_code == 404, response.text
    assert is_error_shape(response), response.text


def without_a_key_nothing_is_told(
    target: Target, *, sandbox_id: str, operation: tuple[str, str], key: str | None
) -> None:
    """401 comes before every other check, for a malformed request too.

    Fact: control.auth.first
    """
    method, suffix = operation
    body = None if method == "GET" else b"{"
    response = send(target, method, f"/sandboxes/{sandbox_id}{suffix}", key=key, body=body)
    assert response.status_code == 401, response.text
    assert is_error_shape(response), response.text


def a_malformed_body_is_refused(target: Target, *, path: str, body: bytes) -> None:
    """400 with the error body, and nothing is created.

    Fact: control.errors.shape
    """
    response = send(target, "POST", path, key=target.api_key, body=body)
    assert response.status_code == 400, response.text
    assert is_error_shape(response), response.text


def the_sdk_raises_its_own_types(target: Target, *, sandbox_id: str) -> None:
    """The Python SDK turns the refusals into the exceptions that its users catch.

    Fact: control.error.sdk-types
    """
    options = target.connection()
    assert Sandbox.kill(sandbox_id, **options) is False
    for operation in (Sandbox.get_info, Sandbox.pause, Sandbox.connect):
        refusal_of(SandboxNotFoundException, partial(operation, sandbox_id, **options))
    unknown = refusal_of(
        SandboxException, lambda: Sandbox.create("no-such-template-anywhere", **options)
    )
    assert str(unknown).startswith("404"), unknown
    wrong = options.copy()
    wrong["api_key"] = "e2b_" + "0" * 40
    refusal_of(AuthenticationException, lambda: Sandbox.get_info(sandbox_id, **wrong))
