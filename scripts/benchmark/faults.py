"""Rules: what it costs that there could be some, and what a thousand of them cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
from e2b import Sandbox
from measures import sandbox_on
from rows import Row, medians_ms
from servers import Server, server

from fake_e2b.domain.steering.match import OPERATION_NAMES

RULES = 1000
MOST_SHARE = 1.05
MOST_MORE_MS = 0.2


def no_rule(fake: Server, canned: Server, samples: int) -> Iterator[Row]:
    def create(on: Server) -> Callable[[], object]:
        return lambda: Sandbox.create("base", timeout=600, **on.options()).kill()

    def run(sandbox: Sandbox) -> Callable[[], object]:
        return lambda: sandbox.commands.run("echo hi")

    with server("unsteered") as bare, server("local") as local:
        floor, measured = medians_ms([create(bare), create(local)], samples * 3)
        yield _row("`Sandbox.create` and `kill`, no fault rule", measured, floor)
        with sandbox_on(bare) as without, sandbox_on(local) as sandbox:
            floor, measured = medians_ms([run(without), run(sandbox)], samples * 3)
        yield _row('`commands.run("echo hi")`, no fault rule', measured, floor)


def a_thousand_rules(fake: Server, canned: Server, samples: int) -> Iterator[Row]:
    with server("local") as empty, server("local") as ruled, httpx.Client() as client:

        def info(on: Server, sandbox: Sandbox) -> Callable[[], object]:
            headers = {"X-API-Key": on.api_key}
            url = f"{on.url}/sandboxes/{sandbox.sandbox_id}"
            return lambda: client.get(url, headers=headers).raise_for_status()

        def run(sandbox: Sandbox) -> Callable[[], object]:
            return lambda: sandbox.commands.run("echo hi")

        with sandbox_on(empty) as without, sandbox_on(ruled) as sandbox:
            names = sorted(OPERATION_NAMES)
            matches = [
                {"operation": names[n % len(names)], "sandbox_id": f"i{n}"} for n in range(RULES)
            ]
            with _rules(client, ruled, matches):
                calls = [info(empty, without), info(ruled, sandbox)]
                floor, measured = medians_ms(calls, samples * 5)
            yield _more("a call, 1,000 rules on all operations", measured, floor)
            for what, key in (("sandboxes", "sandboxId"), ("commands", "command")):
                matches = [{"operation": "Process.Start", key: f"echo {n}"} for n in range(RULES)]
                with _rules(client, ruled, matches):
                    floor, measured = medians_ms([run(without), run(sandbox)], samples * 3)
                yield _more(f"`commands.run`, 1,000 rules on it for other {what}", measured, floor)


@contextmanager
def _rules(client: httpx.Client, on: Server, matches: list[dict[str, str]]) -> Iterator[None]:
    url = f"{on.url}/_fake/faults"
    for match in matches:
        rule = {"match": match, "effect": {"kind": "latency", "seconds": 0}}
        client.post(url, json=rule).raise_for_status()
    yield
    client.delete(url).raise_for_status()


def _row(what: str, measured: float, floor: float) -> Row:
    met = measured <= MOST_SHARE * floor
    return Row(what, measured, "ms", floor, "without the layer", "≤ 1.05 × floor", met)


def _more(what: str, measured: float, floor: float) -> Row:
    met = measured <= floor + MOST_MORE_MS
    return Row(what, measured, "ms", floor, "without rules", "≤ floor + 0.2 ms", met)


MEASURES = (no_rule, a_thousand_rules)
