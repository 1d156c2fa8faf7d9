"""One job of a run: the changes of some streams, folded and told into the job's own database.

State, events and progress are committed together, between two transactions of the source: a job
that was killed goes on from its last commit, and no event is told twice.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.archive.reader.window import Window, widened
from cdc_archive.archive.reader.woven import NamedFile
from cdc_archive.audit.build import Builder, Unproven
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.changelog.record import ArchivedRecord
from cdc_archive.decode.exact_json import exact_json
from cdc_archive.history.fold import Fold, ReadRow
from cdc_archive.history.missing import Missing
from cdc_archive.history.order import ChangeStream, Reached, by_connector, in_commit_order
from cdc_archive.history.position import Change
from cdc_archive.history.redelivery import Redeliveries
from cdc_archive.replay import disk_states
from cdc_archive.replay.asked import Asked
from cdc_archive.replay.base import Base
from cdc_archive.replay.disk_states import DiskSeen, DiskStates
from cdc_archive.replay.plan import PlannedFiles, StreamTables, holds_rows
from cdc_archive.replay.progress import Progress
from cdc_archive.replay.report import Report
from cdc_archive.replay.telling import Telling, Told

COMMIT_EVERY: Final = 50_000
"""How many changes lie between two commits of a job's progress."""
_EVENTS_HELD: Final = 1_000
LATE_US: Final = 3_600_000_000
"""How far a clock may have stepped back: what lies so much after the end of a window is read."""

SCHEMA: Final = f"""
{disk_states.SCHEMA}
CREATE TABLE IF NOT EXISTS events (
  connector BLOB, place BLOB, number INTEGER, time_us INTEGER, event BLOB, evidence BLOB);
CREATE INDEX IF NOT EXISTS events_in_order ON events (connector, place, number);
CREATE TABLE IF NOT EXISTS doubts (type BLOB, time_us INTEGER, resource BLOB);
CREATE TABLE IF NOT EXISTS progress (connector BLOB PRIMARY KEY, value BLOB);
"""


class Doubt(NamedTuple):
    """An event that may or may not have happened; `resource` None: it is not known about what."""

    type: str
    time_us: int
    resource: str | None


class Reading(NamedTuple):
    """What a job reads.

    `streams` with the tables in them; `until_us`: event time before which a change must lie to be
    wanted; `cut`: stop at the first change of a connector that does not, as a checkpoint must;
    `restarts`: see `ChangeStream`; `base`: what is known of before, with `numbers` of its streams;
    `missing`: what the archive lacks; `doubts`: whether what cannot be proven is written down.
    """

    streams: Sequence[StreamTables]
    until_us: int | None
    restarts: Mapping[str, Sequence[int]] = {}
    base: Base | None = None
    numbers: Mapping[TopicPartition, int] = {}
    cut: bool = False
    missing: Missing = Missing()
    doubts: bool = False


