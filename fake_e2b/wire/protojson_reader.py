"""The careful reader of protojson: reads what Go's protojson reads, refuses with its texts.

It runs only when the fast reader (`wire.protojson`) is in doubt, so it is written for being
right: tokens with positions below, messages on top of them. Lines and columns count from 1,
columns in characters.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from fake_e2b.wire.proto_schema import INTEGERS, TIMESTAMP, Field, MessageType
from fake_e2b.wire.protobuf import Message, ProtoError

_EOF = "proto: unexpected EOF"
_SPACE = b" \n\r\t"
_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?(?![-+._a-zA-Z0-9])")
_LITERAL = re.compile(rb"(?:null|true|false)(?![-+._a-zA-Z0-9])")
_WRONG = re.compile(r"[-+._a-zA-Z0-9]{1,32}|.", re.DOTALL)
_PLAIN = re.compile(rb'[^"\\\x00-\x1f]*')
_HEX4 = re.compile(rb"[0-9a-fA-F]{4}")
_ESCAPES = {b'"': '"', b"\\": "\\", b"/": "/", b"b": "\b", b"f": "\f", b"n": "\n", b"r": "\r"}
_ESCAPES[b"t"] = "\t"
_RFC3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:[.,](\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)", re.ASCII
)
_LITERAL_VALUES = {b"null": None, b"true": True, b"false": False}


@dataclass(frozen=True, slots=True)
class _Token:
    """`kind` is the character itself for brackets, else scalar, string, name, number or eof."""

    kind: str
    at: int
    raw: bytes
    value: Any = None

    @property
    def text(self) -> str:
        return self.raw.decode(errors="replace")


class _Tokens:
    """The tokens of one JSON text, checked for their order as they are read."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._open: list[str] = []
        self._last = ""
        self._peeked: _Token | None = None

    def peek(self) -> _Token:
        if self._peeked is None:
            self._peeked = self._read()
        return self._peeked

    def read(self) -> _Token:
        token = self.peek()
        self._peeked = None
        return token

    def skip_value(self) -> None:
        depth = 0
        while True:
            token = self.read()
            depth += (token.kind in ("{", "[")) - (token.kind in ("}", "]"))
            if depth == 0 and token.kind != "name":
                return

    def place(self, at: int) -> str:
        before = self._data[:at]
        line_start = before.rfind(b"\n") + 1
        column = len(before[line_start:].decode(errors="replace")) + 1
        return f"(line {before.count(10) + 1}:{column})"

    def error(self, at: int, text: str) -> ProtoError:
        return ProtoError(f"proto: {self.place(at)}: {text}")

    def syntax_error(self, at: int, text: str) -> ProtoError:
        return ProtoError(f"proto: syntax error {self.place(at)}: {text}")

    def unexpected(self, token: _Token) -> ProtoError:
        return self.syntax_error(token.at, f"unexpected token {token.text}")

    def _value_is_next(self) -> bool:
        if not self._open:
            return self._last == ""
        return self._last == "name" if self._open[-1] == "{" else self._last in ("[", ",")

    def _value_was_last(self) -> bool:
        return self._last in ("scalar", "number", "string", "}", "]")

    def _read(self) -> _Token:
        token = self._scan()
        kind = token.kind
        if kind == "eof":
            if self._open or not self._value_was_last():
                raise ProtoError(_EOF)
        elif kind == "string" and not self._value_is_next():
            token = self._field_name(token)
        elif kind in ("scalar", "number", "string", "{", "["):
            if not self._value_is_next():
                raise self.unexpected(token)
            if kind in "{[":
                self._open.append(kind)
        elif kind == ",":
            if not self._open or not self._value_was_last():
                raise self.unexpected(token)
            self._last = ","
            return self._read()
        else:
            opening, forbidden = ("{", ("name", ",")) if kind == "}" else ("[", (",",))
            if not self._open or self._open[-1] != opening or self._last in forbidden:
                raise self.unexpected(token)
            self._open.pop()
        self._last = token.kind
        return token

    def _field_name(self, token: _Token) -> _Token:
        if self._last not in ("{", ","):
            raise self.unexpected(token)
        if self._at >= len(self._data):
            raise ProtoError(_EOF)
        if self._data[self._at] != ord(":"):
            found = chr(self._data[self._at])
            raise self.syntax_error(
                self._at, f'unexpected character {found}, missing ":" after field name'
            )
        self._at += 1
        self._skip_space()
        return _Token("name", token.at, token.raw, token.value)

    def _skip_space(self) -> None:
        while self._at < len(self._data) and self._data[self._at] in _SPACE:
            self._at += 1

    def _scan(self) -> _Token:
        self._skip_space()
        start = self._at
        first = self._data[start : start + 1]
        if not first:
            return _Token("eof", start, b"")
        if first in b"{}[],":
            return self._token(first.decode(), start + 1)
        if first == b'"':
            value, end = self._string(start)
            return self._token("string", end, value)
        if match := _LITERAL.match(self._data, start):
            return self._token("scalar", match.end(), _LITERAL_VALUES[match[0]])
        if match := _NUMBER.match(self._data, start):
            return self._token("number", match.end())
        wrong = _WRONG.match(self._data[start : start + 32].decode(errors="replace"))
        raise self.syntax_error(start, f"invalid value {wrong[0] if wrong else ''}")

    def _token(self, kind: str, end: int, value: Any = None) -> _Token:
        token = _Token(kind, self._at, self._data[self._at : end], value)
        self._at = end
        self._skip_space()
        return token

    def _string(self, start: int) -> tuple[str, int]:
        data, out, at = self._data, [], start + 1
        while at < len(data):
            match = _PLAIN.match(data, at)
            end = match.end() if match else at
            try:
                out.append(data[at:end].decode())
            except UnicodeDecodeError:
                raise self.syntax_error(start, "invalid UTF-8 in string") from None
            at = end
            byte = data[at : at + 1]
            if byte == b'"':
                return "".join(out), at + 1
            if byte == b"\\":
                text, at = self._escape(start, at)
                out.append(text)
            elif byte:
                shown = json.dumps(byte.decode())[1:-1].replace("\\u00", "\\x")
                raise self.syntax_error(start, f"invalid character '{shown}' in string")
        raise ProtoError(_EOF)

    def _escape(self, start: int, at: int) -> tuple[str, int]:
        data = self._data
        letter = data[at + 1 : at + 2]
        if not letter:
            raise ProtoError(_EOF)
        if letter in _ESCAPES:
            return _ESCAPES[letter], at + 2
        if letter != b"u":
            raise self._bad_escape(start, data[at : at + 2])
        unit = self._utf16_unit(start, at)
        at += 6
        if not 0xD800 <= unit < 0xE000:
            return chr(unit), at
        if data[at : at + 2] != b"\\u" and len(data) - at >= 6:
            raise self._bad_escape(start, data[at : at + 6])
        low = self._utf16_unit(start, at)
        if unit >= 0xDC00 or not 0xDC00 <= low < 0xE000:
            raise self._bad_escape(start, data[at : at + 6])
        return chr(0x10000 + (unit - 0xD800 << 10) + (low - 0xDC00)), at + 6

    def _utf16_unit(self, start: int, at: int) -> int:
        if len(self._data) - at < 6:
            raise ProtoError(_EOF)
        digits = self._data[at + 2 : at + 6]
        if not _HEX4.fullmatch(digits):
            raise self._bad_escape(start, self._data[at : at + 6])
        return int(digits, 16)

    def _bad_escape(self, start: int, raw: bytes) -> ProtoError:
        shown = json.dumps(raw.decode(errors="replace"), ensure_ascii=False)
        return self.syntax_error(start, f"invalid escape code {shown} in string")


