"""The operations on secrets and volumes; see `fake_e2b.wire.endpoints`."""

from __future__ import annotations

from fake_e2b.wire import rest_storage
from fake_e2b.wire.endpoint import Endpoint

STORAGE_ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "GET",
        "/secrets",
        "List secrets",
        {200: rest_storage.Secret},
        query=rest_storage.SecretsQuery,
        is_list=True,
    ),
    Endpoint(
        "POST",
        "/secrets",
        "Create a secret",
        {201: rest_storage.Secret},
        body=rest_storage.NewSecret,
        body_required=True,
        refusals=(400, 409, 413),
    ),
    Endpoint(
        "GET",
        "/secrets/{secretID}",
        "One secret",
        {200: rest_storage.Secret},
        refusals=(400, 404),
    ),
    Endpoint(
        "POST",
        "/secrets/{secretID}",
        "Give a secret a new value",
        {200: rest_storage.Secret},
        body=rest_storage.SecretUpdate,
        body_required=True,
        refusals=(400, 404, 413),
    ),
    Endpoint(
        "DELETE",
        "/secrets/{secretID}",
        "Delete a secret with all its versions",
        {204: None},
        refusals=(400, 404),
    ),
    Endpoint(
        "GET",
        "/volumes",
        "List volumes",
        {200: rest_storage.Volume},
        is_list=True,
        refusals=(),
    ),
    Endpoint(
        "POST",
        "/volumes",
        "Create a volume",
        {201: rest_storage.VolumeAndToken},
        body=rest_storage.NewVolume,
        body_required=True,
        refusals=(400, 413),
    ),
    Endpoint(
        "GET",
        "/volumes/{volumeID}",
        "One volume, with a fresh token",
        {200: rest_storage.VolumeAndToken},
        refusals=(400, 404),
    ),
    Endpoint(
        "DELETE",
        "/volumes/{volumeID}",
        "Delete a volume with its content",
        {204: None},
        refusals=(400, 404),
    ),
)
