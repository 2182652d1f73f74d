"""What GET and POST /files ask before anything else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from fake_e2b.backend.envd import Envd
from fake_e2b.backend.transfer import check_access
from fake_e2b.wire.file_query import FileQuery
from fake_e2b.wire.signature import sign


def admit(
    envd: Envd,
    query: FileQuery,
    headers: Mapping[str, str],
    operation: Literal["read", "write"],
) -> None:
    """Check the token or the URL's signature.

    Raises:
        EnvdError: See `check_access`.
    """
    token = envd.access_token
    if token is None:
        return
    check_access(
        token=token,
        header=headers.get("x-access-token", ""),
        signature=query.signature,
        expected=lambda: sign(
            path=query.path or "",
            operation=operation,
            username=query.username or "",
            token=token,
            expiration=query.signature_expiration,
        ),
        expiration=query.signature_expiration,
        now_ns=envd.clock.now_ns(),
    )
