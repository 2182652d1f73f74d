"""`serve --state`: what is there after the next start, however the last one ended."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from e2b import Sandbox, Secret, Template, Volume

from tests.cli.test_cli_serve import read_variables
from tests.helpers.script import run_script, started_script
from tests.helpers.waiting import wait_until

Serve = Callable[..., dict[str, str]]


class Served:
    """A server on one state: killed, and started again."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._patch = patch
        self._running = ExitStack()
        self._process: Any = None

    def start(self, *options: str) -> dict[str, str]:
        """Serve, and let this process's SDK find it."""
        self._process = self._running.enter_context(
            started_script("serve", "--port", "0", "--state", str(self.folder), *options)
        )
        variables = read_variables(self._process)
        for name, value in variables.items():
            self._patch.setenv(name, value)
        return variables

    def end(self, number: int) -> None:
        """Send a signal; returns once the server, and all that it has started, are gone."""
        family = psutil.Process(self._process.pid).children(recursive=True)
        self._process.send_signal(number)
        self._process.wait(30)
        self._running.close()
        wait_until(lambda: not [each for each in family if each.is_running()])

    def crash(self) -> None:
        """Have it killed."""
        self.end(signal.SIGKILL)

    def runs(self) -> list[str]:
        """What is left of runs."""
        return [each.name for each in self.folder.glob("files/fake-e2b-*/*") if each.name != "kept"]

    def close(self) -> None:
        self._running.close()


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    made = Served(tmp_path / "state", monkeypatch)
    yield made
    made.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_what_was_made_is_there_after_the_next_start(served, number):
    first = served.start()
    sandbox = Sandbox.create(metadata={"a": "b"})
    sandbox.files.write("kept.txt", "kept")
    sandbox.commands.run("echo unflushed > written.txt")
    sandbox.pause()
    running = Sandbox.create()
    running.create_snapshot(name="snap")
    volume = Volume.create("data")
    volume.write_file("/a", "in it")
    Secret.create("token", "value")
    served.end(number)
    wait_until(lambda: not served.runs())

    second = served.start()
    assert second["E2B_API_KEY"] == first["E2B_API_KEY"]
    (shown,) = Sandbox.list().next_items()
    assert (shown.sandbox_id, shown.state.value) == (sandbox.sandbox_id, "paused")
    again = Sandbox.connect(sandbox.sandbox_id)
    assert again.files.read("kept.txt") == "kept"
    assert again.files.read("written.txt") == "unflushed\n"
    assert Sandbox.create("snap").is_running()
    assert Volume.connect(Volume.list()[0].volume_id).read_file("/a") == "in it"
    assert Secret.get_info("token").version == 1


def test_what_ran_is_told_as_lost_after_a_crash(served):
    variables = served.start()
    base = {"headers": {"X-API-Key": variables["E2B_API_KEY"]}, "timeout": 60}
    sandbox = Sandbox.create()
    made = sandbox.create_snapshot(name="snap")
    from_it = Sandbox.create("snap")
    paused = Sandbox.create()
    paused.pause()
    served.crash()
    variables = served.start()

    with httpx.Client(base_url=variables["E2B_API_URL"], **base) as client:
        for each in (sandbox, from_it):
            events = client.get(f"/events/sandboxes/{each.sandbox_id}").json()
            assert events[0]["type"] == "sandbox.lifecycle.killed"
            assert events[0]["eventData"]["kill_reason"] == "orphaned"
            assert client.get(f"/v2/sandboxes/{each.sandbox_id}/logs").json()["logs"]
        (newest, *_) = client.get(f"/events/sandboxes/{paused.sandbox_id}").json()
        assert newest["type"] == "sandbox.lifecycle.paused"
        template_id = Sandbox.create(made.snapshot_id).get_info().template_id
        assert client.get(f"/templates/{template_id}").json()["spawnCount"] == 2


