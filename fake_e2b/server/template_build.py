"""Making a template's files: in a guest of their own, of which a layer is kept."""

from __future__ import annotations

import asyncio
import itertools
import posixpath
from contextlib import suppress

from fake_e2b.backend.transfer import write_all
from fake_e2b.domain.file_ports import Files, parents
from fake_e2b.domain.ports import Guest, LayerID, Runtime
from fake_e2b.domain.recipe import File, Folder, Item, Link, Recipe
from fake_e2b.domain.user import BUILT_IN_USERS, User

_CHUNK = 1 << 20


class LayerMaker:
    """Makes layers from recipes.

    Args:
        runtime: Where the guest is made; started.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._numbers = itertools.count()

    async def make(self, recipe: Recipe, base: LayerID | None) -> LayerID:
        """A layer with what the recipe says, over `base`.

        Raises:
            OSError: Some file cannot be read or written; nothing is left of it.
        """
        name = f"template-{next(self._numbers)}"
        guest = await self._runtime.create(name, base=base)
        try:
            await asyncio.to_thread(_make_items, guest, recipe)
            return await self._runtime.capture(name)
        finally:
            await guest.kill()


def _make_items(guest: Guest, recipe: Recipe) -> None:
    for item in recipe.items:
        owner = guest.lookup_user(item.owner) or BUILT_IN_USERS[item.owner]
        for folder in parents(item.path):
            _make_folder(guest.files, folder, owner)
        _make_item(guest.files, item, owner)


def _make_item(files: Files, item: Item, owner: User) -> None:
    if isinstance(item, Folder):
        _make_folder(files, item.path, owner, item.mode)
    elif isinstance(item, Link):
        files.remove(item.path)
        files.symlink(item.target, item.path, owner)
    else:
        _write(files, item, owner)


def _make_folder(files: Files, path: str, owner: User, mode: int = 0o755) -> None:
    with suppress(FileExistsError):
        files.mkdir(posixpath.normpath(path), mode, owner)


def _write(files: Files, item: File, owner: User) -> None:
    with files.open_write(item.path, owner=owner, mode=item.mode) as target:
        if isinstance(item.content, bytes):
            write_all(target, item.content)
            return
        with open(item.content, "rb") as source:
            while data := source.read(_CHUNK):
                write_all(target, data)
