"""What is told of the machine, from what its kernel tells."""

from __future__ import annotations

from pathlib import Path

import pytest

from fake_e2b.domain.node import HugePages, Processor
from fake_e2b.runtime.host import ThisMachine

MEMORY = """MemTotal:        1000 kB
MemFree:          100 kB
MemAvailable:     600 kB
HugePages_Total:      8
HugePages_Free:       5
HugePages_Rsvd:       2
Hugepagesize:      2048 kB
"""
PROCESSORS = """processor\t: 0
cpu family\t: 6
model\t\t: 106
model name\t: Some CPU @ 2.60GHz

processor\t: 1
cpu family\t: 7
"""


def busy(proc: Path, *ticks: int) -> None:
    (proc / "stat").write_text(f"cpu  {' '.join(map(str, ticks))}\ncpu0 0 0 0 0\n")


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    (tmp_path / "self").mkdir()
    (tmp_path / "meminfo").write_text(MEMORY)
    (tmp_path / "cpuinfo").write_text(PROCESSORS)
    (tmp_path / "self" / "mountinfo").write_text("27 1 254:0 / / rw - ext4 /dev/vda rw\n")
    busy(tmp_path, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    return tmp_path


async def test_memory_and_huge_pages(proc: Path) -> None:
    state = await ThisMachine(str(proc)).look()
    assert (state.memory_used_bytes, state.memory_total_bytes) == (400 * 1024, 1000 * 1024)
    assert state.huge_pages == HugePages(total=8, used=3, reserved=2, size_bytes=2048 * 1024)


async def test_the_first_processor_speaks_for_all(proc: Path) -> None:
    found = (await ThisMachine(str(proc)).look()).processor
    assert found == Processor("6", "106", "Some CPU @ 2.60GHz", found.architecture)


async def test_busy_is_what_it_was_since_the_last_look(proc: Path) -> None:
    machine = ThisMachine(str(proc))
    # user nice system idle iowait irq softirq steal guest guest_nice
    busy(proc, 10, 0, 10, 60, 20, 0, 0, 0, 5, 5)
    assert (await machine.look()).cpu_percent == 20
    assert (await machine.look()).cpu_percent == 20, "no time has passed"
    busy(proc, 110, 0, 10, 60, 20, 0, 0, 0, 5, 5)
    assert (await machine.look()).cpu_percent == 100


async def test_disks_are_file_systems_on_devices_each_once(proc: Path, tmp_path: Path) -> None:
    folder, file = tmp_path / "a folder", tmp_path / "file"
    folder.mkdir()
    file.touch()
    escaped = str(folder).replace(" ", "\\040")
    lines = [
        "20 1 0:21 / /proc rw - proc proc rw",
        "21 1 0:30 / / rw,relatime shared:1 - overlay overlay rw,lowerdir=/a",
        f"22 1 8:1 /x {file} rw - ext4 /dev/sda1 rw",
        f"23 1 8:1 / {escaped} rw - ext4 /dev/sda1 rw",
        f"24 1 8:1 / {tmp_path} rw - ext4 /dev/sda1 rw",
        f"25 1 8:2 / {tmp_path}/gone rw - ext4 /dev/sda2 rw",
    ]
    (proc / "self" / "mountinfo").write_text("\n".join(lines) + "\n")
    disks = (await ThisMachine(str(proc)).look()).disks
    assert [(each.mount_point, each.device, each.filesystem_type) for each in disks] == [
        ("/", "overlay", "overlay"),
        (str(folder), "/dev/sda1", "ext4"),
    ]
    assert all(0 < each.used_bytes <= each.total_bytes for each in disks)


async def test_a_machine_without_proc_tells_less(tmp_path: Path) -> None:
    state = await ThisMachine(str(tmp_path / "none")).look()
    assert state.memory_total_bytes > 0
    assert state.processor.model_name == ""
    assert (state.cpu_percent, state.memory_used_bytes) == (0, 0)
    assert [each.mount_point for each in state.disks] == ["/"]
