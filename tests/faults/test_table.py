"""The table in docs/faults.md is complete, and a sample of it still holds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fake_e2b import effects
from tests.faults import table
from tests.faults.table import CASES, CODE, CREATE, LIST, READ, RUN, WRITE, Call, Case, Clients

ROWS = {(row.fault, row.call): row for row in table.read_rows(table.PAGE.read_text())}
SAMPLE = [
    (Case(effects.Status(429)), CREATE),
    (Case(effects.Status(404)), READ),
    (Case(effects.RpcError("unavailable", "busy")), RUN),
    (Case(effects.Close(), "done"), CREATE),
    (Case(effects.Close()), WRITE),
    (Case(effects.HalfAnswer()), READ),
    (Case(effects.MalformedJson()), LIST),
    (Case(effects.WrongContentType()), RUN),
    (Case(effects.Close(), "frame=2"), RUN),
    (Case(effects.NoEndFrame(), "frame=2"), RUN),
    (Case(effects.Duplicate(), "frame=2"), RUN),
    (Case(effects.Corrupt(), "frame=2"), RUN),
    (Case(effects.MalformedJson(), "frame=2"), CODE),
    (Case(effects.DiskFull()), WRITE),
]


@pytest.fixture(scope="module")
def clients() -> Iterator[Clients]:
    with table.clients() as made:
        yield made


def test_every_fault_is_in_the_table() -> None:
    assert set(ROWS) == {(case.title, f"`{call.title}`") for case in CASES for call in case.calls}


def test_every_profile_is_in_its_table() -> None:
    text = table.PAGE.read_text()
    assert table.put(text, "profiles", table.profile_table()) == text


@pytest.mark.parametrize(
    ("case", "call"), SAMPLE, ids=[f"{case.title}-{call.title}" for case, call in SAMPLE]
)
def test_a_sample_of_it_still_holds(clients: Clients, case: Case, call: Call) -> None:
    told = ROWS[case.title, f"`{call.title}`"]
    seen = clients.row(case, call)
    # The texts come from the SDKs and name bytes and ports: what kind of thing it is counts.
    for name in ("python", "python_async"):
        assert _kind(getattr(seen, name)) == _kind(getattr(told, name)), (seen, told)


def _kind(text: str) -> str:
    return text.partition(":")[0]
