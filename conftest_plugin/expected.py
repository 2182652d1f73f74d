"""Which lines of a test's file are there to see something refused."""

from __future__ import annotations

import ast
from pathlib import Path

_NAMES = frozenset({"raises", "RaisesGroup", "assertRaises", "assertRaisesRegex"})


def expected_lines(path: Path) -> frozenset[int]:
    """The lines inside of ``with pytest.raises(…)`` and of calls to it; none where unreadable."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return frozenset()
    lines: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.With | ast.AsyncWith):
            if any(_raises(item.context_expr) for item in node.items):
                lines.update(_lines(node))
        elif isinstance(node, ast.Call) and _raises(node):
            lines.update(_lines(node))
    return frozenset(lines)


def _raises(node: ast.expr) -> bool:
    if not isinstance(node, ast.Call):
        return False
    name = getattr(node.func, "attr", None) or getattr(node.func, "id", None)
    return name in _NAMES


def _lines(node: ast.stmt | ast.expr) -> range:
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)
