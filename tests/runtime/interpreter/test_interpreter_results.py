"""Rich results: the MIME map, json, table data, images, figures."""

from __future__ import annotations

import base64

import pytest

from tests.runtime.interpreter.session import Session

pytestmark = pytest.mark.asyncio(loop_scope="module")

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()[:10]


@pytest.mark.parametrize(
    ("mime", "field"),
    [
        ("text/html", "html"),
        ("text/markdown", "markdown"),
        ("text/latex", "latex"),
        ("image/svg+xml", "svg"),
        ("image/png", "png"),
        ("image/jpeg", "jpeg"),
        ("application/pdf", "pdf"),
        ("application/json", "json"),
        ("application/javascript", "javascript"),
        ("e2b/data", "data"),
        ("e2b/chart", "chart"),
    ],
)
async def test_each_type_has_its_field(session: Session, mime: str, field: str) -> None:
    [line] = await session.outputs(f"display({{{mime!r}: 'content'}}, raw=True)")
    assert line == {"type": "result", field: "content", "extra": {}, "is_main_result": False}


async def test_other_types_are_extra(session: Session) -> None:
    [line] = await session.outputs("display({'x/y': {'a': 1}}, raw=True)")
    assert line == {"type": "result", "extra": {"x/y": {"a": 1}}, "is_main_result": False}


async def test_updates_and_clearing_are_not_passed_on(session: Session) -> None:
    code = (
        "from IPython.display import clear_output\n"
        "handle = display('one', display_id=True)\n"
        "handle.update('two'); clear_output()"
    )
    assert [line["text"] for line in await session.outputs(code)] == ["one"]


async def test_objects_say_how_they_are_shown(session: Session) -> None:
    code = (
        "class A:\n"
        "    def _repr_html_(self): return '<a>'\n"
        "    def _repr_png_(self): return b'\\x00\\x01'\n"
        "    def _repr_e2b_data_(self): return {'a': [1]}\n"
        "    def _repr_e2b_chart_(self): return {'type': 'line'}\n"
        "    def __repr__(self): return 'A'\n"
        "A()"
    )
    [line] = await session.outputs(code)
    assert line == {
        "type": "result",
        "text": "A",
        "html": "<a>",
        "png": "AAE=",
        "data": {"a": [1]},
        "chart": {"type": "line"},
        "extra": {},
        "is_main_result": True,
    }


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("[1, 'a', None, 1.5, True]", [1, "a", None, 1.5, True]),
        ("{}", {}),
        ("[]", []),
        ("{1: 'a', None: (1, 2)}", {"1": "a", "null": [1, 2]}),
        (
            "import numpy as np\n"
            "[np.int64(1), np.float64('nan'), np.array([1, 2]), np.bool_(True)]",
            [1, None, [1, 2], True],
        ),
        ("[float('inf')]", [None]),
        ("import datetime; [datetime.date(2024, 1, 1)]", ["2024-01-01"]),
    ],
)
async def test_lists_and_dicts_have_json(session: Session, code: str, expected: object) -> None:
    [line] = await session.outputs(code)
    assert line["json"] == expected


@pytest.mark.parametrize(
    "code", ["[{1}]", "[b'x']", "{(1, 2): 3}", "a = []; a.append(a); a", "(1,)"]
)
async def test_what_has_no_json_form_goes_without(session: Session, code: str) -> None:
    [line] = await session.outputs(code)
    assert "json" not in line


async def test_a_table(session: Session) -> None:
    code = (
        "import pandas as pd\n"
        "pd.DataFrame({'a': [1, 2], 't': [pd.Timestamp('2024-01-01'), pd.NaT],"
        " 'n': [float('nan'), float('inf')], 's': ['x', None], 0: [True, False]})"
    )
    [line] = await session.outputs(code)
    assert line["is_main_result"] is True
    assert "text" in line
    assert line["html"].startswith("<div>")
    assert {key: line["data"][key] for key in ("a", "t", "n", "0")} == {
        "a": [1, 2],
        "t": ["2024-01-01T00:00:00", "NaT"],
        "n": [None, None],
        "0": [True, False],
    }


async def test_a_series_has_no_data(session: Session) -> None:
    [line] = await session.outputs("import pandas as pd; pd.Series([1])")
    assert "data" not in line


