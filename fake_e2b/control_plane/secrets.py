"""Secrets: their routes, and what sets these apart: no store keeps an answer, no text a cause."""

from __future__ import annotations

from fake_e2b.control_plane.call import Call, json_answer, no_content
from fake_e2b.control_plane.http import Answer
from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.wire import render_storage, rest_storage
from fake_e2b.wire.control_errors import as_of_secrets
from fake_e2b.wire.cursor import Cursor, decode_cursor, encode_cursor
from fake_e2b.wire.validation import InvalidRequestError

NO_STORE = (b"cache-control", b"no-store")
"""Stands on every answer. Fact: secrets.no-store"""


def is_about(path: str) -> bool:
    """Whether a raw path belongs to secrets."""
    return path == "/secrets" or path.startswith("/secrets/")


def restated(error: ControlError | InvalidRequestError) -> ControlError:
    """A refusal in the words of these routes."""
    if isinstance(error, InvalidRequestError):
        return ControlError(ControlKind.SECRETS_BAD_REQUEST)
    return as_of_secrets(error)


async def create(call: Call) -> Answer:
    """`POST /secrets`."""
    body: rest_storage.NewSecret = call.body
    made = call.backend.secrets.create(call.team, body.name, body.value, body.metadata or {})
    return json_answer(201, render_storage.secret(made))


async def list_page(call: Call) -> Answer:
    """`GET /secrets`."""
    query: rest_storage.SecretsQuery = call.query
    after = decode_cursor(query.next_token or "", ascending=True)
    page = call.backend.secrets.page(
        call.team,
        limit=query.limit,
        after=None if after is None else (after.started_at_ns, after.sandbox_id),
    )
    answer = json_answer(200, [render_storage.secret(each) for each in page.secrets])
    if page.last is not None:
        cursor = Cursor(page.last.created_at_ns, page.last.secret_id.removeprefix("sec_"))
        answer.headers.append((b"x-next-token", encode_cursor(cursor, ascending=True).encode()))
    return answer


async def detail(call: Call) -> Answer:
    """`GET /secrets/{secretID}`."""
    found = call.backend.secrets.get(call.team, call.parameters["secretID"])
    return json_answer(200, render_storage.secret(found))


async def update(call: Call) -> Answer:
    """`POST /secrets/{secretID}`."""
    body: rest_storage.SecretUpdate = call.body
    found = call.backend.secrets.update(
        call.team, call.parameters["secretID"], body.value, body.metadata
    )
    return json_answer(200, render_storage.secret(found))


async def delete(call: Call) -> Answer:
    """`DELETE /secrets/{secretID}`."""
    call.backend.secrets.delete(call.team, call.parameters["secretID"])
    return no_content()
