"""What a limited sandbox may use, and what becomes of it beyond that."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fake_e2b.domain.limits import Limits
from fake_e2b.domain.ports import Capability, Runtime
from fake_e2b.domain.process import ProcessExit
from fake_e2b.domain.user import ROOT, USER
from fake_e2b.runtime.isolated import cgroups, stack
from tests.runtime.guests import needs, request, run, shell, wait_until

ID = "i" + "l" * 20
SMALL_DISK = Limits(disk_mb=16)
MIB = 1 << 20


@pytest.fixture(autouse=True)
def limited(runtime: Runtime) -> None:
    needs(runtime, Capability.LIMITS)


HOG = """
held = []
while True:
    held.append(bytearray(1 << 20))
    print(len(held), flush=True)
"""


@pytest.fixture(params=["by the kernel", "by looking"])
def watched(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to hold a sandbox to its limit of memory."""
    if request.param == "by looking":
        monkeypatch.setattr(cgroups, "_parent", lambda: None)
    elif cgroups._parent() is None:
        pytest.skip("this process may not make control groups with a limit of memory")


def groups() -> list[str]:
    parent = cgroups._parent()
    if parent is None:
        return []
    return [name for name in os.listdir(parent[0]) if name.startswith(f"fake-e2b-{os.getpid()}-")]


@pytest.mark.usefixtures("watched")
class TestMemory:
    @pytest.fixture(autouse=True)
    async def without_traces(self, runtime: Runtime) -> AsyncIterator[None]:
        yield
        await runtime.close()
        assert groups() == []

    @pytest.mark.parametrize("limits", [Limits(128), Limits(128, 64)])
    async def test_who_takes_too_much_is_killed_and_the_rest_goes_on(
        self, runtime: Runtime, limits: Limits
    ) -> None:
        guest = await runtime.create(ID, limits=limits)
        other = await runtime.create("i" + "o" * 20)
        bystander = await guest.spawn(request("sleep", "1000"))
        for user in (USER, ROOT):
            result = await run(guest, "python3", "-c", HOG, user=user)
            assert result.exit == ProcessExit(None, signal.SIGKILL)
            # Who looks now and then on a busy machine looks late.
            assert 60 < int(result.stdout.split()[-1]) < 192
        result = await run(guest, *shell(f"python3 -c '{HOG}' > /dev/null; echo $?"))
        assert result.stdout == "137\n"
        assert bystander.exit is None
        assert (await guest.usage()).mem_total == 128 * MIB
        held = await run(other, "python3", "-c", "print(len(bytearray(200 << 20)))")
        assert held.stdout == f"{200 * MIB}\n"

    async def test_forks_that_share_their_memory_count_once(self, runtime: Runtime) -> None:
        guest = await runtime.create(ID, limits=Limits(128))
        share = (
            "import os, time\nheld = bytes(60 << 20)\n"
            "for _ in range(8):\n  if not os.fork(): time.sleep(0.5); os._exit(0)\n"
            "print([os.wait()[1] for _ in range(8)])"
        )
        assert (await run(guest, "python3", "-c", share)).stdout == f"{[0] * 8}\n"

    async def test_shared_memory_is_half_of_it(self, runtime: Runtime) -> None:
        guest = await runtime.create(ID, limits=Limits(128))
        result = await run(guest, *shell("head -c 100M /dev/zero > /dev/shm/x; echo went on"))
        assert "No space left on device" in result.stderr
        assert result.stdout == "went on\n"

    async def test_a_pause_and_a_boot_keep_the_limit(self, runtime: Runtime) -> None:
        guest = await runtime.create(ID, limits=Limits(128))
        await guest.pause()
        await guest.resume()
        killed = ProcessExit(None, signal.SIGKILL)
        assert (await run(guest, "python3", "-c", HOG)).exit == killed
        await guest.stop()
        again = await runtime.boot(ID)
        assert (await run(again, "python3", "-c", HOG)).exit == killed
        await again.kill()


# A server's process that starts a limited sandbox, says so, and waits for its end.
SERVER = """
import asyncio, sys
from fake_e2b.domain.limits import Limits
from fake_e2b.runtime.select import choose_runtime

async def main(folder):
    runtime = choose_runtime("isolated", folder=folder)
    await runtime.start()
    await runtime.create("i" + "s" * 20, limits=Limits(128, 16))
    print("ready", flush=True)
    await asyncio.sleep(1000)

asyncio.run(main(sys.argv[1]))
"""


async def test_a_killed_server_leaves_no_group(runtime: Runtime, tmp_path: Path) -> None:
    parent = cgroups._parent()
    if parent is None:
        pytest.skip("this process may not make control groups with a limit of memory")
    own = tmp_path / "server"
    own.mkdir()
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER, str(own), stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert server.stdout is not None
    assert await server.stdout.readline() == b"ready\n"
    made = Path(parent[0], f"fake-e2b-{server.pid}-0")
    assert made.exists()
    server.kill()
    await server.wait()
    await wait_until(lambda: not made.exists(), "its group goes")


