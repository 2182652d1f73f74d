"""What may stand in a network object."""

from __future__ import annotations

from typing import Any

import pytest

from fake_e2b.domain.control_errors import ControlError
from fake_e2b.domain.network import (
    check_egress,
    check_ingress,
    checked_egress_proxy,
    shown,
    without_empty,
)
from fake_e2b.domain.network_rules import checked_rules


def reason(error: ControlError) -> object:
    return error.fields["reason"]


@pytest.mark.parametrize(
    "network",
    [
        {},
        {"allowOut": ["8.8.8.8", "10.0.0.0/8", "2001:db8::1"]},
        {"denyOut": ["0.0.0.0/0"], "allowOut": ["*.example.com", "*", "not a name"]},
        {"denyOut": ["fe80::/10"]},
        {"dnsServers": ["1.1.1.1"] * 10},
    ],
)
def test_lists_that_are_fine(network: dict[str, Any]) -> None:
    check_egress(network)


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        ({"denyOut": ["0.0.0.0/8"]}, "invalid denied CIDR 0.0.0.0/8"),
        ({"denyOut": ["::/0"]}, "invalid denied CIDR ::/0"),
        ({"denyOut": ["10.0.0.0/255.0.0.0"]}, "invalid denied CIDR 10.0.0.0/255.0.0.0"),
        ({"denyOut": ["1.2.3.4/33"]}, "invalid denied CIDR 1.2.3.4/33"),
        ({"denyOut": ["fe80::1%eth0"]}, "invalid denied CIDR fe80::1%eth0"),
        ({"allowOut": ["0.0.0.0"]}, "invalid allowed address 0.0.0.0"),
        ({"dnsServers": ["::1"]}, "invalid DNS server ::1"),
        ({"dnsServers": ["dns.test"]}, "invalid DNS server dns.test"),
        ({"dnsServers": ["1.1.1.1"] * 11}, "DNS servers can have at most 10 entries."),
    ],
)
def test_lists_that_are_not(network: dict[str, Any], expected: str) -> None:
    with pytest.raises(ControlError) as refused:
        check_egress(network)
    assert reason(refused.value) == expected


@pytest.mark.parametrize("port", [0, 65536, 49983])
def test_ports_that_cannot_speak_https(port: int) -> None:
    with pytest.raises(ControlError):
        check_ingress({"httpsPorts": [443, port]})


@pytest.mark.parametrize(
    ("proxy", "expected"),
    [
        ({"address": ""}, "egress proxy address must not be empty"),
        (
            {"address": "proxy.test"},
            "egress proxy address must be in host:port form: address proxy.test: missing port in "
            "address",
        ),
        (
            {"address": "a:b:1"},
            "egress proxy address must be in host:port form: address a:b:1: too many colons in "
            "address",
        ),
        (
            {"address": "[::1"},
            "egress proxy address must be in host:port form: address [::1: missing ']' in address",
        ),
        ({"address": ":80"}, "egress proxy host must not be empty"),
        ({"address": "p.test:x"}, 'egress proxy port "x" is not a valid 1-65535 value'),
        ({"address": "p.test:65536"}, 'egress proxy port "65536" is not a valid 1-65535 value'),
        (
            {"address": "10.1.2.3:80"},
            "egress proxy endpoint resolves to an internal / denied IP range: 10.1.2.3 resolves "
            "to 10.1.2.3",
        ),
        (
            {"address": "100.64.0.1:80"},
            "egress proxy endpoint resolves to an internal / denied IP range: 100.64.0.1 resolves "
            "to 100.64.0.1",
        ),
        (
            {"address": "LocalHost:80"},
            "egress proxy endpoint resolves to an internal / denied IP range: LocalHost resolves "
            "to 127.0.0.1",
        ),
        (
            {"address": "p.test:80", "password": "x"},
            "egress proxy password must be empty when username is empty",
        ),
        (
            {"address": "p.test:80", "username": "ü" * 128},
            "egress proxy username exceeds 255 bytes",
        ),
    ],
)
def test_egress_proxies_that_are_refused(proxy: dict[str, str], expected: str) -> None:
    with pytest.raises(ControlError) as refused:
        checked_egress_proxy(proxy)
    assert reason(refused.value) == expected


