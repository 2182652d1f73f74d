"""JSON Web Tokens, signed with HMAC-SHA-256.

The service signs with keys of its own choice, and its clients look into none of these tokens.

Fact: fake.tokens.hs256
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any


def sign_token(claims: Mapping[str, Any], key: bytes, header: Mapping[str, Any]) -> str:
    """The token with these claims.

    Args:
        header: What its header says besides `alg` and `typ`.
    """
    parts = [{"alg": "HS256", "typ": "JWT", **header}, claims]
    signed = ".".join(_encoded(json.dumps(each, separators=(",", ":")).encode()) for each in parts)
    return f"{signed}.{_encoded(_signature(signed, key))}"


def read_token(token: str, key: bytes) -> dict[str, Any] | None:
    """The claims of a token that `sign_token` made with this key; None of any other text.

    Whether it has expired is the caller's to see.
    """
    signed, _, signature = token.rpartition(".")
    try:
        is_ours = hmac.compare_digest(_decoded(signature), _signature(signed, key))
        claims = json.loads(_decoded(signed.partition(".")[2])) if is_ours else None
    except (ValueError, binascii.Error):
        return None
    return claims if isinstance(claims, dict) else None


def _signature(signed: str, key: bytes) -> bytes:
    return hmac.new(key, signed.encode("utf-8", "surrogateescape"), hashlib.sha256).digest()


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), b"-_", validate=True)
