"""Records as JSON: which kinds there are, how each is named, written and read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from pydantic import TypeAdapter

from fake_e2b.domain.event import SandboxEvent
from fake_e2b.domain.records import Kept
from fake_e2b.domain.sandbox import Sandbox
from fake_e2b.domain.secret import Secret
from fake_e2b.domain.team import AccessToken, ApiKey, Team
from fake_e2b.domain.template import Template
from fake_e2b.domain.volume import Volume
from fake_e2b.domain.webhook import Webhook
from fake_e2b.storage.template_form import read_templates, write_template

T = TypeVar("T", bound=Kept)


@dataclass(frozen=True, slots=True)
class Form(Generic[T]):
    """One kind of record.

    Attributes:
        kind: Its name in the database.
        key: What tells its records apart.
        write: A record as JSON.
        read: All records of the kind, in the order of their making.
    """

    kind: str
    key: Callable[[T], str]
    write: Callable[[T], bytes]
    read: Callable[[Sequence[bytes]], list[T]]


def _plain(kind: str, made: type[T], key: Callable[[T], str]) -> Form[T]:
    """A dataclass that holds nothing but values."""
    adapter: TypeAdapter[T] = TypeAdapter(made)
    return Form(
        kind,
        key,
        adapter.dump_json,
        lambda texts: [adapter.validate_json(text) for text in texts],
    )


_FORMS: Mapping[type, Form[Any]] = {
    Team: _plain("team", Team, lambda each: each.team_id),
    ApiKey: _plain("API key", ApiKey, lambda each: each.key_id),
    AccessToken: _plain("access token", AccessToken, lambda each: each.token_id),
    Template: Form("template", lambda each: each.template_id, write_template, read_templates),
    Sandbox: _plain("sandbox", Sandbox, lambda each: each.sandbox_id),
    Volume: _plain("volume", Volume, lambda each: each.volume_id),
    Secret: _plain("secret", Secret, lambda each: each.secret_id),
    Webhook: _plain("webhook", Webhook, lambda each: each.webhook_id),
    SandboxEvent: _plain("event", SandboxEvent, lambda each: each.event_id),
}


def form_of(kind: type[T]) -> Form[T]:
    """The form of a kind of record."""
    return cast(Form[T], _FORMS[kind])
