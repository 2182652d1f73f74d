"""Pause, resume, fork and connect."""

from __future__ import annotations

from fake_e2b.control_plane.call import Call, json_answer, no_content
from fake_e2b.control_plane.http import Answer
from fake_e2b.domain.control_errors import ControlError
from fake_e2b.domain.sandbox import Sandbox
from fake_e2b.wire import control_errors, rest, rest_render


async def pause(call: Call) -> Answer:
    """`POST /sandboxes/{sandboxID}/pause`."""
    body: rest.SandboxPauseRequest = call.body or rest.SandboxPauseRequest()
    await call.backend.sandboxes.pause(
        call.team,
        call.sandbox,
        memory=body.memory,
        require_healthy=body.require_healthy_guest,
    )
    return no_content()


async def resume(call: Call) -> Answer:
    """`POST /sandboxes/{sandboxID}/resume`."""
    body: rest.ResumedSandbox = call.body or rest.ResumedSandbox()
    record = await call.backend.sandboxes.resume(
        call.team,
        call.sandbox,
        timeout_s=body.timeout,
        auto_pause=body.auto_pause,
        memory=body.memory is not False,
    )
    return json_answer(201, rest_render.sandbox(record))


async def fork(call: Call) -> Answer:
    """`POST /sandboxes/{sandboxID}/fork`: 201 even if some of the forks did not start."""
    body: rest.SandboxForkRequest = call.body or rest.SandboxForkRequest()
    forks = await call.backend.sandboxes.forks.fork(
        call.team, call.sandbox, timeout_s=body.timeout, count=body.count
    )
    return json_answer(201, [_fork_result(each) for each in forks])


def _fork_result(fork: Sandbox | ControlError) -> dict[str, object]:
    if isinstance(fork, ControlError):
        refusal = control_errors.render(fork).body
        return {"error": {name: refusal[name] for name in ("code", "message")}}
    return {"sandbox": rest_render.sandbox(fork)}


async def connect(call: Call) -> Answer:
    """`POST …/connect`, both generations: 200 for a running sandbox, 201 for a resumed one."""
    body: rest.ConnectSandbox | rest.ConnectSandboxV2 = call.body
    record, resumed = await call.backend.sandboxes.connect(
        call.team, call.sandbox, timeout_s=body.timeout, memory=body.memory is not False
    )
    return json_answer(201 if resumed else 200, rest_render.sandbox(record))
