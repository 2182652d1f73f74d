"""The machines that sandboxes run on, for administrators."""

from __future__ import annotations

from fake_e2b.control_plane.call import Call, json_answer, no_content, uuid_of
from fake_e2b.control_plane.http import Answer
from fake_e2b.wire import node_render
from fake_e2b.wire import rest_nodes as rest


async def list_all(call: Call) -> Answer:
    """`GET /nodes`; no nodes at all are `null`. Fact: nodes.shape"""
    query: rest.NodesQuery = call.query
    reports = await call.backend.node.list(_cluster(query.cluster_id))
    return json_answer(200, [node_render.listed(each) for each in reports] or None)


async def detail(call: Call) -> Answer:
    """`GET /nodes/{nodeID}`."""
    query: rest.NodesQuery = call.query
    report = await call.backend.node.get(call.parameters["nodeID"], _cluster(query.cluster_id))
    return json_answer(200, node_render.detail(report))


async def update(call: Call) -> Answer:
    """`POST /nodes/{nodeID}`."""
    body: rest.NodeStatusChange = call.body
    call.backend.node.update(call.parameters["nodeID"], _cluster(body.cluster_id), body.status)
    return no_content()


def _cluster(text: str | None) -> str | None:
    return None if text is None else uuid_of("clusterID", text)
