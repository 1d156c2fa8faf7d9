"""Who has been told what, and what is to be said now: few messages, none lost, none for nothing.

Alerts are grouped by service. What a receiver has taken is kept for each alert, and a message is
due for what differs from it. So a message that fails needs no queue: the next try is made of what
is the case by then. A receiver gets one message at a time, and each answer ends with `delivered` or
`failed`. One that was sent by a process that died before it kept the answer is sent again.

The rules are Alertmanager's: `group_wait` collects what begins together, `group_interval` lies
between two messages of a group, `repeat_interval` reminds of a group in which nothing changed
(prometheus.io/docs/alerting/latest/configuration/#route). Here a critical alert does not wait for
`group_wait`, and the interval also holds for a group that was resolved in between.

As in alerts.py, nothing commits and nothing reads a clock.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from cdc_archive.watch.alerts import COLUMNS, alert_of
from cdc_archive.watch.message import Alert, Identity, Message

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS alert_told (       -- what a receiver has taken of an alert
  receiver TEXT NOT NULL,
  kind TEXT NOT NULL,
  type TEXT NOT NULL,
  service TEXT NOT NULL,
  started_us INTEGER NOT NULL,
  gravity INTEGER NOT NULL,
  PRIMARY KEY (kind, type, service, receiver)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS alert_group (      -- when a receiver took, or did not take, of a service
  receiver TEXT NOT NULL,
  service TEXT NOT NULL,
  number INTEGER NOT NULL,
  delivered_us INTEGER,
  failures INTEGER NOT NULL,
  retry_us INTEGER NOT NULL,
  PRIMARY KEY (receiver, service)
) WITHOUT ROWID;
"""
_SAME: Final = "told.kind = alert.kind AND told.type = alert.type AND told.service = alert.service"
_DROP_KNOWN_TO_ALL: Final = f"""
DELETE FROM alert WHERE resolved_us IS NOT NULL AND ? = (
  SELECT count(*) FROM alert_told AS told
  WHERE {_SAME} AND told.started_us = alert.started_us AND told.gravity = 0
)
"""  # noqa: S608  # constants
_DROP_TOLD: Final = f"""
DELETE FROM alert_told AS told WHERE NOT EXISTS (SELECT 1 FROM alert WHERE {_SAME})
"""  # noqa: S608
_DROP_GROUPS: Final = """
DELETE FROM alert_group WHERE coalesce(delivered_us, 0) <= ?
AND NOT EXISTS (SELECT 1 FROM alert WHERE alert.service = alert_group.service)
"""
LARGEST: Final = 100
"""Alerts in a message."""
_SECOND_US: Final = 1_000_000
_FIRST_RETRY_US, _LONGEST_RETRY_US = 5 * _SECOND_US, 300 * _SECOND_US
_CRITICAL: Final = 2


class Pace(NamedTuple):
    """Seconds: see the module."""

    group_wait: float = 10
    group_interval: float = 300
    repeat_interval: float = 14_400


USUAL: Final = Pace()


class _Taken(NamedTuple):
    """What a receiver knows of an alert: when it began, and how bad it was (0: over)."""

    started_us: int
    gravity: int


_Knowledge = Mapping[Identity, _Taken]


class _Group(NamedTuple):
    """A row of alert_group."""

    number: int = 0
    delivered_us: int | None = None
    failures: int = 0
    retry_us: int = 0


