"""Schemathesis over the document that the fake serves: it answers as it says it does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import schemathesis
from e2b import Sandbox
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from fake_e2b.testing import FakeE2B
from fake_e2b.wire.openapi import openapi_document

CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]
VERBS = {"get", "post", "put", "patch", "delete"}
OPERATIONS = [
    (verb, path)
    for path, item in openapi_document()["paths"].items()
    for verb in sorted(item.keys() & VERBS)
]


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeE2B]:
    with FakeE2B() as fake:
        # A fake starts its helpers with its first sandbox: they are no test's leftovers.
        Sandbox.create("base").kill()
        yield fake


@pytest.fixture(scope="module")
def served(fake: FakeE2B) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_url(f"{fake.url}/_fake/openapi.json")


def test_the_served_document_holds_the_control_plane(served: schemathesis.BaseSchema) -> None:
    labels = {result.ok().label for result in served.get_all_operations()}
    assert labels >= {f"{verb.upper()} {path}" for verb, path in OPERATIONS}


@pytest.mark.parametrize(("verb", "path"), OPERATIONS)
def test_answers_are_as_the_document_says(
    fake: FakeE2B, served: schemathesis.BaseSchema, verb: str, path: str
) -> None:
    @settings(max_examples=10, deadline=None, suppress_health_check=[*HealthCheck])
    @given(case=served[path][verb].as_strategy())
    def check(case: schemathesis.Case) -> None:
        response = case.call(headers={"X-API-Key": fake.api_key}, timeout=30)
        assert response.status_code < 500 or "X-Fake-E2B-Gap" in response.headers, response.text
        case.validate_response(response, checks=CHECKS)

    try:
        check()
    finally:
        fake.reset()
