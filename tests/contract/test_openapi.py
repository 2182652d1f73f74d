"""Schemathesis over the document that the fake serves: it answers as it says it does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from fake_e2b.testing import FakeE2B

schema = schemathesis.pytest.from_fixture("served_schema")
CHECKS = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeE2B]:
    with FakeE2B() as fake:
        yield fake


@pytest.fixture(scope="module")
def served_schema(fake: FakeE2B) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_url(f"{fake.url}/_fake/openapi.json")


@schema.parametrize()
@settings(max_examples=8, deadline=None, suppress_health_check=[*HealthCheck])
def test_answers_are_as_the_document_says(case: schemathesis.Case, fake: FakeE2B) -> None:
    case.call_and_validate(headers={"X-API-Key": fake.api_key}, checks=CHECKS, timeout=30)
