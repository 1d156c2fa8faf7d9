"""Row states and identities of changes in a job's database: any number of them, little memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Final

from cdc_archive.history.states import Version

_PENDING: Final = 20_000
"""How many changed rows are held before they are written, in the order of their keys."""
_PENDING_BYTES: Final = 16 << 20
"""The same in bytes."""
_PAGE: Final = 1_000

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS names (id INTEGER PRIMARY KEY, name BLOB UNIQUE);
CREATE TABLE IF NOT EXISTS rows (
  place INTEGER, key BLOB, version BLOB, PRIMARY KEY (place, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS seen (stream INTEGER, identity BLOB, run BLOB);
"""


def text_bytes(text: str) -> bytes:
    """A text as bytes that sort as it does, lone surrogates too."""
    return text.encode("utf-8", "surrogatepass")


def bytes_text(data: bytes) -> str:
    """The text that `text_bytes` made these bytes of."""
    return data.decode("utf-8", "surrogatepass")


class Names:
    """Small numbers for long names."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._known: dict[str, int] = {}

    def number(self, name: str) -> int:
        """The number of a name, given to it if need be."""
        known = self._known.get(name)
        if known is None:
            data = text_bytes(name)
            self._database.execute("INSERT OR IGNORE INTO names (name) VALUES (?)", (data,))
            found = self._database.execute("SELECT id FROM names WHERE name = ?", (data,))
            known = self._known[name] = found.fetchone()[0]
        return known


def rows_of(database: sqlite3.Connection, connector: str) -> Iterator[tuple[str, str, bytes]]:
    """Table, key and encoded version of each row of a connector, by table and key."""
    prefix = text_bytes(f"{connector}\0")
    names = database.execute("SELECT name, id FROM names ORDER BY name").fetchall()
    for name, number in names:
        if not name.startswith(prefix):
            continue
        table = bytes_text(name.removeprefix(prefix))
        rows = database.execute(
            "SELECT key, version FROM rows WHERE place = ? ORDER BY key", (number,)
        )
        for key, version in rows:
            yield table, bytes_text(key), version


class DiskStates:
    """See the port `RowStates`.

    Args:
        database: with `SCHEMA`; in a transaction.
        connector: whose rows these are: two databases may have tables of the same name.
    """

    def __init__(self, database: sqlite3.Connection, connector: str) -> None:
        self._database = database
        self._connector = connector
        self._names = Names(database)
        self._tables: dict[str, int] = {}
        self._pending: dict[tuple[int, bytes], bytes | None] = {}
        self._bytes = 0

    def get(self, table: str, key: str) -> Version | None:
        """See the port."""
        place = self._place(table, key)
        if place in self._pending:
            version = self._pending[place]
        else:
            found = self._database.execute(
                "SELECT version FROM rows WHERE place = ? AND key = ?", place
            ).fetchone()
            version = None if found is None else found[0]
        return None if version is None else Version.decode(version)

    def put(self, table: str, key: str, version: Version) -> None:
        """See the port."""
        self._hold(table, key, version.encode())

    def drop(self, table: str, key: str) -> None:
        """See the port."""
        self._hold(table, key, None)

    def _hold(self, table: str, key: str, version: bytes | None) -> None:
        self._pending[self._place(table, key)] = version
        self._bytes += len(key) + len(version or b"")
        if len(self._pending) >= _PENDING or self._bytes >= _PENDING_BYTES:
            self.flush()

    def keys(self, table: str) -> Iterator[str]:
        """See the port."""
        self.flush()
        place, after = self._table(table), b""
        while True:
            page = self._database.execute(
                "SELECT key FROM rows WHERE place = ? AND key > ? ORDER BY key LIMIT ?",
                (place, after, _PAGE),
            ).fetchall()
            for (key,) in page:
                yield bytes_text(key)
            if len(page) < _PAGE:
                return
            after = page[-1][0]

    def flush(self) -> None:
        """Write what is held."""
        changed = sorted(self._pending.items(), key=lambda one: one[0])
        self._database.executemany(
            "INSERT OR REPLACE INTO rows VALUES (?, ?, ?)",
            ((*place, version) for place, version in changed if version is not None),
        )
        self._database.executemany(
            "DELETE FROM rows WHERE place = ? AND key = ?",
            (place for place, version in changed if version is None),
        )
        self._pending.clear()
        self._bytes = 0

    def _place(self, table: str, key: str) -> tuple[int, bytes]:
        return self._table(table), text_bytes(key)

    def _table(self, table: str) -> int:
        known = self._tables.get(table)
        if known is None:
            known = self._tables[table] = self._names.number(f"{self._connector}\0{table}")
        return known


class DiskSeen:
    """See the port `Seen`. The index is made when a redelivery is first looked for: most never are.

    Args:
        database: with `SCHEMA`; in a transaction.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._indexed = False
        self._pending: list[tuple[int, bytes, bytes]] = []

    def add(self, stream: int, identity: bytes, run: bytes) -> None:
        """See the port."""
        self._pending.append((stream, identity, run))
        if len(self._pending) >= _PENDING:
            self.flush()

    def runs(self, stream: int, identity: bytes) -> list[bytes]:
        """See the port."""
        self.flush()
        if not self._indexed:
            self._database.execute("CREATE INDEX IF NOT EXISTS by_identity ON seen (identity)")
            self._indexed = True
        found = self._database.execute(
            "SELECT run FROM seen WHERE identity = ? AND stream = ?", (identity, stream)
        )
        return [run for (run,) in found]

    def flush(self) -> None:
        """Write what is held."""
        self._database.executemany("INSERT INTO seen VALUES (?, ?, ?)", self._pending)
        self._pending.clear()
