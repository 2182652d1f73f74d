"""Webhooks: kept as the API says, and delivered to a receiver on this machine."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from e2b import Sandbox

from fake_e2b import FakeE2B
from tests.helpers.receiver import Receiver, receiving
from tests.helpers.waiting import wait_until

LIFE = "sandbox.lifecycle."
ALL = [f"{LIFE}{each}" for each in ("created", "killed", "paused", "resumed", "updated")]
SECRET = "a-secret-of-thirty-two-characters-and-more"
HOOKS = "/events/webhooks"


def client(fake: FakeE2B) -> httpx.Client:
    return httpx.Client(base_url=fake.url, headers={"X-API-Key": fake.api_key})


@pytest.fixture
def api(fake: FakeE2B) -> Iterator[httpx.Client]:
    with client(fake) as api:
        yield api


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def add(api: httpx.Client, url: str, events: list[str] | None = None, **more: Any) -> str:
    body = {"name": "mine", "url": url, "events": events or ALL, "signatureSecret": SECRET}
    answer = api.post(HOOKS, json={**body, **more})
    assert answer.status_code == 201, answer.text
    made: str = answer.json()["id"]
    return made


def delivered(fake: FakeE2B) -> None:
    """Wait for what is under way."""
    fake.clock.advance(seconds=0)


def attempts(api: httpx.Client, webhook: str, **query: Any) -> list[dict[str, Any]]:
    answer = api.get(f"{HOOKS}/{webhook}/deliveries", params={"orderAsc": "true", **query})
    assert answer.status_code == 200, answer.text
    return [each for event in answer.json()["data"] for each in event["attempts"]]


def message(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["message"]


# -- kept ------------------------------------------------------------------------------------------


def test_a_webhook_lives(fake: FakeE2B, api: httpx.Client) -> None:
    body = {
        "name": "mine",
        "url": "https://hooks.example/e2b",
        "events": [f"{LIFE}created"],
        "signatureSecret": SECRET,
    }
    answer = api.post(HOOKS, json=body)
    made = answer.json()
    assert answer.status_code == 201
    assert UUID(made.pop("id"))
    assert UUID(made.pop("teamId"))
    assert made.pop("createdAt").endswith("Z")
    assert made == {**{key: body[key] for key in ("name", "url", "events")}, "enabled": True}
    one = f"{HOOKS}/{answer.json()['id']}"
    assert api.get(one).json() == answer.json()
    assert api.get(HOOKS).json() == [answer.json()]
    changed = api.patch(one, json={"enabled": False, "events": [f"{LIFE}killed"]})
    assert changed.status_code == 200
    assert changed.json() == {**answer.json(), "enabled": False, "events": [f"{LIFE}killed"]}
    gone = api.delete(one)
    assert (gone.status_code, gone.content) == (200, b"")
    assert api.get(HOOKS).json() == []
    for method, path in (
        ("GET", one),
        ("PATCH", one),
        ("DELETE", one),
        ("GET", f"{one}/deliveries"),
        ("GET", f"{one}/stats"),
        ("GET", f"{HOOKS}/x"),
    ):
        body_of = {} if method == "PATCH" else None
        assert message(api.request(method, path, json=body_of)) == (404, "Webhook not found")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"url": "hooks.example"}, "url: must be a valid http or https URL"),
        ({"url": "ftp://hooks.example"}, "url: must be a valid http or https URL"),
        ({"url": "http://"}, "url: must be a valid http or https URL"),
        ({"url": "http://a:b/"}, "url: must be a valid http or https URL"),
        ({"url": "http://[::1"}, "url: must be a valid http or https URL"),
        ({"url": "http://a\r\nb/"}, "url: must be a valid http or https URL"),
        ({"events": []}, "events: must specify at least one event type"),
        (
            {"url": "", "events": []},
            "url: must be a valid http or https URL; events: must specify at least one event type",
        ),
    ],
)
def test_what_no_webhook_is(api: httpx.Client, change: dict[str, Any], text: str) -> None:
    body = {"name": "n", "url": "http://h.example", "events": ALL, "signatureSecret": SECRET}
    assert message(api.post(HOOKS, json={**body, **change})) == (400, text)
    kept = add(api, "http://127.0.0.1:9/")
    before = api.get(f"{HOOKS}/{kept}").json()
    assert message(api.patch(f"{HOOKS}/{kept}", json={"name": "new", **change})) == (400, text)
    assert api.get(HOOKS).json() == [before]


@pytest.mark.parametrize("field", ["name", "signatureSecret"])
def test_a_name_and_a_secret_may_be_empty(api: httpx.Client, field: str) -> None:
    body = {"name": "n", "url": "http://h.example", "events": ALL, "signatureSecret": SECRET}
    assert api.post(HOOKS, json={**body, field: ""}).status_code == 201


@pytest.mark.parametrize(
    "change",
    [
        {"signatureSecret": None},
        {"name": None},
        {"url": 1},
        {"events": ["created"]},
        {"events": "x"},
        {"enabled": "yes"},
    ],
)
def test_what_does_not_fit_the_document(api: httpx.Client, change: dict[str, Any]) -> None:
    body = {"name": "n", "url": "http://h.example", "events": ALL, "signatureSecret": SECRET}
    answer = api.post(HOOKS, json={**body, **change})
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("validation error: ")
    for missing in body:
        rest = {key: value for key, value in body.items() if key != missing}
        assert api.post(HOOKS, json=rest).status_code == 400
    assert api.get(HOOKS).json() == []


def test_a_team_has_so_many_and_sees_its_own() -> None:
    key = "e2b_" + "a" * 40
    with FakeE2B(runtime="local", teams={"other": [key]}, max_webhooks=1) as fake:
        theirs = httpx.Client(base_url=fake.url, headers={"X-API-Key": key})
        with client(fake) as api, theirs:
            mine = add(api, "http://127.0.0.1:9/")
            body = api.get(HOOKS).json()[0] | {"signatureSecret": SECRET}
            assert message(api.post(HOOKS, json=body)) == (429, "Webhook limit reached")
            assert theirs.get(HOOKS).json() == []
            assert theirs.delete(f"{HOOKS}/{mine}").status_code == 404
            add(theirs, "http://127.0.0.1:9/")


def test_the_secret_shows_nowhere(fake: FakeE2B, api: httpx.Client, receiver: Receiver) -> None:
    webhook = add(api, receiver.url)
    api.patch(f"{HOOKS}/{webhook}", json={"signatureSecret": SECRET[::-1]})
    Sandbox.create().kill()
    delivered(fake)
    shown = api.get(HOOKS).text + api.get(f"{HOOKS}/{webhook}/deliveries").text
    shown += httpx.get(f"{fake.url}/_fake/journal").text
    assert receiver.received
    for secret in (SECRET, SECRET[::-1]):
        assert secret not in shown
        assert secret[-4:] not in "".join(each.body for each in fake.journal.records())
    for each in receiver.received:
        assert each.headers["e2b-signature"] not in shown


# -- delivered -------------------------------------------------------------------------------------


def test_an_event_is_delivered(fake: FakeE2B, api: httpx.Client, receiver: Receiver) -> None:
    webhook = add(api, receiver.url)
    sandbox = Sandbox.create(metadata={"user": "7 <&> é"})
    delivered(fake)
    [got] = receiver.received
    [listed] = api.get("/events/sandboxes").json()
    assert got.json == {
        "id": listed["id"],
        "version": "v2",
        "type": f"{LIFE}created",
        "timestamp": listed["timestamp"],
        "event_category": "lifecycle",
        "event_label": "create",
        "event_data": {"sandbox_metadata": {"user": "7 <&> é"}},
        "sandbox_id": sandbox.sandbox_id,
        "sandbox_execution_id": listed["sandboxExecutionId"],
        "sandbox_template_id": listed["sandboxTemplateId"],
        "sandbox_build_id": listed["sandboxBuildId"],
        "sandbox_team_id": listed["sandboxTeamId"],
    }
    assert got.headers["content-type"] == "application/json"
    assert got.headers["e2b-webhook-id"] == webhook
    assert UUID(got.headers["e2b-delivery-id"])
    assert got.headers["e2b-signature-version"] == "v1"
    digest = hashlib.sha256(SECRET.encode() + got.body).digest()
    assert got.headers["e2b-signature"] == base64.urlsafe_b64encode(digest).decode().rstrip("=")
    [noted] = fake.journal.records(operation="webhookDelivered")
    assert noted.sandbox_id == sandbox.sandbox_id
    assert (noted.json["webhook"], noted.json["status"]) == (webhook, 200)


def test_only_what_is_wanted_is_sent(fake: FakeE2B, api: httpx.Client, receiver: Receiver) -> None:
    Sandbox.create().kill()
    webhook = add(api, receiver.url, [f"{LIFE}killed", f"{LIFE}checkpointed"])
    sandbox = Sandbox.create()
    sandbox.create_snapshot()
    sandbox.kill()
    delivered(fake)
    assert sorted(receiver.types) == ["checkpointed", "killed"]
    assert all("event_data" in each.json for each in receiver.received if "killed" in each.json)
    [snapshot] = [each for each in receiver.received if "checkpointed" in each.json["type"]]
    assert "event_data" not in snapshot.json
    api.patch(f"{HOOKS}/{webhook}", json={"enabled": False})
    Sandbox.create().kill()
    delivered(fake)
    assert len(receiver.received) == 2
    api.patch(f"{HOOKS}/{webhook}", json={"enabled": True})
    Sandbox.create().kill()
    delivered(fake)
    assert len(receiver.received) == 3


def test_what_the_clock_brings_is_delivered_then(
    fake: FakeE2B, api: httpx.Client, receiver: Receiver
) -> None:
    webhook = add(api, receiver.url, [f"{LIFE}killed"])
    sandbox = Sandbox.create(timeout=60)
    [killed] = fake.clock.advance(seconds=3600)
    [got] = receiver.received
    assert got.json["event_data"]["kill_reason"] == "timeout"
    [tried] = attempts(api, webhook)
    assert tried["timestamp"] == got.json["timestamp"]
    assert killed.sandbox_id == sandbox.sandbox_id == tried["sandboxId"]


def test_a_failure_is_tried_again(fake: FakeE2B, api: httpx.Client, receiver: Receiver) -> None:
    receiver.statuses = [500, 302]
    webhook = add(api, receiver.url, [f"{LIFE}created"])
    Sandbox.create()
    delivered(fake)
    assert len(receiver.received) == 1
    fake.clock.advance(seconds=9)
    assert len(receiver.received) == 1
    fake.clock.advance(seconds=1)
    assert len(receiver.received) == 2
    fake.clock.advance(seconds=3600)
    assert len(receiver.received) == 3
    assert len({each.json["id"] for each in receiver.received}) == 1
    assert len({each.headers["e2b-delivery-id"] for each in receiver.received}) == 3
    tried = attempts(api, webhook)
    assert [each["status"] for each in tried] == ["failed", "failed", "success"]
    assert [each["responseHttpStatusCode"] for each in tried] == [500, 302, 200]
    assert [each["errorClass"] for each in tried] == ["http_error", "http_error", None]
    assert [each.operation for each in fake.journal.records(operation="webhookFailed")] == [
        "webhookFailed"
    ] * 2


def test_it_is_given_up_after_three_more(
    fake: FakeE2B, api: httpx.Client, receiver: Receiver
) -> None:
    receiver.statuses = [503] * 10
    add(api, receiver.url, [f"{LIFE}created"])
    Sandbox.create()
    fake.clock.advance(seconds=3600)
    assert len(receiver.received) == 4


@pytest.mark.parametrize("how", ["delete", "disable", "reset"])
def test_nothing_is_tried_again_for_nobody(
    fake: FakeE2B, api: httpx.Client, receiver: Receiver, how: str
) -> None:
    receiver.statuses = [503] * 10
    webhook = add(api, receiver.url, [f"{LIFE}created"])
    Sandbox.create()
    delivered(fake)
    if how == "delete":
        api.delete(f"{HOOKS}/{webhook}")
    elif how == "disable":
        api.patch(f"{HOOKS}/{webhook}", json={"enabled": False})
    else:
        fake.reset()
    fake.clock.advance(seconds=3600)
    assert len(receiver.received) == 1


def test_a_reset_tells_nobody_of_its_kills(
    fake: FakeE2B, api: httpx.Client, receiver: Receiver
) -> None:
    add(api, receiver.url)
    Sandbox.create()
    delivered(fake)
    fake.reset()
    delivered(fake)
    assert receiver.types == ["created"]
    assert api.get(HOOKS).json() == []


def test_a_stop_waits_for_no_receiver(receiver: Receiver) -> None:
    receiver.hold = threading.Event()
    with FakeE2B(runtime="local", webhook_timeout_s=3600) as fake:
        with client(fake) as api:
            add(api, receiver.url)
        Sandbox.create()
        wait_until(lambda: receiver.received)
    assert receiver.types == ["created"]


# -- receivers that fail ---------------------------------------------------------------------------


def test_a_receiver_that_does_not_answer(receiver: Receiver) -> None:
    receiver.hold = threading.Event()
    with (
        FakeE2B(runtime="local", clock="manual", webhook_timeout_s=0.2) as fake,
        client(fake) as api,
    ):
        webhook = add(api, receiver.url, [f"{LIFE}created"])
        Sandbox.create()
        delivered(fake)
        [tried] = attempts(api, webhook)
    assert (tried["errorClass"], tried["status"]) == ("timeout", "failed")
    assert tried["durationMs"] >= 200
    assert tried["responseHttpStatusCode"] is None
    assert tried["responseBody"] is None


def test_a_receiver_that_is_not_there(fake: FakeE2B, api: httpx.Client) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        webhook = add(api, f"http://localhost:{bound.getsockname()[1]}/", [f"{LIFE}created"])
        Sandbox.create()
        delivered(fake)
    [tried] = attempts(api, webhook)
    assert tried["errorClass"] == "transport_error"


def test_a_receiver_that_speaks_no_http(fake: FakeE2B, api: httpx.Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"nonsense\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        port = listening.getsockname()[1]
        webhook = add(api, f"http://127.0.0.1:{port}/", [f"{LIFE}created"])
        Sandbox.create()
        delivered(fake)
        thread.join()
    [tried] = attempts(api, webhook)
    assert tried["errorClass"] == "transport_error"


@pytest.mark.parametrize(
    "url", ["https://hooks.example/e2b", "http://192.0.2.1/", "http://127.0.0.1.nip.example/"]
)
def test_nothing_leaves_the_machine(fake: FakeE2B, api: httpx.Client, url: str) -> None:
    webhook = add(api, url, [f"{LIFE}created"])
    Sandbox.create()
    fake.clock.advance(seconds=3600)
    [tried] = attempts(api, webhook)
    assert (tried["status"], tried["errorClass"]) == ("failed", "canceled")
    assert tried["errorMessage"].startswith("not sent: ")
    assert "remote_webhooks=True" in tried["errorMessage"]


def test_a_sandbox_is_a_receiver(fake: FakeE2B, api: httpx.Client) -> None:
    server = Sandbox.create()
    server.files.write("serve.py", SERVER)
    command = server.commands.run("python3 serve.py", background=True)
    port = int(next(iter(command))[0] or "0")
    webhook = add(api, f"http://{server.get_host(port)}/", [f"{LIFE}created"])
    other = Sandbox.create()
    delivered(fake)
    [tried] = attempts(api, webhook)
    assert tried["status"] == "success", tried
    assert tried["responseBody"] == other.sandbox_id


SERVER = """
import json
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        event = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(event["sandbox_id"].encode())

server = HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


# -- the log ---------------------------------------------------------------------------------------


def test_a_try_is_logged(fake: FakeE2B, api: httpx.Client, receiver: Receiver) -> None:
    receiver.answer = b"x" * 100_000
    webhook = add(api, receiver.url, [f"{LIFE}created"])
    sandbox = Sandbox.create()
    delivered(fake)
    page = api.get(f"{HOOKS}/{webhook}/deliveries").json()
    assert page["nextCursor"] is None
    [event] = page["data"]
    [tried] = event.pop("attempts")
    [got] = receiver.received
    assert event == {
        "eventId": got.json["id"],
        "eventType": f"{LIFE}created",
        "sandboxId": sandbox.sandbox_id,
    }
    headers = json.loads(tried.pop("requestHeaders"))
    assert headers["e2b-delivery-id"] == got.headers["e2b-delivery-id"] == tried["id"]
    assert headers["e2b-signature"] == "[redacted]"
    assert json.loads(tried.pop("responseHeaders"))["content-length"] == "100000"
    assert len(tried.pop("responseBody")) == 65_536
    assert tried.pop("requestBody") == got.body.decode()
    assert isinstance(tried.pop("durationMs"), int)
    assert tried == {
        "id": tried["id"],
        "teamId": got.json["sandbox_team_id"],
        "webhookId": webhook,
        "eventId": got.json["id"],
        "sandboxId": sandbox.sandbox_id,
        "eventType": f"{LIFE}created",
        "status": "success",
        "requestUrl": receiver.url,
        "responseHttpStatusCode": 200,
        "errorClass": None,
        "errorMessage": None,
        "timestamp": got.json["timestamp"],
    }


