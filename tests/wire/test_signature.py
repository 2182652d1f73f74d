"""Signatures of file URLs, against recorded ones."""

from __future__ import annotations

from typing import Literal

import pytest

from fake_e2b.wire.signature import sign


@pytest.mark.parametrize(
    ("operation", "path", "username", "expiration", "signature"),
    [
        ("read", "a.txt", "", None, "v1_kZYd1fyNcp11XTTAlijNfud3E+wFCY1WOHgeUWluplY"),
        ("read", "a.txt", "user", None, "v1_UQk28RSiyyOAivVQb32zp3VQ0o8oX+tbsas2YSk26qc"),
        ("write", "w.txt", "", None, "v1_1lfIFLruaxG8Pfrq3JokwOLGIHwraMqmCjOuSlO0BxM"),
        ("write", "", "", None, "v1_DgOg5wQvfLDcDqWB6U2/jw2xLY0zduh7rlglSEB+fIg"),
        ("read", "a.txt", "", 1795383209, "v1_pdOucrkE95UC4f7d7vwuIsFcMqXHWXVEeqdFicQ0Ne8"),
    ],
)
def test_recorded_signatures(
    operation: Literal["read", "write"],
    path: str,
    username: str,
    expiration: int | None,
    signature: str,
) -> None:
    made = sign(
        path=path, operation=operation, username=username, token="a1b2c3", expiration=expiration
    )
    assert made == signature
