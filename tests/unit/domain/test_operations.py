from __future__ import annotations

import re

import pytest

from fake_e2b.domain.operations import OPERATIONS, UNKNOWN, Plane, match_operation


@pytest.mark.parametrize("row", OPERATIONS, ids=lambda row: f"{row.plane} {row.method} {row.path}")
def test_every_row_is_found_by_a_request_it_describes(row):
    path = re.sub(r"\{\w+\}", "x0", row.path)
    assert match_operation(row.plane, row.method, path).operation == row.name


@pytest.mark.parametrize(
    ("plane", "method", "path", "operation", "sandbox_id"),
    [
        (Plane.CONTROL, "POST", "/sandboxes", "createSandbox", None),
        (Plane.CONTROL, "POST", "/v2/sandboxes", "createSandbox", None),
        (Plane.CONTROL, "GET", "/sandboxes/metrics", "getSandboxesMetrics", None),
        (Plane.CONTROL, "GET", "/sandboxes/i0a-6532622b", "getSandbox", "i0a"),
        (Plane.CONTROL, "POST", "/v2/sandboxes/i0a/connect", "connectSandbox", "i0a"),
        (Plane.CONTROL, "DELETE", "/templates/team%2Fx%3Av1", "deleteTemplate", None),
        (Plane.CONTROL, "GET", "/templates/aliases/base", "getTemplateAlias", None),
        (Plane.CONTROL, "HEAD", "/health", "getHealth", None),
        (Plane.ENVD, "POST", "/process.Process/Start", "Process.Start", None),
        (Plane.ENVD, "POST", "/filesystem.Filesystem/WatchDir", "Filesystem.WatchDir", None),
        (Plane.ENVD, "GET", "/files", "files.download", None),
        (Plane.ENVD, "POST", "/files", "files.upload", None),
        (Plane.ENVD, "GET", "/health", "envd.health", None),
        (Plane.INTERPRETER, "POST", "/execute", "execute", None),
        (Plane.INTERPRETER, "DELETE", "/contexts/abc", "removeContext", None),
        (Plane.PORT, "GET", "/sandboxes", "port", None),
        (Plane.CONTROL, "GET", "/nowhere", UNKNOWN, None),
        (Plane.CONTROL, "GET", "", UNKNOWN, None),
        (Plane.CONTROL, "GET", "/sandboxes/i0a/", UNKNOWN, None),
        (Plane.CONTROL, "GET", "/sandboxes/", UNKNOWN, None),
        (Plane.CONTROL, "POST", "/sandboxes//pause", UNKNOWN, None),
        (Plane.ENVD, "GET", "/process.Process/Start", UNKNOWN, None),
    ],
)
def test_requests_are_named_as_in_the_api(plane, method, path, operation, sandbox_id):
    match = match_operation(plane, method, path)
    assert (match.operation, match.sandbox_id) == (operation, sandbox_id)
