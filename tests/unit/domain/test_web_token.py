"""Tokens are read by whoever has the key, and nobody else's are."""

from __future__ import annotations

import pytest

from fake_e2b.domain.web_token import read_token, sign_token

KEY = b"k" * 32
CLAIMS = {"aud": "ä", "exp": 1}


def test_a_token_is_read_with_its_key_alone() -> None:
    token = sign_token(CLAIMS, KEY, {"kid": "one"})
    assert read_token(token, KEY) == CLAIMS
    assert read_token(token, b"x" * 32) is None


@pytest.mark.parametrize("text", ["", ".", "..", "a.b.c", "ä.ä.ä", "e30.W10.x", "\udcff.a.b"])
def test_other_texts_are_no_tokens(text: str) -> None:
    assert read_token(text, KEY) is None


def test_a_changed_token_is_no_token() -> None:
    header, payload, signature = sign_token(CLAIMS, KEY, {}).split(".")
    other = sign_token({"exp": 2}, KEY, {}).split(".")[1]
    assert read_token(f"{header}.{other}.{signature}", KEY) is None
    assert read_token(f"{header}.{payload}.{signature[:-2]}", KEY) is None


def test_a_signed_list_holds_no_claims() -> None:
    token = sign_token([], KEY, {})  # type: ignore[arg-type]
    assert read_token(token, KEY) is None