def test_a_crash_in_the_middle_of_a_build(served):
    variables = served.start()
    template = Template().from_base_image().run_cmd("echo one > one").run_cmd("sleep 1000")
    build = Template.build_in_background(template, "mine")
    layers = served.folder / "files"
    wait_until(lambda: list(layers.glob("*/kept/layer-*.json")))
    served.crash()
    wait_until(lambda: not served.runs())

    variables = served.start()
    status = Template.get_build_status(build)
    assert status.status.value == "error"
    assert status.reason.message == "the server was stopped during the build"
    with httpx.Client(headers={"X-API-Key": variables["E2B_API_KEY"]}, timeout=60) as client:
        path = f"{variables['E2B_API_URL']}/templates/{build.template_id}"
        assert [each["status"] for each in client.get(path).json()["builds"]] == ["error"]
    said: list[str] = []
    finished = Template().from_base_image().run_cmd("echo one > one")
    Template.build(finished, "mine", on_build_logs=lambda line: said.append(line.message))
    assert any("CACHED" in line for line in said)  # what the first one had done
    assert Sandbox.create("mine").files.read("one") == "one\n"


def test_a_crash_in_the_middle_of_a_write(served):
    served.start()
    volume = Volume.create("data")
    volume.write_file("/old", "whole")
    begun = threading.Event()

    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * 65536
            begun.set()

    def write() -> None:
        url = f"{os.environ['E2B_API_URL']}/volumecontent/{volume.volume_id}/file"
        with suppress(httpx.TransportError):
            httpx.put(
                url,
                params={"path": "/new"},
                content=endless(),
                headers={"Authorization": f"Bearer {volume.token}"},
                timeout=60,
            )

    writing = threading.Thread(target=write)
    writing.start()
    try:
        assert begun.wait(30)
    finally:
        served.crash()
        writing.join(30)
    served.start()
    again = Volume.connect(Volume.list()[0].volume_id)
    assert again.read_file("/old") == "whole"
    assert not again.exists("/new") or set(again.read_file("/new")) <= {"x"}
    again.write_file("/new", "written again", force=True)
    assert again.read_file("/new") == "written again"


def test_a_crash_at_any_moment_leaves_what_can_be_started(served):
    """Sandboxes come, pause, resume and go by four clients until the server is killed."""
    for _ in range(2):
        served.start()
        ended = threading.Event()

        def work(ended: threading.Event = ended) -> None:
            # Whatever the server does while it is killed, these end with it.
            with suppress(Exception):
                while not ended.is_set():
                    sandbox = Sandbox.create()
                    sandbox.files.write("a", "b")
                    sandbox.pause()
                    Sandbox.connect(sandbox.sandbox_id)
                    sandbox.create_snapshot()
                    sandbox.pause()

        workers = [threading.Thread(target=work) for _ in range(4)]
        for each in workers:
            each.start()
        try:
            wait_until(lambda: len(Sandbox.list().next_items()) > 4)
        finally:
            ended.set()
            served.crash()
            for each in workers:
                each.join(60)
        served.start()
        for shown in Sandbox.list().next_items():
            assert shown.state.value == "paused"
            assert Sandbox.connect(shown.sandbox_id).files.read("a") == "b"
        for snapshot in Sandbox.list_snapshots().next_items()[:3]:
            assert Sandbox.create(snapshot.snapshot_id).files.read("a") == "b"
        served.end(signal.SIGTERM)
        assert served.runs() == []


def test_a_second_server_on_the_same_state_is_refused(served):
    served.start()
    ended = run_script("serve", "--port", "0", "--state", str(served.folder))
    assert ended.returncode == 2
    assert "another fake keeps its state in" in ended.stderr


def test_what_is_no_state_is_refused(tmp_path):
    (tmp_path / "records.db").write_text("not a database, by far" * 100)
    ended = run_script("serve", "--port", "0", "--state", str(tmp_path))
    assert ended.returncode == 2
    assert "records.db cannot be used as records" in ended.stderr
