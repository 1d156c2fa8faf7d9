"""Identities of the changes of late, on disk: a redelivery comes soon after a restart, or never."""

from __future__ import annotations

import sqlite3
from typing import Final

KEPT: Final = 1_000_000
"""Debezium repeats what it sent since its last offset flush: far fewer changes than these."""

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS recent (
  number INTEGER PRIMARY KEY, stream INTEGER, identity BLOB, run BLOB);
CREATE INDEX IF NOT EXISTS recent_of ON recent (identity, stream);
"""


class RecentSeen:
    """See the port `history.redelivery.Seen`.

    Args:
        database: with `SCHEMA`; in a transaction.
        kept: how many identities are kept.
    """

    def __init__(self, database: sqlite3.Connection, kept: int = KEPT) -> None:
        self._database = database
        self._kept = kept

    def add(self, stream: int, identity: bytes, run: bytes) -> None:
        """See the port."""
        self._database.execute(
            "INSERT INTO recent (stream, identity, run) VALUES (?, ?, ?)", (stream, identity, run)
        )

    def runs(self, stream: int, identity: bytes) -> list[bytes]:
        """See the port."""
        found = self._database.execute(
            "SELECT run FROM recent WHERE identity = ? AND stream = ?", (identity, stream)
        )
        return [run for (run,) in found]

    def prune(self) -> None:
        """Forget the oldest above what is kept."""
        self._database.execute(
            "DELETE FROM recent WHERE number <= (SELECT max(number) FROM recent) - ?",
            (self._kept,),
        )