def read_message(kind: MessageType, data: bytes) -> Message:
    """Read one message and the end of the text.

    Raises:
        ProtoError: With Go's text.
    """
    tokens = _Tokens(data)
    message = _message(tokens, kind)
    token = tokens.read()
    if token.kind != "eof":
        raise tokens.unexpected(token)
    return message


def _message(tokens: _Tokens, kind: MessageType) -> Message:
    token = tokens.read()
    if token.kind != "{":
        raise tokens.unexpected(token)
    message: Message = {}
    seen: set[str] = set()
    seen_oneofs: set[str] = set()
    while (token := tokens.read()).kind != "}":
        if token.kind != "name":
            raise tokens.unexpected(token)
        declared = kind.by_json_name.get(token.value)
        if declared is None:
            tokens.skip_value()
            continue
        if declared.name in seen:
            raise tokens.error(token.at, f"duplicate field {token.text}")
        seen.add(declared.name)
        following = tokens.peek()
        if following.kind == "scalar" and following.value is None:
            tokens.read()
            continue
        if declared.oneof is not None:
            if declared.oneof in seen_oneofs:
                oneof = f"{kind.full_name}.{declared.oneof}"
                raise tokens.error(
                    token.at, f"error parsing {token.text}, oneof {oneof} is already set"
                )
            seen_oneofs.add(declared.oneof)
        value = _field(tokens, declared)
        if value is not None and (declared.presence or value):
            message[declared.name] = value
    return message