class TestDisk:
    async def test_it_is_full_for_programs_and_for_the_api(self, runtime: Runtime) -> None:
        guest = await runtime.create(ID, limits=SMALL_DISK)
        assert (await guest.usage()).disk.total == 16 * MIB
        result = await run(guest, *shell("df -m --output=size / /home/user /usr /tmp"))
        assert result.stdout.split()[1:] == ["16"] * 4
        result = await run(guest, *shell("head -c 20M /dev/zero > big; wc -c < big"))
        assert "No space left on device" in result.stderr
        assert 12 * MIB < int(result.stdout) < 16 * MIB
        with (
            guest.files.open_write("/home/user/more", owner=USER) as file,
            pytest.raises(OSError, match="No space left on device"),
        ):
            file.write(bytes(16 * MIB))
        guest.files.remove("/home/user/big")
        result = await run(
            guest, *shell("echo fits > /usr/local/mine && cat /usr/local/mine"), user=ROOT
        )
        assert result.stdout == "fits\n", result.stderr

    async def test_it_holds_no_files_without_end(self, runtime: Runtime) -> None:
        guest = await runtime.create(ID, limits=SMALL_DISK)
        make = "import os\nfor i in range(9999):\n  open(f'/tmp/{i}', 'w').close()"
        result = await run(guest, "python3", "-c", make)
        assert "No space left on device" in result.stderr
        await run(guest, *shell("rm /tmp/1*"))
        assert (await run(guest, *shell("echo again > /tmp/a; cat /tmp/a"))).stdout == "again\n"

    async def test_files_outlast_a_stop(self, runtime: Runtime, tmp_path: Path) -> None:
        guest = await runtime.create(ID, limits=SMALL_DISK)
        script = (
            "echo kept > ~user/file; ln ~user/file ~user/link; echo etc > /etc/mine; rm /etc/issue;"
            " chown user:user ~user/file; chmod 640 ~user/file; head -c 9M /dev/zero > /opt/big"
        )
        await run(guest, *shell(script), user=ROOT)
        await guest.stop()
        for _ in range(2):
            again = await runtime.boot(ID)
            script = (
                "cat ~user/link /etc/mine; stat -c '%a %h' ~user/file; ls /etc/issue;"
                " wc -c < /opt/big"
            )
            result = await run(again, *shell(script), user=ROOT)
            assert result.stdout.split() == ["kept", "etc", "640", "2", str(9 * MIB)]
            assert (await again.usage()).disk.total == 16 * MIB
            await again.stop()
        await runtime.discard(ID)

    async def test_a_capture_of_it_is_of_what_it_holds(self, runtime: Runtime) -> None:
        guest = await runtime.create(ID, limits=SMALL_DISK)
        await run(
            guest,
            *shell("echo one > ~user/file; head -c 6M /dev/zero > big; echo e > /etc/mine"),
            user=ROOT,
        )
        layer = await runtime.capture(ID)
        fork = await runtime.create("i" + "f" * 20, base=layer, limits=SMALL_DISK)
        result = await run(
            fork, *shell("cat ~user/file /etc/mine; head -c 20M /dev/zero > more"), user=ROOT
        )
        assert result.stdout == "one\ne\n"
        assert "No space left on device" in result.stderr
        free = await runtime.create("i" + "g" * 20, base=layer)
        result = await run(free, *shell("cat ~user/file; head -c 20M /dev/zero | wc -c"))
        assert result.stdout.split() == ["one", str(20 * MIB)]
        await runtime.release(layer)

    @pytest.mark.parametrize("most_layers", [stack.MOST_LAYERS, 1], ids=["above", "together"])
    async def test_changes_of_the_machines_folders_go_to_the_fork(
        self, runtime: Runtime, monkeypatch: pytest.MonkeyPatch, most_layers: int
    ) -> None:
        first = await runtime.create(ID)
        # Too much for a root that is copied: the next one stands above it.
        await run(first, *shell("truncate -s 40M ~user/big; echo one > /usr/lib/first"), user=ROOT)
        below = await runtime.capture(ID)
        guest = await runtime.create("i" + "g" * 20, base=below, limits=SMALL_DISK)
        await guest.intercept({"tool"}, os.close)
        await run(guest, *shell("echo two > ~user/file; echo two > /usr/lib/second"), user=ROOT)
        monkeypatch.setattr(stack, "MOST_LAYERS", most_layers)
        layer = await runtime.capture("i" + "g" * 20)
        fork = await runtime.create("i" + "f" * 20, base=layer)
        look = (
            "cat ~user/file /usr/lib/first /usr/lib/second; stat -c %s ~user/big; command -v tool"
        )
        assert (await run(fork, *shell(look))).stdout == f"two\none\ntwo\n{40 * MIB}\n"
        await runtime.release(below)
        await runtime.release(layer)

    async def test_what_does_not_fit_does_not_start(self, runtime: Runtime) -> None:
        guest = await runtime.create(ID)
        await run(guest, *shell("head -c 3M /dev/urandom > big"))
        layer = await runtime.capture(ID)
        with pytest.raises(OSError, match="No space left on device"):
            await runtime.create("i" + "f" * 20, base=layer, limits=Limits(disk_mb=1))
        await runtime.release(layer)
