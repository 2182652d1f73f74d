"""Stories on a server that runs already: a fake with all it can do, and a service without."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest

from fake_e2b import FakeE2B
from fake_e2b.domain.errors import UsageError
from fake_e2b.scenario.drivers.choice import Drivers
from fake_e2b.scenario.drivers.port import Driver, DriverError
from fake_e2b.scenario.loader import load
from fake_e2b.scenario.player import Performance, play
from fake_e2b.scenario.powers import Powers
from fake_e2b.scenario.stage import target
from fake_e2b.scenario.story import Scenario
from tests.scenario.stories import FOLDER, parsed
from tests.sdk.test_javascript import FOLDER as JAVASCRIPT
from tests.sdk.test_javascript import why_not

CREATE = '[[step]]\ndo = "create"\n'


@pytest.fixture(scope="module")
def server() -> Iterator[FakeE2B]:
    with FakeE2B(runtime="local", clock="manual", set_environment=False) as fake:
        yield fake


@pytest.fixture
def fake(server: FakeE2B) -> Iterator[FakeE2B]:
    server.reset()
    yield server
    server.reset()


@pytest.fixture(scope="module")
def service(server: FakeE2B) -> Iterator[str]:
    """The same API without the fake's own pages."""

    class Service(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            if self.path.startswith("/_fake"):
                self.send_error(404)
                return
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            connection = HTTPConnection("127.0.0.1", server.port)
            with contextlib.closing(connection):
                connection.request(self.command, self.path, body, dict(self.headers))
                answer = connection.getresponse()
                content = answer.read()
            self.send_response(answer.status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = answer

        def log_message(self, *args: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as listening:
        listening.daemon_threads = True
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()
        thread.join()


def played(story: Scenario, url: str, drivers: Drivers, *, reset: bool = False) -> Performance:
    return play(story, contextlib.nullcontext(target(url, reset=reset)), drivers.make)


@pytest.mark.parametrize("name", ["create_race", "timeout_kill", "stream_cut", "orphan_cleanup"])
def test_a_fake_that_runs_can_do_all(name: str, fake: FakeE2B, python: Drivers) -> None:
    assert played(load(FOLDER / f"{name}.toml"), fake.url, python).problem is None
    assert not fake.sandboxes()
    assert not fake.faults.list()
    assert not fake.gates.list()


def test_a_story_that_fails_takes_back_what_it_made(fake: FakeE2B, python: Drivers) -> None:
    story = parsed(
        '[[step]]\ndo = "fault"\nmatch = { operation = "pauseSandbox" }\n'
        'effect = { kind = "close" }\n'
        '[[step]]\ndo = "hold"\nname = "door"\nmatch = { operation = "listSandboxes" }\n'
        + CREATE
        + '[[step]]\ndo = "page"\nbackground = "listing"\n'
        + '[[step]]\ndo = "arrived"\ngate = "door"\n'
        + '[[step]]\ndo = "is_running"\nexpect = { running = false }\n'
        + '[[step]]\ndo = "wait"\nfor = "listing"\n'
    )
    assert "should show running" in (played(story, fake.url, python).problem or "")
    assert not fake.sandboxes()
    assert not fake.faults.list()
    assert not fake.gates.list()


def test_what_others_have_there_stays_unless_it_is_to_go(fake: FakeE2B, python: Drivers) -> None:
    story = parsed('[[start.sandbox]]\nname = "a"\n[[step]]\ndo = "kill"\nsandbox = "a"\n')
    other = parsed('[[start.sandbox]]\nname = "other"\n[[step]]\ndo = "info"\nsandbox = "other"\n')
    stage = target(fake.url)
    driver = python.make(stage.variables)
    driver.begin("create", {"sandbox": "others"}).result()
    driver.close()

    assert played(story, fake.url, python).problem is None
    assert len(fake.sandboxes()) == 1
    assert played(other, fake.url, python, reset=True).problem is None
    assert not fake.sandboxes()


def test_what_only_a_fake_of_its_own_has_is_refused(fake: FakeE2B, python: Drivers) -> None:
    story = parsed('[[start.template]]\nname = "web"\n' + CREATE)
    with pytest.raises(UsageError, match="play it without --target"):
        played(story, fake.url, python)


def test_the_state_it_begins_in_is_brought_about_and_taken_back(python: Drivers) -> None:
    story = parsed(
        '[start]\nclock = "manual"\nprofile = "strict"\n'
        + CREATE
        + '[[step]]\ndo = "advance"\nseconds = 400\nexpect = { happened = ["sandbox killed"] }\n'
    )
    with FakeE2B(runtime="local", set_environment=False) as fake:
        performance = played(story, fake.url, python)
        assert performance.problem is None
        assert any("strict" in line for line in performance.journal or ())
        assert not fake.faults.list()
        assert Powers(fake.url).state()["clock"]["mode"] != "manual"


def test_what_was_begun_is_taken_back_when_the_rest_cannot_be(
    fake: FakeE2B, python: Drivers
) -> None:
    story = parsed(
        '[[start.sandbox]]\nname = "a"\n[[start.sandbox]]\nname = "b"\ntemplate = "none"\n' + CREATE
    )
    with pytest.raises(UsageError, match="the sandbox 'b' cannot be made"):
        played(story, fake.url, python)
    assert not fake.sandboxes()


def test_a_profile_that_is_in_force_there_already(fake: FakeE2B, python: Drivers) -> None:
    fake.faults.profile("strict")
    with pytest.raises(UsageError, match="strict"):
        played(parsed('[start]\nprofile = "strict"\n' + CREATE), fake.url, python)
    assert fake.faults.list()


def test_a_service_is_played_on_with_its_key(
    service: str, fake: FakeE2B, python: Drivers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("E2B_API_KEY", fake.api_key)
    story = parsed(
        CREATE + '[[step]]\ndo = "info"\nexpect = { state = "running" }\n[[step]]\ndo = "pause"\n'
    )
    performance = played(story, service, python)
    assert performance.problem is None
    assert performance.journal is None
    assert not fake.sandboxes()


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (
            CREATE + '[[step]]\ndo = "advance"\nseconds = 1\n',
            r"story\.toml:7: step 'advance' asks the fake itself, and http://.* is no fake-e2b",
        ),
        ('[start]\nclock = "manual"\n' + CREATE, r"its clock has to stand still"),
        ('[start]\nprofile = "strict"\n' + CREATE, r"it has a profile of faults, and"),
    ],
)
def test_a_service_has_no_powers(
    body: str,
    complaint: str,
    service: str,
    fake: FakeE2B,
    python: Drivers,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("E2B_API_KEY", fake.api_key)
    with pytest.raises(UsageError, match=complaint):
        played(parsed(body), service, python)
    assert not fake.sandboxes()


def test_a_service_needs_a_key(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("E2B_API_KEY", raising=False)
    with pytest.raises(UsageError, match="set E2B_API_KEY"):
        target(service)
    with pytest.raises(UsageError, match="cannot be emptied"):
        target(service, reset=True)


def _tell_until_it_ends(driver: Driver) -> None:
    while True:  # it may still do what it had read
        driver.begin("adopt", {"sandboxes": {}}).result(60)


@pytest.mark.javascript
@pytest.mark.skipif(bool(why_not()), reason=why_not())
def test_a_node_program_that_ends_is_told_and_started_again(fake: FakeE2B) -> None:
    with Drivers("js", JAVASCRIPT) as drivers:
        driver = drivers.make(fake.env())
        children = psutil.Process().children()
        [node] = [child for child in children if child.name() == "node"]
        node.kill()
        with pytest.raises(DriverError, match="node program"):
            _tell_until_it_ends(driver)
        outcome = drivers.make(fake.env()).begin("create", {"sandbox": "a"}).result(60)
        assert outcome.shown == {"sandbox_id": fake.sandboxes()[0].sandbox_id}


def test_javascript_needs_its_package(tmp_path: Path) -> None:
    with Drivers("js", tmp_path) as drivers, pytest.raises(UsageError, match="npm"):
        drivers.make({})


def test_javascript_needs_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with Drivers("js", tmp_path) as drivers, pytest.raises(UsageError, match="needs node"):
        drivers.make({})
