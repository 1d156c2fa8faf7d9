"""What stands beside the changes, on disk: actors by transaction, rows of look-ups by time.

See the port `Context`. It is filled by a pass of its own over the archive (`gather`), because a
transaction's message or context row may stand anywhere before or after its changes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from cdc_archive.audit.context import Testimony
from cdc_archive.decode.exact_json import exact_json
from cdc_archive.decode.images import Row, parsed
from cdc_archive.history.order import connector_of
from cdc_archive.history.position import Change
from cdc_archive.history.states import RowStates, Version
from cdc_archive.history.transition import Origin
from cdc_archive.replay import disk_states
from cdc_archive.replay.disk_states import text_bytes

SCHEMA: Final = f"""
{disk_states.SCHEMA}
CREATE TABLE IF NOT EXISTS testimony (
  connector BLOB, tx BLOB, source INTEGER, time_us INTEGER, place BLOB, value BLOB,
  topic TEXT, part INTEGER, offset INTEGER, incarnation INTEGER);
CREATE TABLE IF NOT EXISTS looked (name TEXT, connector BLOB);
CREATE TABLE IF NOT EXISTS lookup (
  name TEXT, key BLOB, connector BLOB, place BLOB, time_us INTEGER, row BLOB, ended INTEGER);
"""
_TABLES: Final = ("testimony", "looked", "lookup", "names", "rows", "seen")
INDEXES: Final = """
CREATE INDEX IF NOT EXISTS testimony_of ON testimony (connector, tx, source);
CREATE INDEX IF NOT EXISTS lookup_of ON lookup (name, key, connector, place);
"""

_TRANSACTION_BYTES: Final = 20
"""How much of a packed place two changes of one transaction have in common."""
SAME_TRANSACTION_US: Final = 24 * 3_600_000_000
"""Transaction numbers come again, after billions of them: never within a day."""


def is_whole(database: sqlite3.Connection) -> bool:
    """Whether it was filled to the end."""
    return bool(database.execute("PRAGMA user_version").fetchone()[0])


@contextmanager
def filling(database: sqlite3.Connection) -> Iterator[None]:
    """Fill a database from its beginning; it is whole once this ends well."""
    database.executescript("".join(f"DROP TABLE IF EXISTS {name};" for name in _TABLES))
    database.executescript(SCHEMA)
    database.execute("BEGIN")
    yield
    database.execute("COMMIT")
    database.executescript(INDEXES)
    database.execute("PRAGMA user_version = 1")


class Beside:
    """See the port `Context`.

    A row is looked up in the database of the change; in another one only if the change's has no
    such table, and no more than one has. A row that the change's own transaction deleted, maybe
    together with what the change is about, is given as it was before.

    Args:
        database: filled, see `filling`.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._looked: dict[str, list[bytes]] = {}

    def testimony(self, source: int, change: Change) -> Sequence[Testimony]:
        """See the port."""
        transaction, time_us = change.position.transaction, change.archived.record.event_time_us
        if transaction is None:
            return ()
        rows = self._database.execute(
            "SELECT value, topic, part, offset, incarnation, time_us FROM testimony"
            " WHERE connector = ? AND tx = ? AND source = ? ORDER BY place",
            (_connector(change), text_bytes(transaction), source),
        )
        return [
            Testimony(parsed(value), Origin(*origin))
            for value, *origin, told_us in rows
            if time_us is None or abs(told_us - time_us) < SAME_TRANSACTION_US
        ]

    def lookup(self, name: str, key: Any, change: Change) -> Row | None:
        """See the port."""
        if key is None:
            return None
        own = text_bytes(connector_of(change.archived, change.position))
        connectors = self._connectors(name)
        place = change.place.packed()
        if own in connectors:
            found = self._database.execute(
                "SELECT row FROM lookup WHERE name = ? AND key = ? AND connector = ? AND place <= ?"
                " AND NOT (ended AND substr(place, 1, ?) = ?) ORDER BY place DESC LIMIT 1",
                (name, exact_json(key), own, place, _TRANSACTION_BYTES, place[:_TRANSACTION_BYTES]),
            ).fetchone()
        elif len(connectors) == 1:
            found = self._database.execute(
                "SELECT row FROM lookup WHERE name = ? AND key = ? AND connector = ?"
                " AND time_us <= ? ORDER BY time_us DESC, place DESC LIMIT 1",
                (
                    name,
                    exact_json(key),
                    *connectors,
                    change.archived.record.event_time_us or 0,
                ),
            ).fetchone()
        else:
            found = None
        return None if found is None or found[0] is None else parsed(found[0])

    def _connectors(self, name: str) -> list[bytes]:
        """The connectors that have tables of a look-up."""
        known = self._looked.get(name)
        if known is None:
            rows = self._database.execute("SELECT connector FROM looked WHERE name = ?", (name,))
            known = self._looked[name] = [connector for (connector,) in rows]
        return known

    def has_connector(self, name: str, connector: str) -> bool:
        """Whether it is known that a connector has tables of a look-up."""
        return text_bytes(connector) in self._connectors(name)

    def add_connector(self, name: str, connector: str) -> None:
        """Know that a connector has tables of a look-up."""
        row = (name, text_bytes(connector))
        self._database.execute("INSERT INTO looked VALUES (?, ?)", row)
        self._looked.pop(name, None)

    def add_testimony(self, source: int, change: Change, value: Any) -> None:
        """Keep what a transaction says of its actor."""
        transaction = change.position.transaction
        if transaction is None:
            return
        row = (
            _connector(change),
            text_bytes(transaction),
            source,
            change.archived.record.event_time_us or 0,
            change.place.packed(),
            exact_json(value),
            *Origin.of(change.archived),
        )
        self._database.execute("INSERT INTO testimony VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)


def prune(database: sqlite3.Connection, before_us: int) -> None:
    """Forget what transactions before a time said, and versions that were replaced before it."""
    database.execute("DELETE FROM testimony WHERE time_us < ?", (before_us,))
    database.execute(
        "DELETE FROM lookup WHERE time_us < ?1 AND EXISTS (SELECT 1 FROM lookup AS later"
        " WHERE later.name = lookup.name AND later.key = lookup.key"
        " AND later.connector = lookup.connector AND later.place > lookup.place"
        " AND later.time_us < ?1)",
        (before_us,),
    )


def _connector(change: Change) -> bytes:
    return text_bytes(change.position.name or "")


class LookupStates:
    """See the port `RowStates`: keeps every version of a look-up's rows, with its place.

    Args:
        database: with `SCHEMA`.
        states: the rows' last versions.
        name: of the look-up.
        by: the column that rows are looked up by.
    """

    def __init__(self, database: sqlite3.Connection, states: RowStates, name: str, by: str) -> None:
        self._database = database
        self._states = states
        self._name = name
        self._by = by
        self.at: tuple[bytes, bytes, int] = (b"", b"", 0)
        """Connector, place and time of what is put or dropped next."""

    def get(self, table: str, key: str) -> Version | None:
        """See the port."""
        return self._states.get(table, key)

    def put(self, table: str, key: str, version: Version) -> None:
        """See the port."""
        before = self._states.get(table, key)
        if before is not None and before.row.get(self._by) != version.row.get(self._by):
            self._keep(before.row, None)
        self._states.put(table, key, version)
        self._keep(version.row, version.row)

    def drop(self, table: str, key: str) -> None:
        """See the port."""
        before = self._states.get(table, key)
        if before is not None:
            self._keep(before.row, None, ended=True)
        self._states.drop(table, key)

    def keys(self, table: str) -> Iterator[str]:
        """See the port."""
        return self._states.keys(table)

    def _keep(self, known: Row, version: Row | None, *, ended: bool = False) -> None:
        key, (connector, place, time_us) = known.get(self._by), self.at
        if key is not None:
            row = None if version is None else exact_json(version)
            self._database.execute(
                "INSERT INTO lookup VALUES (?, ?, ?, ?, ?, ?, ?)",
                (self._name, exact_json(key), connector, place, time_us, row, ended),
            )
