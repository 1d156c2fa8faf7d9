"""What an archive holds, looked through once, for looking at one table of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from cdc_archive.archive.format.commit import FileEntry
from cdc_archive.archive.reader.reader import ArchiveReader, FileFilter
from cdc_archive.archive.reader.woven import NamedFile, weave
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.changelog.record import ArchivedRecord
from cdc_archive.history.order import ROWS
from cdc_archive.replay import plan
from cdc_archive.replay.plan import PlannedFiles, Planner
from cdc_archive.replay.report import Report


class Catalog:
    """The files of all topic partitions that hold row changes, by number of the partition.

    Args:
        reader: the archive; every commit is read, no data file.
        database: where the files' names are kept.
    """

    def __init__(self, reader: ArchiveReader, database: sqlite3.Connection) -> None:
        self.reader = reader
        database.executescript(plan.SCHEMA)
        database.execute("BEGIN")
        self.plan = Planner(reader, database, Report()).make()
        database.execute("COMMIT")
        self.files = PlannedFiles(database)
        self._streams: dict[str, set[int]] = {}
        for stream, file in self.files.contents():
            if _holds_changes(file) and file.table is not None:
                self._streams.setdefault(file.table, set()).add(stream)

    def tables(self) -> list[str]:
        """All tables of which there is a change, by their full names."""
        return sorted(self._streams)

    def named(self, name: str) -> list[str]:
        """The table of this full name, else those whose name ends so: `app.t` fits `db.app.t`."""
        if name in self._streams:
            return [name]
        return [table for table in self.tables() if table.endswith(f".{name}")]

    def streams(self, table: str) -> dict[int, TopicPartition]:
        """All partitions of the topics that hold a table: any may have lost changes of it."""
        topics = {self.plan.partition(stream).topic for stream in self._streams[table]}
        partitions = (self.plan.partition(stream) for stream in range(len(self.plan.heads)))
        return {number: one for number, one in enumerate(partitions) if one.topic in topics}

    def changes(self, stream: int, table: str, wanted: FileFilter) -> Iterator[ArchivedRecord]:
        """The records of a table in a partition, in the order of its log, out of wanted files."""

        def is_wanted(one: NamedFile) -> bool:
            return one.file.table == table and _holds_changes(one.file) and wanted(one.file)

        return weave(self.files.of(stream, is_wanted), self.reader.named)

    def account(self, stream: int) -> Report:
        """What the chain of a partition says of losses, quarantine and what was skipped."""
        report = Report()
        for counts in self.files.account(stream, self.plan.heads[stream][2]):
            report.add(counts)
        return report


def _holds_changes(file: FileEntry) -> bool:
    return not ROWS.isdisjoint(file.counts)
