"""Messages of any type of a schema, as dicts."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from fake_e2b.wire.proto_schema import INTEGERS, Field, MessageType
from fake_e2b.wire.protobuf import Message

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
# Years 1 to 9999, the range of a Timestamp.
_INSTANTS_NS = st.integers(-62_135_596_800 * 10**9, 253_402_300_799 * 10**9 + 999_999_999)


def messages(kind: MessageType) -> st.SearchStrategy[Message]:
    """Dicts in the form that decoding gives: no defaults without presence."""
    oneofs = [
        st.one_of(
            st.just({}),
            *(
                _values(declared).map(lambda value, name=declared.name: {name: value})
                for declared in kind.fields
                if declared.oneof == oneof
            ),
        )
        for oneof in kind.oneofs
    ]
    plain = st.fixed_dictionaries(
        {}, optional={each.name: _field(each) for each in kind.fields if each.oneof is None}
    )
    return st.tuples(plain, *oneofs).map(
        lambda parts: _without_defaults(kind, {k: v for part in parts for k, v in part.items()})
    )


def _without_defaults(kind: MessageType, message: Message) -> Message:
    presence = {declared.name: declared.presence for declared in kind.fields}
    return {name: value for name, value in message.items() if value or presence[name]}


def _field(declared: Field) -> st.SearchStrategy[Any]:
    if declared.label == "repeated":
        return st.lists(_values(declared), max_size=4)
    if declared.label == "map":
        return st.dictionaries(_TEXT, _values(declared), max_size=4)
    return _values(declared)


def _values(declared: Field) -> st.SearchStrategy[Any]:
    if declared.message is not None:
        return messages(declared.message)
    if declared.enum is not None:
        return st.sampled_from([*declared.enum.names, 77, -1])
    if declared.kind in INTEGERS:
        return st.integers(*INTEGERS[declared.kind])
    return {
        "string": _TEXT,
        "bytes": st.binary(max_size=40),
        "bool": st.booleans(),
        "timestamp": _INSTANTS_NS,
    }[declared.kind]
