"""Putting stubs in front of the real programs, and taking them away again."""

from __future__ import annotations

import os
import shlex
import stat
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from fake_e2b.domain.file_ports import Files
from fake_e2b.domain.user import ROOT
from fake_e2b.runtime.stubs import program

_PROGRAM = Path(program.__file__)
_LONGEST_FIRST_LINE = 120
_PIECE = 1 << 20
HEAD = 1024
"""Bytes that a file begins with, for `is_stub_text`."""
TEXT_OF_LINK = ".link"
"""Ends the name of what keeps the text of a link that is covered."""


@cache
def _source() -> str:
    return _PROGRAM.read_text()


def program_text(where: str, fronts: Mapping[str, str], sandboxes: str = "") -> str:
    """The stub as a file that can be run.

    Args:
        where, fronts, sandboxes: See the settings in `program`, in capitals.
    """
    python = os.path.realpath(sys.executable) if sys.executable else "/usr/bin/python3"
    first = f"#!{python} -ISB\n"
    if len(first) > _LONGEST_FIRST_LINE or " " in python:
        # The shell takes the second line for a command, Python the two after it for a text.
        first = f"#!/bin/sh\n'''exec' {shlex.quote(python)} -ISB \"$0\" \"$@\"\n' '''\n"
    text = _source()
    for name, value in (("WHERE", where), ("SANDBOXES", sandboxes)):
        text = text.replace(f'{name} = ""\n', f"{name} = {value!r}\n", 1)
    text = text.replace("] = {}\n", f"] = {dict(fronts)!r}\n", 1)
    return f"{first}{program.MARK.decode()}\n{text}"


def covered_folder(aside: str, folder: str) -> str:
    """Where, below `aside`, the programs are that stubs cover in a folder."""
    return f"{aside}/{folder.strip('/').replace('/', '-') or 'programs'}"


def is_stub_text(head: bytes) -> bool:
    """Whether a file that begins like that is a stub."""
    return program.MARK in head


class Front:
    """The folders of one set of files that come first on PATH.

    What a stub covers there is kept aside, and found by the stub and put back after it.

    Args:
        folders: In these files.
        aside: A folder for what is covered; it is there whenever a stub is.
        prefix: What stands before these paths in the eyes of programs.
        where, sandboxes: See `program_text`.
    """

    def __init__(
        self,
        files: Files,
        folders: Sequence[str],
        *,
        aside: str,
        where: str,
        sandboxes: str = "",
        prefix: str = "",
    ) -> None:
        self._files = files
        self._covers = {folder: covered_folder(aside, folder) for folder in folders}
        self._aside = aside
        fronts = {
            (prefix + folder).rstrip("/"): prefix + covered
            for folder, covered in self._covers.items()
        }
        self._text = program_text(where, fronts, sandboxes).encode()
        self._names: frozenset[str] | None = None

    def show(self, names: frozenset[str]) -> None:
        """Have stubs of these names in front, and no others; blocking.

        What was installed over a stub is covered again.

        Raises:
            OSError: They cannot be put there.
        """
        there = self._find() if self._names is None else self._names
        self._names = None  # until all is done
        for name in sorted(there & names):
            for folder in self._covers:
                if not self._is_ours(_join(folder, name)):
                    self._forget(folder, name)
                    self._cover(folder, name)
        for name in sorted(there - names):
            for folder in self._covers:
                self._uncover(folder, name)
        if not names and self._exists(self._aside):
            self._files.remove(self._aside)
        for name in sorted(names - there):
            for folder in self._covers:
                self._cover(folder, name)
        self._names = names

    def _find(self) -> frozenset[str]:
        """Those that are there already: the files may be another sandbox's, captured."""
        found: set[str] = set()
        if not self._exists(self._aside):
            return frozenset()
        for folder in self._covers:
            with suppress(OSError):
                names = self._files.listdir(folder)
                found |= {name for name in names if self._is_stub(_join(folder, name))}
        return frozenset(found)

    def _cover(self, folder: str, name: str) -> None:
        files, path = self._files, _join(folder, name)
        if self._is_stub(path):
            files.remove(path)
        self._make_folders(self._aside)
        fresh = f"{self._aside}/new-{name}"
        with files.open_write(fresh, owner=ROOT, mode=0o755) as file:
            _write(file.write, self._text)
        if self._exists(path):
            self._put_aside(folder, name)
        else:
            self._make_folders(folder)
        files.rename(fresh, path)

    def _put_aside(self, folder: str, name: str) -> None:
        files, path, kept = self._files, _join(folder, name), f"{self._covers[folder]}/{name}"
        self._make_folders(self._covers[folder])
        if stat.S_ISLNK(files.lstat(path).mode):
            text = files.readlink(path)
            files.symlink(os.path.normpath(os.path.join(folder, text)), kept, ROOT)
            files.symlink(text, kept + TEXT_OF_LINK, ROOT)
            return
        try:
            files.rename(path, kept)
        except OSError:
            # One of the machine's that is nobody's in a guest with a single id: the kernel copies
            # only what it could give the same owner.
            with (
                files.open_read(path) as source,
                files.open_write(kept, owner=ROOT, mode=0o755) as target,
            ):
                while data := source.read(_PIECE):
                    _write(target.write, data)

    def _uncover(self, folder: str, name: str) -> None:
        files, path, kept = self._files, _join(folder, name), f"{self._covers[folder]}/{name}"
        if not self._is_stub(path):
            return  # something was installed over it
        if self._exists(kept + TEXT_OF_LINK):
            files.remove(path)
            files.symlink(files.readlink(kept + TEXT_OF_LINK), path, ROOT)
        elif self._exists(kept):
            files.rename(kept, path)
        else:
            files.remove(path)

    def _forget(self, folder: str, name: str) -> None:
        """What is kept aside came back no more: something else took its place."""
        kept = f"{self._covers[folder]}/{name}"
        for path in (kept, kept + TEXT_OF_LINK):
            self._files.remove(path)

    def _make_folders(self, path: str) -> None:
        for end in range(1, len(path) + 1):
            if (end == len(path) or path[end] == "/") and not self._exists(path[:end]):
                self._files.mkdir(path[:end], 0o755, ROOT)

    def _exists(self, path: str) -> bool:
        try:
            self._files.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def _is_ours(self, path: str) -> bool:
        """Whether it looks like what was put there: asked often, so not read."""
        try:
            found = self._files.lstat(path)
        except OSError:
            return False
        return stat.S_ISREG(found.mode) and found.size == len(self._text)

    def _is_stub(self, path: str) -> bool:
        try:
            if not stat.S_ISREG(self._files.lstat(path).mode):
                return False
            with self._files.open_read(path) as file:
                return is_stub_text(file.read(HEAD))
        except OSError:
            return False


def _join(folder: str, name: str) -> str:
    return f"{folder.rstrip('/')}/{name}"


def _write(write: object, data: bytes) -> None:
    assert callable(write)
    view = memoryview(data)
    while view:
        view = view[write(view) :]
