"""IDs, template references and the table of states."""

from __future__ import annotations

import pytest

from fake_e2b.domain.sandbox import LISTED_AS, MOVES, SHOWN_AS, State, short_id
from fake_e2b.domain.template import BadReferenceError, TemplateReference, parse_reference


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("i0abc", "i0abc"),
        ("i0abc-6532622b", "i0abc"),
        ("i0abc-", "i0abc"),
        ("i0abc-Ä!", "i0abc"),
        ("i0abc-a-b", None),
        ("I0ABC", None),
        ("", None),
        ("-x", None),
        ("a_b", None),
        ("a\n", None),
    ],
)
def test_short_ids(text: str, expected: str | None) -> None:
    assert short_id(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("base", TemplateReference(None, "base", None)),
        (" Team/Base : V1.0 ", TemplateReference("team", "base", "v1.0")),
        ("base:default", TemplateReference(None, "base", None)),
    ],
)
def test_references(text: str, expected: TemplateReference) -> None:
    assert parse_reference(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "invalid template ID: "),
        ("a.b", "invalid template ID: a.b"),
        ("a/b/c", "invalid template ID: b/c"),
        ("/a", "invalid namespace: "),
        ("a:", "invalid tag: "),
        ("a:b/c", "invalid tag: b/c"),
    ],
)
def test_references_that_are_none(text: str, reason: str) -> None:
    with pytest.raises(BadReferenceError) as refused:
        parse_reference(text)
    assert refused.value.args == (reason,)


def test_every_state_has_its_place_in_every_table() -> None:
    assert set(MOVES) == set(SHOWN_AS) == set(LISTED_AS) == set(State)
