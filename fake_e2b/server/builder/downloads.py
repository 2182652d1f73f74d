"""Stands in for the commands of a build that would download: builds have no network.

What is not done is said, in the build's log, for each such command. An empty file or folder stands
for the one that it would have made, so that what follows finds it.

Fact: templates.build.network
"""

from __future__ import annotations

import posixpath
import re
import shlex
from contextlib import suppress

from fake_e2b.backend.envd import SYSTEM_PATH
from fake_e2b.domain.downloads import PROGRAMS, Download, NetworkMode, download_of
from fake_e2b.domain.file_ports import parents
from fake_e2b.domain.ports import Guest
from fake_e2b.domain.services import SERVICES, services_of
from fake_e2b.domain.stubs.call import Command
from fake_e2b.domain.stubs.rule import StubAnswer
from fake_e2b.domain.user import User

_REFUSED = 1
_PLAIN_NAME = re.compile(r"[\w.+-]+")


class Downloads:
    """What answers such commands in one build's guest.

    Args:
        owner: Whom the empty files and folders are given to.
        has_services: Whether the machine's programs may serve in the guest.

    Attributes:
        services: Names in `services.SERVICES` that would have been installed.
        called: The programs that were called and that no stub answered.
        stubbed: Whether a stub answered any.
    """

    def __init__(
        self, mode: NetworkMode, guest: Guest, owner: User, *, has_services: bool = False
    ) -> None:
        self._mode = mode
        self._files = guest.files
        self._prefix = guest.joining().path_prefix
        self._owner = owner
        self._has_services = has_services
        self.services: set[str] = set()
        self.called: set[str] = set()
        self.stubbed = False

    @property
    def programs(self) -> frozenset[str]:
        """The programs that it answers for."""
        return frozenset() if self._mode == "allow" else PROGRAMS

    def heard(self, command: Command, *, by_stub: bool) -> None:
        """See `Otherwise.heard`."""
        if by_stub:
            self.stubbed = True
        else:
            self.called.add(command.argv[0])

    def answer(self, command: Command) -> StubAnswer | None:
        """What the program says; None: let the real one run."""
        download = download_of(command.argv)
        if download is None:
            return None
        shown = shlex.join(command.argv)
        if self._mode == "fail":
            text = f"fake-e2b: builds have no network: {shown}\n"
            return StubAnswer(stderr=text.encode(), exit_code=_REFUSED)
        stands_for = self._serve(command) or self._put(command.cwd, download)
        text = f"fake-e2b: recorded, not run, for builds have no network: {shown}{stands_for}\n"
        # Never to stdout: that may go into a shell.
        return StubAnswer(stderr=text.encode())

    def _serve(self, command: Command) -> str:
        programs = []
        for name in services_of(command.argv) if self._has_services else ():
            with suppress(OSError):
                self._files.stat(SERVICES[name].program)
                self.services.add(name)
                programs.append(SERVICES[name].program)
        served = " and ".join(programs)
        return f" (this machine's own {served} runs in the sandboxes)" if served else ""

    def _put(self, cwd: str, download: Download) -> str:
        path = download.file or download.folder
        if path is None:
            return ""
        path = posixpath.normpath(posixpath.join(cwd, path)).removeprefix(self._prefix)
        with suppress(OSError):
            self._files.lstat(path)
            return ""
        try:
            for folder in parents(path):
                with suppress(FileExistsError):
                    self._files.mkdir(folder, 0o755, self._owner)
            if download.folder is not None:
                self._files.mkdir(path, 0o755, self._owner)
                return f" (an empty folder {path} stands for what it would make)"
            if own := self._own_program(path):
                with self._files.open_write(path, owner=self._owner, mode=0o755) as file:
                    file.write(f'#!/bin/sh\nexec {own} "$@"\n'.encode())
                return f" (this machine's own {own} stands for it)"
            self._files.open_write(path, owner=self._owner).close()
        except OSError:
            return ""
        return f" (an empty file {path} stands for what it would write)"

    def _own_program(self, path: str) -> str | None:
        """The machine's program of that name, where the file would be one of those on the PATH."""
        folder, name = posixpath.split(path)
        folders = SYSTEM_PATH.split(":")
        if folder not in folders or not _PLAIN_NAME.fullmatch(name):
            return None
        for each in folders:
            # Not in /usr/local: there lies what stands in for a program.
            if each.startswith("/usr/local/") or each == folder:
                continue
            with suppress(OSError):
                self._files.stat(f"{each}/{name}")
                return f"{each}/{name}"
        return None
