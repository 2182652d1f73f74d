"""Each network setting is enforced or shown back as the table says that the coverage page shows."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from e2b import ALL_TRAFFIC, Sandbox

from fake_e2b import FakeE2B
from fake_e2b.domain.network_fields import NETWORK_FIELDS
from fake_e2b.domain.ports import Capability
from fake_e2b.wire import rest
from tests.sdk.python.conftest import needs, start_service

CERTIFICATE = (
    "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=x -keyout k -out c"
    " && cat k c > pem"
)
REACH_OUT = """
import socket
try:
    socket.create_connection(("198.51.100.1", 80), timeout=5)
except OSError as error:
    print(error.strerror)
"""
NAMES = [each.name for each in NETWORK_FIELDS]


def test_the_table_has_every_setting_of_the_api_once() -> None:
    listed = [each.wire for each in NETWORK_FIELDS]
    asked = rest.SandboxNetworkConfig.model_json_schema(by_alias=True)["properties"]
    updated = rest.SandboxNetworkUpdateConfig.model_json_schema(by_alias=True)["properties"]
    in_object = {f"network.{name}" for name in (*asked, *updated)}
    in_object.remove("network.allow_internet_access")  # stands beside it when a sandbox is made
    assert sorted(listed) == sorted({*in_object, "allow_internet_access"})


# -- enforced --------------------------------------------------------------------------------------


def public_traffic(fake: FakeE2B) -> None:
    sandbox = Sandbox.create(network={"allow_public_traffic": False})
    service = start_service(fake, sandbox)
    assert service.ask("/echo")[0] == 403
    token = f"E2B-Traffic-Access-Token: {sandbox.traffic_access_token}"
    assert service.ask("/echo", token)[0] == 200


def request_host(fake: FakeE2B) -> None:
    sandbox = Sandbox.create(network={"mask_request_host": "app.test:${PORT}"})
    service = start_service(fake, sandbox)
    _, _, body = service.ask("/echo")
    assert dict(json.loads(body)["headers"])["Host"] == f"app.test:{service.port}"


def https_ports(fake: FakeE2B) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("makes its certificate with openssl")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    sandbox = Sandbox.create(network={"https_ports": [port]})
    sandbox.commands.run(CERTIFICATE)
    service = start_service(fake, sandbox, "127.0.0.1", "pem", port=port)
    assert service.ask("/echo")[0] == 200


ENFORCED: Mapping[str, Callable[[FakeE2B], None]] = {
    "allow_public_traffic": public_traffic,
    "mask_request_host": request_host,
    "https_ports": https_ports,
}


@pytest.mark.parametrize("name", [each.name for each in NETWORK_FIELDS if each.enforced])
def test_what_is_said_to_be_enforced_is(fake: FakeE2B, name: str) -> None:
    ENFORCED[name](fake)


# -- kept ------------------------------------------------------------------------------------------

RULES = {"api.test": [{"transform": {"headers": {"X-Team": "mine"}}}]}
GIVEN: Mapping[str, Any] = {
    "allow_public_traffic": False,
    "mask_request_host": "app.test:${PORT}",
    "https_ports": [3000, 8443],
    "allow_internet_access": False,
    "allow_out": ["1.1.1.1", "8.8.8.0/24", "api.test"],
    "deny_out": [ALL_TRAFFIC],
    "dns_servers": ["1.1.1.1"],
    "rules": RULES,
    "egress_proxy": {"address": "proxy.test:1080", "username": "me"},
}
BESIDE: Mapping[str, Mapping[str, Any]] = {"allow_out": {"deny_out": [ALL_TRAFFIC]}}
"""What a setting is refused without."""


def made_with(name: str, value: Any) -> Sandbox:
    if name == "allow_internet_access":
        return Sandbox.create(allow_internet_access=value)
    return Sandbox.create(network={name: value, **BESIDE.get(name, {})})


def shown(sandbox: Sandbox, name: str) -> Any:
    info = sandbox.get_info()
    return (
        info.allow_internet_access
        if name == "allow_internet_access"
        else (info.network or {}).get(name)
    )


@pytest.mark.parametrize("name", NAMES)
def test_each_is_shown_back_as_it_was_given(fake: FakeE2B, name: str) -> None:
    sandbox = made_with(name, GIVEN[name])
    assert shown(sandbox, name) == GIVEN[name]
    sandbox.pause()
    sandbox.connect()
    assert shown(sandbox, name) == GIVEN[name]


@pytest.mark.parametrize("name", [each.name for each in NETWORK_FIELDS if not each.enforced])
def test_what_is_kept_can_be_updated(fake: FakeE2B, name: str) -> None:
    sandbox = Sandbox.create(network={"deny_out": ["9.9.9.9"]})
    sandbox.update_network({name: GIVEN[name], **BESIDE.get(name, {})})
    assert shown(sandbox, name) == GIVEN[name]
    if name not in ("deny_out", "allow_out", "allow_internet_access"):
        assert shown(sandbox, "deny_out") is None, "an update replaces what it does not name"


def test_what_a_proxy_keeps_to_itself(fake: FakeE2B) -> None:
    secret = {"password": "hidden", "tls": {"server_name": "proxy.test", "ca_cert": "PEM"}}
    proxy = {**GIVEN["egress_proxy"], "address": "PROXY.test:1080", **secret}
    sandbox = Sandbox.create(network={"egress_proxy": proxy})
    assert shown(sandbox, "egress_proxy") == {
        **GIVEN["egress_proxy"],
        "tls": {"server_name": "proxy.test"},
    }


@pytest.mark.parametrize("allowed", [True, False])
def test_nothing_leaves_whatever_is_allowed(fake: FakeE2B, allowed: bool) -> None:
    needs(fake, Capability.NO_NETWORK)
    sandbox = Sandbox.create(allow_internet_access=allowed, network={"allow_out": ["198.51.100.1"]})
    told = sandbox.commands.run(f"python3 -c '{REACH_OUT}'").stdout
    assert told == "Network is unreachable\n"
