"""Copies that share blocks, on file systems that can: a capture then costs no room."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fake_e2b.domain.errors import RuntimeUnavailableError
from fake_e2b.domain.user import USER
from fake_e2b.runtime.select import choose_runtime

MIB = 1 << 20
IMAGE_MIB, FILE_MIB = 512, 96
_MAKERS = {"xfs": ("mkfs.xfs", "-q", "-m", "reflink=1"), "btrfs": ("mkfs.btrfs", "-q")}


@pytest.fixture(params=sorted(_MAKERS))
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A small file system of that kind, mounted."""
    maker, *options = _MAKERS[request.param]
    if os.geteuid() != 0:
        pytest.skip("only root can mount a file system")
    if (program := shutil.which(maker, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")) is None:
        pytest.skip(f"{maker} is not installed")
    image, mounted = tmp_path / "image", tmp_path / "mounted"
    with image.open("wb") as file:
        file.truncate(IMAGE_MIB * MIB)
    subprocess.run([program, *options, str(image)], check=True, capture_output=True)
    mounted.mkdir()
    refused = subprocess.run(
        ["mount", "-o", "loop", str(image), str(mounted)], capture_output=True, text=True
    )
    if refused.returncode:
        pytest.skip(f"this machine does not mount it: {refused.stderr.strip()}")
    try:
        yield mounted
    finally:
        subprocess.run(["umount", "--lazy", str(mounted)], check=True)


def _free(disk: Path) -> int:
    os.sync()
    status = os.statvfs(disk)
    return status.f_bfree * status.f_frsize


@pytest.mark.parametrize("name", ["isolated", "local"])
async def test_a_big_file_is_shared(disk: Path, name: str) -> None:
    try:
        runtime = choose_runtime(name, folder=str(disk))
    except RuntimeUnavailableError as error:
        pytest.skip(str(error))
    await runtime.start()
    try:
        source = await runtime.create("i1")
        with source.files.open_write("/home/user/big", owner=USER) as file:
            for _ in range(FILE_MIB):
                file.write(os.urandom(MIB))
        before = _free(disk)
        layer_id = await runtime.capture("i1")
        guests = [await runtime.create(f"i{number}", base=layer_id) for number in (2, 3)]
        assert before - _free(disk) < FILE_MIB * MIB / 2
        with source.files.open_write("/home/user/big", owner=USER) as file:
            file.write(b"new")
        for guest in guests:
            assert guest.files.stat("/home/user/big").size == FILE_MIB * MIB
    finally:
        await runtime.close()
