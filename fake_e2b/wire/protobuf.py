"""proto3 messages as plain dicts, in binary.

A message is a dict with the .proto names as keys; an absent key is an unset field. Values: `str`,
`bytes`, `bool`, `int`, nested dicts, lists, dicts for maps; enums are ints (names are understood
when encoding); a Timestamp is an int, nanoseconds since the epoch. Decoding leaves out fields
without presence that hold their default, so equal messages are equal dicts.

The JSON form of the same dicts stands in `wire.protojson`.
"""

from __future__ import annotations

from typing import Any

from fake_e2b.wire.proto_schema import EnumType, Field, MessageType

Message = dict[str, Any]

_VARINT, _I64, _LEN, _I32 = 0, 1, 2, 5
_ZIGZAG = ("sint32", "sint64")
_DEFAULTS: dict[str, object] = {"string": "", "bytes": b"", "bool": False}
_SECOND_NS = 1_000_000_000


class ProtoError(ValueError):
    """Bytes that are not such a message, or values that no message can hold.

    The text is the one that Go's protobuf gives.
    """


_MALFORMED = "proto: cannot parse invalid wire-format data"
_INVALID_UTF8 = "string field contains invalid UTF-8"


def enum_number(enum: EnumType, value: int | str) -> int:
    """The number of an enum value given by number or by name."""
    return enum.numbers[value] if isinstance(value, str) else value


def is_default(declared: Field, value: Any) -> bool:
    """Whether a field without presence holds what "unset" means."""
    if declared.kind == "enum" and declared.enum is not None:
        return enum_number(declared.enum, value) == 0
    return not value


def encode(kind: MessageType, message: Message) -> bytes:
    """The binary form, fields in the order of the .proto file.

    Raises:
        ProtoError: A string cannot be written as UTF-8.
    """
    out = bytearray()
    for declared in kind.fields:
        value = message.get(declared.name)
        if value is None:
            continue
        if declared.label == "repeated":
            _encode_repeated(out, declared, value)
        elif declared.label == "map":
            for key, item in value.items():
                entry = bytearray()
                _put_bytes(entry, 1, _utf8(key))
                _put(entry, declared, 2, item)
                _put_bytes(out, declared.number, entry)
        elif declared.presence or not is_default(declared, value):
            _put(out, declared, declared.number, value)
    return bytes(out)


def decode(kind: MessageType, data: bytes) -> Message:
    """Read the binary form; unknown fields are skipped, the last value of a field wins.

    Raises:
        ProtoError: `data` is no such message.
    """
    message: Message = {}
    _merge(kind, message, data)
    return message


def _encode_repeated(out: bytearray, declared: Field, values: list[Any]) -> None:
    if declared.kind in ("string", "bytes", "message", "timestamp"):
        for item in values:
            _put(out, declared, declared.number, item)
    elif values:
        packed = bytearray()
        for item in values:
            _put_varint(packed, _integer(declared, item))
        _put_bytes(out, declared.number, packed)


def _put(out: bytearray, declared: Field, number: int, value: Any) -> None:
    kind = declared.kind
    if kind == "string":
        _put_bytes(out, number, _utf8(value))
    elif kind == "bytes":
        _put_bytes(out, number, value)
    elif declared.message is not None:
        _put_bytes(out, number, encode(declared.message, value))
    elif kind == "timestamp":
        inner = bytearray()
        for part, amount in enumerate(divmod(value, _SECOND_NS), start=1):
            if amount:
                _put_varint(inner, part << 3)
                _put_varint(inner, amount)
        _put_bytes(out, number, inner)
    else:
        _put_varint(out, number << 3)
        _put_varint(out, _integer(declared, value))


def _integer(declared: Field, value: Any) -> int:
    if declared.enum is not None:
        return enum_number(declared.enum, value)
    number = int(value)
    if declared.kind in _ZIGZAG:
        return number << 1 if number >= 0 else (-number << 1) - 1
    return number


def _put_bytes(out: bytearray, number: int, data: bytes | bytearray) -> None:
    _put_varint(out, number << 3 | _LEN)
    _put_varint(out, len(data))
    out += data


def _put_varint(out: bytearray, value: int) -> None:
    if value < 0:
        value += 1 << 64
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise ProtoError(_INVALID_UTF8) from None


def _merge(kind: MessageType, message: Message, data: bytes) -> None:
    for number, wire, value in _records(data):
        declared = kind.by_number.get(number)
        if declared is None:
            continue
        if declared.label == "map":
            if wire == _LEN:
                key, item = _map_entry(declared, value)
                message.setdefault(declared.name, {})[key] = item
        elif declared.label == "repeated":
            items = _repeated(declared, wire, value)
            if items:
                message.setdefault(declared.name, []).extend(items)
        elif wire == _wire_of(declared):
            _merge_singular(kind, message, declared, value)


