"""One tree laid over another, as an overlay would show them, or in its place."""

from __future__ import annotations

import contextlib
import os
import stat

from fake_e2b.runtime.copying import Copier, is_mark, is_opaque
from fake_e2b.runtime.guest.folders import remove_tree


def lay_over(
    source: str,
    target: str,
    *,
    keep_marks: bool,
    exact: bool = False,
    known: set[str] | None = None,
) -> None:
    """Bring `target` to what an overlay shows that has `source` above it.

    Args:
        keep_marks: Keep the marks of removed names: something is still below `target`.
        exact: Remove what `source` has not: afterwards `target` is its copy. Folders that both
            have stay the same folders, and small files and links the same ones.
        known: Folders of `source` that are not looked into, for `target` has just the same with
            all in them; those that turn out so are added.

    Raises:
        OSError: `source` cannot be read, or `target` not be written.
    """
    copier = Copier(target)
    pending = [(source, target, os.lstat(source))]
    merged = []
    while pending:
        folder = pending.pop()
        if known and folder[0] in known:
            continue
        merged.append(folder)
        source, target, found = folder
        if not copier.really and os.lstat(target).st_mode & 0o700 != 0o700:
            os.chmod(target, 0o700)  # for now: it is closed to us
        extra = set(os.listdir(target)) if exact else set()
        for entry in copier.entries(source, found):
            extra.discard(entry.name)
            below, path = entry.stat(follow_symlinks=False), f"{target}/{entry.name}"
            if stat.S_ISDIR(below.st_mode) and _is_real_folder(path) and not is_opaque(entry.path):
                pending.append((entry.path, path, below))
                continue
            if exact and copier.has(path, entry.path, below):
                continue
            copier.touched.add(source)
            _remove(path)
            if stat.S_ISDIR(below.st_mode):
                copier.folder(entry.path, path)
            elif keep_marks or not is_mark(below):
                copier.entry(entry.path, path, below)
        for name in extra:
            copier.touched.add(source)
            _remove(f"{target}/{name}")
    for source, target, found in reversed(merged):
        if not exact or not copier.looks_alike(target, source, found):
            copier.touched.add(source)
            copier.properties(source, target, found)
        if source in copier.touched:
            copier.touched.add(os.path.dirname(source))
    if known is not None:
        known.update(source for source, _, _ in merged if source not in copier.touched)


def _is_real_folder(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except FileNotFoundError:
        return False


def _remove(path: str) -> None:
    if _is_real_folder(path):
        remove_tree(path)
    else:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