def test_a_proxys_secrets_are_kept_and_not_shown() -> None:
    given = {
        "address": "P.test:80",
        "username": "u",
        "password": "p",
        "tls": {"enabled": True, "serverName": "s", "caCert": "c"},
    }
    kept = {"egressProxy": checked_egress_proxy(given)}
    assert kept["egressProxy"] == given | {"address": "p.test:80"}
    assert shown(kept) == {
        "egressProxy": {
            "address": "p.test:80",
            "username": "u",
            "tls": {"enabled": True, "serverName": "s"},
        }
    }


def test_empty_lists_and_rules_vanish() -> None:
    network = {"allowOut": [], "rules": {}, "dnsServers": [], "egressProxy": None}
    assert without_empty(network) == {"dnsServers": []}


def rule(**headers: str) -> list[dict[str, Any]]:
    return [{"transform": {"headers": headers}}]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({f"d{at}.test": [] for at in range(11)}, "Network rules can have at most 10 domains."),
        ({"": []}, "Rule domain must not be empty."),
        (
            {"a" * 129: []},
            f'Rule domain "{"a" * 129}" exceeds maximum length of 128 characters.',
        ),
        ({"*": []}, 'Rule domain "*" is not a valid domain name.'),
        ({"1.2.3.4": []}, 'Rule domain "1.2.3.4" is not a valid domain name.'),
        ({"a.test": [{}, {}]}, 'Domain "a.test" can have at most 1 transform rule.'),
        (
            {"a.test": rule(**{f"h{at}": "" for at in range(21)})},
            'Domain "a.test" can have at most 20 headers per rule.',
        ),
        (
            {"a.test": rule(**{"": "x"})},
            'Header name in rule for domain "a.test" must not be empty.',
        ),
        (
            {"a.test": rule(**{"h" * 65: "x"})},
            f'Header name "{"h" * 65}" in rule for domain "a.test" exceeds maximum length of 64 '
            "characters.",
        ),
        (
            {"a.test": rule(h="a\nb")},
            'Value for header "h" in rule for domain "a.test" contains invalid characters.',
        ),
        (
            {"a.test": rule(h="x" * 2049)},
            'Value for header "h" in rule for domain "a.test" exceeds maximum length of 2048 '
            "characters.",
        ),
        (
            {
                "a.test": rule(
                    a="".join(f"${{e2b.secrets.s{at}}}" for at in range(20)),
                    b="".join(f"${{e2b.secrets.t{at}}}" for at in range(13)),
                )
            },
            'Rule domain "a.test" references more than 32 secrets.',
        ),
    ],
)
def test_rules_that_are_refused(rules: dict[str, Any], expected: str) -> None:
    with pytest.raises(ControlError) as refused:
        checked_rules(rules)
    assert reason(refused.value) == expected


@pytest.mark.parametrize(
    "value",
    [
        "${e2b.secrets.a",
        "${e2b.secrets.}",
        "${e2b.secrets. }",
        "${e2b.secrets.${e2b.secrets.a}}",
        "${e2b.secrets.sec_1}",
        "${e2b.secrets.a b}",
        "${e2b.identity.tokens.}",
        "${e2b.identity.tokens.x",
    ],
)
def test_malformed_placeholders(value: str) -> None:
    with pytest.raises(ControlError, match="malformed"):
        checked_rules({"a.test": rule(h=value)})


@pytest.mark.parametrize(
    "value",
    [
        "plain",
        "${other}",
        "${e2b.unknown.x",
        "a${e2b.secrets. KEY }b",
        "${e2b.identity.tokens.a b}",
    ],
)
def test_placeholders_that_are_fine(value: str) -> None:
    rules = {"*.A.test": rule(h=value)}
    assert checked_rules(rules) == {"*.a.test": rules["*.A.test"]}