class Outbox:
    """See the module.

    Args:
        database: has `SCHEMA` and that of alerts.py.
        receivers: names; what was kept for others is dropped.
        pace: how often.
    """

    def __init__(
        self, database: sqlite3.Connection, receivers: Sequence[str], pace: Pace = USUAL
    ) -> None:
        self._database = database
        self._receivers = tuple(receivers)
        self._wait_us, self._interval_us, self._repeat_us = (int(one * _SECOND_US) for one in pace)
        self._under_way: set[str] = set()
        marks = ", ".join("?" * len(self._receivers))
        for table in ("alert_told", "alert_group"):
            database.execute(
                f"DELETE FROM {table} WHERE receiver NOT IN ({marks})",  # noqa: S608  # constants
                self._receivers,
            )

    def due(self, receiver: str, now_us: int) -> Message | None:
        """The gravest message that is due, or None; None also while one is under way.

        Groups whose messages failed come last, so that one that a receiver refuses holds up none.
        """
        if receiver in self._under_way:
            return None
        groups, known = self._groups(receiver), self._known(receiver)
        found: list[tuple[int, Message]] = []
        for service, alerts in self._by_service().items():
            group = groups.get(service, _Group())
            if self._is_due(alerts, known, group, now_us):
                message = _composed(receiver, service, group.number, alerts, known)
                found.append((group.failures, message))
        if not found:
            return None
        self._under_way.add(receiver)
        return min(found, key=lambda one: (one[0], -one[1].alerts[0].gravity))[1]

    def _is_due(self, alerts: list[Alert], known: _Knowledge, group: _Group, now_us: int) -> bool:
        """A time that lies in the future, for the clock went back, holds up nothing."""
        if 0 < group.retry_us - now_us <= _LONGEST_RETRY_US:
            return False
        quiet_us = None if group.delivered_us is None else now_us - group.delivered_us
        if quiet_us is not None and 0 <= quiet_us < self._interval_us:
            return False
        news = [one for one in alerts if _is_news(one, known)]
        if any(self._has_waited(one, now_us) for one in news):
            return True
        fires = any(one.gravity for one in alerts)
        return fires and quiet_us is not None and not 0 <= quiet_us < self._repeat_us

    def _has_waited(self, alert: Alert, now_us: int) -> bool:
        waited_us = now_us - alert.started_us
        return alert.gravity == _CRITICAL or not 0 <= waited_us < self._wait_us

    def delivered(self, message: Message, now_us: int) -> None:
        """The receiver took it. What all have taken the end of is forgotten."""
        self._under_way.discard(message.receiver)
        self._database.executemany(
            "INSERT OR REPLACE INTO alert_told VALUES (?, ?, ?, ?, ?, ?)",
            [
                (message.receiver, *one.identity, one.started_us, one.gravity)
                for one in message.alerts
            ],
        )
        self._database.execute(
            "INSERT OR REPLACE INTO alert_group VALUES (?, ?, ?, ?, 0, 0)",
            (message.receiver, message.group, message.number + 1, now_us),
        )
        self._forget(now_us)

    def failed(self, message: Message, now_us: int) -> None:
        """The receiver did not take it: what is the case then is said after a while."""
        self._under_way.discard(message.receiver)
        group = self._groups(message.receiver).get(message.group, _Group())
        pause_us = min(_FIRST_RETRY_US << min(group.failures, 10), _LONGEST_RETRY_US)
        self._database.execute(
            "INSERT OR REPLACE INTO alert_group VALUES (?, ?, ?, ?, ?, ?)",
            (
                message.receiver,
                message.group,
                group.number,
                group.delivered_us,
                group.failures + 1,
                now_us + pause_us,
            ),
        )

    def _by_service(self) -> dict[str, list[Alert]]:
        groups: dict[str, list[Alert]] = {}
        for row in self._database.execute(f"SELECT {COLUMNS} FROM alert"):  # noqa: S608
            one = alert_of(row)
            groups.setdefault(one.service, []).append(one)
        return groups

    def _known(self, receiver: str) -> _Knowledge:
        rows = self._database.execute(
            "SELECT kind, type, service, started_us, gravity FROM alert_told WHERE receiver = ?",
            (receiver,),
        )
        return {row[:3]: _Taken(*row[3:]) for row in rows}

    def _groups(self, receiver: str) -> dict[str, _Group]:
        rows = self._database.execute(
            "SELECT service, number, delivered_us, failures, retry_us FROM alert_group"
            " WHERE receiver = ?",
            (receiver,),
        )
        return {service: _Group(*row) for service, *row in rows}

    def _forget(self, now_us: int) -> None:
        self._database.execute(_DROP_KNOWN_TO_ALL, (len(self._receivers),))
        self._database.execute(_DROP_TOLD)
        self._database.execute(_DROP_GROUPS, (now_us - self._interval_us,))


def _is_news(alert: Alert, known: _Knowledge) -> bool:
    """It began, became worse, or is over, and the receiver has not taken that."""
    taken = known.get(alert.identity)
    if taken is None or taken.started_us != alert.started_us:
        return True
    return alert.gravity > taken.gravity or (alert.gravity == 0 != taken.gravity)


def _lightness(alert: Alert) -> tuple[int, bool]:
    """The gravest is the least; of what is over, what was critical."""
    return -alert.gravity, alert.severity != "critical"


def _composed(
    receiver: str, service: str, number: int, alerts: list[Alert], known: _Knowledge
) -> Message:
    said = [one for one in alerts if one.gravity or _is_news(one, known)]
    gravest = min(said, key=_lightness)
    said.sort(
        key=lambda one: (
            one is not gravest,
            not _is_news(one, known),
            _lightness(one),
            one.started_us,
            one.identity,
        )
    )
    return Message(receiver, service, number, tuple(said[:LARGEST]), max(0, len(said) - LARGEST))
