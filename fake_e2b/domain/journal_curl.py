"""A recorded request as a curl command that a POSIX shell can run."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fake_e2b.domain.journal import JournalRecord

MASKED = "****"
"""What a masked secret begins with."""
_VARIABLES = {
    "x-api-key": "E2B_API_KEY",
    "x-access-token": "E2B_ENVD_ACCESS_TOKEN",
    "e2b-traffic-access-token": "E2B_TRAFFIC_ACCESS_TOKEN",
    "authorization": "E2B_ACCESS_TOKEN",
    "x-admin-token": "E2B_ADMIN_TOKEN",
}
_CURLS_OWN = frozenset(
    {"host", "content-length", "connection", "transfer-encoding", "accept-encoding", "expect"}
)
# A masked value, and the name that stands before it, in JSON or in a query.
_MASKED_FIELD = re.compile(r'"([^"\\]+)"\s*:\s*"(\*{4}[^"\\]{0,4})"|([\w.-]+)=(\*{4}[^&]{0,4})')
_MASKED_WORD = re.compile(r"\*{4}[^\s\"'&,}]{0,4}")
_ENVELOPED = "application/connect+"


def curl_command(record: JournalRecord) -> str:
    """The request as a command; a comment where there is none, or no body to send.

    Secrets are variables: `$E2B_API_KEY`, for a field of a body its name in capitals.
    """
    if not record.method:
        return f"# {record.operation} is no request"
    headers = dict(record.headers)
    words = ["curl"]
    if record.method == "HEAD":
        words.append("--head")
    elif record.method != "GET" or record.received:
        words.append(f"-X {record.method}")
    words.append(_quoted(f"http://{headers.get('host', '127.0.0.1')}{record.path}"))
    content_type = headers.get("content-type", "")
    for name, value in record.headers:
        if name not in _CURLS_OWN:
            words.append(f"-H {_header(name, value)}")
    if record.received and not content_type:
        words.append("-H 'content-type:'")
    before, after = "", ""
    if record.received:
        body = _sendable(record, content_type)
        if body is None:
            after = f"  # its body was not kept: {record.received} bytes of {content_type or '?'}"
            words.append("--data-binary @BODY")
        elif content_type.startswith(_ENVELOPED):
            before = _framed(body) + " | "
            words.append("--data-binary @-")
        else:
            words.append(f"--data-binary {_quoted(body)}")
    return before + " ".join(words) + after


def _sendable(record: JournalRecord, content_type: str) -> str | None:
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type not in ("application/json", "application/connect+json"):
        return None
    return record.body if record.json is not None else None


def _header(name: str, value: str) -> str:
    scheme, space, rest = value.rpartition(" ")
    if not rest.startswith(MASKED):
        return _quoted(f"{name}: {value}")
    variable = _VARIABLES.get(name) or _variable(name)
    return f'"{name}: {scheme}{space}${variable}"'


def _framed(body: str) -> str:
    """A pipe's beginning that says the body in a frame: flags, length, message."""
    if not _MASKED_WORD.search(body):
        size = len(body.encode())
        octal = "".join(f"\\{byte:03o}" for byte in (0, *size.to_bytes(4, "big")))
        return f"printf '{octal}%s' {_quoted(body)}"
    # The length is known when the variables are: the shell counts.
    return (
        f'body={_quoted(body)}; size=$(printf %s "$body" | wc -c); '
        "{ printf '\\000'; for by in 16777216 65536 256 1; do "
        'printf "\\\\$(printf %03o $((size / by % 256)))"; done; printf %s "$body"; }'
    )


def _quoted(text: str) -> str:
    """The text as one word, what is masked in it as variables."""
    word, done = "", 0
    for found in _MASKED_FIELD.finditer(text):
        group = 2 if found[2] else 4
        name = found[1] or found[3]
        start, end = found.span(group)
        word += shlex.quote(text[done:start]) + f'"${_variable(name)}"'
        done = end
    rest = text[done:]
    return word + (shlex.quote(rest) if rest or not word else "")


def _variable(name: str) -> str:
    """A name of a field as a variable of a shell."""
    if name == "signature":
        return "E2B_SIGNATURE"
    spread = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    word = re.sub(r"\W+", "_", spread, flags=re.ASCII).upper()
    return word if word[:1].isalpha() else f"_{word}"
