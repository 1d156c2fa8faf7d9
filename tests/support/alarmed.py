"""Alerts and their outbox on a clock that the test moves, and receivers that take or do not."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any

from cdc_archive.watch import alerts, outbox
from cdc_archive.watch.alerts import Alerts
from cdc_archive.watch.condition import Condition
from cdc_archive.watch.message import Message
from cdc_archive.watch.outbox import Outbox, Pace

SECOND = 1_000_000
START_US = 1_771_520_400 * SECOND
PACE = Pace(group_wait=10, group_interval=120, repeat_interval=3600)
RESOLVE_S = 300
OPEN: list[sqlite3.Connection] = []
"""Closed after the test."""


def condition(service: str = "keys", **changed: Any) -> Condition:
    """Keys are changed, and nobody says so."""
    given = Condition(
        "silence",
        "api_key.created",
        service,
        "critical",
        f"{service}: 12 changes of api_key, 0 api_key.* events published",
        12,
        ("db.app.api_key[3]@1041",),
    )
    return given._replace(**changed)


def opened(path: str = ":memory:") -> sqlite3.Connection:
    """A database with all tables."""
    database = sqlite3.connect(path)
    OPEN.append(database)
    for schema in (alerts.SCHEMA, outbox.SCHEMA):
        database.executescript(schema)
    return database


class World:
    """One watch whose receivers answer at once."""

    def __init__(self, receivers: tuple[str, ...] = ("hook",), pace: Pace = PACE) -> None:
        self.now_us = START_US
        self.database = opened()
        self.receivers, self.pace = receivers, pace
        self.down: set[str] = set()
        self.sent: list[Message] = []
        self.tries = 0
        self.begin()

    def begin(self) -> None:
        """Start, or start again, with the same database."""
        self.alerts = Alerts(self.database, RESOLVE_S)
        self.outbox = Outbox(self.database, self.receivers, self.pace)

    def crash(self) -> None:
        """What was not committed is gone."""
        self.database.rollback()
        self.begin()

    def look(self, *conditions: Condition, seconds: float = 0) -> list[Message]:
        """Some seconds later these hold: what is taken then."""
        self.now_us += int(seconds * SECOND)
        self.alerts.update(conditions, self.now_us)
        return self.tell()

    def keep(self, seconds: int, *conditions: Condition, every: int = 10) -> list[Message]:
        """The same for a while."""
        looks = [self.look(*conditions, seconds=every) for _ in range(seconds // every)]
        return [message for told in looks for message in told]

    def tell(self) -> list[Message]:
        """All that is due, and taken by whoever is not down."""
        taken: list[Message] = []
        for receiver in self.receivers:
            while (message := self.outbox.due(receiver, self.now_us)) is not None:
                self.tries += 1
                if receiver in self.down:
                    self.outbox.failed(message, self.now_us)
                else:
                    self.outbox.delivered(message, self.now_us)
                    taken.append(message)
        self.database.commit()
        self.sent += taken
        return taken

    def rows(self, table: str) -> int:
        """How many there are."""
        found = self.database.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(found[0])


def told(messages: Iterable[Message]) -> list[tuple[str, str, list[str]]]:
    """Group, status, and the status of each alert."""
    return [(one.group, one.status, [each.status for each in one.alerts]) for one in messages]
