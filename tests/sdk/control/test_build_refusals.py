# ruff: noqa: E501  the service's own texts
"""What requests for builds, and the steps in them, must not say; each with the service's text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from e2b import Sandbox

from fake_e2b import FakeE2B
from tests.sdk.control.test_builds import ended, message, request

UUID = "00000000-0000-4000-8000-000000000000"
DOCUMENT = (
    "validation error: error in openapi3filter.RequestError: request body has an error: doesn't "
    "match schema #/components/schemas/"
)


@pytest.fixture
def api(fake: FakeE2B) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=fake.url, headers={"X-API-Key": fake.api_key}, timeout=30) as client:
        yield client


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"name": "  "}, "Name is required"),
        ({"name": "a b"}, "Invalid name: invalid template ID: a b"),
        ({"name": "ünï"}, "Invalid name: invalid template ID: ünï"),
        ({"name": "a/"}, "Invalid name: invalid template ID: "),
        ({"name": "a/b/c"}, "Invalid name: invalid template ID: b/c"),
        ({"name": "/a"}, "Invalid name: invalid namespace: "),
        ({"name": "a:"}, "Invalid name: invalid tag: "),
        ({"name": "a:b c"}, "Invalid name: invalid tag: b c"),
        ({"name": f"a:{UUID}"}, f"Invalid name: invalid tag '{UUID}': tag cannot be a UUID"),
        ({"name": "a", "tags": [""]}, "Invalid tag: invalid tag: "),
        ({"name": "a", "tags": ["x/y"]}, "Invalid tag: invalid tag: x/y"),
        ({"name": "a", "tags": ["ok", UUID]}, f"Invalid tag: invalid tag '{UUID}': tag cannot be a UUID"),
        ({"name": "other/a"}, "namespace 'other' must match your team 'fake'"),
        ({"name": "a", "cpuCount": 31}, "CPU count must be 1 or an even number"),
        ({"name": "a", "cpuCount": 33}, "CPU count must be at most 32"),
        ({"name": "a", "memoryMB": 1025}, "Memory must be divisible by 2"),
    ],
)  # fmt: skip
def test_what_no_build_is_reserved_for(api: httpx.Client, body: dict[str, Any], text: str) -> None:
    assert message(api.post("/v3/templates", json=body)) == (400, text)
    assert api.get("/templates").json() == []


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"name": "a" * 129}, 'Error at "/name": maximum string length is 128'),
        ({"alias": "a" * 129}, 'Error at "/alias": maximum string length is 128'),
        ({"name": None}, 'Error at "/name": Value is not nullable'),
        ({"name": "a", "tags": "v1"}, 'Error at "/tags": value must be an array'),
        ({"name": "a", "cpuCount": 0}, 'Error at "/cpuCount": number must be at least 1'),
        ({"name": "a", "cpuCount": 1.5}, 'Error at "/cpuCount": value must be an integer'),
        ({"name": "a", "memoryMB": 127}, 'Error at "/memoryMB": number must be at least 128'),
        ({"name": "a", "minFreeDiskMb": -1}, 'Error at "/minFreeDiskMb": number must be at least 0'),
    ],
)  # fmt: skip
def test_requests_that_do_not_fit_the_document(
    api: httpx.Client, body: dict[str, Any], text: str
) -> None:
    answer = message(api.post("/v3/templates", json=body))
    assert answer == (400, f"{DOCUMENT}TemplateBuildRequestV3: {text}")


REGISTRY = "doesn't match schema due to: Error at \"/fromImageRegistry/"


@pytest.mark.parametrize(
    ("order", "text"),
    [
        ({"steps": [{}]}, 'Error at "/steps/0/type": property "type" is missing'),
        ({"steps": [{"type": "RUN", "args": [1]}]}, 'Error at "/steps/0/args/0": value must be a string'),
        ({"force": "yes"}, 'Error at "/force": value must be a boolean'),
        ({"fromImageRegistry": {}}, 'Error at "/fromImageRegistry": input does not contain the discriminator property "type"'),
        ({"fromImageRegistry": {"type": 1}}, 'Error at "/fromImageRegistry": value of discriminator property "type" is not a string'),
        ({"fromImageRegistry": {"type": "x"}}, 'Error at "/fromImageRegistry": discriminator property "type" has invalid value'),
        ({"fromImageRegistry": {"type": "registry", "username": "u"}}, f'{REGISTRY}password": property "password" is missing'),
        ({"fromImageRegistry": {"type": "aws", "awsAccessKeyId": "a", "awsSecretAccessKey": "s"}}, f'{REGISTRY}awsRegion": property "awsRegion" is missing'),
        ({"fromImageRegistry": {"type": "gcp"}}, f'{REGISTRY}serviceAccountJson": property "serviceAccountJson" is missing'),
    ],
)  # fmt: skip
def test_orders_that_do_not_fit_the_document(
    api: httpx.Client, order: dict[str, Any], text: str
) -> None:
    _, build = request(api, name="mine")
    answer = message(api.post(f"/v2{build}", json={"fromImage": "x", **order}))
    assert answer == (400, f"{DOCUMENT}TemplateBuildStartV2: {text}")
    assert api.get(f"{build}/status").json()["status"] == "waiting"


@pytest.mark.parametrize(
    "registry",
    [
        {"type": "registry", "username": "u", "password": "p"},
        {"type": "aws", "awsAccessKeyId": "a", "awsSecretAccessKey": "s", "awsRegion": "r"},
        {"type": "gcp", "serviceAccountJson": "{}"},
    ],
)
def test_registries_that_fit(api: httpx.Client, registry: dict[str, str]) -> None:
    _, build = request(api, name="mine")
    order = {"fromImage": "x", "fromImageRegistry": registry}
    assert api.post(f"/v2{build}", json=order).status_code == 202
    assert ended(api, build)["status"] == "ready"


ABSENT = f"failed to open files object from storage: object does not exist: {'0' * 64}.tar"


@pytest.mark.parametrize(
    ("kind", "args", "text"),
    [
        ("RUN", [], "RUN requires command argument"),
        ("RUN", [""], "RUN requires command argument"),
        ("RUN", ["exit 7"], "failed to run command 'exit 7': exit status 7"),
        ("run", ["kill -9 $$"], "failed to run command 'kill -9 $$': signal: killed"),
        ("RUN", ["a\0b"], "failed to run command 'a\0b': error starting process '/bin/bash -l -c a\0b': fork/exec /bin/sh: invalid argument"),
        ("RUN", ["true", "nobody-such"], "user: unknown user nobody-such"),
        ("COPY", ["a"], "COPY requires a local path and a container path argument"),
        ("COPY", ["a", "b"], "COPY requires files hash to be set"),
        ("COPY#", ["a", "b", "", ""], ABSENT),
        ("COPY#", ["a", "b", "", "9"], "failed to move files in sandbox: invalid mode: '9'"),
        ("ENV", [], "ENV does not support passing no arguments"),
        ("ENV", ["A", "1", "B"], "ENV requires both a key and value arguments"),
        ("ARG", ["A"], "ENV requires both a key and value arguments"),
        ("WORKDIR", [""], "WORKDIR requires a path argument"),
        ("WORKDIR", ["/a\0b"], "failed to create workdir /a\0b: invalid argument"),
        ("USER", [], "USER requires a username argument"),
        ("VOLUME", ["/x"], "failed to get command for step VOLUME /x: command type VOLUME is not implemented"),
    ],
)  # fmt: skip
def test_steps_that_fail(api: httpx.Client, kind: str, args: list[str], text: str) -> None:
    _, build = request(api, name="mine")
    step = {"type": kind.rstrip("#"), "args": args}
    if kind.endswith("#"):
        step["filesHash"] = "0" * 64
    order = {"fromImage": "x", "steps": [{"type": "ENV", "args": ["A", "1"]}, step]}
    assert api.post(f"/v2{build}", json=order).status_code == 202
    reason = ended(api, build)["reason"]
    assert (reason["message"], reason["step"]) == (text, "2")


def test_variables_whose_names_are_none(api: httpx.Client) -> None:
    _, build = request(api, name="mine")
    steps = [
        {"type": "ENV", "args": ["A=B", "1", "", "2", "=", "3"]},
        {"type": "RUN", "args": ['test "$A" = B=1']},
    ]
    assert api.post(f"/v2{build}", json={"fromImage": "x", "steps": steps}).status_code == 202
    assert ended(api, build)["status"] == "ready"


def test_a_sandbox_with_variables_whose_names_are_none(fake: FakeE2B) -> None:
    sandbox = Sandbox.create(envs={"A=B": "1", "": "2", "=": "3"})
    assert sandbox.commands.run("echo $A").stdout == "B=1\n"
