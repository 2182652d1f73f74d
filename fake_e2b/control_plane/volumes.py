"""Volumes: create, list, get and delete. Their content has an app of its own in the data plane."""

from __future__ import annotations

from fake_e2b.control_plane.call import Call, json_answer, no_content
from fake_e2b.control_plane.http import Answer
from fake_e2b.domain.volume import Volume
from fake_e2b.wire import render_storage, rest_storage


async def list_all(call: Call) -> Answer:
    """`GET /volumes`."""
    found = call.backend.volumes.list(call.team)
    return json_answer(200, [render_storage.volume(each) for each in found])


async def create(call: Call) -> Answer:
    """`POST /volumes`."""
    body: rest_storage.NewVolume = call.body
    return _shown(call, 201, await call.backend.volumes.create(call.team, body.name))


async def detail(call: Call) -> Answer:
    """`GET /volumes/{volumeID}`."""
    return _shown(call, 200, call.backend.volumes.get(call.team, call.parameters["volumeID"]))


async def delete(call: Call) -> Answer:
    """`DELETE /volumes/{volumeID}`."""
    await call.backend.volumes.delete(call.team, call.parameters["volumeID"])
    return no_content()


def _shown(call: Call, status: int, volume: Volume) -> Answer:
    token = call.backend.volumes.token(volume)
    return json_answer(status, render_storage.volume_and_token(volume, token))
