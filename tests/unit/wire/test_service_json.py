"""JSON in the control plane's own words."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_e2b.wire.json_scanner import InvalidJSONError
from fake_e2b.wire.service_json import decode, encode


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (b"", "EOF"),
        (b" \n", "EOF"),
        (b"{", "unexpected EOF"),
        (b'{"a', "unexpected EOF"),
        (b'{"a":tru', "unexpected EOF"),
        (b"[1,", "unexpected EOF"),
        (b"-", "unexpected EOF"),
        (b"x", "invalid character 'x' looking for beginning of value"),
        (b"\xff", "invalid character 'ÿ' looking for beginning of value"),
        (b"\x01", "invalid character '\\x01' looking for beginning of value"),
        (b"[1,]", "invalid character ']' looking for beginning of value"),
        (b"[1 2]", "invalid character '2' after array element"),
        (b"{1}", "invalid character '1' looking for beginning of object key string"),
        (b'{"a":1,}', "invalid character '}' looking for beginning of object key string"),
        (b'{"a" 1}', "invalid character '1' after object key"),
        (b'{"a":1 "b":2}', "invalid character '\"' after object key:value pair"),
        (b'{"a":01}', "invalid character '1' after object key:value pair"),
        (b'["a\nb"]', "invalid character '\\n' in string literal"),
        (b'["\\x"]', "invalid character 'x' in string escape code"),
        (b'["\\u12g4"]', "invalid character 'g' in \\u hexadecimal character escape"),
        (b"[nul!]", "invalid character '!' in literal null (expecting 'l')"),
        (b"[-x]", "invalid character 'x' in numeric literal"),
        (b"[1.x]", "invalid character 'x' after decimal point in numeric literal"),
        (b"[1ex]", "invalid character 'x' in exponent of numeric literal"),
        (b"[1e+]", "invalid character ']' in exponent of numeric literal"),
        (b"[NaN]", "invalid character 'N' looking for beginning of value"),
        (b'[{"a":[]},tx]', "invalid character 'x' in literal true (expecting 'r')"),
        (b"[" * 100_000, "exceeded max depth"),
        (b"[" + b"9" * 5000 + b"]", "invalid number literal"),
    ],
)
def test_broken_texts(text: bytes, complaint: str) -> None:
    with pytest.raises(InvalidJSONError) as refused:
        decode(text)
    assert str(refused.value) == complaint


def test_what_follows_the_first_value_is_not_looked_at() -> None:
    assert decode(b' {"a": [1]} }') == {"a": [1]}


def test_half_characters_are_replaced() -> None:
    assert decode(b'["\\ud800", {"\\udc00": 1}, "\xff"]') == ["\ufffd", {"\ufffd": 1}, "\ufffd"]


def test_what_could_end_a_script_is_escaped() -> None:
    assert encode({"a": "<b>&\u2028\u2029é"}) == (
        b'{"a":"\\u003cb\\u003e\\u0026\\u2028\\u2029' + "é".encode() + b'"}'
    )


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(values)
def test_what_is_written_can_be_read(value: object) -> None:
    assert decode(encode(value)) == value
    assert json.loads(encode(value)) == value


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(InvalidJSONError):
        decode(data)
