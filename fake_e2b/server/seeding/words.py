"""What refusals of every plane say, for those who ask the fake itself."""

from __future__ import annotations

import json

from fake_e2b.domain.control_errors import ControlError
from fake_e2b.domain.envd_errors import EnvdError
from fake_e2b.domain.volume_errors import VolumeError
from fake_e2b.wire import control_errors, envd_errors, volume_errors
from fake_e2b.wire.validation import InvalidRequestError

REFUSALS = (ControlError, EnvdError, VolumeError, InvalidRequestError, OSError)
"""How the service, or the machine, says no."""


def words_of(error: BaseException) -> str:
    """The text that a client would get."""
    if isinstance(error, ControlError):
        return str(control_errors.render(error).body["message"])
    if isinstance(error, EnvdError):
        return envd_errors.http_answer(error)[1]
    if isinstance(error, VolumeError):
        return str(json.loads(volume_errors.render(error)[1])["message"])
    if isinstance(error, InvalidRequestError):
        return error.message
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return f"{type(error).__name__}: {error}"
