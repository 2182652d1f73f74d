"""Templates: what a build takes, what its repetition, and what a sandbox that starts from one."""

from __future__ import annotations

import itertools
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from statistics import median

import httpx
from e2b import Sandbox, Template, TemplateBuildStatus
from e2b.template.main import TemplateBase
from rows import Row, median_ms, took_ms
from servers import NoServerError, Server, server

from fake_e2b import FakeE2B
from fake_e2b.domain.ids import TemplateID

STEPS = 10
COMMANDS = STEPS - 2
LISTED, PAGE = 10_000, 100
_REST_S = 0.05


def _of_ten_steps(word: str) -> TemplateBase:
    made = Template().from_image("ubuntu").set_envs({"WORD": word}).set_workdir("/home/user/work")
    for number in range(COMMANDS):
        made = made.run_cmd(f"echo $WORD > file{number}")
    return made  # type: ignore[return-value]


def _build(on: Server, word: str) -> None:
    """Build it, looking for the end without a pause, as the SDK's own `build` does not."""
    options = {"api_key": on.api_key, "api_url": on.url}
    info = Template.build_in_background(_of_ten_steps(word), "ten", **options)
    while (
        status := Template.get_build_status(info, **options)
    ).status is TemplateBuildStatus.BUILDING:
        pass
    assert status.status is TemplateBuildStatus.READY, status


def _bare_ms(samples: int) -> float:
    """Milliseconds of as many shells, one after the other."""
    with tempfile.TemporaryDirectory() as home:
        environment = {"HOME": home, "PATH": "/usr/bin:/bin", "WORD": "a"}

        def run() -> None:
            for number in range(COMMANDS):
                command = ["/bin/bash", "-l", "-c", f"echo $WORD > file{number}"]
                subprocess.run(command, env=environment, cwd=home, check=True)

        return median_ms(run, samples)


def builds(fake: Server, canned: Server, samples: int) -> Iterator[Row]:
    times, words = max(samples // 6, 5), itertools.count()
    floor, floor_is = _bare_ms(times), f"{COMMANDS} × bare bash"
    for kind in ("isolated", "local"):
        try:
            with server(kind) as on:
                _build(on, "first")
                fresh = median(
                    took_ms(lambda on=on: _build(on, f"w{next(words)}")) for _ in range(times)
                )
                again = median(took_ms(lambda on=on: _build(on, "first")) for _ in range(times))
        except NoServerError:
            continue
        what, goal = f"template build of {STEPS} steps, {COMMANDS} of them commands", "≤ 500 ms"
        yield Row(f"{what}, {kind}", fresh, "ms", floor, floor_is, goal, fresh <= 500)
        what = f"the same again, {kind}"
        yield Row(what, again, "ms", None, "", "≤ 50 ms", again <= 50)


def _create_ms(on: Server, name: str) -> float:
    made: list[Sandbox] = []
    time.sleep(_REST_S)
    took = took_ms(lambda: made.append(Sandbox.create(name, timeout=600, **on.options())))
    made[0].kill()
    return took


def create(fake: Server, canned: Server, samples: int) -> Iterator[Row]:
    with server("isolated") as on:
        _build(on, "first")
        taken: dict[str, list[float]] = {"base": [], "ten": []}
        for _ in range(samples):
            for name, times in taken.items():
                times.append(_create_ms(on, name))
    floor, measured = (median(taken[name]) for name in ("base", "ten"))
    what, met = "create from a built template, isolated", measured <= 1.5 * floor
    yield Row(what, measured, "ms", floor, "from `base`", "as from `base` (≤ 1.5 ×)", met)


def long_list(fake: Server, canned: Server, samples: int) -> Iterator[Row]:
    with (
        FakeE2B(set_environment=False) as running,
        httpx.Client(timeout=60, trust_env=False) as client,
    ):
        options = {"api_key": running.api_key, "api_url": running.url}
        Template.build(Template().from_image("ubuntu").set_envs({"A": "1"}), "t", **options)
        # Ten thousand builds are not what is measured: records alone are listed.
        backend = running._fake().backend
        templates = backend.templates

        async def fill() -> None:
            (record,) = templates.owned_by(backend.teams.by_key(running.api_key))
            for number in range(LISTED - 1):
                another = replace(
                    record,
                    template_id=TemplateID(f"{number:020d}"),
                    aliases=(f"t{number}",),
                    created_at_ns=record.created_at_ns - number * 1_000_000,
                )
                templates.add(another)

        running._thread().call(fill)
        headers = {"X-API-Key": running.api_key}

        def page(url: str, **query: str) -> httpx.Response:
            answer = client.get(f"{url}/v2/templates", params=query, headers=headers)
            assert len(answer.json()) == PAGE
            return answer

        token = page(running.url, limit=f"{PAGE}").headers["X-Next-Token"]
        measured = median_ms(lambda: page(running.url, limit=f"{PAGE}", nextToken=token), samples)
        floor = median_ms(lambda: page(canned.url), samples)
    what = f"list page of {PAGE} out of {LISTED:,} templates"
    yield Row(what, measured, "ms", floor, "canned reply", "≤ 10 ms", measured <= 10)


MEASURES: list[Callable[[Server, Server, int], Iterator[Row]]] = [builds, create, long_list]
