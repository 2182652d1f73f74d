"""Putting files together into one. Fact: envd.files.compose"""

from __future__ import annotations

import errno
import posixpath
import stat
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress

from fake_e2b.backend.entries import go_reason
from fake_e2b.backend.files import Daemon, ensure_folder, move
from fake_e2b.backend.transfer import write_all
from fake_e2b.domain.envd_errors import EnvdError, EnvdKind
from fake_e2b.domain.file_ports import Files
from fake_e2b.domain.user import User

_PIECE_BYTES = 256 * 1024


def compose(
    daemon: Daemon, sources: Sequence[str], destination: str, user: User, *, unique: str
) -> Generator[None, None, None]:
    """Join files in order, put the result in place, remove the sources; in steps.

    A source may be listed several times. Each step is a piece copied, so that the caller can let
    others work in between.

    Args:
        unique: Names the temporary file beside the destination.

    Raises:
        EnvdError: `COMPOSE_…`, and those of `ensure_folder`.
    """
    if not sources:
        raise EnvdError(EnvdKind.COMPOSE_WITHOUT_SOURCES)
    if not destination:
        raise EnvdError(EnvdKind.COMPOSE_WITHOUT_DESTINATION)
    files = daemon.guest.files
    target = resolve_destination(daemon, destination, user)
    paths = [_source(daemon, source, target, user) for source in sources]
    ensure_folder(files, posixpath.normpath(target.rpartition("/")[0] or "/"), user)
    temporary = f"{target}.e2b-compose.{unique}.tmp"
    try:
        yield from _join(files, paths, temporary, user)
        try:
            move(files, temporary, target)
        except OSError as error:
            reason = f"rename {temporary} {target}: {go_reason(error)}"
            raise EnvdError(
                EnvdKind.COMPOSE_FAILED, step="finalizing compose", reason=reason
            ) from error
    except BaseException:
        with suppress(OSError):
            files.remove(temporary)
        raise
    for path in dict.fromkeys(paths):
        with suppress(OSError):
            files.remove(path)


def resolve_destination(daemon: Daemon, destination: str, user: User) -> str:
    """The absolute path of the result.

    Raises:
        EnvdError: `COMPOSE_DESTINATION_FOREIGN`.
    """
    try:
        return daemon.resolve_path(destination, user)
    except EnvdError as error:
        raise EnvdError(EnvdKind.COMPOSE_DESTINATION_FOREIGN, **error.fields) from error


def _source(daemon: Daemon, source: str, target: str, user: User) -> str:
    try:
        path = daemon.resolve_path(source, user)
    except EnvdError as error:
        raise EnvdError(EnvdKind.COMPOSE_SOURCE_FOREIGN, source=source, **error.fields) from error
    if path == target:
        raise EnvdError(EnvdKind.COMPOSE_ONTO_SOURCE, source=source)
    try:
        status = daemon.guest.files.stat(path)
    except FileNotFoundError as error:
        raise EnvdError(EnvdKind.COMPOSE_SOURCE_MISSING, source=source) from error
    except OSError as error:
        reason = f"stat {path}: {go_reason(error)}"
        raise EnvdError(
            EnvdKind.COMPOSE_FAILED, step="checking source file", reason=reason
        ) from error
    if not stat.S_ISREG(status.mode):
        raise EnvdError(EnvdKind.COMPOSE_SOURCE_NOT_FILE, source=source)
    return path


def _join(files: Files, paths: Sequence[str], temporary: str, user: User) -> Iterator[None]:
    try:
        with files.open_write(temporary, owner=user) as joined:
            for path in paths:
                with files.open_read(path) as source:
                    while piece := source.read(_PIECE_BYTES):
                        write_all(joined, piece)
                        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise EnvdError(EnvdKind.COMPOSE_DISK_FULL) from error
        raise EnvdError(
            EnvdKind.COMPOSE_FAILED, step="composing files", reason=go_reason(error)
        ) from error
