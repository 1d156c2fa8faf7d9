"""Which alerts there are: conditions, remembered from look to look and over a restart.

An alert fires from the first look that holds its condition until the condition has been absent for
`resolve_seconds`, so that one that flaps is one alert. Who knows of it is outbox.py's matter.

All state is in the database and every method is a step of the caller's transaction: nothing here
commits, and nothing reads a clock.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from typing import Any, Final

import structlog

from cdc_archive.watch.condition import Condition
from cdc_archive.watch.message import Alert

_log = structlog.get_logger(__name__)
SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS alert (
  kind TEXT NOT NULL,
  type TEXT NOT NULL,
  service TEXT NOT NULL,
  severity TEXT NOT NULL,
  summary TEXT NOT NULL,
  examples TEXT NOT NULL,       -- JSON
  latest INTEGER NOT NULL,      -- count
  highest INTEGER NOT NULL,
  started_us INTEGER NOT NULL,
  resolved_us INTEGER,
  first_us INTEGER NOT NULL,
  times INTEGER NOT NULL,
  absent_us INTEGER,            -- the first look without its condition, if none had it since
  PRIMARY KEY (kind, type, service)
) WITHOUT ROWID;
"""
COLUMNS: Final = ", ".join(f"alert.{name}" for name in Alert._fields)
_SECOND_US: Final = 1_000_000
_LONGEST_SUMMARY: Final = 500
_LONGEST_NAME: Final = 200
_EXAMPLES: Final = 5
_LARGEST: Final = (1 << 63) - 1
KEPT: Final = 10_000
"""Alerts that are over and that some receiver has not taken: beyond it the oldest are dropped."""

# On the right of SET, SQLite means what was there before.
_HOLDS: Final = """
INSERT INTO alert VALUES (
  :kind, :type, :service, :severity, :summary, :examples, :count, :count, :now, NULL, :now, 1, NULL
)
ON CONFLICT (kind, type, service) DO UPDATE SET
  severity = excluded.severity,
  summary = excluded.summary,
  examples = excluded.examples,
  latest = excluded.latest,
  highest = iif(resolved_us IS NULL, max(highest, excluded.latest), excluded.latest),
  started_us = iif(resolved_us IS NULL, started_us, excluded.started_us),
  times = times + (resolved_us IS NOT NULL),
  resolved_us = NULL,
  absent_us = NULL
"""
_DROP_OLDEST: Final = """
DELETE FROM alert WHERE (kind, type, service) IN (
  SELECT kind, type, service FROM alert WHERE resolved_us IS NOT NULL
  ORDER BY resolved_us DESC LIMIT -1 OFFSET ?
)
"""


class Alerts:
    """See the module.

    Args:
        database: has `SCHEMA`.
        resolve_seconds: how long a condition must be absent before its alert is over.
    """

    def __init__(self, database: sqlite3.Connection, resolve_seconds: float) -> None:
        self._database = database
        self._resolve_us = int(resolve_seconds * _SECOND_US)
        self._looked_us: int | None = None

    def update(self, conditions: Iterable[Condition], now_us: int) -> None:
        """Take a look: all conditions that hold now.

        The time in which nobody looked, before this process began or while its clock went back,
        proves no absence: that is counted from this look on.
        """
        if self._looked_us is None or now_us < self._looked_us:
            self._database.execute("UPDATE alert SET absent_us = NULL WHERE resolved_us IS NULL")
        self._looked_us = now_us
        held = [_bounded(one) for one in conditions]
        self._database.executemany(_HOLDS, ({**one, "now": now_us} for one in held))
        present = {(one["kind"], one["type"], one["service"]) for one in held}
        rows = self._database.execute(
            "SELECT kind, type, service FROM alert WHERE resolved_us IS NULL"
        )
        absent = [(now_us, *row) for row in rows if row not in present]
        self._database.executemany(
            "UPDATE alert SET absent_us = coalesce(absent_us, ?)"
            " WHERE kind = ? AND type = ? AND service = ?",
            absent,
        )
        self._database.execute(
            "UPDATE alert SET resolved_us = max(absent_us, started_us)"
            " WHERE resolved_us IS NULL AND absent_us <= ?",
            (now_us - self._resolve_us,),
        )
        dropped = self._database.execute(_DROP_OLDEST, (KEPT,)).rowcount
        if dropped:
            _log.warning(
                "alerts that are over are dropped before all receivers took them", count=dropped
            )

    def firing(self) -> list[Alert]:
        """What is the matter now, or was until less than `resolve_seconds` ago."""
        asked = f"SELECT {COLUMNS} FROM alert WHERE resolved_us IS NULL"  # noqa: S608  # constants
        return [alert_of(row) for row in self._database.execute(asked)]


def alert_of(row: tuple[Any, ...]) -> Alert:
    """From a row of `COLUMNS`."""
    found = Alert(*row)
    return found._replace(examples=tuple(json.loads(row[Alert._fields.index("examples")])))


def _bounded(condition: Condition) -> dict[str, Any]:
    """No condition, whatever names and ids it holds, makes a message that cannot be sent."""
    examples = [_text(one, _LONGEST_NAME) for one in condition.examples[:_EXAMPLES]]
    return {
        "kind": condition.kind,
        "type": _text(condition.type, _LONGEST_NAME),
        "service": _text(condition.service, _LONGEST_NAME),
        "severity": condition.severity,
        "summary": _text(condition.summary, _LONGEST_SUMMARY),
        "examples": json.dumps(examples),
        "count": min(condition.count, _LARGEST),
    }


def _text(text: str, longest: int) -> str:
    """JSON can hold half a character, which neither SQLite nor UTF-8 can."""
    return text[:longest].encode(errors="backslashreplace").decode()
