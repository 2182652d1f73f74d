"""Volumes: their content over HTTP, and what a mount costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import median

import httpx
import psutil
from canned import BIG_BYTES, BLOCK
from e2b import Sandbox, Volume
from rows import Row, medians_ms, took_ms
from servers import Server, server

_TIMES = 15
_MIB = 1 << 20


def _body() -> Iterator[bytes]:
    for _ in range(BIG_BYTES // len(BLOCK)):
        yield BLOCK
    yield BLOCK[: BIG_BYTES % len(BLOCK)]


def content(fake: Server, canned: Server, samples: int) -> Iterator[Row]:
    options = {"api_key": fake.api_key, "api_url": fake.url}
    volume = Volume.create("benchmark", **options)
    path = f"/volumecontent/{volume.volume_id}/file"
    headers = {
        "Authorization": f"Bearer {volume.token}",
        "Content-Type": "application/octet-stream",
        "Content-Length": str(BIG_BYTES),
    }
    with httpx.Client(timeout=120, trust_env=False) as client:

        def put() -> None:
            query = {"path": "/big.bin"}
            client.put(
                fake.url + path, params=query, headers=headers, content=_body()
            ).raise_for_status()

        def count() -> None:
            client.post(f"{canned.url}/files", headers=headers, content=_body()).raise_for_status()

        def get() -> None:
            read = {"Authorization": headers["Authorization"]}
            with client.stream(
                "GET", fake.url + path, params={"path": "/big.bin"}, headers=read
            ) as answer:
                assert sum(map(len, answer.iter_raw())) == BIG_BYTES

        def receive() -> None:
            with client.stream("GET", f"{canned.url}/files", params={"path": "big"}) as answer:
                assert sum(map(len, answer.iter_raw())) == BIG_BYTES

        def remove() -> None:
            if volume.exists("/big.bin", api_url=fake.url):
                volume.remove("/big.bin", api_url=fake.url)

        process = psutil.Process(fake.pid)
        for what, ours, floor_of, before_it in (
            ("write to", put, count, remove),
            ("read from", get, receive, lambda: None),
        ):
            before = process.memory_info().rss
            times: list[tuple[float, float]] = []
            for _ in range(_TIMES):
                before_it()  # a new file: to free an old one's pages is no part of writing
                times.append((took_ms(floor_of), took_ms(ours)))
            floor_ms, ours_ms = (median(each) for each in zip(*times, strict=True))
            grown = (process.memory_info().rss - before) / _MIB
            floor, measured = BIG_BYTES / 1e3 / floor_ms, BIG_BYTES / 1e3 / ours_ms
            name, goal, met = f"100 MB {what} a volume", "≥ 60 % of floor", measured >= 0.6 * floor
            yield Row(name, measured, "MB/s", floor, "bytes only counted", goal, met)
            name = f"server memory after 100 MB {what} a volume"
            yield Row(name, max(grown, 0.0), "MiB more", None, "", "< 32 MiB", grown < 32)
    Volume.destroy(volume.volume_id, **options)


def mounted(fake: Server, canned: Server, samples: int) -> Iterator[Row]:
    with server("unpooled") as unpooled:
        volume = Volume.create("benchmark", api_key=unpooled.api_key, api_url=unpooled.url)

        def create(**mounts: str) -> Callable[[], object]:
            def made() -> None:
                Sandbox.create(
                    volume_mounts={f"/mnt/{name}": each for name, each in mounts.items()},
                    **unpooled.options(),
                ).kill()

            return made

        bare, took = medians_ms([create(), create(data=volume.name)], min(samples, 20))
    what = "create with a volume, isolated, and kill"
    yield Row(what, took, "ms", bare, "without one, no guest at hand", "–", met=True)


MEASURES: list[Callable[[Server, Server, int], Iterator[Row]]] = [content, mounted]
