"""The data of figures, type by type."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pytest

from tests.runtime.interpreter.session import Session

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(find_spec("e2b_charts") is None, reason="e2b-charts is not installed"),
]

START = "import datetime, numpy as np, matplotlib.pyplot as plt\nfig, ax = plt.subplots()\n"


async def chart(session: Session, code: str) -> dict[str, Any]:
    """The chart of the one figure that `code` draws on `ax`."""
    [line] = [
        line
        for line in await session.outputs(f"{START}{code}\nplt.show()")
        if line["type"] != "stderr"
    ]
    found: dict[str, Any] = line["chart"]
    return found


async def test_a_line_chart_has_all_fields(session: Session) -> None:
    found = await chart(
        session,
        "ax.plot([1, 2], [3, 4])\nax.set(title='T', xlabel='Time (s)', ylabel='Amp [Hz]')",
    )
    assert set(found) == {
        *("type", "title", "elements", "x_label", "y_label", "x_unit", "y_unit"),
        *("x_ticks", "x_tick_labels", "x_scale", "y_ticks", "y_tick_labels", "y_scale"),
    }
    assert (found["type"], found["title"]) == ("line", "T")
    assert (found["x_label"], found["x_unit"]) == ("Time (s)", "s")
    assert (found["y_label"], found["y_unit"]) == ("Amp [Hz]", "Hz")
    assert found["elements"] == [{"label": "Line 0", "points": [[1.0, 3.0], [2.0, 4.0]]}]
    assert (found["x_scale"], found["y_scale"]) == ("linear", "linear")


async def test_what_is_not_given_is_null(session: Session) -> None:
    found = await chart(session, "ax.plot([1, 2, 3])")
    for key in ("title", "x_label", "y_label", "x_unit", "y_unit"):
        assert found[key] is None


async def test_grid_like_lines_are_dropped(session: Session) -> None:
    found = await chart(session, "ax.plot([1, 2, 3], label='a')\nax.axhline(2)")
    assert [element["label"] for element in found["elements"]] == ["a"]


async def test_scatter(session: Session) -> None:
    found = await chart(session, "ax.scatter([1, 2], [3, 4], label='d')\nax.scatter([5], [6])")
    assert found["type"] == "scatter"
    assert found["elements"] == [
        {"label": "d", "points": [[1.0, 3.0], [2.0, 4.0]]},
        {"label": "_child1", "points": [[5.0, 6.0]]},
    ]


async def test_bars(session: Session) -> None:
    found = await chart(session, "ax.bar(['a', 'b'], [100, 200], label='g')\nax.set_xlabel('n')")
    assert found["type"] == "bar"
    assert found["x_label"] == "n"
    assert found["elements"] == [
        {"label": "a", "group": "g", "value": 100.0},
        {"label": "b", "group": "g", "value": 200.0},
    ]


async def test_bars_lying_down_swap_their_axes(session: Session) -> None:
    found = await chart(session, "ax.barh(['a', 'b'], [1, 2])\nax.set(xlabel='x', ylabel='y (m)')")
    assert (found["x_label"], found["x_unit"], found["y_label"]) == ("y (m)", "m", "x")
    assert [element["value"] for element in found["elements"]] == [1.0, 2.0]
    assert [element["group"] for element in found["elements"]] == ["Group 0", "Group 0"]


async def test_a_single_bar_is_misread_as_lying_down(session: Session) -> None:
    found = await chart(session, "ax.bar(['a'], [5])")
    assert found["elements"][0]["value"] == 0.8


async def test_pie(session: Session) -> None:
    found = await chart(session, "ax.pie([90, 10], labels=['a', 'b'])")
    assert found["type"] == "pie"
    assert "x_label" not in found
    assert found["elements"] == [
        {"label": "a", "angle": 324.0, "radius": 1.0},
        {"label": "b", "angle": 36.0, "radius": 1.0},
    ]


async def test_box_plots(session: Session) -> None:
    code = "ax.boxplot([[1, 2, 3, 4, 5, 20], [2, 3, 5, 9, 11]], patch_artist=True)"
    found = await chart(session, f"{code}\nax.set_xticklabels(['a', 'b'])")
    assert found["type"] == "box_and_whisker"
    assert found["elements"][0] == {
        "label": "a",
        "min": 1.0,
        "first_quartile": 2.25,
        "median": 3.5,
        "third_quartile": 4.75,
        "max": 5.0,
        "outliers": [20.0],
    }


async def test_unfilled_boxes_are_lines(session: Session) -> None:
    assert (await chart(session, "ax.boxplot([[1, 2, 3]])"))["type"] == "line"


async def test_a_failing_extraction_is_empty(session: Session) -> None:
    assert await chart(session, "ax.boxplot([[1, 1, 1]], patch_artist=True)") == {}


@pytest.mark.parametrize(
    "code",
    [
        "ax.imshow([[1, 2]])",
        "ax.fill_between([1, 2], [3, 4])",
        "ax.plot([1, 2, 3]); ax.scatter([1], [2])",
        "ax.add_patch(plt.Circle((0, 0), 1)); ax.scatter([1], [2])",
    ],
)
async def test_other_figures_are_unknown(session: Session, code: str) -> None:
    found = await chart(session, code)
    assert (found["type"], found["elements"]) == ("unknown", [])


async def test_several_axes(session: Session) -> None:
    code = (
        "plt.close(fig); fig, (a, b) = plt.subplots(1, 2)\n"
        "a.plot([1, 2, 3]); b.bar(['x', 'y'], [1, 2])\n"
    )
    found = await chart(session, code)
    assert (found["type"], found["title"]) == ("superchart", "")
    assert [element["type"] for element in found["elements"]] == ["line", "bar"]
    found = await chart(session, f"{code}fig.suptitle('Both')")
    assert found["title"] == "Both"


@pytest.mark.parametrize("code", ["", "ax.set_title('no data')", "ax.remove()"])
async def test_figures_without_data(session: Session, code: str) -> None:
    assert await chart(session, code) == {}


@pytest.mark.parametrize(
    ("code", "scale"),
    [
        ("ax.plot([1, 10, 100], [1, 2, 3]); ax.set_xscale('log')", "log"),
        ("ax.plot([1, 10, 100], [1, 2, 3]); ax.set_xscale('symlog')", "symlog"),
        ("ax.plot([.1, .5, .9], [1, 2, 3]); ax.set_xscale('logit')", "logit"),
        ("ax.plot(['a', 'b', 'c'], [1, 2, 3])", "categorical"),
        ("ax.plot([datetime.date(2024, 1, 1), datetime.date(2024, 1, 3)], [1, 2])", "datetime"),
    ],
)
async def test_scales(session: Session, code: str, scale: str) -> None:
    assert (await chart(session, code))["x_scale"] == scale


async def test_dates(session: Session) -> None:
    days = "[datetime.date(2024, 1, 1), datetime.date(2024, 1, 3)]"
    found = await chart(session, f"ax.plot({days}, [1, 2])")
    assert [point[0] for point in found["elements"][0]["points"]] == ["2024-01-01", "2024-01-03"]
    assert found["x_ticks"][0].startswith("2024-01-01T")
    assert found["x_ticks"][0].endswith("+00:00")
    found = await chart(session, f"ax.plot(np.array({days}, dtype='datetime64[s]'), [1, 2])")
    assert found["elements"][0]["points"][0][0] == "2024-01-01T00:00:00"


async def test_log_labels_are_mathtext(session: Session) -> None:
    found = await chart(session, "ax.plot([1, 10, 1000], [1, 2, 3]); ax.set_xscale('log')")
    assert "$\\mathdefault{10^{2}}$" in found["x_tick_labels"]


async def test_extraction_is_silent(session: Session) -> None:
    lines = await session.outputs(f"{START}ax.plot([1, 2, 3]); plt.show()")
    assert [line["type"] for line in lines] == ["result"]
