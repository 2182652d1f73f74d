"""Puts files into volumes and sandboxes, and runs commands in these."""

from __future__ import annotations

import asyncio
import posixpath
import signal
from collections.abc import Mapping
from contextlib import suppress

from fake_e2b.backend.envd import Envd
from fake_e2b.backend.files import ensure_folder
from fake_e2b.backend.spawning import Command
from fake_e2b.backend.transfer import write_all
from fake_e2b.backend.volume_content import VolumeContent
from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.file_ports import FILE_MODE
from fake_e2b.domain.process import ProcessExit
from fake_e2b.domain.seed.forms import FileForm
from fake_e2b.server.process_reader import Reader
from fake_e2b.wire.process_events import status_of

LONGEST_RUN_S = 600.0
"""How long a command may take that is waited for."""
_SHELL = "/bin/bash"
_SHELL_OPTIONS = ("-l", "-c")
_FOLDER_MODE = 0o755


def shell_command(text: str) -> tuple[str, tuple[str, ...]]:
    """Program and arguments of a shell command, as the SDKs send it."""
    return _SHELL, (*_SHELL_OPTIONS, text)


def fill_volume(content: VolumeContent, files: Mapping[str, FileForm]) -> None:
    """Make files and folders in a volume; blocks.

    Raises:
        VolumeError: One cannot be made.
    """
    for path, form in files.items():
        mode = None if form.mode is None else form.mode_or(0)
        if form.folder:
            content.make_dir(path, uid=form.uid, gid=form.gid, mode=mode, force=True)
            if form.mode is not None or form.uid is not None or form.gid is not None:
                content.update(path, uid=form.uid, gid=form.gid, mode=mode)
            continue
        file = content.open_write(path, uid=form.uid, gid=form.gid, mode=mode, force=True)
        with file:
            content.write(file, form.content, path)


class Furnisher:
    """Furnishes sandboxes; keeps reading what their commands say."""

    def __init__(self) -> None:
        self._reading: set[asyncio.Task[ProcessExit]] = set()

    def write(self, envd: Envd, user: str | None, files: Mapping[str, FileForm]) -> None:
        """Make files, folders and links with what is missing above them; blocks.

        Raises:
            EnvdError, OSError: One cannot be made.
        """
        guest = envd.guest.files
        for path, form in files.items():
            owner = envd.user(form.owner or user)
            target = envd.resolve_path(path, envd.user(user))
            ensure_folder(guest, posixpath.dirname(target), owner)
            if form.link is not None:
                guest.remove(target)
                guest.symlink(form.link, target, owner)
            elif form.folder:
                with suppress(FileExistsError):
                    guest.mkdir(target, form.mode_or(_FOLDER_MODE), owner)
            else:
                if form.mode is not None:
                    guest.remove(target)  # one that is there keeps its mode
                with guest.open_write(target, owner=owner, mode=form.mode_or(FILE_MODE)) as file:
                    write_all(file, form.content)

    async def start(self, envd: Envd, user: str | None, text: str) -> Reader:
        """Start a command, which goes on.

        Raises:
            EnvdError: It cannot be started.
        """
        whom = envd.user(user)
        cmd, args = shell_command(text)
        command = Command(
            cmd=cmd,
            args=args,
            env=envd.environment(whom, {}),
            cwd=envd.default_workdir if user is None else whom.home,
            user=whom,
            pty=None,
            stdin=False,
        )
        config = {"cmd": cmd, "args": list(args)}
        started = await envd.processes.start(command, config=config, tag=None)
        reader = Reader(started.process)
        self._reading.add(reader.task)
        reader.task.add_done_callback(self._reading.discard)
        return reader

    async def run(self, envd: Envd, user: str | None, text: str) -> None:
        """Run a command to its end.

        Raises:
            EnvdError: It cannot be started.
            UsageError: It failed, or took too long.
        """
        reader = await self.start(envd, user, text)
        try:
            async with asyncio.timeout(LONGEST_RUN_S):
                end = await asyncio.shield(reader.task)
        except TimeoutError:
            with suppress(ProcessLookupError):
                reader.process.signal(signal.SIGKILL)
            raise UsageError(
                f"the command {text!r} did not end in {LONGEST_RUN_S:g} s: what goes on belongs "
                f"into start{reader.said}"
            ) from None
        if end.code != 0:
            raise UsageError(f"the command {text!r} failed: {status_of(end)}{reader.said}")
