"""The first pass of a run: fills what stands beside the changes, see `Beside`."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from cdc_archive.archive.format.commit import FileEntry
from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.archive.reader.window import Window, widened
from cdc_archive.audit.beside import Witnesses
from cdc_archive.audit.mapping import Lookup
from cdc_archive.audit.mapping import Mapping as Rules
from cdc_archive.audit.table_names import fits_any
from cdc_archive.changelog.record import OP_MESSAGE, ArchivedRecord
from cdc_archive.history.fold import Fold, ReadRow
from cdc_archive.history.order import ChangeStream, Reached, by_connector, in_commit_order
from cdc_archive.history.position import Change, Place, position
from cdc_archive.history.redelivery import Redeliveries
from cdc_archive.replay.base import Base
from cdc_archive.replay.beside import SAME_TRANSACTION_US, Beside, LookupStates
from cdc_archive.replay.disk_states import DiskSeen, DiskStates, text_bytes
from cdc_archive.replay.job import LATE_US
from cdc_archive.replay.plan import Plan, PlannedFiles, holds_rows, tables_of
from cdc_archive.replay.progress import Progress

FileFilter = Callable[[FileEntry], bool]


class Gathering:
    """Fills a `Beside`.

    Args:
        reader: the archive.
        files: what is read of it.
        plan: the plan that these are of.
        rules: names the actor sources and the look-ups.
        read: reads row images.
        database: of the `Beside`.
    """

    def __init__(
        self,
        reader: ArchiveReader,
        files: PlannedFiles,
        plan: Plan,
        rules: Rules,
        read: ReadRow,
        database: sqlite3.Connection,
    ) -> None:
        self._reader = reader
        self._files = files
        self._plan = plan
        self._rules = rules
        self._read = read
        self._database = database

    def testimonies(self, window: Window) -> None:
        """Keep what transactions within the window say of their actors.

        A transaction's records carry its time, or nearly so: a day is added on both sides.
        """
        witnesses = Witnesses(self._rules)
        around = widened(window, SAME_TRANSACTION_US)
        beside = Beside(self._database)

        def wanted(file: FileEntry) -> bool:
            messages = bool(witnesses.messages) and OP_MESSAGE in file.counts
            told = messages or bool(witnesses.of_table(file.table or "")[0])
            return told and around.may_hold(file)

        for stream in tables_of(self._files.contents(), wanted):
            for archived in self._records(stream.stream, wanted):
                for source, value in told(witnesses, self._read, archived):
                    beside.add_testimony(source, change(archived, stream.stream), value)

    def lookups(self, until_us: int | None, base: Base | None = None) -> None:
        """Keep every version of the rows that are looked up.

        Args:
            until_us: event time before which a version must lie.
            base: what was known before; None: everything is read.
        """
        for name, lookup in self._rules.lookup.items():
            self._lookup(name, lookup, until_us, base)

    def _lookup(self, name: str, lookup: Lookup, until_us: int | None, base: Base | None) -> None:
        states: dict[str, LookupStates] = {}
        self._database.execute("DELETE FROM seen")
        if base is not None:
            for connector in base.connectors():
                tables = {one for one in base.tables(connector) if fits_any(one, lookup.tables)}
                if tables:
                    states[connector] = self._states(name, lookup, connector)
                    states[connector].at = (text_bytes(connector), b"", 0)
                    for known in base.rows(connector, tables):
                        states[connector].put(*known)
        for connector, streams in self._streams(lookup, until_us, base).items():
            if connector not in states:
                states[connector] = self._states(name, lookup, connector)
            self._follow(states[connector], connector, streams, base)

    def _streams(
        self, lookup: Lookup, until_us: int | None, base: Base | None
    ) -> dict[str, list[ChangeStream]]:
        before_end = widened(Window(None, until_us), LATE_US)
        reached = {} if base is None else base.reached()

        def wanted(file: FileEntry) -> bool:
            named = fits_any(file.table or "", lookup.tables)
            return holds_rows(file) and named and before_end.may_hold(file)

        return by_connector(
            ChangeStream(
                planned.stream,
                self._records(planned.stream, wanted),
                self._plan.restarts,
                reached.get(self._plan.partition(planned.stream), Reached()),
            )
            for planned in tables_of(self._files.contents(), wanted)
        )

    def _states(self, name: str, lookup: Lookup, connector: str) -> LookupStates:
        Beside(self._database).add_connector(name, connector)
        rows = DiskStates(self._database, f"{name}\0{connector}")
        return LookupStates(self._database, rows, name, lookup.by)

    def _follow(
        self,
        states: LookupStates,
        connector: str,
        streams: Sequence[ChangeStream],
        base: Base | None,
    ) -> None:
        numbers = self._plan.numbers
        before = Progress() if base is None else base.progress(connector, numbers)
        settled = None if base is None else base.settled(connector, numbers)
        redeliveries = Redeliveries(DiskSeen(self._database), before.highest, settled)
        fold = Fold(states, self._read, before.fold)
        for change in in_commit_order(streams):
            if not redeliveries.is_new(change):
                continue
            time_us = change.archived.record.event_time_us or 0
            states.at = (text_bytes(connector), change.place.packed(), time_us)
            for _ in fold.apply(change):
                pass

    def _records(self, stream: int, wanted: FileFilter) -> Iterator[ArchivedRecord]:
        return self._files.records(self._reader, stream, lambda named: wanted(named.file))


def told(
    witnesses: Witnesses, read: ReadRow, archived: ArchivedRecord
) -> Iterator[tuple[int, Any]]:
    """What a record says of its transaction's actor, each with the number of the source."""
    record = archived.record
    sources, image = witnesses.messages, None
    if record.op != OP_MESSAGE:
        sources = witnesses.of_table(record.table)[0]
        image = read(archived, record.after) if sources else None
    for source in sources:
        value = witnesses.told(source, record, image)
        if value is not None:
            yield source, value


def change(archived: ArchivedRecord, stream: int) -> Change:
    """A record that is no change of a row, as one: with its transaction, and no place in the order
    of commits.
    """
    place = Place(0, 0, 0, stream, archived.incarnation, archived.record.offset)
    return Change(archived, position(archived.record), place)
