"""Counts of events by stream, type and service, and what is odd about those of now.

Time is event time throughout, and now is the watermark: the time up to which all events are known.
Buckets of five minutes are kept for two days, hours for twelve weeks. Besides each type, each
service is a series of its own (type ""): as a whole it is sooner known to be silent.

The database is the caller's, who also commits; after a rollback a new instance is needed.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import groupby
from operator import itemgetter
from typing import Final, NamedTuple

from cdc_archive.watch.baseline import (
    BUCKET_US,
    DAY_US,
    HOUR_US,
    WEEK_US,
    WEEKS,
    Curve,
    Hour,
    spread,
)
from cdc_archive.watch.condition import Condition
from cdc_archive.watch.unusual import WHOLE, Limits, Name, Now, Series, found, ratios

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS volume_series (
  id INTEGER PRIMARY KEY, stream TEXT NOT NULL, type TEXT NOT NULL, service TEXT NOT NULL,
  UNIQUE (stream, type, service));
CREATE TABLE IF NOT EXISTS volume_bucket (
  series INTEGER NOT NULL, bucket INTEGER NOT NULL, n INTEGER NOT NULL,
  PRIMARY KEY (series, bucket)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS volume_hour (
  series INTEGER NOT NULL, hour INTEGER NOT NULL, n INTEGER NOT NULL, squares INTEGER NOT NULL,
  PRIMARY KEY (series, hour)) WITHOUT ROWID;
"""
"""Buckets and hours are numbered from 1970; `squares` is the sum of the squares of an hour's
buckets."""

_BUCKETS_KEPT: Final = 2 * DAY_US // BUCKET_US
_HOURS_KEPT: Final = WEEKS * WEEK_US // HOUR_US
_HOURS_AHEAD: Final = _HOURS_KEPT
"""An event of a later time than that, after the watermark, is of a clock that is wrong."""


class _Past(NamedTuple):
    """What a stream was like before an hour."""

    hour: int
    series: Mapping[int, Series]
    stream: Curve


