"""Asks a server over plain HTTP: the fake's own pages, and what a story fetches without an SDK."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from fake_e2b.domain.errors import FakeE2BError

_TIMEOUT_S = 120.0


class UnreachableError(FakeE2BError):
    """Nothing answered; the text says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever its status."""

    status: int
    text: str

    def json(self) -> Any:
        """Its body as JSON; None where it is none."""
        try:
            return json.loads(self.text)
        except ValueError:
            return None


def ask(
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    timeout_s: float = _TIMEOUT_S,
) -> Answer:
    """Ask once, past any proxy; redirects are not followed.

    Raises:
        UnreachableError: There was no answer.
    """
    try:
        request = Request(url, data=body, headers=dict(headers or {}), method=method)
        opener = build_opener(ProxyHandler({}), _NoRedirects())
        with opener.open(request, timeout=timeout_s) as answer:
            return Answer(answer.status, answer.read().decode("utf-8", "replace"))
    except HTTPError as error:
        with error:
            return Answer(error.code, error.read().decode("utf-8", "replace"))
    except (URLError, HTTPException, OSError, ValueError) as error:
        raise UnreachableError(f"{url}: {getattr(error, 'reason', error)}") from error


class Connection:
    """Asks one server many times over one connection; a context manager."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._connection = kind(parts.netloc, timeout=_TIMEOUT_S)

    def ask(self, method: str, path: str, headers: Mapping[str, str], body: str) -> Answer:
        """Ask once.

        Raises:
            UnreachableError: There was no answer.
        """
        try:
            self._connection.request(method, path, body.encode(), dict(headers))
            answer = self._connection.getresponse()
            return Answer(answer.status, answer.read().decode("utf-8", "replace"))
        except (HTTPException, OSError) as error:
            raise UnreachableError(f"{path}: {error}") from error

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *exc: object) -> None:
        self._connection.close()


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None