def test_pages_and_filters_of_the_log(fake: FakeE2B, api: httpx.Client, receiver: Receiver) -> None:
    webhook = add(api, receiver.url, [f"{LIFE}created", f"{LIFE}killed"])
    receiver.statuses = [500]
    Sandbox.create(timeout=5)
    delivered(fake)
    fake.clock.advance(seconds=20)
    tried = attempts(api, webhook)
    assert [(each["eventType"].rpartition(".")[2], each["status"]) for each in tried] == [
        ("created", "failed"),
        ("created", "success"),
        ("killed", "success"),
    ]
    # Tries with one event stand together in a page.
    assert [each["timestamp"] for each in tried] != sorted(each["timestamp"] for each in tried)
    path = f"{HOOKS}/{webhook}/deliveries"
    newest = api.get(path, params={"limit": 2}).json()
    assert [each["eventType"].rpartition(".")[2] for each in newest["data"]] == [
        "created",
        "killed",
    ]
    last = api.get(path, params={"limit": 2, "cursor": newest["nextCursor"]}).json()
    assert last["nextCursor"] is None
    assert [each["attempts"][0]["status"] for each in last["data"]] == ["failed"]
    assert len(attempts(api, webhook, deliveryStatus="failed")) == 1
    assert len(attempts(api, webhook, deliveryStatus="failed,success")) == 3
    assert len(attempts(api, webhook, eventType=f"{LIFE}killed")) == 1
    first, end = tried[0]["timestamp"], tried[1]["timestamp"]
    assert len(attempts(api, webhook, start=first, end=end)) == 2
    for query, text in (
        ({"start": first}, "start and end must be given together"),
        ({"cursor": "?"}, "Invalid cursor"),
    ):
        assert message(api.get(path, params=query)) == (400, text)
    for wrong in ({"limit": 0}, {"limit": 101}, {"deliveryStatus": "x"}, {"start": "x"}):
        assert api.get(path, params=wrong).status_code == 400
    fake.clock.advance(seconds=7 * 24 * 3600 + 1)
    assert attempts(api, webhook) == []


