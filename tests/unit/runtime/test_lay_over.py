"""A guest at hand is given a layer's files: afterwards its root is the layer's copy."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from fake_e2b.runtime.laying import lay_over

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="no layers without Linux")


def seen(top: Path) -> dict[str, tuple[object, ...]]:
    """All that is to be the same, by path."""
    found: dict[str, tuple[object, ...]] = {}
    for path in [top, *sorted(top.rglob("*"))]:
        status = path.lstat()
        content: object = None
        if path.is_symlink():
            content = os.readlink(path)
        elif path.is_file():
            content = path.read_bytes()
        owner, attributes = (
            (status.st_uid, status.st_gid),
            os.listxattr(path, follow_symlinks=False),
        )
        rest = (content, owner, status.st_mtime_ns, attributes)
        found[str(path.relative_to(top))] = (stat.filemode(status.st_mode), *rest)
    return found


def fill(top: Path) -> None:
    (top / "d" / "e").mkdir(parents=True)
    (top / "d" / "f").write_text("same")
    (top / "link").symlink_to("d/f")


@pytest.fixture
def trees(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("source", "target"):
        fill(tmp_path / name)
    os.utime(tmp_path / "source" / "d" / "f", (1, 1))
    os.utime(tmp_path / "source" / "d", (2, 2))
    os.utime(tmp_path / "source" / "link", (3, 3), follow_symlinks=False)
    return tmp_path / "source", tmp_path / "target"


def test_what_is_alike_stays_the_same_file(trees: tuple[Path, Path]) -> None:
    source, target = trees
    before = {name: (target / name).lstat().st_ino for name in ("d", "d/f", "link")}
    lay_over(str(source), str(target), keep_marks=False, exact=True)
    assert seen(target) == seen(source)
    assert {name: (target / name).lstat().st_ino for name in before} == before


@pytest.mark.parametrize(
    "change",
    [
        "echo else > d/f",
        "echo -n else > d/f",
        "chmod 4755 d/f",
        "chmod 711 d",
        "ln -sf d/g link",
        "rm link; echo 1 > link",
        "rm d/f; ln -s ../link d/f",
        "rm d/f; mkdir d/f",
        "rm -r d; echo 1 > d",
        "rm d/f",
        "ln d/f d/again",
        "head -c 100000 /dev/zero > big",
        "mkfifo pipe",
    ],
)
@pytest.mark.parametrize("changed", ["source", "target"])
def test_whatever_differs_is_as_in_the_layer(
    trees: tuple[Path, Path], tmp_path: Path, change: str, changed: str
) -> None:
    source, target = trees
    assert os.system(f"cd {tmp_path / changed} && ({change})") == 0
    expected = seen(source)
    lay_over(str(source), str(target), keep_marks=False, exact=True)
    assert seen(target) == expected


def test_names_of_one_file_stay_names_of_one(trees: tuple[Path, Path]) -> None:
    source, target = trees
    os.link(source / "d" / "f", source / "d" / "again")
    (target / "d" / "again").write_text("same")
    lay_over(str(source), str(target), keep_marks=False, exact=True)
    assert (target / "d" / "f").samefile(target / "d" / "again")
    (target / "d" / "f").write_text("new")
    assert (source / "d" / "f").read_text() == "same"


def test_an_attribute_goes_along(trees: tuple[Path, Path]) -> None:
    source, target = trees
    try:
        os.setxattr(source / "d" / "f", "user.kind", b"k")
    except OSError as refusal:
        pytest.skip(f"no attributes here: {refusal}")
    os.setxattr(target / "link", "user.other", b"k")
    lay_over(str(source), str(target), keep_marks=False, exact=True)
    assert seen(target) == seen(source)


def test_what_is_known_to_be_in_place_is_not_looked_into(
    trees: tuple[Path, Path], tmp_path: Path
) -> None:
    source, first = trees
    (source / "new").mkdir()
    (source / "new" / "file").write_text("1")
    second, known = tmp_path / "second", set[str]()
    lay_over(str(source), str(first), keep_marks=False, exact=True)
    lay_over(str(source), str(first), keep_marks=False, exact=True, known=known)
    assert known == {str(source / each) for each in ("", "d", "d/e", "new")}
    known = set()
    fill(second)
    for each in ("d/e", "d/f"):
        status = (source / each).lstat()
        os.utime(second / each, ns=(status.st_atime_ns, status.st_mtime_ns))
    lay_over(str(source), str(second), keep_marks=False, exact=True, known=known)
    assert known == {str(source / "d" / "e")}
    (second / "d" / "e" / "more").touch()
    lay_over(str(source), str(second), keep_marks=False, exact=True, known=known)
    assert (second / "d" / "e" / "more").exists()
