"""JSON that is no message, and what Go's protojson says about it."""

from __future__ import annotations

from typing import Any

import pytest

from fake_e2b.wire.proto_schema import envd_schema, read_schema
from fake_e2b.wire.protobuf import ProtoError, decode, encode
from fake_e2b.wire.protojson import from_json, to_json
from fake_e2b.wire.protojson_reader import read_message

SCHEMA = envd_schema()
LIST_DIR = SCHEMA.messages["filesystem.ListDirRequest"]
START = SCHEMA.messages["process.StartRequest"]
SEND_INPUT = SCHEMA.messages["process.SendInputRequest"]
SIGNAL = SCHEMA.messages["process.SendSignalRequest"]
ENTRY = SCHEMA.messages["filesystem.EntryInfo"]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("{bad", "syntax error (line 1:2): invalid value bad"),
        ("[]", "syntax error (line 1:1): unexpected token ["),
        ("", "unexpected EOF"),
        ("{", "unexpected EOF"),
        ('{"path"', "unexpected EOF"),
        ('{"path":', "unexpected EOF"),
        ('{"path":"a', "unexpected EOF"),
        ('{"path":"\\', "unexpected EOF"),
        ('{"path" 1}', 'syntax error (line 1:9): unexpected character 1, missing ":" '
         "after field name"),
        ('{"path":1 "depth":2}', 'invalid value for string field path: 1'),
        ('{"depth":1 "path":2}', 'syntax error (line 1:12): unexpected token "path"'),
        ('{"depth":1,}', "syntax error (line 1:12): unexpected token }"),
        ('{,}', "syntax error (line 1:2): unexpected token ,"),
        ('{"depth":1]', "syntax error (line 1:11): unexpected token ]"),
        ("{} {}", "syntax error (line 1:4): unexpected token {"),
        ("{}x", "syntax error (line 1:3): invalid value x"),
        ('{"depth":01}', "syntax error (line 1:10): invalid value 01"),
        ('{"depth":NaN}', "syntax error (line 1:10): invalid value NaN"),
        ('{"depth":-1}', "(line 1:10): invalid value for uint32 field depth: -1"),
        ('{\n "path":"ä","depth":1.5}', "(line 2:21): invalid value for uint32 field depth: 1.5"),
        ('{"depth":4294967296}', "(line 1:10): invalid value for uint32 field depth: 4294967296"),
        ('{"depth":1e999999999}', "(line 1:10): invalid value for uint32 field depth: 1e999999999"),
        ('{"depth":"x"}', '(line 1:10): invalid value for uint32 field depth: "x"'),
        ('{"depth":" 1"}', '(line 1:10): invalid value for uint32 field depth: " 1"'),
        ('{"depth":{}}', "(line 1:10): invalid value for uint32 field depth: {"),
        ('{"path":"a","path":"b"}', '(line 1:13): duplicate field "path"'),
        ('{"path":"\\x"}', 'syntax error (line 1:9): invalid escape code "\\\\x" in string'),
        ('{"path":"\\ud800"}', "unexpected EOF"),
        ('{"path":"a\nb"}', "syntax error (line 1:9): invalid character '\\n' in string"),
    ],
)  # fmt: skip
def test_texts_of_a_request(data: str, text: str) -> None:
    with pytest.raises(ProtoError) as error:
        read_message(LIST_DIR, data.encode())
    assert text in str(error.value)
    assert str(error.value).startswith("proto: ")
    if data:
        with pytest.raises(ProtoError, match=r"^proto: "):
            from_json(LIST_DIR, data.encode())


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b'{"process":{"args":"a"}}', 'syntax error (line 1:20): unexpected token "a"'),
        (b'{"process":{"args":[null]}}', "(line 1:21): invalid value for string field args: null"),
        (b'{"process":{"envs":{"A":1}}}', "(line 1:25): invalid value for string field envs: 1"),
        (b'{"process":{"envs":[]}}', "syntax error (line 1:20): unexpected token ["),
        (
            b'{"process":{"envs":{"A":"1","A":"2"}}}',
            '(line 1:29): duplicate map key "A"',
        ),
        (b'{"stdin":1}', "(line 1:10): invalid value for bool field stdin: 1"),
        (b'{"tag":"\xff"}', "syntax error (line 1:8): invalid UTF-8 in string"),
    ],
)
def test_texts_of_nested_fields(data: bytes, text: str) -> None:
    with pytest.raises(ProtoError) as error:
        from_json(START, data)
    assert str(error.value) == f"proto: {text}"