def _field(tokens: _Tokens, declared: Field) -> Any:
    if declared.label == "repeated":
        return _list(tokens, declared)
    if declared.label == "map":
        return _map(tokens, declared)
    return _singular(tokens, declared)


def _list(tokens: _Tokens, declared: Field) -> list[Any]:
    token = tokens.read()
    if token.kind != "[":
        raise tokens.unexpected(token)
    items = []
    while tokens.peek().kind != "]":
        item = _singular(tokens, declared)
        if item is not None:
            items.append(item)
    tokens.read()
    return items


def _map(tokens: _Tokens, declared: Field) -> dict[str, Any]:
    token = tokens.read()
    if token.kind != "{":
        raise tokens.unexpected(token)
    entries: dict[str, Any] = {}
    while (token := tokens.read()).kind != "}":
        if token.kind != "name":
            raise tokens.unexpected(token)
        if token.value in entries:
            raise tokens.error(token.at, f"duplicate map key {token.text}")
        entries[token.value] = _singular(tokens, declared)
    return entries


def _singular(tokens: _Tokens, declared: Field) -> Any:
    """One value; None for an enum name that is not known, which counts as unset."""
    if declared.message is not None:
        return _message(tokens, declared.message)
    token = tokens.read()
    if declared.kind == "timestamp":
        return _timestamp(tokens, token)
    if declared.enum is not None and token.kind == "string":
        return declared.enum.numbers.get(token.value)
    value = _scalar(declared, token)
    if value is None:
        raise tokens.error(
            token.at,
            f"invalid value for {declared.kind} field {declared.json_name}: {token.text}",
        )
    return value


def _scalar(declared: Field, token: _Token) -> Any:
    kind = declared.kind
    if kind == "string":
        return token.value if token.kind == "string" else None
    if kind == "bytes":
        return _base64(token.value) if token.kind == "string" else None
    if kind == "bool":
        return token.value if token.kind == "scalar" else None
    if declared.enum is not None:
        return _integer(token.raw, "int32") if token.kind == "number" else None
    if token.kind == "string":
        match = _NUMBER.match(token.value.encode())
        return _integer(match[0], kind) if match and token.value == token.value.strip() else None
    return _integer(token.raw, kind) if token.kind == "number" else None


def _integer(raw: bytes, kind: str) -> int | None:
    number = Decimal(raw.decode())
    # The exponent is looked at first: 1e999999999 must not be written out.
    if number.adjusted() > 20 or number != number.to_integral_value():
        return None
    low, high = INTEGERS[kind]
    return int(number) if low <= number <= high else None


def _base64(text: str) -> bytes | None:
    text = text.replace("\r", "").replace("\n", "")
    if "-" in text or "_" in text:
        if "+" in text or "/" in text:
            return None
        text = text.replace("-", "+").replace("_", "/")
    if len(text) % 4:
        if "=" in text:
            return None
        text += "=" * (-len(text) % 4)
    try:
        return b64decode(text, validate=True)
    except ValueError:
        return None


def _timestamp(tokens: _Tokens, token: _Token) -> int:
    if token.kind != "string":
        raise tokens.unexpected(token)
    match = _RFC3339.fullmatch(token.value)
    try:
        if match is None:
            raise ValueError(token.value)
        date, time, fraction, zone = match.groups()
        instant = datetime.fromisoformat(f"{date}T{time}{'+00:00' if zone == 'Z' else zone}")
    except ValueError:
        raise tokens.error(token.at, f"invalid {TIMESTAMP} value {token.text}") from None
    seconds = (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
    return seconds * 1_000_000_000 + int((fraction or "").ljust(9, "0"))
