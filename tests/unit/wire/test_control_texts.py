# ruff: noqa: E501  the service's own texts
"""The control plane's refusals, word for word, of moments that no client can bring about at will."""

from __future__ import annotations

import pytest

from fake_e2b.domain.control_errors import ControlError
from fake_e2b.domain.control_errors import ControlKind as K
from fake_e2b.wire.control_errors import render

SANDBOX = {"sandbox_id": "i1"}
SECURED = "Please visit https://e2b.dev/docs/sandbox/secured-access for more information."


@pytest.mark.parametrize(
    ("kind", "fields", "status", "text", "code"),
    [
        (K.BEING_PAUSED, SANDBOX, 409, 'Sandbox "i1" is being paused', None),
        (K.BEING_SNAPSHOTTED, SANDBOX, 409, 'Sandbox "i1" is being snapshotted', None),
        (K.BEING_KILLED, SANDBOX, 409, 'Sandbox "i1" is being killed', None),
        (K.SNAPSHOT_IN_PROGRESS, SANDBOX, 409, "Sandbox snapshot is currently being created for sandbox 'i1'", None),
        (K.CANNOT_PAUSE, {**SANDBOX, "state": "killing"}, 409, "Sandbox 'i1' cannot be paused while in 'killing' state", None),
        (K.CANNOT_FORK, {**SANDBOX, "state": "pausing"}, 409, "Sandbox 'i1' cannot be forked while in 'pausing' state", None),
        (K.CANNOT_SNAPSHOT, {**SANDBOX, "state": "pausing"}, 409, "Sandbox 'i1' cannot be snapshotted while in 'pausing' state", None),
        (K.FORK_PAUSED, SANDBOX, 409, "Sandbox 'i1' is paused and cannot be forked; resume it first", None),
        (K.MAX_LENGTH_EXCEEDED, {}, 400, "Max instance length exceeded", None),
        (K.FORK_FAILED, {}, 500, "Error forking sandbox", None),
        (K.SNAPSHOT_FAILED, {}, 500, "Error creating snapshot template", None),
        (K.PLACEMENT_TIMEOUT, {}, 504, "Failed to place sandbox: placement timed out, please retry", "sandbox_placement_timeout"),
        (K.TEMPLATE_NEEDS_REBUILD, {}, 400, f"You need to re-build template to allow using secured access. {SECURED}", None),
        (K.TEMPLATE_NOT_SECURABLE, {}, 400, f"Template is not compatible with secured access. {SECURED}", None),
        (
            K.BUILD_LIMIT, {"limit": 20}, 429,
            "you have reached the maximum number of concurrent template builds (20). Please wait for existing builds to complete or contact support if you need more concurrent builds.", None,
        ),
        (K.TEMPLATE_FORBIDDEN, {"name": "ns/x"}, 403, "You don't have access to template 'ns/x'", None),
        (K.SECRET_CONFLICT, {}, 409, "Secret cannot be modified in its current state", None),
        (K.WEBHOOK_LIMIT, {}, 429, "Webhook limit reached", None),
        (K.VOLUME_FAILED, {}, 500, "Error when creating directory", None),
    ],
    ids=str,
)  # fmt: skip
def test_texts(
    kind: K, fields: dict[str, object], status: int, text: str, code: str | None
) -> None:
    answer = render(ControlError(kind, **fields))
    assert answer.status == status
    assert answer.body == {
        "code": status,
        "message": text,
        **({} if code is None else {"error_code": code}),
    }
