"""The canonical JSON form of the dicts of `wire.protobuf`, as Go's protojson writes and reads it.

Reading has two ways. The fast one lets `json` parse and accepts only what cannot be wrong; at
the first doubt the careful one (`wire.protojson_reader`) starts anew and either reads the
message after all or raises the text that Go gives, with line and column.
"""

from __future__ import annotations

import json
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from datetime import datetime, timedelta
from json.encoder import encode_basestring
from typing import Any

from fake_e2b.wire.proto_schema import INTEGERS, TIMESTAMP, Field, MessageType
from fake_e2b.wire.protobuf import Message, ProtoError, is_default
from fake_e2b.wire.protojson_reader import read_message

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  # UTC; written with a Z of its own
_LONG = ("int64", "sint64", "uint64")
_EMPTY = "zero-length payload is not a valid JSON object"


def to_json(kind: MessageType, message: Message) -> bytes:
    """The JSON form: camelCase names, defaults left out.

    Facts: envd.connect.json.*

    Raises:
        ProtoError: A string cannot be written as UTF-8.
    """
    parts: list[bytes] = []
    _put_message(parts, kind, message)
    return b"".join(parts)


def from_json(kind: MessageType, data: bytes) -> Message:
    """Read the JSON form; unknown fields and unknown enum names are ignored.

    Raises:
        ProtoError: `data` is not JSON, or not such a message; the text is Go's.
    """
    if not data:
        raise ProtoError(_EMPTY)
    try:
        # Python would let half a surrogate pair through, Go refuses it.
        if b"\\ud" in data or b"\\uD" in data:
            raise _DoubtError
        return _message(kind, _DECODER.decode(data.decode()))
    except (_DoubtError, ValueError, RecursionError):
        return read_message(kind, data)


class _DoubtError(Exception):
    """The fast reader met something that is not plainly right."""


def _doubt(_: str) -> None:
    raise _DoubtError


# Objects become tuples of pairs, so that a repeated name is seen and arrays stay apart.
_DECODER = json.JSONDecoder(object_pairs_hook=tuple, parse_float=_doubt, parse_constant=_doubt)


def _message(kind: MessageType, pairs: Any) -> Message:
    if type(pairs) is not tuple:
        raise _DoubtError
    message: Message = {}
    seen: set[str] = set()
    for name, value in pairs:
        declared = kind.by_json_name.get(name)
        if declared is None:
            continue
        # A second member of a oneof is as wrong as a second value of a field.
        mark = declared.name if declared.oneof is None or value is None else declared.oneof
        if mark in seen:
            raise _DoubtError
        seen.add(mark)
        if value is None:
            continue
        if declared.label == "repeated":
            if type(value) is not list:
                raise _DoubtError
            items = [_value(declared, item) for item in value]
            if items := [item for item in items if item is not None]:
                message[declared.name] = items
        elif declared.label == "map":
            if type(value) is not tuple:
                raise _DoubtError
            entries = {key: _value(declared, item) for key, item in value}
            if len(entries) != len(value):
                raise _DoubtError
            if entries:
                message[declared.name] = entries
        else:
            decoded = _value(declared, value)
            if decoded is not None and (declared.presence or decoded):
                message[declared.name] = decoded
    return message


def _value(declared: Field, value: Any) -> Any:
    kind = declared.kind
    if kind == "string":
        if type(value) is str:
            return value
    elif declared.message is not None:
        return _message(declared.message, value)
    elif kind == "bytes":
        # Only the canonical form; what else Go takes, the careful reader knows. Encoding again is
        # twice as fast as a strict decoder.
        if type(value) is str and value.isascii():
            try:
                decoded = a2b_base64(value)
            except Base64Error:
                raise _DoubtError from None
            if b2a_base64(decoded, newline=False) == value.encode():
                return decoded
    elif kind == "bool":
        if type(value) is bool:
            return value
    elif declared.enum is not None:
        if type(value) is str and value in declared.enum.numbers:
            return declared.enum.numbers[value]
        if type(value) is int and -(2**31) <= value < 2**31:
            return value
    elif kind in INTEGERS and type(value) is int:
        low, high = INTEGERS[kind]
        if low <= value <= high:
            return value
    raise _DoubtError


def _put_message(parts: list[bytes], kind: MessageType, message: Message) -> None:
    separator = b"{"
    for declared in kind.fields:
        value = message.get(declared.name)
        if value is None:
            continue
        if declared.label:
            if not value and declared.label != "optional":
                continue
        elif not declared.presence and is_default(declared, value):
            continue
        parts.append(separator + b'"' + declared.json_name.encode() + b'":')
        separator = b","
        if declared.label == "repeated":
            _put_list(parts, declared, value)
        elif declared.label == "map":
            _put_map(parts, declared, value)
        else:
            _put_value(parts, declared, value)
    parts.append(b"}" if separator == b"," else b"{}")


def _put_list(parts: list[bytes], declared: Field, values: list[Any]) -> None:
    separator = b"["
    for item in values:
        parts.append(separator)
        _put_value(parts, declared, item)
        separator = b","
    parts.append(b"]")


def _put_map(parts: list[bytes], declared: Field, values: dict[str, Any]) -> None:
    separator = b"{"
    for key in sorted(values):
        parts.append(separator + _quoted(declared, key) + b":")
        _put_value(parts, declared, values[key])
        separator = b","
    parts.append(b"}")


def _put_value(parts: list[bytes], declared: Field, value: Any) -> None:
    kind = declared.kind
    if declared.message is not None:
        _put_message(parts, declared.message, value)
    elif kind == "bytes":
        parts += (b'"', b2a_base64(value, newline=False), b'"')
    elif kind == "string":
        parts.append(_quoted(declared, value))
    elif kind == "bool":
        parts.append(b"true" if value else b"false")
    elif declared.enum is not None:
        name = value if isinstance(value, str) else declared.enum.names.get(value)
        parts.append(b"%d" % value if name is None else b'"%s"' % name.encode())
    elif kind == "timestamp":
        parts.append(b'"%s"' % _rfc3339(value).encode())
    elif kind in _LONG:
        parts.append(b'"%d"' % value)
    else:
        parts.append(b"%d" % value)


def _quoted(declared: Field, text: str) -> bytes:
    try:
        return encode_basestring(text).encode()
    except UnicodeEncodeError:
        raise ProtoError(f"proto: field {declared.name} contains invalid UTF-8") from None


def _rfc3339(instant_ns: int) -> str:
    seconds, nanos = divmod(instant_ns, 1_000_000_000)
    try:
        text = (_EPOCH + timedelta(seconds=seconds)).isoformat()
    except OverflowError:
        raise ProtoError(f"proto: {TIMESTAMP}: seconds out of range {seconds}") from None
    if not nanos:
        return f"{text}Z"
    fraction = f"{nanos:09d}"
    while fraction.endswith("000"):
        fraction = fraction[:-3]
    return f"{text}.{fraction}Z"
