"""One HTML page about a failed test: self-contained, without scripts, escaped throughout."""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from conftest_plugin.page_style import STYLE
from conftest_plugin.report import outcome
from conftest_plugin.snapshot import GATE_COLUMNS, RULE_COLUMNS, SANDBOX_COLUMNS, Snapshot

if TYPE_CHECKING:
    from fake_e2b.testing import JournalRecord

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_CONTROLS: Mapping[int, str] = {
    code: chr(0x2400 + code) for code in range(32) if chr(code) not in "\t\n"
} | {0x7F: "\u2421"}
_REFUSED = 400
_FAILED = 500
_MOST_SHOWN = 2_000
_LONGEST_NAME = 120


def file_name(test: str) -> str:
    """Of the page about a test; no two tests share one."""
    readable = re.sub(r"[^A-Za-z0-9.-]+", "_", test).strip("_")[-_LONGEST_NAME:].strip("._")
    return f"{readable}-{hashlib.sha256(test.encode()).hexdigest()[:8]}.html"


def write_page(
    folder: Path, test: str, failures: Mapping[str, str], output: Mapping[str, str], what: Snapshot
) -> Path:
    """Write the page, over an older one about the same test.

    Args:
        failures: What went wrong, by when: ``"call"``, ``"teardown"``.
        output: What the test itself printed and logged, by title.

    Raises:
        OSError: The folder takes no file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / file_name(test)
    parts = _page(test, failures, output, what)
    path.write_text("".join(parts), encoding="utf-8", errors="replace")
    return path


def _page(
    test: str, failures: Mapping[str, str], output: Mapping[str, str], what: Snapshot
) -> Iterator[str]:
    yield (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark"><title>{_e(test)}</title>'
        f"<style>{STYLE}</style></head><body><main>"
    )
    file, _, name = test.rpartition("::")
    yield f"<header><p class=file>{_e(file)}</p><h1>{_e(name)}</h1>"
    yield (
        f"<p class=replay>Replay with <code>pytest {_e(_quoted(test))} --fake-e2b-seed "
        f"{what.seed}</code></p></header>"
    )
    for when, text in failures.items():
        title = "Failed" if when == "call" else f"Failed in {when}"
        yield _section(title, f"<pre class=failure>{_e(text)}</pre>")
    if what.findings:
        listed = "".join(f"<li><pre>{_e(each)}</pre></li>" for each in what.findings)
        yield _section("Left behind, misused", f"<ul class=findings>{listed}</ul>")
    yield _section("Timeline", "".join(_timeline(what)))
    yield _table("Faults", RULE_COLUMNS, what.rules)
    yield _table("Gates", GATE_COLUMNS, what.gates)
    when = f"Sandboxes at the end, {_instant(what.now_ns)} by the fake's clock, which {what.clock}"
    yield _table(when, SANDBOX_COLUMNS, what.sandboxes, "none")
    for title, text in output.items():
        yield _section(title, f"<pre>{_e(text)}</pre>")
    yield "</main></body></html>\n"


def _timeline(what: Snapshot) -> Iterator[str]:
    records = what.records[-_MOST_SHOWN:]
    if not records:
        yield "<p>No request of this test reached the fake.</p>"
        return
    if len(what.records) > len(records):
        yield f"<p>{len(what.records) - len(records)} earlier records are left out.</p>"
    first_ns = records[0].real_ns
    last_ns = max(each.real_ns + (each.duration_ns or 0) for each in records)
    span_ns = max(last_ns - first_ns, 1)
    yield (
        "<p class=legend>Real time since the first record, and by the fake's clock since the test "
        f"began ({_instant(what.start_ns)}). A bar is the time from a request to the end of its "
        "answer; a row opens.</p><div class=rows>"
    )
    for record in records:
        start_ns = record.real_ns - first_ns
        length_ns = span_ns - start_ns if record.is_open else record.duration_ns or 0
        # What is no request is noted when it ends.
        begun_ns = start_ns if record.method else max(0, start_ns - length_ns)
        left, width = 100 * begun_ns / span_ns, 100 * length_ns / span_ns
        virtual = (record.at_ns - what.start_ns) / 1e9
        yield (
            f'<details class="{_look(record)}"><summary>'
            f"<span class=time>+{start_ns / 1e9:.3f} s</span>"
            f"<span class=time title='by the fake&#39;s clock'>{virtual:+.3f} s</span>"
            f"<span class=what><b>{_e(record.operation)}</b> {_e(_headline(record))}</span>"
            f"<span class=status>{_e(_outcome(record))}</span>"
            f"<span class=sandbox>{_e(record.sandbox_id or '')}</span>"
            f"<span class=site>{_e(what.sites.get(record.sequence, ''))}</span>"
            f'<span class=lane><i style="left:{left:.2f}%;width:{width:.2f}%"></i></span>'
            f"</summary>{''.join(_details(record))}</details>"
        )
    yield "</div>"


def _look(record: JournalRecord) -> str:
    status = record.status or 0
    if not record.method:
        return f"event {record.kind.value}"
    if record.traceback or status >= _FAILED or (not record.status and not record.is_open):
        return "request broken"
    if status >= _REFUSED:
        return "request refused"
    return "request open" if record.is_open else "request"


def _headline(record: JournalRecord) -> str:
    if record.command:
        return record.command
    if record.method:
        return f"{record.method} {record.path}"
    details = record.json
    if not isinstance(details, dict):
        return record.body
    return ", ".join(f"{name}: {value}" for name, value in details.items())


def _outcome(record: JournalRecord) -> str:
    if record.method:
        code = record.exit_code
        return outcome(record) + ("" if code is None else f", exit {code}")
    return "" if record.exit_code is None else f"exit {record.exit_code}"


def _details(record: JournalRecord) -> Iterator[str]:
    parts: dict[str, str] = {}
    if record.method:
        parts["request"] = f"{record.method} {record.path}"
        parts["headers"] = "\n".join(f"{name}: {value}" for name, value in record.headers)
    parts["body" if record.method else "details"] = record.body
    parts["answer"] = record.answer
    if record.stream is not None:
        parts["frames"] = ", ".join(f"{n} × {kind}" for kind, n in record.stream.frames.items())
        parts["error"] = record.stream.error
        parts |= {str(name): text for name, text in record.stream.outputs().items()}
    parts["traceback"] = record.traceback or ""
    if record.method:
        parts["curl"] = record.as_curl()
        parts["SDK"] = record.as_sdk_call()
    yield "<dl>"
    for title, text in parts.items():
        if text:
            yield f"<dt>{_e(title)}</dt><dd><pre>{_e(text)}</pre></dd>"
    yield "</dl>"


def _table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], without: str = ""
) -> str:
    if not rows:
        return _section(title, f"<p>{_e(without)}</p>") if without else ""
    head = "".join(f"<th>{_e(each)}</th>" for each in columns)
    body = "".join(f"<tr>{''.join(f'<td>{_e(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return _section(title, f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")


def _section(title: str, content: str) -> str:
    return f"<section><h2>{_e(title)}</h2>{content}</section>"


def _quoted(test: str) -> str:
    return "'" + test.replace("'", "'\\''") + "'" if re.search(r"[^\w./:-]", test) else test


def _instant(ns: int) -> str:
    shown = datetime.fromtimestamp(ns // 1_000_000 / 1000, UTC)
    return shown.strftime("%Y-%m-%d %H:%M:%S.") + f"{ns // 1_000_000 % 1000:03d} UTC"


def _e(text: str) -> str:
    """Text for any place of the page; what a terminal would obey is shown as a picture."""
    return html.escape(text.replace("\r\n", "\n").translate(_CONTROLS), quote=True)
