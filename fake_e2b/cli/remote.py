"""Asks a fake that runs, over its own pages; says what is wrong when none answers."""

from __future__ import annotations

import argparse
import json
import os
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, Request, build_opener

from fake_e2b.cli.options import DEFAULT_PORT, require
from fake_e2b.domain.errors import UsageError

_TIMEOUT_S = 10


def add_where(parser: argparse.ArgumentParser) -> None:
    """Add the option that `running_fake` reads."""
    parser.add_argument(
        "--url",
        help="the running fake's address (default: E2B_API_URL, else "
        f"http://127.0.0.1:{DEFAULT_PORT})",
    )


def running_fake(arguments: argparse.Namespace) -> str:
    """The URL of a fake that answers.

    Nothing of a file goes anywhere else: whoever has the real service's URL in the environment
    must not send it secrets.

    Raises:
        UsageError: Nothing answers there, or something that is no fake-e2b.
    """
    given = arguments.url or os.environ.get("E2B_API_URL") or f"http://127.0.0.1:{DEFAULT_PORT}"
    url = checked_url(given)
    status, health = ask(url, "/_fake/health")
    if status != 200 or not isinstance(health, dict) or "version" not in health:
        raise UsageError(f"what answers at {url} is no fake-e2b (status {status})")
    return url


def checked_url(text: str) -> str:
    """A URL from the command line, without a slash at the end.

    Raises:
        UsageError: It is none.
    """
    url = text.rstrip("/")
    parts = urlsplit(url)
    require(
        parts.scheme in ("http", "https") and parts.netloc,
        f"'{url}' is no URL: use --url http://HOST:PORT",
    )
    return url


def ask(
    url: str, path: str, body: object = None, *, timeout_s: float | None = _TIMEOUT_S
) -> tuple[int, Any]:
    """Status and JSON of an answer; a body is sent with POST.

    Raises:
        UsageError: Nothing answers there, or something that speaks no HTTP or sends no JSON.
    """
    data = None if body is None else json.dumps(body).encode()
    request = Request(f"{url}{path}", data, {"Content-Type": "application/json"})
    try:
        with build_opener(ProxyHandler({})).open(request, timeout=timeout_s) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        with error:
            try:
                return error.code, json.load(error)
            except ValueError:
                return error.code, None
    except (URLError, OSError) as error:  # RemoteDisconnected is one, and an HTTPException
        reason = getattr(error, "reason", error)
        raise UsageError(
            f"nothing answers at {url} ({reason}); start it with: fake-e2b serve --port "
            f"{urlsplit(url).port or DEFAULT_PORT}"
        ) from error
    except HTTPException as error:
        raise UsageError(f"what answers at {url} is no fake-e2b (it speaks no HTTP)") from error
    except ValueError as error:
        raise UsageError(f"what answers at {url} is no fake-e2b (it sent no JSON)") from error
