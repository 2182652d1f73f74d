"""The Process service on real processes: starting, ending, finding, feeding, killing them."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest

from fake_e2b.domain.clock import SECOND_NS
from fake_e2b.wire.envelope import END, frame
from tests.helpers.clock import ManualClock
from tests.helpers.waiting import DEADLINE_S, wait_until_async
from tests.wire.daemon import CONNECT, START, Daemon, bash, end_of, output, text_of
from tests.wire.serving import Wire


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


async def read_to_end(wire: Wire) -> list[dict[str, Any]]:
    """The messages up to the end event, of a stream that then ends as it should."""
    events = []
    while not events or "end" not in events[-1]["event"]:
        events.append(await wire.read_message())
    assert await wire.read_chunk() == frame(b"{}", END)
    return events


class TestStart:
    async def test_events_come_in_order(self, daemon: Daemon) -> None:
        answer = await daemon.start(
            {
                "process": {"cmd": "/bin/bash", "args": ["-l", "-c", "echo hi; echo err >&2"]},
                "stdin": False,
            }
        )
        first, *data, last = answer.events
        assert set(first["event"]["start"]) == {"pid"}
        assert text_of(data, "stdout") == "hi\n"
        assert text_of(data, "stderr") == "err\n"
        assert last == {"event": {"end": {"exited": True, "status": "exit status 0"}}}
        assert answer.header("content-type") == "application/connect+json"

    @pytest.mark.parametrize(
        ("script", "end"),
        [
            ("exit 7", {"exitCode": 7, "exited": True, "status": "exit status 7"}),
            ("kill -9 $$", {"exitCode": -1, "status": "signal: killed"}),
            ("kill -15 $$", {"exitCode": -1, "status": "signal: terminated"}),
            ("ulimit -c 0; kill -11 $$", {"exitCode": -1, "status": "signal: segmentation fault"}),
            ("kill -10 $$", {"exitCode": -1, "status": "signal: user defined signal 1"}),
        ],
    )
    async def test_how_a_process_ended_is_told(
        self, daemon: Daemon, script: str, end: dict[str, Any]
    ) -> None:
        assert end_of(await daemon.shell(script)) == {**end, "error": end["status"]}

    @pytest.mark.parametrize(
        ("cmd", "code", "stderr"),
        [
            ("nosuch", 127, "/usr/bin/nice: 'nosuch': No such file or directory\n"),
            ("/no/such", 127, "/usr/bin/nice: '/no/such': No such file or directory\n"),
            ("", 127, "/usr/bin/nice: '': No such file or directory\n"),
            ("/etc/passwd", 126, "/usr/bin/nice: '/etc/passwd': Permission denied\n"),
            ("/tmp", 126, "/usr/bin/nice: '/tmp': Permission denied\n"),
        ],
    )
    async def test_a_command_that_cannot_run_exits(
        self, daemon: Daemon, cmd: str, code: int, stderr: str
    ) -> None:
        answer = await daemon.start({"process": {"cmd": cmd}})
        assert output(answer, "stderr") == stderr
        status = f"exit status {code}"
        assert end_of(answer) == {
            "exitCode": code,
            "exited": True,
            "status": status,
            "error": status,
        }

    async def test_a_command_that_looks_like_an_option_is_one(self, daemon: Daemon) -> None:
        answer = await daemon.start({"process": {"cmd": "-c"}})
        assert output(answer, "stderr").startswith("/usr/bin/nice: invalid option -- 'c'\n")
        assert end_of(answer)["exitCode"] == 125

    async def test_an_empty_request_is_an_empty_command(self, daemon: Daemon) -> None:
        assert end_of(await daemon.start({}))["exitCode"] == 127

    async def test_a_script_without_a_first_line_runs_in_sh(self, daemon: Daemon) -> None:
        await daemon.shell("printf 'echo $1 from sh' > ~/script; chmod +x ~/script")
        answer = await daemon.start(
            {"process": {"cmd": "./script", "args": ["hello"]}, "stdin": False}
        )
        assert output(answer) == "hello from sh\n"

    async def test_the_environment_is_the_sandboxs_own(
        self, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HOST_SECRET", "leaks")
        answer = await daemon.start(
            {
                "process": {
                    "cmd": "/usr/bin/env",
                    "envs": {"MINE": "a=b c", "E2B_SANDBOX": "mine", "PWD": "/nowhere", "A=B": "C"},
                },
                "stdin": False,
            }
        )
        found = dict(line.split("=", 1) for line in output(answer).splitlines())
        assert found["MINE"] == "a=b c"
        assert found["E2B_SANDBOX"] == "mine"
        assert found["A"] == "B=C"
        assert found["FROM_CREATE"] == "1"
        assert found["E2B_SANDBOX_ID"] == "i" + "w" * 20
        assert found["E2B_TEMPLATE_ID"] == "base"
        assert (found["USER"], found["LOGNAME"]) == ("user", "user")
        assert found["HOME"].endswith("/home/user")
        assert found["PWD"].endswith("/home/user")
        assert not {"HOST_SECRET", "SHELL", "TERM", "LANG"} & set(found)

    async def test_the_basic_user_runs_it(self, daemon: Daemon) -> None:
        root = await daemon.shell("pwd; echo $USER", Authorization="Basic " + b64(b"root:"))
        assert output(root).splitlines()[1] == "root"
        assert output(root).splitlines()[0].endswith("/home/user")
        for header in ("Basic " + b64(b"user:secret"), "Bearer x", "Basic %%%"):
            assert output(await daemon.shell("echo $USER", Authorization=header)) == "user\n"

    @pytest.mark.parametrize(
        ("cwd", "error"),
        [
            ("relative/dir", "cwd '/home/user/relative/dir' does not exist"),
            (
                "~other",
                "failed to expand path '' for user 'user': cannot expand user-specific home dir",
            ),
            ("/tmp/../nowhere/./x", "cwd '/tmp/../nowhere/./x' does not exist"),
            ("file", "error starting process 'pwd -P': fork/exec /bin/sh: not a directory"),
            ("file/x", "error starting process 'pwd -P': fork/exec /bin/sh: not a directory"),
            ("a\0b", "error starting process 'pwd -P': fork/exec /bin/sh: invalid argument"),
        ],
    )
    async def test_a_bad_working_directory_is_refused(
        self, daemon: Daemon, cwd: str, error: str
    ) -> None:
        await daemon.shell("touch ~/file")
        answer = await daemon.start({"process": {"cmd": "pwd", "args": ["-P"], "cwd": cwd}})
        assert (answer.status, len(answer.frames)) == (200, 1)
        assert answer.error == ("invalid_argument", error)

    async def test_a_working_directory_may_be_uncleaned(self, daemon: Daemon) -> None:
        for cwd, end in (("/tmp/../home/./user/", "/home/user"), ("~/..", "/home"), ("~", "user")):
            answer = await daemon.start(
                {"process": {"cmd": "/bin/pwd", "args": ["-P"], "cwd": cwd}, "stdin": False}
            )
            assert output(answer).rstrip().endswith(end)

    async def test_texts_with_nul_are_refused(self, daemon: Daemon) -> None:
        answer = await daemon.start({"process": {"cmd": "env", "envs": {"A": "x\0y"}}})
        assert answer.error == (
            "invalid_argument",
            "error starting process 'env': exec: environment variable contains NUL",
        )
        pty = {"size": {"cols": 80, "rows": 24}}
        answer = await daemon.start(
            {"process": {"cmd": "ls", "args": ["-l"], "cwd": "/etc/passwd/x"}, "pty": pty}
        )
        assert answer.error[1].startswith(
            "error starting pty with command 'ls -l' in dir '/etc/passwd/x' "
            "with '80' cols and '24' rows: fork/exec /bin/sh: "
        )

    async def test_children_that_hold_the_pipes_hold_the_end(self, daemon: Daemon) -> None:
        held = await daemon.shell("(read -t 0.3 < <(:; sleep 0.3); echo late) & echo early")
        assert output(held) == "early\nlate\n"
        free = await daemon.shell("sleep 60 >/dev/null 2>&1 & echo $!")
        assert end_of(free)["exited"]

    async def test_stdin_is_open_unless_it_is_refused(self, daemon: Daemon) -> None:
        assert output(await daemon.start({"process": {"cmd": "cat"}, "stdin": False})) == ""
        async with daemon.started({"process": {"cmd": "cat"}}) as (pid, wire):
            await daemon.call("CloseStdin", {"process": {"pid": pid}})
            assert end_of_stream(await read_to_end(wire)) == 0

    async def test_an_unknown_user_is_refused_in_a_frame(self, daemon: Daemon) -> None:
        answer = await daemon.shell("true", Authorization="Basic " + b64(b"nobody2:"))
        assert answer.status == 200
        assert answer.error == ("unauthenticated", "invalid username: 'nobody2'")
        assert answer.header("content-length") == str(len(answer.body))
        assert answer.header("connect-accept-encoding") is None


def end_of_stream(events: list[dict[str, Any]]) -> int:
    code: int = events[-1]["event"]["end"].get("exitCode", 0)
    return code


class TestDeadline:
    async def test_it_kills_the_process_and_ends_the_stream(self, daemon: Daemon) -> None:
        async with daemon.client.open_stream(
            START, bash("sleep 60"), {"Connect-Timeout-Ms": "300"}
        ) as wire:
            pid = (await wire.read_message())["event"]["start"]["pid"]
            assert await wire.read_message() == {
                "error": {"code": "deadline_exceeded", "message": "context deadline exceeded"}
            }
        await wait_until_async(lambda: not daemon.envd.processes.running())
        ended = await daemon.client.stream(CONNECT, {"process": {"pid": pid}})
        assert end_of(ended) == {
            "exitCode": -1,
            "status": "signal: killed",
            "error": "signal: killed",
        }

    async def test_it_kills_even_after_the_client_left(self, daemon: Daemon) -> None:
        async with daemon.started(bash("sleep 60"), Connect_Timeout_Ms="500"):
            assert len(await daemon.listed()) == 1
        assert len(await daemon.listed()) == 1
        await wait_until_async(lambda: not daemon.envd.processes.running())

    async def test_of_a_subscriber_it_ends_the_stream_only(self, daemon: Daemon) -> None:
        async with daemon.started(bash("sleep 60")) as (pid, _):
            late = await daemon.client.stream(
                CONNECT, {"process": {"pid": pid}}, headers={"Connect-Timeout-Ms": "50"}
            )
            assert late.error[0] == "deadline_exceeded"
            assert [each["pid"] for each in await daemon.listed()] == [pid]

    async def test_a_deadline_while_starting_leaves_no_process(self, daemon: Daemon) -> None:
        for _ in range(5):
            answer = await daemon.shell("sleep 60", Connect_Timeout_Ms="1")
            assert answer.error[0] == "deadline_exceeded"
        await wait_until_async(lambda: not daemon.envd.processes.running())


class TestListAndConnect:
    async def test_processes_are_listed_as_they_were_asked_for(self, daemon: Daemon) -> None:
        assert (await daemon.call("List", {})).body == b"{}"
        config = {"cmd": "sleep", "args": ["60"], "envs": {"A": "1"}, "cwd": "/tmp"}
        async with daemon.started({"process": config, "tag": "mine"}) as (pid, _):
            assert await daemon.listed() == [{"config": config, "pid": pid, "tag": "mine"}]
        # The client left; the process has not.
        assert [each["pid"] for each in await daemon.listed()] == [pid]

    async def test_connecting_shows_only_what_comes_now(self, daemon: Daemon) -> None:
        script = "echo before; read line; echo after $line"
        async with daemon.started(bash(script, stdin=True)) as (pid, wire):
            assert text_of([await wire.read_message()], "stdout") == "before\n"
            async with daemon.client.open_stream(CONNECT, {"process": {"pid": pid}}) as second:
                assert await second.read_message() == {"event": {"start": {"pid": pid}}}
                await daemon.call(
                    "SendInput", {"process": {"pid": pid}, "input": {"stdin": b64(b"x\n")}}
                )
                for each in (wire, second):
                    events = await read_to_end(each)
                    assert text_of(events, "stdout") == "after x\n"

    async def test_an_end_is_remembered_for_30_seconds(
        self, daemon: Daemon, clock: ManualClock
    ) -> None:
        first = await daemon.start({**bash("exit 3"), "tag": "t"})
        pid = first.events[0]["event"]["start"]["pid"]
        assert await daemon.listed() == []
        for selector in ({"pid": pid}, {"tag": "t"}):
            again = await daemon.client.stream(CONNECT, {"process": selector})
            assert [first.events[0], first.events[-1]] == again.events
            gone = await daemon.call("SendSignal", {"process": selector, "signal": 9})
            assert gone.status == 404
        clock.move_to(clock.now_ns() + 30 * SECOND_NS - 1)
        assert (await daemon.client.stream(CONNECT, {"process": {"tag": "t"}})).events
        clock.move_to(clock.now_ns() + 1)
        late = await daemon.client.stream(CONNECT, {"process": {"tag": "t"}})
        assert late.error == ("not_found", "process with tag t not found")

    async def test_a_new_process_with_its_tag_drops_the_memory(self, daemon: Daemon) -> None:
        first = await daemon.start({**bash("exit 3"), "tag": "t"})
        second = await daemon.start({**bash("exit 4"), "tag": "t"})
        recalled = await daemon.client.stream(CONNECT, {"process": {"tag": "t"}})
        assert end_of(recalled)["exitCode"] == 4
        pid = first.events[0]["event"]["start"]["pid"]
        if pid != second.events[0]["event"]["start"]["pid"]:
            dropped = await daemon.client.stream(CONNECT, {"process": {"pid": pid}})
            assert dropped.error == ("not_found", f"process with pid {pid} not found")

    @pytest.mark.parametrize("method", ["Update", "SendInput", "SendSignal", "CloseStdin"])
    async def test_selectors_that_select_nothing(self, daemon: Daemon, method: str) -> None:
        for selector, status, code, text in (
            ({"pid": 99999}, 404, "not_found", "process with pid 99999 not found"),
            ({"tag": "zz"}, 404, "not_found", "process with tag zz not found"),
            ({}, 501, "unimplemented", "invalid input type *process.ProcessSelector"),
        ):
            answer = await daemon.call(method, {"process": selector, "signal": 9})
            assert (answer.status, answer.error) == (status, (code, text))
            stream = await daemon.client.stream(CONNECT, {"process": selector})
            assert (stream.status, stream.error) == (200, (code, text))

    async def test_a_client_that_does_not_read_holds_the_process_back(self, daemon: Daemon) -> None:
        script = "for i in {1..40}; do head -c 1000000 /dev/zero; done; touch ~/done"
        async with daemon.started(bash(script)):
            assert output(await daemon.shell("sleep 0.3; ls ~")) == ""
        # Without a subscriber the output is thrown away, so it goes on.
        await wait_until_async(lambda: not daemon.envd.processes.running())
        assert output(await daemon.shell("ls ~")) == "done\n"

    async def test_a_sandbox_that_goes_breaks_its_streams(self, daemon: Daemon) -> None:
        async with daemon.started(bash("sleep 60")) as (_, wire):
            daemon.cut()
            await daemon.guest.kill()
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await wire.read_message()

    async def test_a_guest_that_dies_by_itself_breaks_them_too(self, daemon: Daemon) -> None:
        async with daemon.started(bash("sleep 60")) as (_, wire):
            await daemon.guest.kill()
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await wire.read_message()


class TestInput:
    async def test_stdin_reaches_the_process(self, daemon: Daemon) -> None:
        async with daemon.started({"process": {"cmd": "cat"}, "stdin": True}) as (pid, wire):
            me = {"process": {"pid": pid}}
            sent = await daemon.call("SendInput", {**me, "input": {"stdin": b64(b"hi\n")}})
            assert (sent.status, sent.body) == (200, b"{}")
            assert text_of([await wire.read_message()], "stdout") == "hi\n"
            wrong = await daemon.call("SendInput", {**me, "input": {"pty": b64(b"x")}})
            assert wrong.error == (
                "internal",
                "error writing to tty: tty not assigned to process — "
                "input should be written to the stdin, not the tty",
            )
            for nothing in ({}, {"input": {}}):
                empty = await daemon.call("SendInput", {**me, **nothing})
                assert empty.error == ("unimplemented", "invalid input type <nil>")
            assert (await daemon.call("CloseStdin", me)).body == b"{}"
            assert end_of_stream(await read_to_end(wire)) == 0

    async def test_closing_stdin_twice_is_fine(self, daemon: Daemon) -> None:
        async with daemon.started(bash("sleep 60", stdin=True)) as (pid, _):
            for _ in range(2):
                closed = await daemon.call("CloseStdin", {"process": {"pid": pid}})
                assert (closed.status, closed.body) == (200, b"{}")

    async def test_stdin_that_is_not_there(self, daemon: Daemon) -> None:
        closed = ("internal", "error writing to stdin: stdin not enabled or closed")
        async with daemon.started(bash("sleep 60")) as (pid, _):
            message = {"process": {"pid": pid}, "input": {"stdin": b64(b"x")}}
            assert (await daemon.call("SendInput", message)).error == closed
            assert (await daemon.call("CloseStdin", {"process": {"pid": pid}})).status == 200
        async with daemon.started(bash("exec <&-; echo closed; sleep 60", stdin=True)) as (
            pid,
            wire,
        ):
            await wire.read_message()
            message = {"process": {"pid": pid}, "input": {"stdin": b64(b"x")}}
            assert (await daemon.call("SendInput", message)).error == (
                "internal",
                f"error writing to stdin: error writing to stdin of process '{pid}': "
                "write |1: broken pipe",
            )

    async def test_a_large_input_arrives_whole(self, daemon: Daemon) -> None:
        async with daemon.started({"process": {"cmd": "wc", "args": ["-c"]}}) as (pid, wire):
            message = {"process": {"pid": pid}, "input": {"stdin": b64(bytes(10_000_000))}}
            assert (await daemon.call("SendInput", message)).status == 200
            await daemon.call("CloseStdin", {"process": {"pid": pid}})
            assert text_of(await read_to_end(wire), "stdout").strip() == "10000000"

    async def test_a_stream_of_input(self, daemon: Daemon) -> None:
        async with daemon.started({"process": {"cmd": "cat"}}) as (pid, wire):
            answer = await daemon.client.stream(
                "/process.Process/StreamInput",
                {"start": {"process": {"pid": pid}}},
                {"data": {"input": {"stdin": b64(b"a")}}},
                {"keepalive": {}},
                {"data": {"input": {"stdin": b64(b"b\n")}}},
            )
            assert answer.frames == [(0, {}), (END, {})]
            seen = ""
            while not seen.endswith("\n"):
                seen += text_of([await wire.read_message()], "stdout")
            assert seen == "ab\n"
            # The end of the stream is not the end of stdin.
            assert [each["pid"] for each in await daemon.listed()] == [pid]

    async def test_a_stream_of_input_that_is_wrong(self, daemon: Daemon) -> None:
        path = "/process.Process/StreamInput"
        assert (await daemon.client.stream(path)).frames == [(0, {}), (END, {})]
        for messages, error in (
            (
                [{"start": {"process": {"pid": 99999}}}],
                ("not_found", "process with pid 99999 not found"),
            ),
            ([{}], ("unimplemented", "invalid event type <nil>")),
            (
                [frame(b"{bad")],
                (
                    "unknown",
                    "error streaming input: invalid_argument: unmarshal message: unmarshal into "
                    "*process.StreamInputRequest: proto: syntax error (line 1:2): "
                    "invalid value bad",
                ),
            ),
        ):
            assert (await daemon.client.stream(path, *messages)).error == error
        early = await daemon.client.stream(path, {"data": {"input": {"stdin": ""}}})
        assert early.error[0] == "failed_precondition"


class TestSignal:
    @pytest.mark.parametrize(
        ("signal", "status"),
        [
            ("SIGNAL_SIGKILL", "signal: killed"),
            ("SIGNAL_SIGTERM", "signal: terminated"),
            (9, "signal: killed"),
            (15, "signal: terminated"),
        ],
    )
    async def test_it_ends_the_one_process_at_once(
        self, daemon: Daemon, signal: int | str, status: str
    ) -> None:
        script = "sleep 60 & echo started; wait"
        async with daemon.started(bash(script)) as (pid, wire):
            await wire.read_message()
            sent = await daemon.call("SendSignal", {"process": {"pid": pid}, "signal": signal})
            assert sent.body == b"{}"
            end = (await read_to_end(wire))[-1]["event"]["end"]
            assert end == {"exitCode": -1, "status": status, "error": status}

    async def test_a_trap_may_answer(self, daemon: Daemon) -> None:
        script = "trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.02; done"
        async with daemon.started(bash(script)) as (pid, wire):
            await wire.read_message()
            await daemon.call("SendSignal", {"process": {"pid": pid}, "signal": 15})
            events = await read_to_end(wire)
            assert text_of(events, "stdout") == "bye\n"
            assert end_of_stream(events) == 7

    async def test_other_signals_are_not_sent(self, daemon: Daemon) -> None:
        async with daemon.started(bash("sleep 60")) as (pid, _):
            me = {"process": {"pid": pid}}
            for signal, shown in (
                ({}, "SIGNAL_UNSPECIFIED"),
                ({"signal": "SIGNAL_UNSPECIFIED"}, "SIGNAL_UNSPECIFIED"),
                ({"signal": "SIGNAL_SIGINT"}, "SIGNAL_UNSPECIFIED"),
                ({"signal": 2}, "2"),
            ):
                answer = await daemon.call("SendSignal", {**me, **signal})
                assert answer.status == 501
                assert answer.error == ("unimplemented", f"invalid signal: {shown}")


class TestPty:
    def request(self, script: str, **pty: Any) -> dict[str, Any]:
        return {"process": {"cmd": "/bin/bash", "args": ["-c", script]}, "pty": pty}

    async def test_output_comes_on_its_own_channel(self, daemon: Daemon) -> None:
        size = {"cols": 91, "rows": 33}
        answer = await daemon.start(self.request("stty size; echo err >&2; tty", size=size))
        lines = output(answer, "pty").splitlines()
        assert lines[:2] == ["33 91", "err"]
        assert lines[2].startswith("/dev/")
        assert (output(answer), output(answer, "stderr")) == ("", "")

    async def test_without_a_size_it_is_0_by_0(self, daemon: Daemon) -> None:
        assert output(await daemon.start(self.request("stty size")), "pty") == "0 0\r\n"
        huge = self.request("stty size", size={"cols": 65537, "rows": 65538})
        assert output(await daemon.start(huge), "pty") == "2 1\r\n"

    async def test_input_resize_and_what_does_not_fit(self, daemon: Daemon) -> None:
        script = "echo ready; read line; stty size; exit 5"
        async with daemon.started(self.request(script)) as (pid, wire):
            me = {"process": {"pid": pid}}
            await wire.read_message()
            wrong = await daemon.call("SendInput", {**me, "input": {"stdin": b64(b"x")}})
            assert wrong.error == (
                "internal",
                "error writing to stdin: tty assigned to process — "
                "input should be written to the pty, not the stdin",
            )
            closing = await daemon.call("CloseStdin", me)
            assert closing.status == 500
            assert closing.error == (
                "unknown",
                "error closing stdin: cannot close stdin for PTY process — "
                "send Ctrl+D (0x04) instead",
            )
            resized = await daemon.call("Update", {**me, "pty": {"size": {"cols": 7, "rows": 8}}})
            assert resized.body == b"{}"
            assert (await daemon.call("Update", me)).body == b"{}"
            await daemon.call("SendInput", {**me, "input": {"pty": b64(b"go\r")}})
            events = await read_to_end(wire)
            assert "8 7\r\n" in text_of(events, "pty")
            assert end_of_stream(events) == 5

    async def test_a_pipe_has_no_size(self, daemon: Daemon) -> None:
        async with daemon.started(bash("sleep 60")) as (pid, _):
            me = {"process": {"pid": pid}}
            assert (await daemon.call("Update", me)).status == 200
            answer = await daemon.call("Update", {**me, "pty": {"size": {"cols": 1, "rows": 1}}})
            assert answer.error == (
                "internal",
                "error resizing tty: tty not assigned to process",
            )


async def test_a_hundred_processes_at_once(daemon: Daemon) -> None:
    async with asyncio.timeout(3 * DEADLINE_S):
        answers = await asyncio.gather(*(daemon.shell(f"echo {n}") for n in range(100)))
    assert [output(each) for each in answers] == [f"{n}\n" for n in range(100)]
