"""The rules for per-domain header transforms: limits, names and placeholders.

Fact: control.network.rules
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.domain.placeholders import MalformedPlaceholderError, placeholders

MAX_DOMAINS = 10
MAX_DOMAIN_BYTES = 128
MAX_HEADERS = 20
MAX_HEADER_NAME = 64
MAX_HEADER_VALUE = 2048
MAX_SECRETS = 32
_DNS_NAME = re.compile(
    r"(\*\.)?[a-zA-Z0-9_][a-zA-Z0-9_-]{0,62}(\.[a-zA-Z0-9_][a-zA-Z0-9_-]{0,62})*[._]?"
)
_IPV4 = re.compile(r"[0-9]+(\.[0-9]+){3}")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FORBIDDEN_IN_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

Rules = Mapping[str, Sequence[Mapping[str, Any]]]


def _refuse(reason: str) -> ControlError:
    return ControlError(ControlKind.BAD_NETWORK, reason=reason)


def checked_rules(rules: Rules) -> dict[str, list[dict[str, Any]]]:
    """The rules with their domains in lower case.

    Raises:
        ControlError: BAD_NETWORK, with the first broken limit.
    """
    if len(rules) > MAX_DOMAINS:
        raise _refuse(f"Network rules can have at most {MAX_DOMAINS} domains.")
    for domain, entries in rules.items():
        _check_domain(domain)
        if len(entries) > 1:
            raise _refuse(f'Domain "{domain}" can have at most 1 transform rule.')
        secrets: set[str] = set()
        for entry in entries:
            headers: Mapping[str, str] = (entry.get("transform") or {}).get("headers") or {}
            if len(headers) > MAX_HEADERS:
                raise _refuse(f'Domain "{domain}" can have at most {MAX_HEADERS} headers per rule.')
            for name, value in headers.items():
                _check_header(domain, name, value)
                secrets |= _secrets_in(value)
        if len(secrets) > MAX_SECRETS:
            raise _refuse(f'Rule domain "{domain}" references more than {MAX_SECRETS} secrets.')
    return {domain.lower(): [dict(entry) for entry in rules[domain]] for domain in rules}


def _check_domain(domain: str) -> None:
    if not domain:
        raise _refuse("Rule domain must not be empty.")
    if len(domain.encode()) > MAX_DOMAIN_BYTES:
        raise _refuse(
            f'Rule domain "{domain}" exceeds maximum length of {MAX_DOMAIN_BYTES} characters.'
        )
    if not _DNS_NAME.fullmatch(domain) or _IPV4.fullmatch(domain):
        raise _refuse(f'Rule domain "{domain}" is not a valid domain name.')


def _check_header(domain: str, name: str, value: str) -> None:
    in_rule = f'in rule for domain "{domain}"'
    if not name:
        raise _refuse(f"Header name {in_rule} must not be empty.")
    if not _TOKEN.fullmatch(name):
        raise _refuse(
            f'Header name "{name}" {in_rule} must contain only valid HTTP token characters.'
        )
    if len(name) > MAX_HEADER_NAME:
        raise _refuse(
            f'Header name "{name}" {in_rule} exceeds maximum length of '
            f"{MAX_HEADER_NAME} characters."
        )
    if _FORBIDDEN_IN_VALUE.search(value):
        raise _refuse(f'Value for header "{name}" {in_rule} contains invalid characters.')
    if len(value.encode()) > MAX_HEADER_VALUE:
        raise _refuse(
            f'Value for header "{name}" {in_rule} exceeds maximum length of '
            f"{MAX_HEADER_VALUE} characters."
        )


def _secrets_in(value: str) -> set[str]:
    """Names of the secrets that a header's value asks for."""
    try:
        return {each.name for each in placeholders(value) if each.kind == "secrets"}
    except MalformedPlaceholderError:
        raise _refuse("Network transform header contains a malformed E2B placeholder.") from None


def rule_for(rules: Rules, host: str) -> Mapping[str, str]:
    """The headers that the rules set on requests to a host; sets of several rules never mix.

    Its own name comes before a wildcard, the longest wildcard before others; `*.x` means every
    name below `x` and not `x` itself. Fact: secrets.rules.precedence
    """
    host = host.lower().rstrip(".")
    wildcards = sorted((each for each in rules if each.startswith("*.")), key=len, reverse=True)
    fitting = [host, *(each for each in wildcards if host.endswith(each[1:]))]
    entries = next((rules[each] for each in fitting if each in rules), ())
    for entry in entries:
        headers: Mapping[str, str] = (entry.get("transform") or {}).get("headers") or {}
        return headers
    return {}
