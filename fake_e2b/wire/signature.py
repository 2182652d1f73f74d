"""Signatures of file URLs. Fact: envd.signature.formula"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from typing import Literal


def sign(
    *,
    path: str,
    operation: Literal["read", "write"],
    username: str,
    token: str,
    expiration: int | None = None,
) -> str:
    """The value of a file URL's `signature` parameter.

    Args:
        path: The `path` parameter as given, decoded but not resolved; "" when absent.
        operation: ``"read"`` for GET, ``"write"`` for POST.
        username: The `username` parameter as given; "" when absent.
        token: The sandbox's access token.
        expiration: Unix seconds, as in `signature_expiration`; None when absent.
    """
    raw = f"{path}:{operation}:{username}:{token}"
    if expiration is not None:
        raw += f":{expiration}"
    digest = hashlib.sha256(raw.encode(errors="surrogateescape")).digest()
    return "v1_" + b64encode(digest).decode().rstrip("=")
