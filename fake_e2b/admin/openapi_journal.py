"""How OpenAPI describes `/_fake/journal`."""

from __future__ import annotations

from typing import Any

from fake_e2b.admin.described import (
    BOOLEAN,
    INSTANT,
    STRING,
    TEXTS,
    WHOLE,
    an_object,
    answer,
    array,
    ok,
    operation,
    or_null,
    reference,
)
from fake_e2b.admin.journal import FILTERS, FORMS, JSON_LINES
from fake_e2b.admin.journal_expect import MISMATCH, Expected
from fake_e2b.admin.query import LARGEST
from fake_e2b.domain.forms import schema
from fake_e2b.domain.journal import RecordKind

_NUMBER = {**WHOLE, "maximum": LARGEST}
_PLACE = {"anyOf": [_NUMBER, INSTANT]}
_COUNTS = {"type": "object", "additionalProperties": WHOLE}
_KIND = {"type": "string", "enum": [kind.value for kind in RecordKind]}
_PARAMETERS: dict[str, dict[str, Any]] = {
    "since": _PLACE,
    "until": _PLACE,
    "status": _NUMBER,
    "last": _NUMBER,
    "kind": _KIND,
    "details": BOOLEAN,
    "format": {"type": "string", "enum": ["json", "jsonl"]},
    "follow": BOOLEAN,
}
"""Those that are no plain text."""


def journal_paths() -> dict[str, Any]:
    """The paths."""
    return {
        "/_fake/journal": {
            "get": {
                **operation(
                    "fakeJournal",
                    "What was asked and what happened",
                    _json_or_lines("FakeJournal", "FakeRecord"),
                    can_refuse=True,
                ),
                "parameters": [
                    {
                        "name": name,
                        "in": "query",
                        "description": text,
                        "schema": _PARAMETERS.get(name, STRING),
                    }
                    for name, text in {**FILTERS, **FORMS}.items()
                ],
            }
        },
        "/_fake/journal/expect": {
            "post": operation(
                "fakeExpect",
                "Check what was asked, or wait for it",
                {
                    **ok("FakeFound"),
                    str(MISMATCH): answer("FakeMismatch", "The journal does not hold it"),
                },
                body="FakeExpected",
                can_refuse=True,
            )
        },
    }


def journal_schemas() -> dict[str, Any]:
    """The schemas that the paths name."""
    record = an_object(
        sequence=WHOLE,
        at=INSTANT,
        realAt=INSTANT,
        kind=_KIND,
        operation=STRING,
        method=STRING,
        path=STRING,
        sandboxID=or_null(STRING),
        status=or_null(WHOLE),
        durationMs=or_null({"type": "number"}),
        client=STRING,
        headers=array(array(STRING)),
        body=STRING,
        received=WHOLE,
        sent=WHOLE,
        answer=STRING,
        command=or_null(STRING),
        stream=or_null(reference("FakeStream")),
        traceback=or_null(STRING),
    )
    record["properties"] |= {"curl": or_null(STRING), "sdkCall": or_null(STRING)}
    return {
        "FakeJournal": an_object(records=array(reference("FakeRecord")), oldest=WHOLE, next=WHOLE),
        "FakeRecord": record,
        "FakeExpected": schema(Expected),
        "FakeFound": an_object(records=array(reference("FakeRecord"))),
        "FakeMismatch": an_object(
            code=WHOLE,
            message=STRING,
            matched=array(WHOLE),
            nearest=or_null(reference("FakeRecord")),
            differences=array(
                an_object(field=STRING, wanted=STRING, got={}, missing=BOOLEAN, remark=STRING)
            ),
        ),
        "FakeStream": an_object(
            frames=_COUNTS,
            received=or_null(_COUNTS),
            size=WHOLE,
            exitCode=or_null({"type": "integer"}),
            error=STRING,
            outputs=TEXTS,
        ),
    }


def _json_or_lines(schema: str, line: str) -> dict[str, Any]:
    content = {
        "application/json": {"schema": reference(schema)},
        JSON_LINES: {"schema": reference(line)},
    }
    return {"200": {"description": "OK; with format=jsonl a record a line", "content": content}}
