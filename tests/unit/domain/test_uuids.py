"""UUIDs as requests write them."""

from __future__ import annotations

import pytest

from fake_e2b.domain.uuids import BadUuidError, parse_uuid

PLAIN = "0f5e8a4c-0000-4000-8000-000000000001"


@pytest.mark.parametrize(
    "text",
    [PLAIN, PLAIN.upper(), PLAIN.replace("-", ""), "{" + PLAIN + "}", "urn:uuid:" + PLAIN],
)
def test_forms_of_one_uuid(text: str) -> None:
    assert parse_uuid(text) == PLAIN


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "invalid UUID length: 0"),
        ("é", "invalid UUID length: 2"),
        ("z" * 32, "invalid UUID format"),
        ("z" * 36, "invalid UUID format"),
        ("urn-uuid:" + PLAIN, 'invalid urn prefix: "urn-uuid:"'),
    ],
)
def test_what_is_none(text: str, reason: str) -> None:
    with pytest.raises(BadUuidError) as caught:
        parse_uuid(text)
    assert str(caught.value) == reason
