from __future__ import annotations

import pytest

from fake_e2b.wire.host import (
    Destination,
    RoutingError,
    RoutingKind,
    from_headers,
    from_host,
    is_shared_gateway,
    split_port,
    to_host,
    uses_headers,
)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("3000-iabc.e2b.app", Destination("iabc", 3000)),
        ("49983-iabc-6532622b.e2b.app", Destination("iabc", 49983)),
        ("3000-iabc-x-y-z.anything.at.all", Destination("iabc", 3000)),
        ("3000-iabc.localhost", Destination("iabc", 3000)),
        ("0-iabc.e2b.app", Destination("iabc", 0)),
        ("99999-iabc.e2b.app", Destination("iabc", 99999)),
        ("0080-iabc.e2b.app", Destination("iabc", 80)),
        ("18446744073709551615-iabc.e2b.app", Destination("iabc", 2**64 - 1)),
        ("00000000000000000000080-iabc.e2b.app", Destination("iabc", 80)),
    ],
)
def test_a_host_names_sandbox_and_port(host: str, expected: Destination) -> None:
    assert from_host(host) == expected


@pytest.mark.parametrize(
    ("host", "kind"),
    [
        ("", RoutingKind.INVALID_HOST),
        ("e2b", RoutingKind.INVALID_HOST),
        ("3000-iabc", RoutingKind.INVALID_HOST),
        ("abc.e2b.app", RoutingKind.INVALID_HOST),
        ("80-.e2b.app", RoutingKind.INVALID_SANDBOX_ID),
        ("80-i_a.e2b.app", RoutingKind.INVALID_SANDBOX_ID),
        ("80-IABC.e2b.app", RoutingKind.INVALID_SANDBOX_ID),
        ("80-iäbc.e2b.app", RoutingKind.INVALID_SANDBOX_ID),
        ("80-iabc\n.e2b.app", RoutingKind.INVALID_SANDBOX_ID),
        ("-x.e2b.app", RoutingKind.INVALID_PORT),
        ("+80-iabc.e2b.app", RoutingKind.INVALID_PORT),
        ("8_0-iabc.e2b.app", RoutingKind.INVALID_PORT),
        ("٨٠-iabc.e2b.app", RoutingKind.INVALID_PORT),
        ("18446744073709551616-iabc.e2b.app", RoutingKind.INVALID_PORT),
        ("9" * 100_000 + "-iabc.e2b.app", RoutingKind.INVALID_PORT),
    ],
)
def test_other_hosts_are_refused(host: str, kind: RoutingKind) -> None:
    with pytest.raises(RoutingError) as refusal:
        from_host(host)
    assert refusal.value.kind is kind


@pytest.mark.parametrize(
    ("sandbox_id", "port", "kind"),
    [
        ("", "49983", RoutingKind.MISSING_HEADER),
        ("iabc", "", RoutingKind.MISSING_HEADER),
        ("abc-x", "49983", RoutingKind.INVALID_SANDBOX_ID),
        ("IABC", "49983", RoutingKind.INVALID_SANDBOX_ID),
        ("../x", "49983", RoutingKind.INVALID_SANDBOX_ID),
        ("iabc", "x", RoutingKind.INVALID_PORT),
        ("iabc", "-1", RoutingKind.INVALID_PORT),
        ("iabc", " 80", RoutingKind.INVALID_PORT),
    ],
)
def test_bad_routing_headers_are_refused(sandbox_id: str, port: str, kind: RoutingKind) -> None:
    with pytest.raises(RoutingError) as refusal:
        from_headers(sandbox_id, port)
    assert refusal.value.kind is kind


def test_routing_headers_name_sandbox_and_port() -> None:
    assert from_headers("iabc", "3000") == Destination("iabc", 3000)


def test_the_client_id_of_old_sdks_is_cut_off() -> None:
    assert from_headers("iabc-6532622b", "3000") == Destination("iabc", 3000)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("::1", True),
        ("8.8.8.8", True),
        ("sandbox.e2b.app", True),
        ("sandbox.", False),
        ("sandbox", False),
        ("Localhost", False),
        ("a.localhost", False),
        ("3000-iabc.e2b.app", False),
        ("", False),
    ],
)
def test_routing_headers_count_on_plain_hosts_only(name: str, expected: bool) -> None:
    assert uses_headers(name) is expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", ("localhost", "")),
        ("localhost:3000", ("localhost", "3000")),
        ("[::1]:3000", ("::1", "3000")),
        ("[::1]", ("::1", "")),
        ("::1", ("::1", "")),
        ("", ("", "")),
    ],
)
def test_the_port_is_split_from_a_host(host: str, expected: tuple[str, str]) -> None:
    assert split_port(host) == expected


def test_a_host_is_put_together_again() -> None:
    host = to_host(Destination("iabc", 3000), "e2b.localhost:8080")
    assert from_host(split_port(host)[0]) == Destination("iabc", 3000)
    assert not is_shared_gateway(host)
