"""Programs of a guest: their output, input, signals and ends, on both runtimes."""

from __future__ import annotations

import asyncio
import errno
import signal

import pytest

from fake_e2b.domain.ports import Guest, StdinClosedError
from fake_e2b.domain.process import ProcessExit, PtySize, SpawnError
from fake_e2b.domain.user import ROOT, USER
from fake_e2b.runtime.process import PIPE_READ
from tests.runtime.guests import Conversation, collect, request, run, shell


class TestOutput:
    async def test_both_channels_and_the_exit_code_arrive(self, guest: Guest) -> None:
        result = await run(guest, *shell("echo out; echo err >&2; exit 7"))
        assert (result.stdout, result.stderr) == ("out\n", "err\n")
        assert result.exit == ProcessExit(7)

    async def test_every_byte_of_a_long_output_arrives_in_order(self, guest: Guest) -> None:
        process = await guest.spawn(request("/usr/bin/seq", "200000"))
        biggest, text = 0, b""
        with process.subscribe() as events:
            async for event in events:
                if not isinstance(event, ProcessExit):
                    biggest = max(biggest, len(event.data))
                    text += event.data
        assert text.split() == [b"%d" % number for number in range(1, 200_001)]
        assert biggest <= PIPE_READ

    async def test_two_subscribers_get_the_same(self, guest: Guest) -> None:
        process = await guest.spawn(request("/usr/bin/seq", "50000"))
        first, second = await asyncio.gather(collect(process), collect(process))
        assert first.stdout == second.stdout
        assert first.exit == second.exit == ProcessExit(0)

    async def test_output_before_the_first_subscriber_waits(self, guest: Guest) -> None:
        process = await guest.spawn(request(*shell("echo early")))
        other = await run(guest, *shell("sleep 0.1"))
        assert other.exit == ProcessExit(0)
        assert (await collect(process)).stdout == "early\n"

    async def test_output_without_a_subscriber_is_thrown_away(self, guest: Guest) -> None:
        process = await guest.spawn(
            request(*shell("echo a; head -c 1000000 /dev/zero; echo b >&2"))
        )
        with process.subscribe() as events:
            await Conversation(events).until(b"a\n")
        assert await process.wait() == ProcessExit(0)
        assert (await collect(process)).stdout == ""

    async def test_one_that_does_not_read_holds_the_program_back(self, guest: Guest) -> None:
        process = await guest.spawn(request(*shell("head -c 8000000 /dev/zero; echo done >&2")))
        with process.subscribe() as stuck, process.subscribe() as reading:
            reader = asyncio.create_task(Conversation(reading).until(b"done"))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.shield(reader), 0.3)
            del stuck
        reader.cancel()
        assert await process.wait() == ProcessExit(0)

    async def test_a_child_that_keeps_the_pipes_keeps_it_alive(self, guest: Guest) -> None:
        process = await guest.spawn(
            request(*shell("exec 3<&0; { read -r <&3; echo late; } & echo done"), stdin=True)
        )
        with process.subscribe() as events:
            talk = Conversation(events)
            await talk.until(b"done\n")
            assert process.exit is None
            await process.write(b"go\n")
            await talk.until(b"late\n")
            assert await talk.exit() == ProcessExit(0)

    async def test_a_child_without_the_pipes_does_not(self, guest: Guest) -> None:
        result = await run(guest, *shell("sleep 1000 >/dev/null 2>&1 & echo done"))
        assert (result.stdout, result.exit) == ("done\n", ProcessExit(0))


class TestInput:
    async def test_cat_says_what_it_is_told(self, guest: Guest) -> None:
        process = await guest.spawn(request("cat", stdin=True))
        with process.subscribe() as events:
            talk = Conversation(events)
            await process.write(b"hello")
            await talk.until(b"hello")
            process.close_stdin()
            process.close_stdin()
            assert await talk.exit() == ProcessExit(0)

    async def test_more_than_a_pipe_holds_waits_and_arrives(self, guest: Guest) -> None:
        process = await guest.spawn(request("/usr/bin/wc", "-c", stdin=True))
        await process.write(b"x" * 3_000_000)
        process.close_stdin()
        assert (await collect(process)).stdout == "3000000\n"

    async def test_without_stdin_the_program_reads_nothing(self, guest: Guest) -> None:
        process = await guest.spawn(request("cat"))
        with pytest.raises(StdinClosedError):
            await process.write(b"x")
        assert (await collect(process)).stdout == ""

    async def test_a_closed_stdin_takes_nothing(self, guest: Guest) -> None:
        process = await guest.spawn(request("cat", stdin=True))
        process.close_stdin()
        with pytest.raises(StdinClosedError):
            await process.write(b"x")
        await collect(process)

    async def test_a_program_that_closed_its_stdin_breaks_the_pipe(self, guest: Guest) -> None:
        process = await guest.spawn(
            request(*shell("exec <&-; echo closed; sleep 1000"), stdin=True)
        )
        with process.subscribe() as events:
            await Conversation(events).until(b"closed")
            with pytest.raises(BrokenPipeError):
                await process.write(b"x")
            process.signal(signal.SIGKILL)

    async def test_closing_ends_a_write_that_waits(self, guest: Guest) -> None:
        process = await guest.spawn(request("sleep", "1000", stdin=True))
        writing = asyncio.create_task(process.write(b"x" * 3_000_000))
        await asyncio.sleep(0)
        process.close_stdin()
        with pytest.raises(StdinClosedError):
            await writing
        process.signal(signal.SIGKILL)
        await collect(process)