def _merge_singular(kind: MessageType, message: Message, declared: Field, value: Any) -> None:
    if declared.oneof is not None:
        for other in kind.oneofs[declared.oneof]:
            if other != declared.name:
                message.pop(other, None)
    if declared.message is not None:
        _merge(declared.message, message.setdefault(declared.name, {}), value)
        return
    before = message.get(declared.name, 0) if declared.kind == "timestamp" else 0
    scalar = _scalar(declared, value, before)
    if declared.presence or scalar:
        message[declared.name] = scalar
    else:
        message.pop(declared.name, None)


def _wire_of(declared: Field) -> int:
    return _LEN if declared.kind in ("string", "bytes", "message", "timestamp") else _VARINT


def _repeated(declared: Field, wire: int, value: Any) -> list[Any]:
    if wire == _LEN and _wire_of(declared) == _VARINT:
        items, at = [], 0
        while at < len(value):
            number, at = _varint(value, at)
            items.append(_scalar(declared, number))
        return items
    if wire != _wire_of(declared):
        return []
    if declared.message is not None:
        return [decode(declared.message, value)]
    return [_scalar(declared, value)]


def _map_entry(declared: Field, data: bytes) -> tuple[str, Any]:
    key: str = ""
    item: Any = _DEFAULTS.get(declared.kind, 0)
    for number, wire, value in _records(data):
        if number == 1 and wire == _LEN:
            key = _text(value)
        elif number == 2 and wire == _wire_of(declared):
            item = _scalar(declared, value)
    return key, item


def _scalar(declared: Field, value: Any, before: int = 0) -> Any:
    kind = declared.kind
    if kind == "string":
        return _text(value)
    if kind == "bytes":
        return value
    if kind == "bool":
        return value != 0
    if kind == "timestamp":
        return _timestamp(value, before)
    if kind in _ZIGZAG:
        if kind == "sint32":
            value &= 0xFFFFFFFF
        return (value >> 1) ^ -(value & 1)
    if kind == "uint32":
        return value & 0xFFFFFFFF
    if kind in ("int32", "enum"):
        value &= 0xFFFFFFFF
        return value - (1 << 32) if value >> 31 else value
    if kind == "int64":
        return value - (1 << 64) if value >> 63 else value
    return value


def _timestamp(data: bytes, before: int) -> int:
    seconds, nanos = divmod(before, _SECOND_NS)
    for number, wire, value in _records(data):
        if wire == _VARINT and number == 1:
            seconds = value - (1 << 64) if value >> 63 else value
        elif wire == _VARINT and number == 2:
            value &= 0xFFFFFFFF
            nanos = value - (1 << 32) if value >> 31 else value
    return seconds * _SECOND_NS + nanos


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise ProtoError(_INVALID_UTF8) from None


def _records(data: bytes) -> list[tuple[int, int, Any]]:
    """(number, wire type, value) of each record: an int for varints, else bytes."""
    found = []
    at, end = 0, len(data)
    while at < end:
        number, wire, value, at = _record(data, at)
        found.append((number, wire, value))
    return found


def _record(data: bytes, at: int) -> tuple[int, int, Any, int]:
    tag, at = _varint(data, at)
    number, wire = tag >> 3, tag & 7
    if not 1 <= number < 1 << 29:
        raise ProtoError(_MALFORMED)
    if wire == _VARINT:
        value, at = _varint(data, at)
        return number, wire, value, at
    if wire == _LEN:
        size, at = _varint(data, at)
    elif wire in (_I64, _I32):
        size = 8 if wire == _I64 else 4
    elif wire == 3:
        return number, wire, None, _group_end(data, at, number)
    else:
        raise ProtoError(_MALFORMED)
    if at + size > len(data):
        raise ProtoError(_MALFORMED)
    return number, wire, bytes(data[at : at + size]), at + size


def _group_end(data: bytes, at: int, number: int) -> int:
    """Where the (unknown, long deprecated) group that begins at `at` ends."""
    open_groups = [number]
    while open_groups:
        tag, after = _varint(data, at)
        if tag & 7 == 4:
            if open_groups.pop() != tag >> 3:
                raise ProtoError(_MALFORMED)
            at = after
        elif tag & 7 == 3:
            open_groups.append(tag >> 3)
            at = after
        else:
            _, _, _, at = _record(data, at)
    return at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 70:
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            if value >> 64:
                break
            return value, at
        shift += 7
    raise ProtoError(_MALFORMED)
