"""What the kernels show beside IPython's own formats: JSON, table data, charts, images."""

from __future__ import annotations

import dataclasses
import enum
import math
import numbers
import sys
import uuid
import warnings
from binascii import b2a_base64
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from importlib.util import find_spec
from typing import Any

from IPython.core.formatters import BaseFormatter, JSONFormatter
from IPython.core.interactiveshell import InteractiveShell
from IPython.display import display
from traitlets import ObjectName, Unicode


def to_message(value: object) -> object:
    """A displayed value as JSON can carry it: bytes as base64, NaN and infinities as null.

    Raises:
        ValueError: It holds something that has no JSON form.

    Fact: interpreter.results.unserialisable
    """
    known, plain = _scalar(value)
    if known:
        return plain
    if isinstance(value, bytes):
        return b2a_base64(value, newline=False).decode("ascii")
    if isinstance(value, Mapping):
        texts = {_key_text(key): to_message(item) for key, item in value.items()}
        if len(texts) != len(value):
            raise ValueError(
                "dict cannot be safely converted to JSON: "
                "key collision would lead to dropped values"
            )
        return texts
    if isinstance(value, Iterable):
        return [to_message(item) for item in value]
    raise ValueError(f"Can't clean for JSON: {value!r}")


def to_json(value: object) -> object:
    """A list or dict as the `json` field: numpy values and simple keys are converted.

    Raises:
        ValueError: It holds something else, e.g. a set or bytes.

    Fact: interpreter.results.json
    """
    known, plain = _scalar(value)
    if known:
        return plain
    if isinstance(value, dict):
        return {_simple_key(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return to_json(value.tolist())
    raise ValueError(f"Can't clean for JSON: {value!r}")


def _scalar(value: object) -> tuple[bool, object]:
    """Whether the value is simple, and its JSON form."""
    match value:
        case None | bool():
            return True, value
        case enum.Enum():
            return _scalar(value.value)
        case str():
            return True, str(value)
        case datetime() | date() | time():
            return True, value.isoformat()
        case uuid.UUID():
            return True, str(value)
        case numbers.Integral():
            return True, int(value)
        case numbers.Real() if not isinstance(value, numbers.Rational):
            number = float(value)
            return True, number if math.isfinite(number) else None
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return True, to_message(fields)
    if type(value).__name__ == "bool" and type(value).__module__ == "numpy":
        return True, bool(value)
    return False, None


def _key_text(key: object) -> str:
    known, plain = _scalar(key)
    if not known:
        warnings.warn(
            "Message serialization failed with:\nDict key must be str\n"
            "Supporting this message is deprecated, please make sure your message is "
            "JSON-compliant",
            stacklevel=2,
        )
        return str(key)
    return _json_key(plain)


def _simple_key(key: object) -> str:
    known, plain = _scalar(key)
    if not known:
        raise ValueError(f"Can't clean for JSON: {key!r}")
    return _json_key(plain)


def _json_key(plain: object) -> str:
    match plain:
        case True:
            return "true"
        case False:
            return "false"
        case None:
            return "null"
    return str(plain)


class _JSON(JSONFormatter):
    """Also gives every list and dict a JSON form, where it has one."""

    def __call__(self, obj: object) -> object:
        if isinstance(obj, list | dict):
            try:
                return to_json(obj)
            except (ValueError, RecursionError):
                return None
        return super().__call__(obj)


class _TableData(BaseFormatter):
    format_type = Unicode("e2b/data")
    print_method = ObjectName("_repr_e2b_data_")
    _return_type = (dict, str)


class _ChartData(BaseFormatter):
    format_type = Unicode("e2b/chart")
    print_method = ObjectName("_repr_e2b_chart_")
    _return_type = (dict, str)

    def __call__(self, obj: object) -> object:
        # Not a registered printer: the inline backend removes those of figures.
        figures = sys.modules.get("matplotlib.figure")
        if figures is not None and isinstance(obj, figures.Figure) and find_spec("e2b_charts"):
            return _chart(obj)
        return super().__call__(obj)


def _columns(frame: Any) -> dict[object, object]:
    """A DataFrame's values by column; the last of several equal names wins."""
    columns: dict[object, object] = frame.to_dict(orient="list")
    return columns


def _chart(figure: object) -> dict[str, object]:
    """A figure's data; empty when it has none or the extractor gives up on it.

    Fact: interpreter.charts.failure
    """
    try:
        # Imported at the first figure: it brings pydantic and matplotlib.
        import e2b_charts  # type: ignore[import-untyped]  # it ships no types

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            chart: dict[str, object] = e2b_charts.chart_figure_to_dict(figure)
            to_message(chart)
    except Exception:
        # The extractor reads a figure's insides and can fail in any way; the picture stays.
        return {}
    return chart


def install_formats(shell: InteractiveShell) -> None:
    """Teach the shell the interpreter's own formats. Modules are found, not imported."""
    display_formatter: Any = shell.display_formatter
    formatters = display_formatter.formatters
    formatters["application/json"] = _JSON(parent=display_formatter)
    table: Any = _TableData(parent=display_formatter)
    formatters["e2b/data"] = table
    formatters["e2b/chart"] = _ChartData(parent=display_formatter)
    # pandas 3 shows its classes under the package's own name.
    for module in ("pandas", "pandas.core.frame"):
        table.for_type_by_name(module, "DataFrame", _columns)


def install_image_hooks() -> None:
    """Let Pillow's images be displayed when they are shown or saved under a path.

    Fact: interpreter.results.images
    """
    if find_spec("PIL") is None:
        return
    # Imported only where it is installed.
    from PIL.Image import Image

    save = Image.save

    def save_and_show(self: Image, fp: Any, *args: Any, **options: Any) -> None:
        if isinstance(fp, str):
            display(self)  # type: ignore[no-untyped-call]  # IPython's
        save(self, fp, *args, **options)

    def show(self: Image, title: str | None = None) -> None:
        display(self)  # type: ignore[no-untyped-call]  # IPython's

    Image.save = save_and_show  # type: ignore[method-assign]  # the hook is the purpose
    Image.show = show  # type: ignore[method-assign]  # the hook is the purpose
