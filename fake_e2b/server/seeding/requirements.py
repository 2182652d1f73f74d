"""What the service would say to each table of a seed, asked before anything is made.

What stands before a table in the seed counts as if it were there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar

from fake_e2b.backend.admission import CreateRequest, admit
from fake_e2b.backend.control import ControlBackend
from fake_e2b.backend.webhooks import check_webhook
from fake_e2b.control_plane.sandboxes import create_request
from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.event import EventType
from fake_e2b.domain.secret import canonical_name, is_fitting_metadata
from fake_e2b.domain.seed.forms import (
    SEED_NAME,
    SandboxForm,
    SecretForm,
    SnapshotForm,
    TemplateForm,
    VolumeForm,
    WebhookForm,
)
from fake_e2b.domain.team import Team
from fake_e2b.domain.template import DEFAULT_TAG, BadReferenceError, parse_reference
from fake_e2b.domain.volume import MAX_NAME
from fake_e2b.wire import rest, rest_storage, rest_webhooks
from fake_e2b.wire.validation import BodyReader

Shape = TypeVar("Shape", bound=rest.Shape)


class Requirements:
    """Checks the tables of one seed, in their order."""

    def __init__(self, backend: ControlBackend) -> None:
        self._backend = backend
        self._volumes: set[tuple[str, str]] = set()
        self._sandboxes: set[tuple[str, str]] = set()
        self._builds: set[tuple[str, str, str]] = set()

    def secret(self, form: SecretForm) -> str:
        """The name that the secret will have.

        Raises:
            UsageError: No secret can be so.
        """
        name = canonical_name(form.name)
        if name is None:
            raise UsageError(
                "Invalid secrets request: a name is up to 128 letters, digits, - and _, and does "
                "not begin with sec_"
            )
        if not is_fitting_metadata(form.metadata):
            raise UsageError("Invalid secrets request: there is too much metadata")
        return name

    def volume(self, team: Team, form: VolumeForm) -> None:
        """Raises:
        InvalidRequestError, ControlError: No volume can have that name.
        """
        _read(rest_storage.NewVolume, {"name": form.name})
        if len(form.name) > MAX_NAME:
            raise ControlError(ControlKind.BAD_VOLUME_NAME)
        self._volumes.add((team.slug, form.name))

    def template(self, team: Team, form: TemplateForm) -> None:
        """Raises:
        UsageError: There is nothing to start it from.
        """
        if not self._is_known(team, form.from_template):
            raise UsageError(
                f"there is no template {form.from_template!r} to start from; what a template "
                "starts from stands before it"
            )
        self._note_build(team, form.name)

    def webhook(self, form: WebhookForm) -> None:
        """Raises:
        InvalidRequestError, ControlError: No webhook can be so.
        """
        body = {"name": form.name, "url": form.url, "events": list(form.events)}
        _read(rest_webhooks.NewWebhook, {**body, "signatureSecret": form.secret})
        check_webhook(form.url, [EventType(each) for each in form.events])

    def sandbox(self, team: Team, form: SandboxForm) -> None:
        """Raises:
        InvalidRequestError, ControlError: The service would refuse to make it.
        """
        request = request_of(form)
        if not self._is_known(team, form.template):
            self._backend.templates.resolve(team, form.template)
        stand_in = self._backend.templates.defaults()[0]
        admit(request, team, stand_in, lambda name: self._has_volume(team, name))
        self._sandboxes.add((team.slug, form.name))

    def snapshot(self, team: Team, form: SnapshotForm, is_there: bool) -> str:
        """The name that the snapshot will have.

        Args:
            is_there: Whether the fake has a sandbox of that name.

        Raises:
            UsageError: There is no such sandbox, or no template can have that name.
        """
        if not is_there and (team.slug, form.sandbox) not in self._sandboxes:
            raise UsageError(f"there is no sandbox {form.sandbox!r} to make it of")
        try:
            reference = parse_reference(form.name)
        except BadReferenceError as error:
            raise UsageError(f"name {form.name!r}: {error.args[0]}") from error
        if reference.namespace is not None:
            raise UsageError(f"name {form.name!r}: it has no namespace, the team's is put in front")
        return form.name

    def _has_volume(self, team: Team, name: str) -> bool:
        if (team.slug, name) in self._volumes:
            return True
        return self._backend.volumes.find(team.team_id, name) is not None

    def _note_build(self, team: Team, name: str) -> None:
        reference = parse_reference(name)
        self._builds.add((team.slug, reference.name, reference.tag or DEFAULT_TAG))

    def _is_known(self, team: Team, text: str) -> bool:
        """Whether a reference means a template that is there, or will be by then."""
        try:
            reference = parse_reference(text)
        except BadReferenceError:
            return False
        tag = reference.tag or DEFAULT_TAG
        if (reference.namespace or team.slug, reference.name, tag) in self._builds:
            return True
        try:
            self._backend.templates.resolve(team, text)
        except ControlError:
            return False
        return True


def request_of(form: SandboxForm) -> CreateRequest:
    """The create request that makes a sandbox.

    Raises:
        InvalidRequestError: The API does not take it.
    """
    body: dict[str, Any] = {
        "templateID": form.template,
        "timeout": form.timeout,
        "metadata": {**form.metadata, SEED_NAME: form.name},
        "envVars": dict(form.envs),
        "autoPause": form.on_timeout == "pause",
        "autoPauseMemory": form.auto_pause_memory,
        "autoResume": {"enabled": form.auto_resume},
        "volumeMounts": [{"name": name, "path": path} for path, name in form.volume_mounts.items()],
    }
    if form.allow_internet_access is not None:
        body["allow_internet_access"] = form.allow_internet_access
    if form.network is not None:
        body["network"] = form.network
    if form.iam_tokens:
        body["iam"] = {"tokens": form.iam_tokens}
    return create_request(_read(rest.NewSandboxV2, body), secure=form.secure)


def _read(model: type[Shape], body: Mapping[str, Any]) -> Shape:
    read = _reader(model).read("application/json", json.dumps(body).encode())
    assert isinstance(read, model)
    return read


@cache
def _reader(model: type[rest.Shape]) -> BodyReader[Any]:
    """Made once: that takes longer than many a seed."""
    return BodyReader(model, required=True)