class Job:
    """Tells the events of its streams.

    Args:
        reader: the archive.
        files: what it reads.
        reading: which of it.
        database: its own, with `SCHEMA`.
        builder: makes events of transitions.
        read: reads row images.
        asked: which events are wanted.
    """

    def __init__(
        self,
        reader: ArchiveReader,
        files: PlannedFiles,
        reading: Reading,
        database: sqlite3.Connection,
        builder: Builder,
        read: ReadRow,
        asked: Asked,
    ) -> None:
        self._reader = reader
        self._files = files
        self._reading = reading
        self._database = database
        self._builder = builder
        self._read = read
        self._asked = asked

    def run(self) -> None:
        """Do what is still to be done."""
        self._database.execute("BEGIN")
        progress, base = Progress.load_all(self._database), self._reading.base
        if base is not None:
            if not progress:
                self._take_rows(base)
            progress = self._of_base(base) | progress
        for connector, streams in by_connector(self._streams(progress)).items():
            before = progress.get(connector, Progress())
            if not before.done:
                self._tell(connector, streams, before)
        self._database.execute("COMMIT")

    def _take_rows(self, base: Base) -> None:
        tables = {table for stream in self._reading.streams for table in stream.tables}
        for connector in base.connectors():
            states = DiskStates(self._database, connector)
            for known in base.rows(connector, tables):
                states.put(*known)
            states.flush()

    def _of_base(self, base: Base) -> dict[str, Progress]:
        """What folds know beside the rows of a base, by connector."""
        numbers = self._reading.numbers
        return {name: base.progress(name, numbers) for name in base.connectors()}

    def _streams(self, progress: Mapping[str, Progress]) -> Iterator[ChangeStream]:
        reached: dict[int, Reached] = {}
        if self._reading.base is not None:
            numbers = self._reading.numbers
            reached = {numbers[one]: at for one, at in self._reading.base.reached().items()}
        for one in progress.values():
            reached |= one.reached
        for stream in self._reading.streams:
            start = reached.get(stream.stream, Reached())
            records = self._records(stream, start)
            yield ChangeStream(stream.stream, records, self._reading.restarts, start)

    def _records(self, stream: StreamTables, start: Reached) -> Iterator[ArchivedRecord]:
        tables = frozenset(stream.tables)
        # Clocks step back: a change of after the end may come before one of before it.
        before_end = widened(Window(None, self._reading.until_us), LATE_US)

        def is_read(named: NamedFile) -> bool:
            return (
                named.file.table in tables
                and holds_rows(named.file)
                and not start.passed(named.incarnation, named.file.last_offset)
                and (self._reading.cut or before_end.may_hold(named.file))
            )

        return self._files.records(self._reader, stream.stream, is_read)

    def _is_over(self, change: Change) -> bool:
        """Whether a reading that is cut ends before this change."""
        until_us, time_us = self._reading.until_us, change.archived.record.event_time_us
        return self._reading.cut and until_us is not None and (time_us or 0) >= until_us

    def _tell(self, connector: str, streams: list[ChangeStream], before: Progress) -> None:
        states, seen = DiskStates(self._database, connector), DiskSeen(self._database)
        fold = Fold(states, self._read, before.fold, self._reading.missing)
        base, numbers = self._reading.base, self._reading.numbers
        settled = None if base is None else base.settled(connector, numbers)
        redeliveries = Redeliveries(seen, before.highest, settled)
        report = Report()
        report.add(before.counts)
        events = _Events(self._database, connector)
        doubt = events.doubt if self._reading.doubts else None
        telling = Telling(fold, redeliveries, self._builder, self._asked, report, doubt)

        def save(*, done: bool) -> None:
            states.flush()
            seen.flush()
            events.flush()
            reached = {stream.number: stream.reached for stream in streams}
            progress = Progress(
                reached, fold.progress(), dict(redeliveries.highest), report.counts(), done
            )
            progress.save(self._database, connector)
            self._database.execute("COMMIT")
            self._database.execute("BEGIN")

        unsaved = 0
        for change in in_commit_order(streams):
            if self._is_over(change):
                break
            if unsaved >= COMMIT_EVERY and telling.between_transactions:
                save(done=False)  # a stream knows of a change that it was passed when asked again
                unsaved = 0
            unsaved += 1
            events.take(telling.take(change))
        events.take(telling.close())
        save(done=True)


class _Events:
    """Writes events, some at a time: a TRUNCATE may tell of millions."""

    def __init__(self, database: sqlite3.Connection, connector: str) -> None:
        self._database = database
        self._connector = disk_states.text_bytes(connector)
        self._held: list[tuple[object, ...]] = []
        self._doubts: list[tuple[object, ...]] = []

    def doubt(self, made: Unproven, time_us: int | None) -> None:
        about = None if made.resource is None else disk_states.text_bytes(made.resource)
        self._doubts.append((disk_states.text_bytes(made.type), time_us or 0, about))
        if len(self._doubts) >= _EVENTS_HELD:
            self.flush()

    def take(self, told: Iterator[Told]) -> None:
        for one in told:
            event, evidence = one.event.event, one.event.evidence
            self._held.append(
                (
                    self._connector,
                    one.place.packed(),
                    one.number,
                    evidence["event_time_us"] or 0,
                    exact_json(event),
                    exact_json(evidence),
                )
            )
            if len(self._held) >= _EVENTS_HELD:
                self.flush()

    def flush(self) -> None:
        self._database.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", self._held)
        self._held.clear()
        self._database.executemany("INSERT INTO doubts VALUES (?, ?, ?)", self._doubts)
        self._doubts.clear()


def doubts(database: sqlite3.Connection) -> Iterator[Doubt]:
    """What a finished job could not prove, if it was to be written down."""
    for kind, time_us, about in database.execute("SELECT * FROM doubts ORDER BY rowid"):
        resource = None if about is None else disk_states.bytes_text(about)
        yield Doubt(disk_states.bytes_text(kind), time_us, resource)


def counts(database: sqlite3.Connection) -> Iterator[Mapping[str, Any]]:
    """What the reports of a finished job counted."""
    for progress in Progress.load_all(database).values():
        yield progress.counts