def test_a_oneof_is_set_once() -> None:
    with pytest.raises(ProtoError) as error:
        from_json(SEND_INPUT, b'{"input":{"stdin":"aGk=","pty":"aGk="}}')
    assert str(error.value) == (
        'proto: (line 1:26): error parsing "pty", oneof process.ProcessInput.input is already set'
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("aGk=", b"hi"),
        ("aGk", b"hi"),
        ("--__", b"\xfb\xef\xff"),
        ("", b""),
        ("++//", b"\xfb\xef\xff"),
    ],
)
def test_base64_in_all_its_spellings(text: str, value: bytes) -> None:
    read = from_json(SEND_INPUT, b'{"input":{"stdin":"%s"}}' % text.encode())
    assert read == {"input": {"stdin": value}}


@pytest.mark.parametrize("text", ["a", "aGk=x", "a-+b", "====", "ä"])
def test_what_is_no_base64(text: str) -> None:
    with pytest.raises(ProtoError, match="invalid value for bytes field stdin"):
        from_json(SEND_INPUT, f'{{"input":{{"stdin":"{text}"}}}}'.encode())


@pytest.mark.parametrize(
    ("value", "number"),
    [("1", 1), ('"1"', 1), ("1.0", 1), ("1e1", 10), ('"1e1"', 10), ("100e-2", 1), ("null", None)],
)
def test_integers_in_all_their_spellings(value: str, number: int | None) -> None:
    expected = {} if number is None else {"depth": number}
    assert from_json(LIST_DIR, f'{{"depth":{value}}}'.encode()) == expected


def test_what_is_unknown_is_ignored() -> None:
    data = b'{"x":{"y":[1,{"z":"\\ud83d\\ude00"}]},"signal":"SIGNAL_SIGINT","also":null}'
    assert from_json(SIGNAL, data) == {}
    assert from_json(SIGNAL, b'{"signal":"SIGNAL_SIGKILL"}') == {"signal": 9}
    assert from_json(SIGNAL, b'{"signal":2}') == {"signal": 2}


def test_deep_nesting_of_unknown_fields_is_no_danger() -> None:
    deep = b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b',"depth":3}'
    assert from_json(LIST_DIR, deep) == {"depth": 3}


@pytest.mark.parametrize(
    ("instant_ns", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_795_000_000_500_000_000, "2026-11-18T11:06:40.500Z"),
        (1_795_000_000_000_001_000, "2026-11-18T11:06:40.000001Z"),
        (1_795_000_000_000_000_001, "2026-11-18T11:06:40.000000001Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"),
        (-30_610_224_001_000_000_000, "0999-12-31T23:59:59Z"),
    ],
)
def test_timestamps_have_0_3_6_or_9_digits(instant_ns: int, text: str) -> None:
    written = to_json(ENTRY, {"modified_time": instant_ns})
    assert written == b'{"modifiedTime":"%s"}' % text.encode()
    assert from_json(ENTRY, written) == {"modified_time": instant_ns}


def test_an_instant_beyond_all_years_cannot_be_written() -> None:
    with pytest.raises(ProtoError, match="seconds out of range"):
        to_json(ENTRY, {"modified_time": 10**21})


@pytest.mark.parametrize("text", ['"yesterday"', '"2026-13-01T00:00:00Z"'])
def test_what_is_no_timestamp(text: str) -> None:
    with pytest.raises(ProtoError, match=r"invalid google\.protobuf\.Timestamp value"):
        from_json(ENTRY, f'{{"modifiedTime":{text}}}'.encode())
    with pytest.raises(ProtoError, match="unexpected token 5"):
        from_json(ENTRY, b'{"modifiedTime":5}')


def test_sizes_are_strings_and_defaults_are_left_out() -> None:
    entry: dict[str, Any] = {"name": "a", "size": 3, "mode": 0, "type": "FILE_TYPE_FILE"}
    assert to_json(ENTRY, entry) == b'{"name":"a","type":"FILE_TYPE_FILE","size":"3"}'
    assert decode(ENTRY, encode(ENTRY, entry)) == {"name": "a", "size": 3, "type": 1}


def test_names_that_are_no_utf8_cannot_be_written() -> None:
    for write in (encode, to_json):
        with pytest.raises(ProtoError, match="contains invalid UTF-8"):
            write(ENTRY, {"name": "\udcff"})


@pytest.mark.parametrize(
    "text",
    ["message A { fixed32 a = 1; }", "extend A {}", "message A { map<int32, string> a = 1; }"],
)
def test_what_the_schema_reader_does_not_know_it_refuses(text: str) -> None:
    with pytest.raises(ValueError, match=r"un(known|expected)|expected"):
        read_schema(text)
