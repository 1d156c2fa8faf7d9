"""The order of commits, across the topic partitions of a connector. Pure.

Source of the order: within a PostgreSQL stream `source.sequence[0]` (the last commit) rises while
`lsn` and `txId` go back when transactions overlap; `total_order` counts within a transaction. MySQL
and MariaDB give file and position of the binlog, and `row` for the rows of one statement. Numbers
of two connectors cannot be compared: their streams are ordered each by itself, see `ChangeStreams`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import merge
from itertools import chain
from operator import attrgetter
from typing import Final, NamedTuple

from cdc_archive.changelog.record import OP_UNKNOWN_ROW, ROW_OPS, ArchivedRecord
from cdc_archive.history.position import OLD_KEY, Change, Place, SourcePosition, position

ROWS: Final = ROW_OPS | {OP_UNKNOWN_ROW}
"""Operations of the records that tell of rows."""


_NONE: Final[Mapping[str, Sequence[int]]] = {}


class Reached(NamedTuple):
    """How far a stream was followed: what one that goes on there must know.

    `connector` is None if the stream held no change so far, `at` the incarnation and offset of the
    last change, `latest` and `latest_time_us` the highest place and time.
    """

    connector: str | None = None
    at: tuple[int, int] | None = None
    latest: tuple[int, int, int] = (0, 0, 0)
    latest_time_us: int = 0

    def passed(self, incarnation: int, offset: int) -> bool:
        """Whether a record of the stream does not lie after it."""
        return self.at is not None and (incarnation, offset) <= self.at


class ChangeStream:
    """The row changes of one topic partition, each with its place.

    Offset order always holds: what comes again after a restart, and rows of a snapshot, which is no
    commit, stay behind the change that they follow there.

    Args:
        number: the number of the stream; equal for the same stream in every run.
        records: the partition's records in the order of the log.
        restarts: by connector, the event times, in microseconds and ascending, from which on its
            positions count anew.
        reached: where an earlier run stopped; what it passed is left out.
    """

    def __init__(
        self,
        number: int,
        records: Iterable[ArchivedRecord],
        restarts: Mapping[str, Sequence[int]] = _NONE,
        reached: Reached | None = None,
    ) -> None:
        self.number = number
        self.reached = reached or Reached()
        start = self.reached
        self._rows: Iterator[ArchivedRecord] = (
            one
            for one in records
            if one.record.op in ROWS and not start.passed(one.incarnation, one.record.offset)
        )
        self._restarts = restarts

    def connector(self) -> str | None:
        """The connector of the stream's first change; None if it holds no change.

        Streams without positions, or whose messages do not name their connector, are a connector
        of their own, ordered by time.
        """
        if self.reached.connector is None:
            first = next(self._rows, None)
            if first is None:
                return None
            self._rows = chain((first,), self._rows)
            self.reached = self.reached._replace(
                connector=connector_of(first, position(first.record))
            )
        return self.reached.connector

    def __iter__(self) -> Iterator[Change]:
        connector = self.connector()
        restarts = self._restarts.get(connector or "", ())
        _, _, latest, latest_time = self.reached
        for archived in self._rows:
            where = position(archived.record)
            if not where.snapshot:
                latest_time = max(latest_time, archived.record.event_time_us or 0)
                timeline = bisect_right(restarts, latest_time)
                latest = max(latest, (timeline, *_order(archived, where)))
            at = (archived.incarnation, archived.record.offset)
            yield Change(archived, where, Place(*latest, self.number, *at))
            self.reached = Reached(connector, at, latest, latest_time)


def connector_of(archived: ArchivedRecord, where: SourcePosition) -> str:
    """The connector whose position `where` a change has; empty if it has none."""
    return where.name or "" if _has_position(archived, where) else ""


def _has_position(archived: ArchivedRecord, where: SourcePosition) -> bool:
    return where.last_commit is not None or b'"sequence"' in (archived.record.source or b"")


def _order(archived: ArchivedRecord, where: SourcePosition) -> tuple[int, int]:
    """The numbers of a change that rise from commit to commit, and within a transaction."""
    by_position = _has_position(archived, where)
    commit = where.last_commit if by_position else archived.record.event_time_us
    if where.total_order is not None:
        return max(commit or 0, 0), max(where.total_order, 0)
    number = where.row or (where.lsn if by_position else None) or 0
    # A change of key is a delete and a create at one LSN, maybe in two partitions.
    follows = any(name == OLD_KEY for name, _ in archived.record.headers)
    return max(commit or 0, 0), 2 * max(number, 0) + follows


def in_commit_order(streams: Iterable[ChangeStream]) -> Iterator[Change]:
    """The changes of one connector's streams, in the order of its commits.

    The same streams give the same order, whatever the order in which they are given.
    """
    return merge(*streams, key=attrgetter("place"))


def by_connector(streams: Iterable[ChangeStream]) -> dict[str, list[ChangeStream]]:
    """Streams by their connector, in the order of its name; those without a change are left out."""
    found: dict[str, list[ChangeStream]] = {}
    for stream in streams:
        connector = stream.connector()
        if connector is not None:
            found.setdefault(connector, []).append(stream)
    return dict(sorted(found.items()))
