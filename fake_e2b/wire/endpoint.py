"""What one operation of the control plane takes and gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fake_e2b.wire import rest


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method of one path.

    Attributes:
        query: Its query parameters; None for none.
        body: What its body holds; None when there is none.
        body_required: Whether the body must be there.
        typed_empty_is_eof: See `validation.BodyReader`.
        answers: Success status to what the answer's body holds; None for an empty one.
        is_list: The body is an array of that.
        refusals: The statuses it refuses with, beside 401, 403 and 500.
        public: It asks for no credentials.
    """

    method: str
    path: str
    summary: str
    answers: Mapping[int, type[rest.Shape] | None]
    query: type[rest.Shape] | None = None
    body: type[rest.Shape] | None = None
    body_required: bool = False
    typed_empty_is_eof: bool = False
    is_list: bool = False
    refusals: tuple[int, ...] = field(default=(400,))
    public: bool = False
