"""Files of volumes and sandboxes as a seed writes them."""

from __future__ import annotations

import base64
import stat
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from fake_e2b.backend.volume_content import VolumeContent
from fake_e2b.domain.file_ports import FILE_MODE, ByteFile, Files
from fake_e2b.domain.forms import write
from fake_e2b.domain.seed.forms import FileForm
from fake_e2b.domain.user import USER
from fake_e2b.domain.volume import FILE_MODE as VOLUME_FILE_MODE
from fake_e2b.domain.volume import FOLDER_MODE as VOLUME_FOLDER_MODE
from fake_e2b.domain.volume import OWNER, EntryType, VolumeEntry

LARGEST_FILE = 64 * 1024 * 1024
"""Bytes; what is larger stays out of an export."""
_FOLDER_MODE = 0o755
_PIECE = 1024 * 1024
_OWN_FILES = {".bashrc": b"# ~/.bashrc: ", ".profile": b"# ~/.profile: "}
"""What a fresh sandbox has in its home, and how that begins."""
Left = Callable[[str, str], object]
"""Told of each file that stays out, and why."""


def shown(form: FileForm) -> str | dict[str, Any]:
    """A file as a seed writes it: the shortest form."""
    table = write(form)
    return table["text"] if set(table) == {"text"} else table


def content_form(content: bytes, **more: Any) -> FileForm:
    """A file of that content: a text if it is one."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        return FileForm(base64=base64.b64encode(content).decode(), **more)
    return FileForm(text=text, **more)


def octal(mode: int, usual: int) -> str | None:
    """A mode that has to be said; None for the usual one."""
    mode = stat.S_IMODE(mode)
    return None if mode == usual else f"{mode:03o}"


def _read(file: ByteFile) -> bytes:
    with file:
        pieces = []
        while piece := file.read(_PIECE):
            pieces.append(piece)
    return b"".join(pieces)


# -- volumes ---------------------------------------------------------------------------------------


def volume_files(content: VolumeContent, left: Left) -> dict[str, Any]:
    """All that is in a volume, in the order of the paths; blocks."""
    found = {}
    for entry in _walk_volume(content, "/"):
        uid = None if entry.uid == OWNER else entry.uid
        gid = None if entry.gid == OWNER else entry.gid
        if entry.type is EntryType.DIRECTORY:
            mode = octal(entry.mode, VOLUME_FOLDER_MODE)
            is_plain = mode is None and uid is None and gid is None
            if not is_plain or not content.list(entry.path, 1):
                found[entry.path] = shown(FileForm(folder=True, mode=mode, uid=uid, gid=gid))
        elif entry.type is not EntryType.FILE:
            left(entry.path, f"it is a {entry.type}")
        elif entry.size > LARGEST_FILE:
            left(entry.path, f"it has more than {LARGEST_FILE} bytes")
        else:
            file = _read(content.open_read(entry.path))
            mode = octal(entry.mode, VOLUME_FILE_MODE)
            found[entry.path] = shown(content_form(file, mode=mode, uid=uid, gid=gid))
    return found


def _walk_volume(content: VolumeContent, folder: str) -> Iterator[VolumeEntry]:
    for entry in sorted(content.list(folder, 1), key=lambda each: each.path):
        yield entry
        if entry.type is EntryType.DIRECTORY:
            yield from _walk_volume(content, entry.path)


# -- sandboxes -------------------------------------------------------------------------------------


def home_files(files: Files, mounts: Sequence[str], left: Left) -> dict[str, Any]:
    """What is in the user's home, by paths relative to it; blocks.

    Args:
        mounts: Where volumes are, which are no files of the sandbox.
    """
    found = {}
    for path, mode, form in _walk_home(files, USER.home, frozenset(mounts), left):
        relative = path.removeprefix(f"{USER.home}/")
        begin = _OWN_FILES.get(relative)
        if begin is None or not (stat.S_ISREG(mode) and form.content.startswith(begin)):
            found[relative] = shown(form)
    return found


def _walk_home(
    files: Files, folder: str, mounts: frozenset[str], left: Left
) -> Iterator[tuple[str, int, FileForm]]:
    for name in files.listdir(folder):
        path = f"{folder}/{name}"
        if path in mounts:
            continue
        try:
            status = files.lstat(path)
            owner = None if status.owner == USER.name else status.owner
            if owner not in (None, "root"):
                left(path, f"no seed can give it to {owner}")
            elif stat.S_ISLNK(status.mode):
                yield path, status.mode, FileForm(link=files.readlink(path), owner=owner)
            elif stat.S_ISDIR(status.mode):
                mode = octal(status.mode, _FOLDER_MODE)
                if mode or owner or not files.listdir(path):
                    yield path, status.mode, FileForm(folder=True, mode=mode, owner=owner)
                yield from _walk_home(files, path, mounts, left)
            elif not stat.S_ISREG(status.mode):
                left(path, "it is neither file, folder nor link")
            elif status.size > LARGEST_FILE:
                left(path, f"it has more than {LARGEST_FILE} bytes")
            else:
                mode = octal(status.mode, FILE_MODE)
                content = _read(files.open_read(path))
                yield path, status.mode, content_form(content, mode=mode, owner=owner)
        except FileNotFoundError:
            continue  # it went meanwhile
