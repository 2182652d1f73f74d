"""The machines that sandboxes run on, for administrators."""

from __future__ import annotations

from fake_e2b.control_plane.call import Call, json_answer, no_content
from fake_e2b.control_plane.http import Answer
from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.domain.uuids import BadUuidError, parse_uuid
from fake_e2b.wire import node_render
from fake_e2b.wire import rest_nodes as rest


async def list_all(call: Call) -> Answer:
    """`GET /nodes`; no nodes at all are `null`. Fact: nodes.shape"""
    reports = await call.backend.node.list(_cluster(call))
    return json_answer(200, [node_render.listed(each) for each in reports] or None)


async def detail(call: Call) -> Answer:
    """`GET /nodes/{nodeID}`."""
    report = await call.backend.node.get(call.parameters["nodeID"], _cluster(call))
    return json_answer(200, node_render.detail(report))


async def update(call: Call) -> Answer:
    """`POST /nodes/{nodeID}`."""
    body: rest.NodeStatusChange = call.body
    call.backend.node.update(call.parameters["nodeID"], body.cluster_id, body.status)
    return no_content()


def _cluster(call: Call) -> str | None:
    query: rest.NodesQuery = call.query
    if query.cluster_id is None:
        return None
    try:
        return parse_uuid(query.cluster_id)
    except BadUuidError as error:
        raise ControlError(
            ControlKind.BAD_PATH_UUID,
            parameter="clusterID",
            text=query.cluster_id,
            reason=str(error),
        ) from None
