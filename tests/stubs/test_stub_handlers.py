"""Stubs that a function answers, and programs that come to an end before their answer does."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from e2b import AsyncSandbox, CommandExitException, Sandbox

from fake_e2b import FakeE2B
from fake_e2b.testing import CallerGoneError, RunningCall, Stub
from tests.helpers.waiting import wait_until

BIG = 100_000_000


def exit_code(sandbox: Sandbox, command: str) -> int:
    try:
        return sandbox.commands.run(command).exit_code
    except CommandExitException as error:
        return error.exit_code


@contextmanager
def waiting_stub(fake: FakeE2B, name: str = "serve") -> Iterator[tuple[Stub, threading.Event]]:
    """A stub that waits until its program ends, and says that it has seen that."""
    seen = threading.Event()

    def handler(call: RunningCall) -> None:
        call.write("ready\n")
        try:
            call.sleep(3600)
        except CallerGoneError:
            assert call.gone
            seen.set()
            raise

    with fake.commands.stub(program=name, handler=handler) as stub:
        yield stub, seen


class TestHandlers:
    def test_it_is_given_the_call(self, fake: FakeE2B) -> None:
        def handler(call: RunningCall) -> int:
            call.write(f"{call.argv} {call.cwd.rpartition('/')[2]} {call.env['A']}\n")
            call.write_err(call.stdin.read())
            return len(call.argv)

        stub = fake.commands.stub(program="deploy", handler=handler)
        sandbox = Sandbox.create()
        assert not sandbox.commands.run("cd /tmp; echo in | A=1 deploy x y || true").exit_code
        with pytest.raises(CommandExitException) as failure:
            sandbox.commands.run("cd /tmp && printf 'in\\nput' | A=é deploy x 'y z'")
        assert failure.value.stdout == "('deploy', 'x', 'y z') tmp é\n"
        assert failure.value.stderr == "in\nput"
        assert failure.value.exit_code == 3
        assert (stub.calls[-1].stdin, stub.calls[-1].exit_code) == (b"in\nput", 3)
        assert stub.calls[-1].sandbox_id == sandbox.sandbox_id

    def test_it_streams(self, fake: FakeE2B) -> None:
        go_on = threading.Event()

        def handler(call: RunningCall) -> None:
            call.write("first\n")
            assert go_on.wait(20)
            call.write("second\n")

        fake.commands.stub("build", handler=handler)
        sandbox = Sandbox.create()
        seen = []

        def heard(text: str) -> None:
            seen.append(text)
            go_on.set()

        sandbox.commands.run("build", on_stdout=heard)
        assert seen == ["first\n", "second\n"]

    async def test_an_async_one(self, fake: FakeE2B) -> None:
        threads = []

        async def handler(call: RunningCall) -> int:
            await asyncio.sleep(0)
            threads.append(threading.current_thread())
            call.write(call.stdin.readline())
            return 7

        fake.commands.stub("build", handler=handler)
        sandbox = await AsyncSandbox.create()
        with pytest.raises(CommandExitException) as failure:
            await sandbox.commands.run("printf 'a\\nb\\n' | build")
        assert (failure.value.stdout, failure.value.exit_code) == ("a\n", 7)
        assert threads[0].name != "fake-e2b"

    def test_one_that_waits_holds_nobody_up(self, fake: FakeE2B) -> None:
        both = threading.Barrier(2, timeout=20)
        fake.commands.stub("build", handler=lambda call: both.wait() and None)
        sandbox = Sandbox.create()
        sandbox.commands.run("build & build; wait")
        assert both.n_waiting == 0

    def test_it_may_use_the_fake_itself(self, fake: FakeE2B) -> None:
        def handler(call: RunningCall) -> None:
            assert call.sandbox_id is not None
            Sandbox.connect(call.sandbox_id).files.write("made", "by the stub")

        fake.commands.stub("build", handler=handler)
        sandbox = Sandbox.create()
        assert sandbox.commands.run("build; cat made").stdout == "by the stub"

    def test_it_reads_no_more_than_it_asks_for(self, fake: FakeE2B) -> None:
        fake.commands.stub(pattern="build *", stdout="built\n")
        sandbox = Sandbox.create()
        loop = "printf 'a\\nb\\nc\\n' | while read word; do build $word; done"
        assert sandbox.commands.run(loop).stdout == "built\n" * 3
        fake.commands.stub("take 2", handler=lambda call: call.write(call.stdin.raw.read(2)))
        assert sandbox.commands.run("printf abcd | (take 2; cat)").stdout == "abcd"

    def test_stdin_that_is_closed_or_empty(self, fake: FakeE2B) -> None:
        fake.commands.stub("count", handler=lambda call: len(call.stdin.read()))
        sandbox = Sandbox.create()
        for way in ("count < /dev/null", "count <&-", "printf '' | count"):
            assert exit_code(sandbox, way) == 0, way
        assert exit_code(sandbox, "printf abc | count >&- 2>&-") == 3

    def test_sys_exit_is_an_exit_code(self, fake: FakeE2B) -> None:
        fake.commands.stub("build", handler=lambda call: sys.exit(5))
        assert exit_code(Sandbox.create(), "build") == 5

    @pytest.mark.parametrize("is_async", [False, True])
    def test_one_that_fails_says_so(self, fake: FakeE2B, is_async: bool) -> None:
        def fails(call: RunningCall) -> None:
            call.write("begun\n")
            raise ValueError("no such luck")

        async def fails_too(call: RunningCall) -> None:
            fails(call)

        fake.commands.stub("build", handler=fails_too if is_async else fails)
        with pytest.raises(CommandExitException) as failure:
            Sandbox.create().commands.run("build")
        assert failure.value.stdout == "begun\n"
        assert failure.value.stderr == (
            "fake-e2b: the handler of the stub 'build' failed: ValueError: no such luck\n"
        )
        assert failure.value.exit_code == 70
        (record,) = fake.journal.records(operation="stubCalled")
        assert record.traceback is not None
        assert 'raise ValueError("no such luck")' in record.traceback

    def test_an_exit_code_that_is_none(self, fake: FakeE2B) -> None:
        fake.commands.stub("build", handler=lambda call: "done")
        with pytest.raises(CommandExitException, match="code 70") as failure:
            Sandbox.create().commands.run("build")
        assert "0 to 255, not 'done'" in failure.value.stderr

    def test_a_predicate_that_fails_says_so(self, fake: FakeE2B) -> None:
        stub = fake.commands.stub(program="build", where=lambda call: call.env["NOTHING"])
        with pytest.raises(CommandExitException) as failure:
            Sandbox.create().commands.run("build")
        assert failure.value.stderr == (
            "fake-e2b: where= of the stub 'build' failed: KeyError: 'NOTHING'\n"
        )
        assert failure.value.exit_code == 70
        (record,) = fake.journal.records(operation="stubCalled")
        assert 'call.env["NOTHING"]' in (record.traceback or "")
        assert stub.hits == 0


class TestBytes:
    def test_a_hundred_million_through(self, fake: FakeE2B) -> None:
        def handler(call: RunningCall) -> None:
            while piece := call.stdin.read(1 << 20):
                call.write(piece)

        stub = fake.commands.stub("through", handler=handler)
        sandbox = Sandbox.create()
        counted = sandbox.commands.run(f"head -c {BIG} /dev/zero | through | wc -c").stdout
        assert int(counted) == BIG
        assert len(stub.calls[0].stdin) == 1 << 20

    def test_a_declared_answer_that_is_long(self, fake: FakeE2B) -> None:
        fake.commands.stub("speak", stdout="x" * 10_000_000)
        assert int(Sandbox.create().commands.run("speak | wc -c").stdout) == 10_000_000

    def test_a_reader_that_has_heard_enough(self, fake: FakeE2B) -> None:
        def handler(call: RunningCall) -> None:
            while True:
                call.write("line\n" * 1000)

        stub = fake.commands.stub("speak", handler=handler)
        sandbox = Sandbox.create()
        way = 'speak | head -1; echo "${PIPESTATUS[0]}"'
        assert sandbox.commands.run(way).stdout == "line\n141\n"
        wait_until(lambda: fake.journal.records(operation="stubCalled"))
        assert stub.calls[0].exit_code is None

    def test_a_full_disk(self, fake: FakeE2B) -> None:
        fake.commands.stub("speak", stdout="x\n")
        with pytest.raises(CommandExitException) as failure:
            Sandbox.create().commands.run("speak > /dev/full")
        assert failure.value.stderr == "speak: write error: No space left on device\n"
        assert failure.value.exit_code == 1


class TestEnds:
    @pytest.mark.parametrize(("name", "code"), [("TERM", 143), ("INT", 130), ("KILL", 137)])
    def test_a_signal_ends_it(self, fake: FakeE2B, name: str, code: int) -> None:
        sandbox = Sandbox.create()
        # The shell that starts it in the background would have it ignore Ctrl+C.
        begun = "set -m; serve > out & until grep -q ready out; do sleep 0.01; done"
        script = f"{begun}; kill -{name} $!; wait $!"
        with waiting_stub(fake) as (stub, seen):
            assert exit_code(sandbox, script) == code
            assert seen.wait(20)
        assert stub.calls[0].exit_code is None

    def test_the_end_of_an_async_handler(self, fake: FakeE2B) -> None:
        ended = threading.Event()

        async def handler(call: RunningCall) -> None:
            call.write("ready\n")
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                ended.set()
                raise

        stub = fake.commands.stub("serve", handler=handler)
        sandbox = Sandbox.create()
        running = sandbox.commands.run("serve", background=True)
        for stdout, _, _ in running:
            assert stdout == "ready\n"
            break
        assert running.kill()
        assert ended.wait(20)
        wait_until(lambda: fake.journal.records(operation="stubCalled"))
        assert stub.calls[0].exit_code is None
        assert fake.journal.records(operation="stubCalled")[0].traceback is None

    def test_a_kill_of_the_sandbox(self, fake: FakeE2B) -> None:
        sandbox = Sandbox.create()
        with waiting_stub(fake) as (stub, seen):
            sandbox.commands.run("serve", background=True)
            wait_until(lambda: stub.calls)
            sandbox.kill()
            assert seen.wait(20)

    def test_a_reset_of_the_stubs(self, fake: FakeE2B) -> None:
        sandbox = Sandbox.create()
        with waiting_stub(fake) as (stub, seen):
            running = sandbox.commands.run("serve", background=True)
            wait_until(lambda: stub.calls)
            fake.commands.reset()
            assert seen.wait(20)
            with pytest.raises(CommandExitException) as failure:
                running.wait()
        assert failure.value.stderr == "serve: fake-e2b went away while it answered\n"

    def test_a_removal_lets_it_go_on(self, fake: FakeE2B) -> None:
        go_on = threading.Event()
        stub = fake.commands.stub("serve", handler=lambda call: int(go_on.wait(20)) + 1)
        sandbox = Sandbox.create()
        running = sandbox.commands.run("serve", background=True)
        wait_until(lambda: stub.calls)
        stub.remove()
        assert exit_code(sandbox, "serve") == 127
        go_on.set()
        with pytest.raises(CommandExitException, match="code 2"):
            running.wait()
        assert stub.calls[0].exit_code == 2

    def test_a_pause_in_the_middle(self, fake: FakeE2B) -> None:
        go_on = threading.Event()

        def handler(call: RunningCall) -> None:
            call.write("first\n")
            assert go_on.wait(20)
            call.write("second\n")

        stub = fake.commands.stub("serve", handler=handler)
        sandbox = Sandbox.create()
        sandbox.commands.run("serve > out; echo done >> out", background=True)
        wait_until(lambda: stub.calls)
        sandbox.pause()
        go_on.set()
        wait_until(lambda: fake.journal.records(operation="stubCalled"))
        sandbox.connect()
        wait_until(lambda: sandbox.files.read("out") == "first\nsecond\ndone\n")
        fake.commands.stub("again", stdout="after\n")
        assert sandbox.commands.run("again").stdout == "after\n"

    def test_a_stub_that_comes_during_a_pause(self, fake: FakeE2B) -> None:
        sandbox = Sandbox.create()
        sandbox.pause()
        fake.commands.stub("serve", stdout="new\n")
        sandbox.connect()
        assert sandbox.commands.run("serve").stdout == "new\n"


@pytest.mark.parametrize("runtime", ["local", "isolated"])
def test_the_end_of_the_fake(runtime: str) -> None:
    gone = threading.Event()

    def handler(call: RunningCall) -> None:
        try:
            call.stdin.read()
        except CallerGoneError:
            gone.set()
            raise

    with FakeE2B(runtime=runtime) as fake:  # type: ignore[arg-type]
        stub = fake.commands.stub("serve", handler=handler)
        Sandbox.create().commands.run("serve", background=True, stdin=True)
        wait_until(lambda: stub.calls)
    assert gone.wait(20)
    wait_until(lambda: "fake-e2b stub" not in {each.name for each in threading.enumerate()})
