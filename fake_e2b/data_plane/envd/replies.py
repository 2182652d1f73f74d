"""The forms that envd's plain HTTP routes answer in."""

from __future__ import annotations

from fake_e2b.data_plane.asgi import Headers, Send, answer
from fake_e2b.domain.envd_errors import EnvdError
from fake_e2b.wire.envd_errors import http_answer
from fake_e2b.wire.go_json import go_json

NO_SNIFF = (b"x-content-type-options", b"nosniff")
NO_STORE = (b"cache-control", b"no-store")
_JSON = (b"content-type", b"application/json")
_JSON_ERROR = (b"content-type", b"application/json; charset=utf-8")
_TEXT = (b"content-type", b"text/plain; charset=utf-8")


async def answer_error(send: Send, error: EnvdError, headers: Headers | None = None) -> None:
    """A refusal: status and message in JSON. Fact: envd.http.errors"""
    status, message = http_answer(error)
    body = go_json({"code": status, "message": message}) + b"\n"
    await answer(send, status, [*(headers or []), _JSON_ERROR, NO_SNIFF], body)


async def answer_text(send: Send, status: int, text: str, headers: Headers | None = None) -> None:
    """A refusal in plain text, closed by a line end."""
    body = text.encode(errors="replace") + b"\n"
    await answer(send, status, [*(headers or []), _TEXT, NO_SNIFF], body)


async def answer_json(send: Send, value: object, headers: Headers | None = None) -> None:
    """200 and a value, closed by a line end."""
    await answer(send, 200, [*(headers or []), _JSON], go_json(value) + b"\n")