async def test_labels_that_are_no_text(session: Session) -> None:
    lines = await session.outputs("import pandas as pd; pd.DataFrame({('x', 'y'): [1]})")
    [result] = [line for line in lines if line["type"] == "result"]
    assert result["data"] == {"('x', 'y')": [1]}
    assert [line["type"] for line in lines if line["type"] == "stderr"] == ["stderr"]


async def test_of_equal_labels_the_last_wins(session: Session) -> None:
    lines = await session.outputs("import pandas as pd; pd.DataFrame([[1, 2]], columns=['a', 'a'])")
    [result] = [line for line in lines if line["type"] == "result"]
    assert result["data"] == {"a": [2]}
    assert "stderr" in {line["type"] for line in lines}


async def test_a_table_of_what_has_no_json_form_fails_the_cell(session: Session) -> None:
    code = "import pandas as pd, decimal; pd.DataFrame({'a': [decimal.Decimal(1)]})"
    [line] = await session.outputs(code)
    assert (line["name"], line["value"]) == ("ValueError", "Can't clean for JSON: Decimal('1')")


@pytest.mark.parametrize(
    ("code", "fields"),
    [
        ("image", {"text", "png", "jpeg"}),
        ("display(image)", {"text", "png", "jpeg"}),
        ("image.show()", {"text", "png", "jpeg"}),
        ("image.save('x.png')", {"text", "png", "jpeg"}),
        ("image.convert('RGBA')", {"text", "png"}),
    ],
)
async def test_images(session: Session, code: str, fields: set[str]) -> None:
    await session.run("from PIL import Image; image = Image.new('RGB', (2, 2))")
    [line] = await session.outputs(code)
    assert set(line) - {"type", "extra", "is_main_result"} == fields
    assert line["png"].startswith(PNG)


async def test_saving_an_image_into_a_file_object_shows_nothing(session: Session) -> None:
    code = "from PIL import Image; import io; Image.new('RGB', (2, 2)).save(io.BytesIO(), 'PNG')"
    assert await session.outputs(code) == []


FIGURE = "import matplotlib.pyplot as plt; plt.plot([1, 2])"


async def test_a_shown_figure(session: Session) -> None:
    [line] = await session.outputs(f"{FIGURE}; plt.show()")
    assert line["text"] == "<Figure size 640x480 with 1 Axes>"
    assert line["png"].startswith(PNG)
    assert line["chart"]["type"] == "line"
    assert line["extra"] == {}
    assert line["is_main_result"] is False


async def test_an_open_figure_is_shown_after_the_value(session: Session) -> None:
    value, figure = await session.outputs(FIGURE)
    assert value["is_main_result"] is True
    assert value["text"].startswith("[<matplotlib.lines.Line2D at 0x")
    assert figure["is_main_result"] is False
    assert "png" in figure


async def test_a_figure_as_value_is_shown_twice(session: Session) -> None:
    lines = await session.outputs(
        "import matplotlib.pyplot as plt; f, a = plt.subplots(); a.plot([1, 2]); f"
    )
    assert [line["is_main_result"] for line in lines] == [True, False]
    assert all("png" in line and "chart" in line for line in lines)


async def test_a_closed_figure_is_not_shown(session: Session) -> None:
    assert await session.outputs(f"{FIGURE}; plt.close()") == []


async def test_an_empty_figure(session: Session) -> None:
    [line] = await session.outputs("import matplotlib.pyplot as plt; plt.figure(); plt.show()")
    assert "png" not in line
    assert line["chart"] == {}


async def test_saving_a_figure_shows_its_picture(session: Session) -> None:
    first, second = await session.outputs(f"{FIGURE}; plt.savefig('x.png')")
    assert first["text"] == "<PIL.Image.Image image mode=RGBA size=640x480>"
    assert "chart" not in first
    assert "jpeg" not in first
    assert second["chart"]["type"] == "line"
    assert (session.home / "x.png").exists()


async def test_the_inline_magic(session: Session) -> None:
    [line] = await session.outputs(f"%matplotlib inline\n{FIGURE}; plt.show()")
    assert "png" in line
    assert "chart" in line
