"""What was found wrong with published events, remembered for a while; and the bare counts.

Each finding counts towards its alarm for as long as it is remembered.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Final

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS findings (
  number INTEGER PRIMARY KEY, kind TEXT, type TEXT, service TEXT, found_us INTEGER, place TEXT,
  told TEXT);
CREATE INDEX IF NOT EXISTS findings_kind ON findings (kind, type, service);
CREATE INDEX IF NOT EXISTS findings_place ON findings (place, kind);
CREATE TABLE IF NOT EXISTS last_published (
  type TEXT, service TEXT, time_us INTEGER, PRIMARY KEY (type, service));
"""

EXPECTED: Final = "expected"
PUBLISHED: Final = "published"
MISSING: Final = "missing"
UNEXPECTED: Final = "unexpected"
DIFFERENT: Final = "different"
DUPLICATE: Final = "duplicate"
UNATTRIBUTED: Final = "unattributed"
ACTOR_UNPROVEN: Final = "actor_unproven"
UNREADABLE: Final = "unreadable"
GAP: Final = "gap"

Count = Callable[[str, str, str], None]
"""Told of each thing counted: its kind, event type and service."""


class Findings:
    """Keeps findings.

    Args:
        database: with `SCHEMA`; in a transaction.
        count: told of each.
    """

    def __init__(self, database: sqlite3.Connection, count: Count) -> None:
        self._database = database
        self.count = count

    def find(
        self, kind: str, of_type: str, service: str, now_us: int, place: str, told: str = ""
    ) -> None:
        """Take a finding.

        Args:
            kind: what is wrong.
            of_type: event type.
            service: whose event it is.
            now_us: when it was found.
            place: where the event stands.
            told: more of it, in words.
        """
        self.count(kind, of_type, service)
        self._database.execute(
            "INSERT INTO findings VALUES (NULL, ?, ?, ?, ?, ?, ?)",
            (kind, of_type, service, now_us, place, told),
        )

    def take_back(self, kind: str, place: str) -> None:
        """It was no such thing: what proves the event came late."""
        self._database.execute("DELETE FROM findings WHERE kind = ? AND place = ?", (kind, place))

    def by_kind(self) -> Sequence[tuple[str, str, str, int, str]]:
        """Kind, type, service, count, and the latest examples, a line each."""
        return self._database.execute(
            "SELECT kind, type, service, count(*), (SELECT group_concat(trim(place || ' ' || told),"
            " char(10)) FROM (SELECT place, told FROM findings AS f WHERE f.kind = findings.kind"
            " AND f.type = findings.type AND f.service = findings.service"
            " ORDER BY f.number DESC LIMIT 5))"
            " FROM findings GROUP BY kind, type, service ORDER BY kind, type, service"
        ).fetchall()

    def published(self, of_type: str, service: str, time_us: int) -> None:
        """A service published an event of this type."""
        self._database.execute(
            "INSERT INTO last_published VALUES (?1, ?2, ?3) ON CONFLICT (type, service)"
            " DO UPDATE SET time_us = max(time_us, ?3)",
            (of_type, service, time_us),
        )

    def last_published(self, of_type: str, service: str) -> int:
        """Event time of the newest event that a service published of a type; 0: none is known."""
        found = self._database.execute(
            "SELECT time_us FROM last_published WHERE type = ? AND service = ?", (of_type, service)
        ).fetchone()
        return 0 if found is None else int(found[0])

    def last_published_of(self, family: str, service: str) -> int:
        """The same of all types of a family, such as `api_key`."""
        (found,) = self._database.execute(
            "SELECT max(time_us) FROM last_published WHERE service = ? AND substr(type, 1, ?) = ?",
            (service, len(family) + 1, f"{family}."),
        ).fetchone()
        return found or 0

    def prune(self, before_us: int) -> None:
        """Forget what was found before a time."""
        self._database.execute("DELETE FROM findings WHERE found_us < ?", (before_us,))
