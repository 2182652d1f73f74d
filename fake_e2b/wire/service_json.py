"""JSON as the control plane's own library reads and writes it: its texts for errors, its escapes.

Clients see the texts in 400 answers. Reading stops after the first value, as there.

Fact: control.validation.json
"""

from __future__ import annotations

import json
import re
from typing import Any

from fake_e2b.wire.json_scanner import InvalidJSONError, Scanner

_SPACE = " \t\r\n"
_ESCAPES = (
    (b"<", rb"\u003c"),
    (b">", rb"\u003e"),
    (b"&", rb"\u0026"),
    ("\u2028".encode(), rb"\u2028"),
    ("\u2029".encode(), rb"\u2029"),
)
_SURROGATE = re.compile("[\ud800-\udfff]")


class FloatLiteral(float):
    """A number written with a fraction or an exponent, and how it was written."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> FloatLiteral:
        """Parse `text`."""
        number = super().__new__(cls, text)
        number.text = text
        return number


def escape(encoded: bytes) -> bytes:
    """Escape what the service escapes in JSON text: it can only stand inside strings."""
    for plain, escaped in _ESCAPES:
        if plain in encoded:
            encoded = encoded.replace(plain, escaped)
    return encoded


def encode(value: object) -> bytes:
    """Compact JSON with the service's escapes."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return escape(text.encode("utf-8", "replace"))


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


_DECODER = json.JSONDecoder(parse_float=FloatLiteral, parse_constant=_refuse_constant)


def decode(data: bytes) -> Any:
    """The first value in `data`; what follows it is not looked at.

    Raises:
        InvalidJSONError: There is none.
    """
    text = data.decode("utf-8", "replace")
    start = len(text) - len(text.lstrip(_SPACE))
    if start == len(text):
        raise InvalidJSONError("EOF")
    try:
        value, _ = _DECODER.raw_decode(text, start)
    except RecursionError:
        raise InvalidJSONError("exceeded max depth") from None
    except ValueError:
        raise InvalidJSONError(Scanner(data).complaint()) from None
    return _replace_surrogates(value) if "\\u" in text else value


def _replace_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_replace_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_replace_surrogates(key): _replace_surrogates(item) for key, item in value.items()}
    return value
