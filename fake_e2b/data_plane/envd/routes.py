"""envd's plain HTTP routes."""

from __future__ import annotations

from collections.abc import Mapping

from fake_e2b.data_plane.asgi import Endpoint, Receive, Scope, Send
from fake_e2b.data_plane.envd.access import envd_of
from fake_e2b.data_plane.envd.composing import compose_files
from fake_e2b.data_plane.envd.download import download
from fake_e2b.data_plane.envd.replies import NO_STORE, answer_json
from fake_e2b.data_plane.envd.upload import upload
from fake_e2b.domain.clock import SECOND_NS

_MIB = 1024 * 1024


async def health(scope: Scope, receive: Receive, send: Send) -> None:
    """The daemon lives. Fact: envd.health"""
    # The empty content type is the daemon's own way of keeping its HTTP library from guessing.
    headers = [NO_STORE, (b"content-type", b"")]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def envs(scope: Scope, receive: Receive, send: Send) -> None:
    """The global variables. Fact: envd.envs"""
    await answer_json(send, dict(sorted(envd_of(scope).env_vars.items())), [NO_STORE])


async def metrics(scope: Scope, receive: Receive, send: Send) -> None:
    """What the sandbox uses now. Fact: envd.metrics"""
    envd = envd_of(scope)
    usage = await envd.guest.usage()
    reading = {
        "ts": envd.clock.now_ns() // SECOND_NS,
        "cpu_count": usage.cpu_count,
        "cpu_used_pct": round(usage.cpu_used_pct, 2),
        "mem_total": usage.mem_total,
        "mem_used": usage.mem_used,
        "mem_cache": usage.mem_cache,
        "mem_total_mib": usage.mem_total // _MIB,
        "mem_used_mib": usage.mem_used // _MIB,
        "disk_total": usage.disk.total,
        "disk_used": usage.disk.used,
    }
    await answer_json(send, reading, [NO_STORE])


ROUTES: Mapping[str, Mapping[str, Endpoint]] = {
    "/health": {"GET": health},
    "/metrics": {"GET": metrics},
    "/envs": {"GET": envs},
    "/files": {"GET": download, "POST": upload},
    "/files/compose": {"POST": compose_files},
}
"""By path, then by verb; the order of the verbs is that of the Allow headers."""
