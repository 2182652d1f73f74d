"""The answers that belong to no plane: gaps, failures of the fake itself, what is not HTTP."""

from __future__ import annotations

from starlette.responses import JSONResponse, PlainTextResponse, Response

from fake_e2b.domain.control_errors import ProxyError
from fake_e2b.domain.errors import GapError
from fake_e2b.domain.steering.match import PredicateFailedError
from fake_e2b.wire.host import RoutingError
from fake_e2b.wire.http_status import phrase
from fake_e2b.wire.proxy_errors import render

GAP_HEADER = "X-Fake-E2B-Gap"


def gap(error: GapError) -> Response:
    """501: the real service can, the fake cannot; `code` and `message` as in the API's errors."""
    body = {"code": 501, "message": str(error)}
    return JSONResponse(body, 501, headers={GAP_HEADER: error.operation})


def unforeseen(error: Exception) -> Response:
    """500 that names the fake, so that nobody takes it for the service's; never a traceback.

    Or a rule's predicate, where it was that which failed.
    """
    text = f"fake-e2b failed, this is a bug in the fake: {type(error).__name__}: {error}"
    if isinstance(error, PredicateFailedError):
        text = f"fake-e2b: where= of a fault rule failed, this is a bug in the test: {error}"
    return JSONResponse({"code": 500, "message": text}, 500)


def refused(error: ProxyError | RoutingError, headers: dict[str, str]) -> Response:
    """A refusal of the sandbox proxy, as text, JSON or page."""
    answer = render(error, headers)
    response = Response(answer.body, answer.status)
    response.raw_headers = [
        (name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers
    ]
    return response


def over_rate(body: bytes, retry_after_s: int) -> Response:
    """429 to whoever reaches into sandboxes too fast. Fact: control.plans"""
    response = Response(body, 429, media_type="application/json")
    response.headers["retry-after"] = str(retry_after_s)
    return response


def no_signer() -> Response:
    """Whichever sandbox was meant, this is what its envd says to a signature not its own."""
    response = Response(b'{"code":401,"message":"invalid signature"}\n', 401)
    response.headers["content-type"] = "application/json; charset=utf-8"
    response.headers["x-content-type-options"] = "nosniff"
    return response


def malformed(status: int, detail: str) -> Response:
    """What the service's HTTP library says to a request that is none."""
    line = f"{status} {phrase(status).decode()}"
    text = f"{line}: {detail}" if detail else line
    return PlainTextResponse(text, status, headers={"connection": "close"})