def test_statistics(fake: FakeE2B, api: httpx.Client, receiver: Receiver) -> None:
    webhook = add(api, receiver.url, [f"{LIFE}created"])
    path = f"{HOOKS}/{webhook}/stats"
    nothing = {"minimum": 0, "average": 0, "maximum": 0}
    assert api.get(path).json() == {
        "buckets": [],
        "total": 0,
        "failed": 0,
        "durationMs": nothing,
    }
    next_hour = fake.clock.now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    fake.clock.set(next_hour)
    receiver.statuses = [500]
    Sandbox.create()
    fake.clock.advance(seconds=3600)
    Sandbox.create()
    delivered(fake)
    stats = api.get(path).json()
    assert (stats["total"], stats["failed"]) == (3, 1)
    assert [each["total"] for each in stats["buckets"]] == [2, 1]
    assert [each["failed"] for each in stats["buckets"]] == [1, 0]
    took = stats["durationMs"]
    assert took["minimum"] <= took["average"] <= took["maximum"]
    fake.clock.advance(seconds=24 * 3600 - 1)
    assert api.get(path).json()["total"] == 1


def test_keys_can_be_camel_case(receiver: Receiver) -> None:
    with (
        FakeE2B(runtime="local", clock="manual", webhook_keys="camel") as fake,
        client(fake) as api,
    ):
        add(api, receiver.url, [f"{LIFE}created"])
        Sandbox.create()
        delivered(fake)
        assert [each.json for each in receiver.received] == api.get("/events/sandboxes").json()