class TestSignals:
    async def test_a_killed_program_says_so(self, guest: Guest) -> None:
        process = await guest.spawn(request("sleep", "1000"))
        process.signal(signal.SIGKILL)
        assert (await collect(process)).exit == ProcessExit(None, signal.SIGKILL)
        with pytest.raises(ProcessLookupError):
            process.signal(signal.SIGKILL)

    async def test_only_the_one_program_is_hit_and_its_end_is_the_end(self, guest: Guest) -> None:
        process = await guest.spawn(request(*shell("sleep 1000 & echo $!; wait")))
        with process.subscribe() as events:
            talk = Conversation(events)
            child = (await talk.until(b"\n")).strip().decode()
            process.signal(signal.SIGKILL)
            assert await talk.exit() == ProcessExit(None, signal.SIGKILL)
        assert (await run(guest, "/bin/kill", "-0", child)).exit == ProcessExit(0)

    async def test_a_trap_goes_on_and_is_heard(self, guest: Guest) -> None:
        script = "trap 'echo trapped; exit 7' TERM; echo ready; while :; do sleep 0.01; done"
        process = await guest.spawn(request(*shell(script)))
        with process.subscribe() as events:
            talk = Conversation(events)
            await talk.until(b"ready\n")
            process.signal(signal.SIGTERM)
            await talk.until(b"trapped\n")
            assert await talk.exit() == ProcessExit(7)

    async def test_a_signal_ends_one_whose_children_hold_its_pipes(self, guest: Guest) -> None:
        process = await guest.spawn(request(*shell("sleep 1000 & echo $$")))
        with process.subscribe() as events:
            talk = Conversation(events)
            await talk.until(b"\n")
            process.signal(signal.SIGTERM)
            await talk.exit()
        assert process.exit is not None

    async def test_programs_start_with_default_signals(self, guest: Guest) -> None:
        result = await run(guest, "/bin/grep", "SigIgn", "/proc/self/status")
        ignored = int(result.stdout.split()[1], 16)
        assert ignored & (1 << 31) - 1 == 0  # above are the C library's own

    async def test_killing_its_own_group_leaves_the_sandbox_alive(self, guest: Guest) -> None:
        result = await run(guest, *shell("kill -9 0"))
        assert result.exit == ProcessExit(None, signal.SIGKILL)
        assert (await run(guest, "echo", "alive")).stdout == "alive\n"


class TestStart:
    async def test_a_missing_program_is_an_exec_error(self, guest: Guest) -> None:
        with pytest.raises(SpawnError) as caught:
            await guest.spawn(request("no-such-program"))
        assert (caught.value.stage, caught.value.errno) == ("exec", errno.ENOENT)

    async def test_a_program_that_is_not_executable_is_an_exec_error(self, guest: Guest) -> None:
        with pytest.raises(SpawnError) as caught:
            await guest.spawn(request("/etc/passwd"))
        assert (caught.value.stage, caught.value.errno) == ("exec", errno.EACCES)

    @pytest.mark.parametrize(
        ("cwd", "number"),
        [("/home/user/none", errno.ENOENT), ("/home/user/.bashrc", errno.ENOTDIR)],
    )
    async def test_a_bad_folder_is_a_cwd_error(self, guest: Guest, cwd: str, number: int) -> None:
        with pytest.raises(SpawnError) as caught:
            await guest.spawn(request("pwd", cwd=cwd))
        assert (caught.value.stage, caught.value.errno) == ("cwd", number)

    async def test_a_nul_byte_is_refused(self, guest: Guest) -> None:
        with pytest.raises(SpawnError):
            await guest.spawn(request("echo", env={"A": "b\0c"}))

    async def test_arguments_and_environment_may_be_big(self, guest: Guest) -> None:
        argument = "ä" * 60_000
        env = {f"VARIABLE_{number}": "v" * 1000 for number in range(300)}
        result = await run(
            guest, *shell('echo -n "$1" | wc -c; env | grep -c VARIABLE_'), "-", argument, env=env
        )
        assert result.stdout.split() == ["120000", "300"]

    async def test_one_argument_too_long_is_an_exec_error(self, guest: Guest) -> None:
        with pytest.raises(SpawnError) as caught:
            await guest.spawn(request("echo", "x" * 200_000))
        assert (caught.value.stage, caught.value.errno) == ("exec", errno.E2BIG)

    async def test_a_script_without_a_first_line_runs_in_sh(self, guest: Guest) -> None:
        result = await run(guest, *shell("echo 'echo \"$1\"' > s; chmod +x s; exec env ./s plain"))
        assert result.stdout == "plain\n"
        assert (await run(guest, "./s", "spawned")).stdout == "spawned\n"

    async def test_many_at_once(self, guest: Guest) -> None:
        results = await asyncio.gather(*(run(guest, "echo", str(i)) for i in range(60)))
        assert [result.stdout for result in results] == [f"{i}\n" for i in range(60)]

    async def test_programs_start_where_they_are_told_with_the_usual_mask(
        self, guest: Guest
    ) -> None:
        result = await run(guest, *shell("pwd; umask; cat /proc/self/oom_score_adj"), cwd="/tmp")
        cwd, mask, score = result.stdout.split()
        assert cwd.endswith("/tmp")
        assert (mask, score) == ("0022", "100")

    async def test_a_login_shell_knows_its_shell_and_prompt(self, guest: Guest) -> None:
        for user in (USER, ROOT):
            result = await run(guest, "/bin/bash", "-l", "-c", 'echo "$SHELL|$PS1"', user=user)
            assert result.stdout == "/bin/bash|\\w \\$ \n"

    async def test_sudo_needs_no_password(self, guest: Guest) -> None:
        login = ("/bin/bash", "-l", "-c")
        result = await run(
            guest, *login, "sudo -n sh -c 'echo \"$USER $1\"' - x; sudo -u user id -un"
        )
        assert result.stdout.splitlines()[0] == "root x"
        assert (await run(guest, *login, "sudo A=b env | grep ^A=")).stdout == "A=b\n"
        assert (await run(guest, *login, "sudo -E -H no-such")).exit == ProcessExit(1)


