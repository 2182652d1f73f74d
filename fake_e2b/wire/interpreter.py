"""The code interpreter on the wire: bodies in, lines and refusals out.

Facts: interpreter.execute.lines, interpreter.results.mime-types, interpreter.errors
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from fake_e2b.domain.clock import SECOND_NS
from fake_e2b.domain.interpreter_errors import InterpreterError, InterpreterKind
from fake_e2b.domain.kernel import Accepted, Failed, KernelMessage, Shown, Text


class ExecuteBody(BaseModel):
    """The body of `POST /execute`."""

    code: str
    context_id: str | None = None
    language: str | None = None
    env_vars: dict[str, str] | None = None


class CreateContextBody(BaseModel):
    """The body of `POST /contexts`."""

    language: str | None = None
    cwd: str | None = None


EXECUTE_BODY = TypeAdapter(ExecuteBody)
CREATE_CONTEXT_BODY = TypeAdapter(CreateContextBody)

Body = TypeVar("Body")


class InvalidBodyError(Exception):
    """A body is not what it should be.

    Attributes:
        status: 422, or 400 where the bytes are no text at all.
        detail: The answer's `detail`.
    """

    def __init__(self, status: int, detail: object) -> None:
        super().__init__(status, detail)
        self.status = status
        self.detail = detail


def parse_body(shape: TypeAdapter[Body], content_type: str, data: bytes) -> Body:
    """Read a body.

    Args:
        content_type: The header's value, "" when there is none: then JSON is assumed.

    Raises:
        InvalidBodyError: It does not fit.

    Fact: interpreter.validation
    """
    value: object = None
    if data:
        media_type = content_type.partition(";")[0].strip().lower()
        is_json = media_type == "application/json" or media_type.endswith("+json")
        value = _read_json(data) if is_json or not media_type else data
    if value is None:
        problem = {"type": "missing", "loc": ["body"], "msg": "Field required", "input": None}
        raise InvalidBodyError(422, [problem])
    try:
        return shape.validate_python(value, from_attributes=True)
    except ValidationError as error:
        raise InvalidBodyError(422, [_problem(dict(found)) for found in error.errors()]) from None


def _read_json(data: bytes) -> object:
    try:
        return json.loads(data)
    except json.JSONDecodeError as error:
        problem = {
            "type": "json_invalid",
            "loc": ["body", error.pos],
            "msg": "JSON decode error",
            "input": {},
            "ctx": {"error": error.msg},
        }
        raise InvalidBodyError(422, [problem]) from None
    except (UnicodeDecodeError, RecursionError):
        raise InvalidBodyError(400, "There was an error parsing the body") from None


def _problem(found: dict[str, object]) -> dict[str, object]:
    location = found["loc"]
    given = found["input"]
    shown = {
        "type": found["type"],
        "loc": ["body", *(location if isinstance(location, tuple) else ())],
        "msg": found["msg"],
        "input": given.decode(errors="replace") if isinstance(given, bytes) else given,
    }
    return shown | ({"ctx": found["ctx"]} if "ctx" in found else {})


def refusal(error: InterpreterError) -> tuple[int, str]:
    """Status and plain text of a refusal."""
    match error.kind:
        case InterpreterKind.BOTH_CHOSEN:
            return 400, "Only one of context_id or language can be provided"
        case InterpreterKind.CONTEXT_UNKNOWN:
            return 404, f"Context {error.fields['context_id']} not found"
        case InterpreterKind.KERNEL_UNKNOWN:
            name = error.fields["language"]
            inner = {
                "message": f"The '{name}' kernel is not available. Please pick another "
                "suitable kernel instead, or install that kernel.",
                "short_message": f"{name} not found",
            }
            return 500, f"Failed to create context: {json.dumps(inner)}"
    raise AssertionError(f"no row for {error.kind!r}")


_FIELDS: Mapping[str, str] = {
    "text/plain": "text",
    "text/html": "html",
    "text/markdown": "markdown",
    "image/svg+xml": "svg",
    "image/png": "png",
    "image/jpeg": "jpeg",
    "application/pdf": "pdf",
    "text/latex": "latex",
    "application/json": "json",
    "application/javascript": "javascript",
    "e2b/data": "data",
    "e2b/chart": "chart",
}

KEEPALIVE = b'{"type": "keepalive"}\n'
END = b'{"type": "end_of_execution"}\n'


def line(message: KernelMessage, at_ns: int) -> bytes:
    """One line of an `/execute` answer.

    Args:
        at_ns: The instant that output is stamped with.
    """
    return json.dumps(_fields(message, at_ns)).encode() + b"\n"


def _fields(message: KernelMessage, at_ns: int) -> dict[str, object]:
    match message:
        case Accepted(execution_count):
            return {"type": "number_of_executions", "execution_count": execution_count}
        case Text(stream, text):
            return {"type": stream, "text": text, "timestamp": _timestamp(at_ns)}
        case Failed(name, value, traceback):
            joined = "".join(traceback)
            return {"type": "error", "name": name, "value": value, "traceback": joined}
        case Shown(data, is_main):
            shown: dict[str, object] = {"type": "result"}
            shown |= {
                field: _unquoted(data[mime]) if field == "text" else data[mime]
                for mime, field in _FIELDS.items()
                if data.get(mime) is not None
            }
            shown["extra"] = {mime: value for mime, value in data.items() if mime not in _FIELDS}
            shown["is_main_result"] = is_main
            return shown


def _timestamp(at_ns: int) -> str:
    """ISO 8601 in UTC with `+00:00`; the fraction is missing when it is zero."""
    seconds, rest = divmod(at_ns, SECOND_NS)
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.replace(microsecond=rest // 1000).isoformat()


def _unquoted(text: object) -> object:
    """Without the quote marks around it, whatever kind of value they belong to.

    Fact: interpreter.results.quotes-stripped
    """
    if isinstance(text, str) and text[:1] in ("'", '"') and text[:1] == text[-1:]:
        return text[1:-1]
    return text
