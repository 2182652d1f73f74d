"""A row of the table: what was measured, its floor from the same run, and its goal."""

from __future__ import annotations

import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

BEGIN, END = "<!-- figures -->", "<!-- /figures -->"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure.

    Attributes:
        floor: What no server of this kind can beat, measured in the same run; None without one.
        goal: The same in words.
        met: Whether the goal was met in this run.
    """

    what: str
    measured: float
    unit: str
    floor: float | None
    floor_is: str
    goal: str
    met: bool


def median_ms(call: Callable[[], object], samples: int, warm_up: int = 3) -> float:
    """Median milliseconds of a call."""
    for _ in range(warm_up):
        call()
    return statistics.median(took_ms(call) for _ in range(samples))


def medians_ms(calls: Sequence[Callable[[], object]], samples: int) -> list[float]:
    """Median milliseconds of several calls, taken in turn: what disturbs one disturbs all."""
    for call in calls:
        for _ in range(3):
            call()
    taken: list[list[float]] = [[] for _ in calls]
    for _ in range(samples):
        for call, times in zip(calls, taken, strict=True):
            times.append(took_ms(call))
    return [statistics.median(times) for times in taken]


def took_ms(call: Callable[[], object]) -> float:
    """Milliseconds of one call."""
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1000


def machine() -> dict[str, str]:
    """What the figures were measured on, without naming the machine."""
    cores = (
        sum(line.startswith("processor") for line in Path("/proc/cpuinfo").read_text().splitlines())
        if Path("/proc/cpuinfo").exists()
        else 0
    )
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cores": str(cores or "?"),
        "python": ".".join(map(str, sys.version_info[:3])),
    }


def table(rows: list[Row], on: dict[str, str], day: str) -> str:
    """The table as README shows it."""
    lines = ["| what | measured | floor, same run | goal |", "|---|---|---|---|"]
    for row in rows:
        floor = "–" if row.floor is None else f"{_number(row.floor)} {row.unit} ({row.floor_is})"
        mark = "" if row.met else " (missed)"
        lines.append(
            f"| {row.what} | {_number(row.measured)} {row.unit} | {floor} | {row.goal}{mark} |"
        )
    where = f"{on['system']}, {on['cores']} cores, Python {on['python']}"
    lines += ["", f"Medians, {where}, {day}; written by `scripts/bench --write`."]
    return "\n".join(lines)


def put_into(readme: Path, text: str) -> None:
    """Replace what stands between README's marks."""
    before, _, rest = readme.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    readme.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


def _number(value: float) -> str:
    if value == 0:
        return "0"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
