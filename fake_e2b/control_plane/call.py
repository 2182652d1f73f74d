"""What a route is given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fake_e2b.backend.control import ControlBackend
from fake_e2b.control_plane.auth import Caller
from fake_e2b.control_plane.http import Answer
from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.domain.ids import SandboxID
from fake_e2b.domain.sandbox import short_id
from fake_e2b.domain.team import Team, User
from fake_e2b.domain.uuids import BadUuidError, parse_uuid
from fake_e2b.wire import service_json


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated request that has passed validation.

    Attributes:
        parameters: From the path, decoded.
        headers: Names in lower case.
        query: An instance of the endpoint's query model.
        body: An instance of the endpoint's body model; None when it is absent.
    """

    backend: ControlBackend
    caller: Caller
    parameters: Mapping[str, str]
    headers: Mapping[str, str]
    query: Any
    body: Any

    @property
    def team(self) -> Team:
        """Which team asks; only of operations that a team can ask for."""
        assert self.caller.team is not None
        return self.caller.team

    @property
    def user(self) -> User:
        """Which user asks; only of operations that take nothing but a user's credentials."""
        assert self.caller.user is not None
        return self.caller.user

    @property
    def sandbox(self) -> str:
        """The path's sandbox ID as it was given."""
        return self.parameters["sandboxID"]


Route = Callable[[Call], Awaitable[Answer]]

NO_CONTENT = 204


def json_answer(status: int, value: object) -> Answer:
    """An answer that holds one object or a list."""
    return Answer(status, service_json.encode(value))


def no_content() -> Answer:
    """An empty answer."""
    return Answer(NO_CONTENT)


def uuid_of(parameter: str, text: str) -> str:
    """A UUID that a request holds, in its usual form.

    Raises:
        ControlError: BAD_PATH_UUID.
    """
    try:
        return parse_uuid(text)
    except BadUuidError as error:
        raise ControlError(
            ControlKind.BAD_PATH_UUID, parameter=parameter, text=text, reason=str(error)
        ) from None


def sandbox_id(text: str) -> SandboxID:
    """A sandbox ID without its client part.

    Raises:
        ControlError: INVALID_SANDBOX_ID.
    """
    short = short_id(text)
    if short is None:
        raise ControlError(ControlKind.INVALID_SANDBOX_ID)
    return short
