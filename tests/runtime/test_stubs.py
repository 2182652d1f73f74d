"""Stubs in a guest, below the server: what they cover, what they leave, where they are asked."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from fake_e2b.domain.ports import Guest, Runtime
from fake_e2b.domain.user import ROOT, USER
from fake_e2b.runtime.local import LocalRuntime
from fake_e2b.runtime.stubs import program
from fake_e2b.runtime.stubs.line import Line
from tests.runtime.guests import request, run, shell, wait_until

LOCAL_BIN = "/usr/local/bin"
LARGEST = 50 << 20


def machine_program(*, link: bool) -> str:
    """A program of this machine that an isolated stub covers."""
    for path in sorted(Path(LOCAL_BIN).iterdir() if os.path.isdir(LOCAL_BIN) else []):
        fits = path.is_symlink() is link and os.access(path, os.X_OK) and path.is_file()
        if fits and path.stat().st_size < LARGEST:
            return path.name
    pytest.skip(f"no such program in {LOCAL_BIN}")


def answer_with(text: bytes) -> Callable[[int], None]:
    def answer(descriptor: int) -> None:
        def serve() -> None:
            line = Line(socket.socket(fileno=descriptor))
            line.called()
            line.write(text)
            line.exit(0)
            line.close()

        asyncio.get_running_loop().run_in_executor(None, serve)

    return answer


class TestCovering:
    @pytest.mark.parametrize("user", [USER, ROOT], ids=lambda user: user.name)
    async def test_one_that_is_nowhere(self, guest: Guest, user: object) -> None:
        await guest.intercept({"nowhere"}, answer_with(b"stub\n"))
        assert (await run(guest, "nowhere", user=user)).stdout == "stub\n"  # type: ignore[arg-type]
        await guest.intercept(set(), answer_with(b""))
        found = await run(guest, *shell("nowhere; command -v nowhere"), user=user)  # type: ignore[arg-type]
        assert (found.stdout, found.exit.code) == ("", 1)

    @pytest.mark.parametrize("link", [False, True], ids=["file", "link"])
    async def test_a_program_of_the_machine_comes_back_as_it_was(
        self, runtime: Runtime, guest: Guest, link: bool
    ) -> None:
        name = machine_program(link=link)
        look = shell(
            f"cd {LOCAL_BIN}; readlink {name}; stat -c %A $(readlink -f {name}); cksum < {name}"
        )
        before = await run(guest, *look)
        await guest.intercept({name}, answer_with(b"stub\n"))
        assert (await run(guest, name)).stdout == "stub\n"
        if runtime.name == "isolated":
            kept = f"/usr/lib/fake-e2b/covered/usr-local-bin/{name}"
            covered = await run(guest, *shell(f"cksum < {kept}; test -x {kept} && echo runs"))
            assert covered.stdout == before.stdout.splitlines(keepends=True)[-1] + "runs\n"
        await guest.intercept(set(), answer_with(b""))
        assert await run(guest, *look) == before

    async def test_what_was_installed_over_it_stays(self, runtime: Runtime, guest: Guest) -> None:
        if runtime.name == "local":
            pytest.skip("nobody installs programs there")
        await guest.intercept({"tool"}, answer_with(b"stub\n"))
        own = f"rm {LOCAL_BIN}/tool; printf '#!/bin/sh\\necho own' > {LOCAL_BIN}/tool"
        await run(guest, *shell(f"{own}; chmod 755 {LOCAL_BIN}/tool"), user=ROOT)
        login = "PATH=/usr/local/bin:/bin; tool"
        assert (await run(guest, *shell(login))).stdout == "own\n"
        await guest.intercept(set(), answer_with(b""))
        assert (await run(guest, "tool")).stdout == "own\n"

    async def test_other_names_take_the_place_of_the_first(self, guest: Guest) -> None:
        await guest.intercept({"one", "two"}, answer_with(b"stub\n"))
        await guest.intercept({"two", "three"}, answer_with(b"stub\n"))
        found = await run(guest, *shell("for each in one two three; do $each; done 2>&1"))
        assert "one: command not found\nstub\nstub\n" in found.stdout


class TestAsking:
    async def test_each_guest_has_its_own_answers(
        self, make_guest: Callable[[], Awaitable[Guest]]
    ) -> None:
        guests = [await make_guest() for _ in range(3)]
        for number, guest in enumerate(guests[:2]):
            await guest.intercept({"who"}, answer_with(b"%d\n" % number))
        said = [(await run(guest, *shell("who am i > /dev/null; who"))).stdout for guest in guests]
        assert said[:2] == ["0\n", "1\n"]
        assert said[2] not in said[:2]

    async def test_without_the_sandboxs_variables(self, guest: Guest) -> None:
        await guest.intercept({"tool"}, answer_with(b"stub\n"))
        for way in ('env -i PATH="$PATH" tool', "cd /; env -u HOME tool; tool < /dev/null"):
            found = await run(guest, *shell(way), env={"E2B_SANDBOX_ID": "nobody"})
            assert found.stdout in ("stub\n", "stub\nstub\n"), way

    async def test_many_at_once(self, guest: Guest) -> None:
        await guest.intercept({"tool"}, answer_with(b"stub\n"))
        many = "for i in $(seq 40); do tool & done; wait"
        assert (await run(guest, *shell(many))).stdout == "stub\n" * 40

    async def test_a_server_that_says_nothing_is_no_stub(self, guest: Guest) -> None:
        await guest.intercept({"uname"}, os.close)
        real = await run(guest, "/bin/uname", "-a")
        assert await run(guest, "uname", "-a") == real

    async def test_it_ends_with_the_guest(self, guest: Guest) -> None:
        called: list[int] = []
        await guest.intercept({"tool"}, called.append)
        await guest.spawn(request("tool"))
        await wait_until(lambda: bool(called), "the stub asked")
        line = Line(socket.socket(fileno=called[0]))
        argv, _, _ = await asyncio.to_thread(line.called)
        assert argv == [b"tool"]
        await guest.kill()
        assert await asyncio.to_thread(line.is_gone, 20)
        line.close()


async def test_a_run_folder_with_a_long_name(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    runtime = LocalRuntime(str(folder))
    await runtime.start()
    try:
        guest = await runtime.create("i" + "a" * 20)
        await guest.intercept({"tool"}, answer_with(b"stub\n"))
        assert (await run(guest, "tool")).stdout == "stub\n"
        await guest.kill()
        assert not list(folder.glob("*/run-*/bin/.stubs*"))
        assert not list(folder.glob("*/run-*/bin/tool"))
    finally:
        await runtime.close()


class TestCaptures:
    """Of the runtime `local` none has any: its stubs are beside the sandboxes' files."""

    @pytest.fixture
    async def again(self, runtime: Runtime, guest: Guest) -> Callable[[], Awaitable[Guest]]:
        """Captures the guest and starts another one on its files."""

        async def make() -> Guest:
            layer_id = await runtime.capture("i" + "a" * 20)
            try:
                return await runtime.create("i2", base=layer_id)
            finally:
                await runtime.release(layer_id)

        if runtime.name == "local":
            pytest.skip("nobody installs programs there")
        return make

    @staticmethod
    def kept(tmp_path: Path) -> list[str]:
        """What layers keep of changes of `/usr`."""
        return [str(each) for each in tmp_path.glob("fake-e2b-*/run-*/layer-*/upper/usr/**/*")]

    @pytest.mark.parametrize("link", [False, True, None], ids=["file", "link", "nowhere"])
    async def test_nothing_is_kept_of_a_stub(
        self, runtime: Runtime, guest: Guest, tmp_path: Path, link: bool | None
    ) -> None:
        name = "nowhere" if link is None else machine_program(link=link)
        look = shell(f"cd {LOCAL_BIN}; readlink {name}; stat -Lc %A {name}; cksum < {name}; ls")
        before = await run(guest, *look)
        await guest.intercept({name, "other"}, answer_with(b"stub\n"))
        assert (await run(guest, name)).stdout == "stub\n"
        layer_id = await runtime.capture("i" + "a" * 20)
        assert self.kept(tmp_path) == []
        other = await runtime.create("i2", base=layer_id)
        assert await run(other, *look) == before
        assert (await run(guest, name)).stdout == "stub\n"

    async def test_what_programs_changed_is(
        self, guest: Guest, again: Callable[[], Awaitable[Guest]]
    ) -> None:
        script = (
            f"cd {LOCAL_BIN}; echo own > own; chmod 751 own; echo first > over; echo 1 > deleted;"
            "mkdir -p ../share/mine; chmod 710 ../sbin"
        )
        assert (await run(guest, *shell(script), user=ROOT)).exit.code == 0
        await guest.intercept({"own", "over", "deleted", "none"}, answer_with(b"stub\n"))
        script = f"cd {LOCAL_BIN}; rm over deleted; echo second > over; echo 2 > ../share/mine/two"
        assert (await run(guest, *shell(script), user=ROOT)).exit.code == 0
        look = shell(
            f"cd {LOCAL_BIN}; cat own over ../share/mine/two; stat -c '%U %a' own ../sbin;"
            "ls deleted none; ls /usr/lib/fake-e2b/covered ../sbin"
        )
        other = await again()
        seen = await run(other, *look, user=ROOT)
        assert seen.stdout == "own\nsecond\n2\nroot 751\nroot 710\n../sbin:\n"

    async def test_a_program_that_was_removed_stays_so(
        self, guest: Guest, again: Callable[[], Awaitable[Guest]]
    ) -> None:
        name = machine_program(link=False)
        removed = await run(guest, *shell(f"rm {LOCAL_BIN}/{name}"), user=ROOT)
        if removed.exit.code:
            pytest.skip("root of one id may not remove what is the host's root's")
        await guest.intercept({name}, answer_with(b"stub\n"))
        other = await again()
        assert name not in other.files.listdir(LOCAL_BIN)

    async def test_a_changed_program_stays_so(
        self, guest: Guest, again: Callable[[], Awaitable[Guest]]
    ) -> None:
        name = machine_program(link=False)
        changed = await run(guest, *shell(f"echo more >> {LOCAL_BIN}/{name}"), user=ROOT)
        if changed.exit.code:
            pytest.skip("root of one id may not change what is the host's root's")
        await guest.intercept({name}, answer_with(b"stub\n"))
        other = await again()
        found = await run(other, *shell(f"tail -n 1 {LOCAL_BIN}/{name}"))
        assert found.stdout.endswith("more\n")

    async def test_folders_that_were_made_anew_hide_the_machines(
        self, guest: Guest, again: Callable[[], Awaitable[Guest]]
    ) -> None:
        made = await run(guest, *shell("rm -r /usr/local && mkdir -p /usr/local/bin"), user=ROOT)
        if made.exit.code:
            pytest.skip("root of one id may not remove what is the host's root's")
        await guest.intercept({"tool"}, answer_with(b"stub\n"))
        other = await again()
        assert list(other.files.listdir("/usr/local")) == ["bin", "sbin"]
        assert list(other.files.listdir(LOCAL_BIN)) == []

    async def test_links_lead_nowhere(
        self, guest: Guest, again: Callable[[], Awaitable[Guest]], tmp_path: Path
    ) -> None:
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "tool").write_bytes(program.MARK)
        script = f"rm -r /usr/local && ln -s {tmp_path} /usr/local"
        if (await run(guest, *shell(script), user=ROOT)).exit.code:
            pytest.skip("root of one id may not remove what is the host's root's")
        other = await again()
        assert other.files.readlink("/usr/local") == str(tmp_path)
        assert [each.name for each in (tmp_path / "bin").iterdir()] == ["tool"]

    async def test_what_is_installed_over_a_stub_is_covered_again(
        self, guest: Guest, again: Callable[[], Awaitable[Guest]]
    ) -> None:
        await guest.intercept({"tool"}, answer_with(b"stub\n"))
        own = f"rm {LOCAL_BIN}/tool; printf '#!/bin/sh\\necho own' > {LOCAL_BIN}/tool"
        await run(guest, *shell(f"{own}; chmod 755 {LOCAL_BIN}/tool"), user=ROOT)
        await guest.intercept({"tool"}, answer_with(b"stub\n"))
        login = shell("PATH=/usr/local/bin:/bin; tool")
        assert (await run(guest, *login)).stdout == "stub\n"
        assert (await run(await again(), *login)).stdout == "own\n"
