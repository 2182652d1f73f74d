"""Stubs for programs: what is caught, where, and what stays real; by the published SDK."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime

import pytest
from e2b import AsyncSandbox, CommandExitException, PtySize, Sandbox
from e2b_code_interpreter import Sandbox as CodeSandbox

from fake_e2b import FakeE2B, UsageError
from fake_e2b.testing import RunningCall, Stub
from tests.helpers.waiting import wait_until


def said(sandbox: Sandbox, command: str) -> tuple[str, str, int]:
    """What a command writes, and its exit code."""
    try:
        result = sandbox.commands.run(command)
    except CommandExitException as error:
        return error.stdout, error.stderr, error.exit_code
    return result.stdout, result.stderr, result.exit_code


class TestWhatIsCaught:
    def test_the_answer_is_what_was_declared(self, fake: FakeE2B) -> None:
        sandbox = Sandbox.create()
        stub = fake.commands.stub("npm install", stdout="added 5 packages\n", delay_s=0.01)
        assert said(sandbox, "npm install") == ("added 5 packages\n", "", 0)
        fake.commands.stub("npm test", stdout=b"\xff", stderr="1 failed\n", exit_code=3)
        assert said(sandbox, "npm test") == ("\N{REPLACEMENT CHARACTER}", "1 failed\n", 3)
        (call,) = stub.calls
        assert call.argv == ("npm", "install")
        assert call.sandbox_id == sandbox.sandbox_id
        assert (call.exit_code, call.stdin) == (0, b"")
        assert call.cwd.endswith("/home/user")
        assert call.env["E2B_SANDBOX_ID"] == sandbox.sandbox_id
        assert call.at.tzinfo is UTC
        assert call.at <= datetime.fromtimestamp(fake.clock.now_ns() / 1e9, UTC)

    async def test_for_async_clients(self, fake: FakeE2B) -> None:
        fake.commands.stub("npm install", stdout="added\n")
        sandbox = await AsyncSandbox.create()
        assert (await sandbox.commands.run("npm install")).stdout == "added\n"

    def test_all_words_must_be_the_same(self, fake: FakeE2B) -> None:
        stub = fake.commands.stub("deploy 'two words'", stdout="caught\n")
        sandbox = Sandbox.create()
        assert said(sandbox, 'deploy two\\ words; echo "$?"')[0] == "caught\n0\n"
        for other in ("deploy", "deploy two words", "deploy 'two words' more"):
            assert said(sandbox, other)[2] == 127, other
        assert stub.hits == 1
        listed = fake.commands.stub(["deploy", "a  b"], stdout="listed\n")
        assert said(sandbox, "deploy 'a  b'")[0] == "listed\n"
        assert listed.name == "deploy 'a  b'"

    def test_by_a_pattern(self, fake: FakeE2B) -> None:
        fake.commands.stub(pattern="npm install *", stdout="all\n")
        fake.commands.stub(pattern="npm run test-[ab]? now", stdout="test\n")
        sandbox = Sandbox.create()
        for command in ("npm install", "npm install left-pad", "npm install 'a b' c"):
            assert said(sandbox, command)[0] == "all\n"
        assert said(sandbox, "npm run test-a1 now")[0] == "test\n"
        assert said(sandbox, "npm run test-c1 now")[0] != "test\n"

    def test_by_a_regular_expression(self, fake: FakeE2B) -> None:
        stub = fake.commands.stub(
            regex=r"--token=\w+( |$)", program=["deploy", "release"], stdout="secret\n"
        )
        sandbox = Sandbox.create()
        assert said(sandbox, "release now --token=x")[0] == "secret\n"
        assert said(sandbox, "deploy --token=")[2] == 127
        assert [call.argv for call in stub.calls] == [("release", "now", "--token=x")]

    def test_by_a_predicate(self, fake: FakeE2B) -> None:
        fake.commands.stub(
            program="deploy",
            where=lambda call: call.env.get("STAGE") == "test" and call.cwd.endswith("/tmp"),
            stdout="test\n",
        )
        sandbox = Sandbox.create()
        there = sandbox.commands.run("cd ~/..; cd ../tmp; STAGE=test deploy").stdout
        assert there == "test\n"
        assert said(sandbox, "STAGE=test deploy")[2] == 127

    def test_all_calls_of_a_program(self, fake: FakeE2B) -> None:
        stub = fake.commands.stub(program="deploy")
        sandbox = Sandbox.create()
        sandbox.commands.run("deploy; deploy -x; deploy a b")
        assert [len(call.argv) for call in stub.calls] == [1, 2, 3]

    def test_the_newest_that_fits_answers_as_often_as_it_may(self, fake: FakeE2B) -> None:
        fake.commands.stub(pattern="npm *", stdout="ok\n")
        flaky = fake.commands.stub("npm install", exit_code=1, times=2)
        sandbox = Sandbox.create()
        assert said(sandbox, "npm install || npm install || npm install")[0] == "ok\n"
        assert (flaky.hits, len(flaky.calls)) == (2, 2)


class TestWhereItIsCaught:
    def test_in_scripts_subshells_and_sudo(self, fake: FakeE2B) -> None:
        fake.commands.stub("npm ci", stdout="stub\n")
        sandbox = Sandbox.create()
        sandbox.files.write("build.sh", "#!/bin/sh\nset -e\n(npm ci) | cat\nsudo npm ci\n")
        ways = ("sh build.sh", "env npm ci; xargs npm < words", "nohup npm ci; timeout 20 npm ci")
        sandbox.files.write("words", "ci")
        for way in ways:
            assert said(sandbox, way)[0] == "stub\nstub\n", way
        assert sandbox.commands.run("npm ci", user="root").stdout == "stub\n"

    def test_in_python_that_runs_as_code(self, fake: FakeE2B) -> None:
        sandbox = CodeSandbox.create()
        code = "import subprocess; subprocess.run(['npm', 'ci'], capture_output=True).stdout"
        sandbox.run_code("0")  # the kernel is older than the stub
        stub = fake.commands.stub("npm ci", stdout="stub\n")
        assert sandbox.run_code(code).text == r"b'stub\n'"
        pip = fake.commands.stub("pip install x", stdout="pip\n")
        assert sandbox.run_code("!pip install x").logs.stdout == ["pip\r\n"]
        assert (stub.hits, pip.hits) == (1, 1)

    def test_in_a_terminal(self, fake: FakeE2B) -> None:
        def ask(call: RunningCall) -> int:
            call.write("Sure? ")
            answer = call.stdin.readline()
            call.write(b"so: " + answer)
            return 0 if answer == b"yes\n" else 1

        fake.commands.stub("ask", handler=ask)
        sandbox = Sandbox.create()
        seen = bytearray()
        terminal = sandbox.pty.create(PtySize(rows=24, cols=80))
        reader = threading.Thread(
            target=lambda: terminal.wait(on_pty=lambda data: seen.extend(data))
        )
        reader.start()
        sandbox.pty.send_stdin(terminal.pid, b"PS1='$ '; ask\n")
        wait_until(lambda: b"Sure? " in seen)
        sandbox.pty.send_stdin(terminal.pid, b"yes\n")
        wait_until(lambda: b"so: yes" in seen)
        sandbox.pty.send_stdin(terminal.pid, b"ask; echo code=$?\n")
        wait_until(lambda: seen.count(b"Sure? ") == 2)
        sandbox.pty.send_stdin(terminal.pid, b"\x03")
        # bash throws away what is typed before it asks for more.
        wait_until(lambda: b"$ " in seen.partition(b"^C")[2])
        sandbox.pty.send_stdin(terminal.pid, b"echo is=$?; exit 0\n")
        wait_until(lambda: b"is=130" in seen)
        reader.join()
        (first, second) = fake.commands.get("ask").calls
        assert (first.stdin, first.exit_code) == (b"yes\n", 0)
        wait_until(lambda: second.exit_code is None)

    def test_a_terminal_says_what_it_says_without_one(self, fake: FakeE2B) -> None:
        sandbox = Sandbox.create()
        seen = bytearray()
        terminal = sandbox.pty.create(PtySize(rows=24, cols=80))
        reader = threading.Thread(target=lambda: terminal.wait(on_pty=seen.extend))
        reader.start()
        sandbox.pty.send_stdin(terminal.pid, b"nowhere; echo =$?\n")
        wait_until(lambda: b"\n=127" in seen)
        fake.commands.stub("nowhere to go")
        sandbox.pty.send_stdin(terminal.pid, b"nowhere; echo =$?; exit 0\n")
        reader.join()
        said = [line for line in seen.decode().splitlines() if "not found" in line]
        assert len(said) == 2
        assert said[0].removeprefix("\x1b[?2004l") == said[1].removeprefix("\x1b[?2004l")

    def test_only_in_some_sandboxes(self, fake: FakeE2B) -> None:
        first = Sandbox.create(metadata={"user": "1", "more": "x"})
        second = Sandbox.create(metadata={"user": "2"})
        fake.commands.stub("deploy a", sandbox=first, stdout="a\n")
        fake.commands.stub("deploy b", sandbox=second.sandbox_id, stdout="b\n")
        fake.commands.stub("deploy c", metadata={"user": "2"}, stdout="c\n")
        fake.commands.stub("deploy d", template="base", stdout="d\n")
        fake.commands.stub("deploy e", template="nothing", stdout="e\n")
        third = Sandbox.create(metadata={"user": "2"})
        everything = "for each in a b c d e; do deploy $each 2>&1 | grep ^.$; done; true"
        assert said(first, everything)[0] == "a\nd\n"
        assert said(second, everything)[0] == "b\nc\nd\n"
        assert said(third, everything)[0] == "c\nd\n"
        isolated = Sandbox.create(metadata={"user": "3"})
        fake.commands.reset()
        fake.commands.stub("deploy", sandbox=first)
        assert said(isolated, "deploy")[2] == 127

    def test_in_a_copy_of_a_sandbox(self, fake: FakeE2B, is_local: bool) -> None:
        fake.commands.stub("deploy", stdout="all\n")
        only = fake.commands.stub("release", metadata={"is": "source"}, stdout="source\n")
        sandbox = Sandbox.create(metadata={"is": "source"})
        snapshot = sandbox.create_snapshot()
        fork = Sandbox.create(snapshot.snapshot_id)
        assert said(fork, "deploy; release") == (
            "all\n",
            "/bin/bash: line 1: release: command not found\n",
            127,
        )
        # Sandboxes of the runtime local have one folder of programs.
        assert said(fork, "command -v release")[2] == (0 if is_local else 1)
        only.remove()
        fake.commands.remove("deploy")
        late = Sandbox.create(snapshot.snapshot_id)
        assert said(late, "command -v deploy release; ls /usr/lib/fake-e2b/covered")[0] == ""

    def test_after_a_cold_boot(self, fake: FakeE2B) -> None:
        sandbox = Sandbox.create()
        fake.commands.stub("deploy", stdout="one\n")
        sandbox.pause(keep_memory=False)
        fake.commands.reset()
        fake.commands.stub("release", stdout="two\n")
        sandbox.connect()
        stdout, _, code = said(sandbox, "release; deploy")
        assert (stdout, code) == ("two\n", 127)

    def test_absolute_paths_are_not(self, fake: FakeE2B) -> None:
        stub = fake.commands.stub(program="ls", stdout="stub\n")
        sandbox = Sandbox.create()
        assert "stub" not in sandbox.commands.run("/bin/ls /").stdout
        assert stub.hits == 0


class TestWhatStaysReal:
    def test_other_calls_of_the_program(self, fake: FakeE2B) -> None:
        fake.commands.stub("ls nothing", stdout="stub\n")
        sandbox = Sandbox.create()
        sandbox.files.write("here/a b", "")
        assert said(sandbox, "ls here") == ("a b\n", "", 0)
        stdout, stderr, code = said(sandbox, "ls -1 here missing")
        assert (stdout, code) == ("here:\na b\n", 2)
        assert stderr == "ls: cannot access 'missing': No such file or directory\n"
        assert not fake.commands.get("ls nothing").calls

    def test_its_environment_signals_and_descriptors(self, fake: FakeE2B) -> None:
        sandbox = Sandbox.create()
        command = (
            'printf x | env -i PATH="$PATH" A=1 B= python3 -c \''
            'import os, signal, sys; names = ["SIGPIPE", "SIGINT", "SIGXFSZ"];'
            'print(os.environ, sys.stdin.read(), os.read(5, 9), sorted(os.listdir("/dev/fd")))\' '
            "5<<<five; trap '' INT; grep Sig[IB] /proc/self/status"
        )
        if sandbox.commands.run("test -e /proc/self || echo no").stdout:
            pytest.skip("needs /proc")
        real = sandbox.commands.run(command).stdout
        fake.commands.stub("grep nothing")
        fake.commands.stub("python3 nothing")
        assert sandbox.commands.run(command).stdout == real

    def test_a_program_that_is_not_there(self, fake: FakeE2B) -> None:
        sandbox = Sandbox.create()
        ways = (
            "nowhere",
            "nowhere; true",
            "bash -c 'nowhere; :'",
            "sh -c 'nowhere; :'",
            "dash -c 'nowhere x; :'",
        )
        real = [said(sandbox, way) for way in ways]
        stub = fake.commands.stub("nowhere to go")
        assert [said(sandbox, way) for way in ways] == real
        assert not stub.calls

    def test_a_program_that_may_not_be_run(self, fake: FakeE2B) -> None:
        sandbox = Sandbox.create()
        sandbox.commands.run("mkdir bin; echo echo mine \\$1 > bin/mine; cp bin/mine bin/other")
        sandbox.commands.run("chmod 644 bin/mine; chmod 755 bin/other")
        way = "PATH=$PATH:$PWD/bin; other 1; mine; echo $?"
        real = said(sandbox, way)
        fake.commands.stub("mine to run")
        fake.commands.stub("other to run")
        assert said(sandbox, way) == real

    def test_a_program_that_is_in_the_first_folder_itself(self, fake: FakeE2B) -> None:
        """Covered while there is a stub, and as it was afterwards."""
        sandbox = Sandbox.create()
        place = "websocat"
        where = sandbox.commands.run(f"command -v {place}").stdout
        real = sandbox.commands.run(f"{place} --version; cat $(command -v {place}) | cksum").stdout
        with fake.commands.stub(f"{place} x", stdout="stub\n"):
            assert said(sandbox, f"{place} x")[0] == "stub\n"
            assert sandbox.commands.run(f"{place} --version").stdout == real.splitlines(True)[0]
        assert sandbox.commands.run(f"command -v {place}").stdout == where
        again = sandbox.commands.run(f"{place} --version; cat $(command -v {place}) | cksum").stdout
        assert again == real

    def test_after_its_removal(self, fake: FakeE2B) -> None:
        sandbox = Sandbox.create()
        real = said(sandbox, "command -v ls; echo $PATH")
        with fake.commands.stub("ls", stdout="stub\n") as stub:
            assert said(sandbox, "ls")[0] == "stub\n"
        assert said(sandbox, "ls")[0] != "stub\n"
        assert said(sandbox, "command -v ls; echo $PATH") == real
        assert (stub.hits, fake.commands.list()) == (1, [])
        stub.remove()
        fake.commands.stub("ls", stdout="stub\n")
        fake.commands.reset()
        assert said(sandbox, "command -v ls; echo $PATH") == real

    def test_after_a_reset_of_the_fake(self, fake: FakeE2B) -> None:
        stub = fake.commands.stub("ls", stdout="stub\n")
        fake.reset()
        assert fake.commands.list() == []
        assert said(Sandbox.create(), "ls")[0] != "stub\n"
        assert stub.hits == 0
        stub.remove()

    def test_the_path(self, fake: FakeE2B) -> None:
        sandbox = Sandbox.create()
        real = sandbox.commands.run("echo $PATH").stdout
        fake.commands.stub("ls x")
        assert sandbox.commands.run("echo $PATH").stdout == real
        assert sandbox.commands.run("ls -d /").stdout == "/\n"


def test_each_call_is_in_the_journal(fake: FakeE2B) -> None:
    fake.commands.stub("deploy now", exit_code=4, name="the deployment")
    sandbox = Sandbox.create()
    said(sandbox, "deploy now; deploy later; true")
    (record,) = fake.journal.records(operation="stubCalled", sandbox_id=sandbox.sandbox_id)
    assert json.loads(record.body) == {
        "stub": "the deployment",
        "command": "deploy now",
        "argv": ["deploy", "now"],
        "exitCode": 4,
    }
    assert (record.command, record.exit_code) == ("deploy now", 4)
    fake.journal.expect("stubCalled", body__stub="the deployment", exit_code=4)
    assert record.duration_ns is not None
    assert record.traceback is None


def test_what_makes_no_sense_is_refused(fake: FakeE2B) -> None:
    def refused(text: str, *command: str, **options: object) -> None:
        with pytest.raises(UsageError, match=text):
            fake.commands.stub(*command, **options)  # type: ignore[arg-type]

    refused("built into the shell", "cd /tmp")
    refused("name the program alone, 'git'", "/usr/bin/git status")
    refused("needs a command", "")
    refused("No closing quotation", "npm 'install")
    refused("say which program")
    refused("say which program", regex="npm")
    refused("no program's name", pattern="n?m install")
    refused("no program's name", "A=1 npm install")
    refused("no regular expression", regex="(", program="npm")
    refused("one of command and pattern", "npm", pattern="npm *")
    refused("program says", "npm install", program="yarn")
    refused("0 to 255", "npm", exit_code=256)
    refused("0 to 255", "npm", exit_code=True)
    refused("delay_s is between", "npm", delay_s=-1)
    refused("number of seconds", "npm", delay_s="soon")
    refused("number of seconds", "npm", delay_s=float("nan"))
    refused("whole number from 1", "npm", times=0)
    refused("either what is answered or a handler", "npm", handler=print, stdout="x")
    refused("handler is a function", "npm", handler="x")
    refused("where is a function", "npm", where="x")
    refused("text or bytes", "npm", stdout=5)
    refused("an object with a sandbox_id", "npm", sandbox=5)
    refused("no sandbox's ID", "npm", sandbox="not/one")
    refused("metadata is texts", "npm", metadata={"a": 1})
    refused("a stub's name", "npm", name="")
    assert fake.commands.list() == []


def test_stubs_have_names(fake: FakeE2B) -> None:
    first = fake.commands.stub("npm install")
    second = fake.commands.stub("npm install")
    assert (first.name, second.name) == ("npm install", "npm install #2")
    with pytest.raises(UsageError, match="already"):
        fake.commands.stub("npm", name="npm install")
    assert [each.name for each in fake.commands.list()] == ["npm install", "npm install #2"]
    with pytest.raises(UsageError, match=r"did you mean 'npm install'.*there is"):
        fake.commands.remove("npm instal")
    assert isinstance(fake.commands.get("npm install #2"), Stub)
    assert repr(first) == "<Stub 'npm install', 0 calls>"


def test_no_stub_leaves_no_trace(fake: FakeE2B, is_local: bool) -> None:
    sandbox = Sandbox.create()
    assert sandbox.commands.run("grep fake-e2b-stubs /proc/net/unix | cat").stdout == ""
    with fake.commands.stub("deploy"):
        shown = sandbox.commands.run("grep fake-e2b-stubs /proc/net/unix | cat").stdout
        assert bool(shown) is not is_local
    assert sandbox.commands.run("grep fake-e2b-stubs /proc/net/unix | cat").stdout == ""


def test_a_sandbox_that_ends_takes_its_calls_along(fake: FakeE2B) -> None:
    stub = fake.commands.stub("deploy", delay_s=3600)
    sandbox = Sandbox.create()
    sandbox.commands.run("deploy", background=True)
    wait_until(lambda: stub.calls)
    sandbox.kill()
    wait_until(lambda: fake.journal.records(operation="stubCalled"))
    assert stub.calls[0].exit_code is None
