"""The `Records` port on SQLite.

One table, a row for each record. Every write is a transaction of its own in a write-ahead log:
a server that is killed at any moment has each record as it was or as it is.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.records import Kept
from fake_e2b.storage.forms import form_of

T = TypeVar("T", bound=Kept)

_VERSION = 1
_MARK = 0x6E2B0001
"""The file's application ID: what tells it from any other database."""
_TABLE = """
CREATE TABLE records (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL,
  key TEXT NOT NULL,
  form BLOB NOT NULL,
  UNIQUE (kind, key)
)
"""
OWN = "state"
"""The kind of what belongs to the records themselves, which `clear` leaves."""


class Database:
    """Records in one file. Used by one server; by one of its threads at a time.

    Args:
        path: The file; made if missing.

    Raises:
        UsageError: It is no file of this kind, or a later version's.
    """

    last = True

    def __init__(self, path: str) -> None:
        try:
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as error:
            raise UsageError(f"{path} cannot be opened: {error}") from error
        try:
            self._prepare(path)
        except sqlite3.Error as error:
            self._connection.close()
            raise UsageError(f"{path} cannot be used as records: {error}") from error
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self, path: str) -> None:
        execute = self._connection.execute
        (mark,), (version,) = (
            execute(f"PRAGMA {name}").fetchone() for name in ("application_id", "user_version")
        )
        is_empty = execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
        if not is_empty and mark != _MARK:
            raise UsageError(f"{path} is a database, but not one of fake-e2b's")
        if version > _VERSION:
            raise UsageError(f"{path} was written by a later version of fake-e2b")
        execute("PRAGMA journal_mode = WAL")
        # Safe when the server is killed; a machine that loses power may lose the last moments.
        execute("PRAGMA synchronous = NORMAL")
        if is_empty:
            with self._transaction():
                execute(_TABLE)
                execute(f"PRAGMA application_id = {_MARK}")
                execute(f"PRAGMA user_version = {_VERSION}")

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def _write(self, statement: str, values: tuple[Any, ...]) -> None:
        try:
            self._connection.execute(statement, values)
        except sqlite3.Error as error:
            raise OSError(f"the records cannot be written: {error}") from error

    def _put(self, kind: str, key: str, form: bytes) -> None:
        self._write(
            "INSERT INTO records (kind, key, form) VALUES (?, ?, ?) "
            "ON CONFLICT (kind, key) DO UPDATE SET form = excluded.form",
            (kind, key, form),
        )

    def _all(self, kind: str) -> list[tuple[str, bytes]]:
        try:
            return self._connection.execute(
                "SELECT key, form FROM records WHERE kind = ? ORDER BY number", (kind,)
            ).fetchall()
        except sqlite3.Error as error:
            raise UsageError(f"the records cannot be read: {error}") from error

    def keep(self, thing: Kept) -> None:
        """See `Records.keep`."""
        form = form_of(type(thing))
        self._put(form.kind, form.key(thing), form.write(thing))

    def forget(self, thing: Kept) -> None:
        """See `Records.forget`."""
        form = form_of(type(thing))
        self.drop(form.kind, form.key(thing))

    def all(self, kind: type[T]) -> list[T]:
        """See `Records.all`.

        Raises:
            UsageError: Something is there that this version does not write.
        """
        form = form_of(kind)
        try:
            return form.read([text for _, text in self._all(form.kind)])
        except (ValueError, KeyError) as error:
            raise UsageError(f"a record of kind '{form.kind}' cannot be read: {error}") from error

    def put(self, kind: str, key: str, value: Any) -> None:
        """See `Records.put`."""
        self._put(kind, key, json.dumps(value).encode())

    def drop(self, kind: str, key: str) -> None:
        """See `Records.drop`."""
        self._write("DELETE FROM records WHERE kind = ? AND key = ?", (kind, key))

    def values(self, kind: str) -> Mapping[str, Any]:
        """See `Records.values`.

        Raises:
            UsageError: As `all`.
        """
        try:
            return {key: json.loads(text) for key, text in self._all(kind)}
        except ValueError as error:
            raise UsageError(f"a record of kind '{kind}' cannot be read: {error}") from error

    def clear(self) -> None:
        """See `Records.clear`."""
        self._write("DELETE FROM records WHERE kind != ?", (OWN,))

    def close(self) -> None:
        """Close the file; twice is fine."""
        self._connection.close()