class Volumes:
    """Counts events, and judges the counts of now by those of former weeks.

    Args:
        database: holds the tables of `SCHEMA`.
        limits: from when on it is an alarm.
    """

    def __init__(self, database: sqlite3.Connection, limits: Limits = Limits()) -> None:  # noqa: B008  # a value
        self._database = database
        self._limits = limits
        self._ids: dict[tuple[str, str, str], int] = {}
        self._past: dict[str, _Past] = {}

    def count(self, stream: str, type: str, service: str, time_us: int, n: int = 1) -> None:  # noqa: A002  # the field's word
        """Take note of events.

        Args:
            stream: `published`, or `expected`: what changes prove.
            type: their type, "" if it is not known: then they count for the service alone.
            service: whose they are.
            time_us: event time.
            n: how many.
        """
        self._add(self._id(stream, WHOLE, service), time_us, n)
        if type != WHOLE:
            self._add(self._id(stream, type, service), time_us, n)

    def conditions(self, stream: str, watermark_us: int) -> list[Condition]:
        """What is the matter with the series of a stream: kinds `zero_run` and `volume`.

        Args:
            stream: as in `count`.
            watermark_us: up to here all events of the stream have been counted.
        """
        past = self._known(stream, watermark_us)
        return list(found(past.series, self._now(past, watermark_us), self._limits))

    def ratios(self, stream: str, watermark_us: int) -> dict[Name, float]:
        """By (type, service): events of now by those that are usual; without what is not known."""
        past = self._known(stream, watermark_us)
        return ratios(past.series, self._now(past, watermark_us))

    def _id(self, stream: str, kind: str, service: str) -> int:
        names = stream, kind, service
        known = self._ids.get(names)
        if known is None:
            put = "INSERT OR IGNORE INTO volume_series (stream, type, service) VALUES (?, ?, ?)"
            self._database.execute(put, names)
            get = "SELECT id FROM volume_series WHERE stream = ? AND type = ? AND service = ?"
            (known,) = self._database.execute(get, names).fetchone()
            self._ids[names] = known
        return known

    def _add(self, series: int, time_us: int, n: int) -> None:
        bucket = time_us // BUCKET_US
        get = "SELECT n FROM volume_bucket WHERE series = ? AND bucket = ?"
        was = (self._database.execute(get, (series, bucket)).fetchone() or (0,))[0]
        self._database.execute(
            "INSERT OR REPLACE INTO volume_bucket VALUES (?, ?, ?)", (series, bucket, was + n)
        )
        self._database.execute(
            "INSERT INTO volume_hour VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE"
            " SET n = n + excluded.n, squares = squares + excluded.squares",
            (series, time_us // HOUR_US, n, n * (2 * was + n)),
        )

    def _known(self, stream: str, watermark_us: int) -> _Past:
        """Read once an hour of the stream: what is usual does not change with each look."""
        hour = watermark_us // HOUR_US
        past = self._past.get(stream)
        if past is None or past.hour != hour:
            self._forget(stream, hour)
            past = self._past[stream] = self._read(stream, hour)
        return past

    def _forget(self, stream: str, hour: int) -> None:
        of_stream = "series IN (SELECT id FROM volume_series WHERE stream = ?)"
        for table, column, first, end in (
            ("bucket", "bucket", hour * 12 - _BUCKETS_KEPT, (hour + _HOURS_AHEAD) * 12),
            ("hour", "hour", hour - _HOURS_KEPT, hour + _HOURS_AHEAD),
        ):
            self._database.execute(
                f"DELETE FROM volume_{table} WHERE {of_stream} AND ({column} < ? OR {column} > ?)",  # noqa: S608
                (stream, first, end),
            )

    def _read(self, stream: str, hour: int) -> _Past:
        rows = self._database.execute(
            "SELECT id, type, service, hour, n, squares FROM volume_series JOIN volume_hour"
            " ON series = id WHERE stream = ? AND hour < ? ORDER BY id, hour",
            (stream, hour),
        )
        series: dict[int, Series] = {}
        total: Counter[int] = Counter()
        for (one, kind, service), group in groupby(rows, itemgetter(0, 1, 2)):
            hours = [Hour(*row[3:]) for row in group]
            # A series is known from its first whole hour on.
            curve = _curve(hours[0].number + 1, hour, {one.number: one.events for one in hours})
            series[one] = Series(Name(kind, service), curve, spread(hours))
            if kind == WHOLE:
                total.update({one.number: one.events for one in hours})
        return _Past(hour, _worth_judging(series), _curve(min(total, default=hour), hour, total))

    def _now(self, past: _Past, watermark_us: int) -> Now:
        known: dict[tuple[int, int], Mapping[int, int]] = {}

        def counted(start_us: int, end_us: int) -> Mapping[int, int]:
            asked = start_us // BUCKET_US, end_us // BUCKET_US
            if asked not in known:
                rows = self._database.execute(
                    "SELECT series, sum(n) FROM volume_bucket"
                    " WHERE bucket >= ? AND bucket < ? GROUP BY series",
                    asked,
                )
                known[asked] = dict(rows)
            return known[asked]

        return Now(watermark_us, past.stream, dict(self._last(past, watermark_us)), counted)

    def _last(self, past: _Past, watermark_us: int) -> Iterator[tuple[int, int]]:
        """By series, the end of the newest bucket with events, or of the newest hour."""
        newest = "SELECT max({0}) FROM volume_{0} WHERE series = ? AND {0} * ? <= ?"
        for one in past.series:
            for table, length_us in (("bucket", BUCKET_US), ("hour", HOUR_US)):
                asked = (one, length_us, watermark_us)
                (number,) = self._database.execute(newest.format(table), asked).fetchone()
                if number is not None:
                    yield one, min((number + 1) * length_us, watermark_us)
                    break


def _curve(first: int, end: int, counts: Mapping[int, int]) -> Curve:
    return Curve(first, [counts.get(hour, 0) for hour in range(first, end)])


def _worth_judging(series: Mapping[int, Series]) -> dict[int, Series]:
    """Without a service as a whole that has one type only: it would be told twice."""
    types = Counter(what.name.service for what in series.values())
    return {
        one: what
        for one, what in series.items()
        if what.name.type != WHOLE or types[what.name.service] != 2  # noqa: PLR2004  # it, and one
    }
