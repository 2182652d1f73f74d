from __future__ import annotations

import pytest

from fake_e2b.wire import forwarding
from fake_e2b.wire.host import Destination

TARGET = Destination("iabc", 3000)


def headers_for_the_service(*headers: tuple[bytes, bytes]) -> dict[bytes, bytes]:
    return dict(forwarding.request_headers(headers, host="h", masked_from=None))


@pytest.mark.parametrize(
    ("requested", "mask", "expected"),
    [
        ("3000-iabc.e2b.app", None, ("3000-iabc.e2b.app", None)),
        ("3000-iabc-6532622b.e2b.app", None, ("3000-iabc-6532622b.e2b.app", None)),
        ("sandbox.e2b.app:8443", None, ("3000-iabc.e2b.app", None)),
        ("localhost:9000", None, ("localhost:9000", None)),
        ("3000-iabc.e2b.app", "localhost:${PORT}", ("localhost:3000", "3000-iabc.e2b.app")),
        ("sandbox.e2b.app", "localhost:${PORT}", ("localhost:3000", "3000-iabc.e2b.app")),
    ],
)
def test_which_host_the_service_sees(
    requested: str, mask: str | None, expected: tuple[str, str | None]
) -> None:
    assert forwarding.seen_host(requested, TARGET, mask) == expected


def test_traces_of_the_client_are_removed() -> None:
    kept = headers_for_the_service(
        (b"forwarded", b"for=1.2.3.4"),
        (b"x-forwarded-for", b"1.2.3.4"),
        (b"x-forwarded-host", b"a"),
        (b"x-forwarded-proto", b"https"),
        (b"x-real-ip", b"1.2.3.4"),
    )
    assert kept == {b"Host": b"h", b"X-Real-Ip": b"1.2.3.4", b"Connection": b"close"}


def test_hop_by_hop_headers_stay_behind() -> None:
    kept = headers_for_the_service(
        (b"connection", b"keep-alive, X-Mine"),
        (b"keep-alive", b"timeout=5"),
        (b"proxy-authorization", b"x"),
        (b"proxy-connection", b"x"),
        (b"trailer", b"x"),
        (b"x-mine", b"x"),
        (b"upgrade", b"h2c"),
        (b"x-other", b"y"),
    )
    assert kept == {b"Host": b"h", b"X-Other": b"y", b"Connection": b"close"}


def test_tokens_cookies_and_routing_headers_reach_the_service() -> None:
    names = [
        b"e2b-sandbox-id", b"e2b-sandbox-port", b"e2b-traffic-access-token", b"x-access-token",
        b"authorization", b"cookie", b"user-agent", b"accept-encoding",
    ]  # fmt: skip
    kept = headers_for_the_service(*((name, b"v") for name in names))
    assert {name.lower() for name in kept} >= set(names)


def test_no_user_agent_is_invented() -> None:
    assert b"User-Agent" not in headers_for_the_service()


def test_te_is_kept_only_as_trailers() -> None:
    assert headers_for_the_service((b"te", b"gzip, trailers"))[b"Te"] == b"trailers"
    assert b"Te" not in headers_for_the_service((b"te", b"gzip"))


def test_an_upgrade_passes() -> None:
    kept = headers_for_the_service((b"connection", b"keep-alive, Upgrade"), (b"upgrade", b"any"))
    assert kept[b"Connection"] == b"Upgrade"
    assert kept[b"Upgrade"] == b"any"


def test_a_chunked_body_carries_no_length_as_well() -> None:
    kept = headers_for_the_service((b"transfer-encoding", b"chunked"), (b"content-length", b"5"))
    assert kept[b"Transfer-Encoding"] == b"chunked"
    assert b"Content-Length" not in kept


def test_a_mask_tells_the_service_the_host_that_was_asked() -> None:
    kept = forwarding.request_headers((), host="localhost:3000", masked_from="3000-iabc.e2b.app")
    assert (b"X-Forwarded-Host", b"3000-iabc.e2b.app") in kept


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ""),
        ("b=2&a=1&flag", "b=2&a=1&flag"),
        ("x=%20+%2B&&", "x=%20+%2B&&"),
        ("x=1;y=2&z=%zz", ""),
        ("b=2&x=1;y&a=%20+", "a=++&b=2"),
        ("a=1&%=2&a=0&flag", "a=1&a=0&flag="),
        ("a=%e4%zz&b=%E4", "b=%E4"),
        ("a=~_-.*%2", ""),
        ("c=~_-.*&d=%", "c=~_-.%2A"),
    ],
)
def test_only_broken_queries_are_rewritten(query: str, expected: str) -> None:
    assert forwarding.clean_query(query) == expected


def test_the_path_is_kept_to_the_byte() -> None:
    assert forwarding.target(b"/a%2Fb/../c//", b"q=1") == b"/a%2Fb/../c//?q=1"