class TestTerminal:
    ARGV = ("/bin/bash", "--norc", "--noprofile", "-i")

    def bash(self) -> object:
        return request(*self.ARGV, env={"PS1": "$ ", "TERM": "xterm"}, pty=PtySize(80, 24))

    async def test_it_is_a_terminal_of_that_size_and_follows_a_resize(self, guest: Guest) -> None:
        process = await guest.spawn(self.bash())  # type: ignore[arg-type]
        assert process.is_pty
        with process.subscribe() as events:
            talk = Conversation(events)
            await talk.until(b"$ ")
            await process.write(b"stty size; tty\n")
            await talk.until(b"24 80\r\n")
            await talk.until(b"/dev/pts/")
            await process.write(b"trap 'echo WIN''CH' WINCH; echo re''ady\n")
            await talk.until(b"ready\r\n")
            process.resize(PtySize(132, 40))
            await process.write(b"stty size\n")
            await talk.until(b"WINCH\r\n")
            await talk.until(b"40 132\r\n")
            await process.write(b"exit 3\n")
            assert await talk.exit() == ProcessExit(3)

    async def test_control_characters_reach_the_foreground_job(self, guest: Guest) -> None:
        process = await guest.spawn(self.bash())  # type: ignore[arg-type]
        with process.subscribe() as events:
            talk = Conversation(events)
            await process.write(b"sh -c 'echo go''ing; exec sleep 1000'\n")
            await talk.until(b"going\r\n")
            await process.write(b"\x03")
            await process.write(b"echo rc=$?\n")
            await talk.until(b"rc=130\r\n")
            await process.write(b"sh -c 'echo go''ing; exec sleep 1000'\n")
            await talk.until(b"going\r\n")
            await process.write(b"\x1a")
            await talk.until(b"Stopped")
            await talk.until(b"$ ")
            await process.write(b"kill -9 %1; wait; echo go''ne\n")
            await talk.until(b"gone\r\n")

    async def test_end_of_input_ends_the_shell(self, guest: Guest) -> None:
        process = await guest.spawn(self.bash())  # type: ignore[arg-type]
        with process.subscribe() as events:
            talk = Conversation(events)
            await talk.until(b"$ ")
            await process.write(b"\x04")
            assert await talk.exit() == ProcessExit(0)
        with pytest.raises(BrokenPipeError):
            await process.write(b"x")

    async def test_an_interactive_shell_ignores_term_and_dies_of_kill(self, guest: Guest) -> None:
        process = await guest.spawn(self.bash())  # type: ignore[arg-type]
        with process.subscribe() as events:
            talk = Conversation(events)
            await talk.until(b"$ ")
            process.signal(signal.SIGTERM)
            await process.write(b"echo still\n")
            await talk.until(b"still\r\n")
            process.signal(signal.SIGKILL)
            assert await talk.exit() == ProcessExit(None, signal.SIGKILL)

    async def test_a_missing_program_is_told_apart(self, guest: Guest) -> None:
        with pytest.raises(SpawnError) as caught:
            await guest.spawn(request("/no/such", pty=PtySize(0, 0)))
        assert (caught.value.stage, caught.value.errno) == ("exec", errno.ENOENT)
