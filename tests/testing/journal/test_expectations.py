"""`fake.journal.expect` and its kin, on what real clients asked."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from e2b import AsyncSandbox
from e2b_code_interpreter import Sandbox

from fake_e2b import FakeE2B, UsageError
from fake_e2b.testing import JournalMismatchError


def test_a_create_is_expected_by_what_it_asked_for(fake: FakeE2B) -> None:
    Sandbox.create(metadata={"userId": "123"})
    [record] = fake.journal.expect("createSandbox", times=1, body__metadata__userId="123")
    assert record.status == 201
    with pytest.raises(JournalMismatchError) as caught:
        fake.journal.expect("createSandbox", body__metadata__userId="124", status=201)
    assert isinstance(caught.value, AssertionError)
    assert caught.value.nearest is record
    assert "body.metadata.userId  '124'   '123'" in str(caught.value)


def test_commands_are_expected_by_what_they_ran_and_how_they_ended(
    fake: FakeE2B, sandbox: Sandbox
) -> None:
    sandbox.commands.run("echo hi", envs={"A": "1"})
    fake.journal.wait_for("Process.Start", duration_ms__exists=True)
    fake.journal.expect(
        "Process.Start", command="echo hi", stdout="hi\n", exit_code=0, body__process__envs__A="1"
    )
    fake.journal.expect("processEnded", command__startswith="echo", body__exitCode=0)
    fake.journal.never("Process.Start", command__contains="rm -rf")
    with pytest.raises(JournalMismatchError, match=r"expected no × Process\.\*; found 1"):
        fake.journal.never("Process.*")


def test_counts_and_marks(fake: FakeE2B, sandbox: Sandbox) -> None:
    sandbox.is_running()
    mark = fake.journal.mark()
    sandbox.is_running()
    sandbox.is_running()
    assert len(fake.journal.expect("envd.health", times=3)) == 3
    assert len(fake.journal.expect("envd.health", 2, since=mark)) == 2
    fake.journal.expect("envd.health", at_least=1, at_most=3)
    fake.journal.never("createSandbox", since=mark)
    with pytest.raises(JournalMismatchError, match=r"at least 4 × envd\.health; found 3"):
        fake.journal.expect("envd.health", at_least=4)


def test_an_order_is_expected(fake: FakeE2B) -> None:
    sandbox = Sandbox.create()
    sandbox.pause()
    sandbox.connect()
    sandbox.kill()
    steps = [
        ("createSandbox", {"status": 201}),
        "paused",
        ("connectSandbox", {"sandbox_id": sandbox.sandbox_id}),
        "resumed",
        "killSandbox",
    ]
    assert len(fake.journal.in_order(steps)) == 5
    with pytest.raises(JournalMismatchError, match=r"2\. createSandbox: not after that, but befor"):
        fake.journal.in_order(["killSandbox", "createSandbox"])
    with pytest.raises(UsageError, match="is no step"):
        fake.journal.in_order([("killSandbox", {}, "more")])  # type: ignore[list-item]


def test_waiting_from_another_thread(fake: FakeE2B, sandbox: Sandbox) -> None:
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(
            fake.journal.wait_for, "Process.Start", times=2, command__contains="echo"
        )
        sandbox.commands.run("echo 1")
        assert not waiting.done()
        sandbox.commands.run("echo 2")
        assert waiting.result(20).command == "echo 2"


async def test_waiting_on_an_event_loop(fake: FakeE2B) -> None:
    waiting = asyncio.create_task(fake.journal.wait_for_async("killed"))
    sandbox = await AsyncSandbox.create()
    await sandbox.kill()
    assert (await waiting).sandbox_id == sandbox.sandbox_id
    with pytest.raises(JournalMismatchError, match="expected at least 1 × paused; found 0"):
        await fake.journal.wait_for_async("paused", timeout_s=0.1)


def test_a_wait_that_is_in_vain_shows_the_nearest_miss(fake: FakeE2B, sandbox: Sandbox) -> None:
    with pytest.raises(JournalMismatchError, match=r"status  500     201"):
        fake.journal.wait_for("createSandbox", timeout_s=0, status=500)
    with pytest.raises(UsageError, match="times must be 1 or more"):
        fake.journal.wait_for("createSandbox", times=0)


def test_a_test_may_note_its_own_steps(fake: FakeE2B, sandbox: Sandbox) -> None:
    fake.journal.note("second round", detail="with more")
    sandbox.kill()
    fake.journal.in_order(["createSandbox", "second round", "killSandbox"])
    with pytest.raises(UsageError, match="did you mean 'second round'"):
        fake.journal.expect("second roun")


def test_wrong_names_are_refused_before_anything_is_looked_at(fake: FakeE2B) -> None:
    with pytest.raises(UsageError, match="did you mean 'createSandbox'"):
        fake.journal.expect("createSandbx")
    with pytest.raises(UsageError, match="did you mean 'sandbox_id'"):
        fake.journal.never("createSandbox", sandboxid="i0a")
    with pytest.raises(UsageError, match="did you mean 'operation'"):
        fake.journal.records(operaton="createSandbox")


def test_several_threads_may_read_while_requests_come(fake: FakeE2B, sandbox: Sandbox) -> None:
    stop = threading.Event()
    failures: list[BaseException] = []

    def read() -> None:
        try:
            while not stop.is_set():
                records = fake.journal.records(operation="envd.health")
                assert [each.sequence for each in records] == sorted(
                    each.sequence for each in records
                )
        except BaseException as error:
            failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for _ in range(25):
        sandbox.is_running()
    stop.set()
    for reader in readers:
        reader.join(20)
    assert failures == []
    assert len(fake.journal.records(operation="envd.health")) == 25


def test_notes_may_be_written_by_many_threads(fake: FakeE2B, sandbox: Sandbox) -> None:
    with ThreadPoolExecutor(4) as threads:
        notes = list(threads.map(lambda number: fake.journal.note(f"note {number}"), range(40)))
        sandbox.is_running()
    assert len({note.sequence for note in notes}) == 40
    sequences = [record.sequence for record in fake.journal.records()]
    assert sequences == list(range(sequences[0], sequences[0] + len(sequences)))
