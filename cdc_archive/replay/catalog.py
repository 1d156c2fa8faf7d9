"""What an archive holds, looked through once, for looking at one table of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from itertools import chain

from cdc_archive.archive.format.commit import FileEntry
from cdc_archive.archive.format.key_filter import KeyFilter
from cdc_archive.archive.reader.reader import ArchiveReader, FileFilter, every_file
from cdc_archive.archive.reader.woven import NamedFile, bare
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.decode.images import key_value
from cdc_archive.replay.plan import holds_rows
from cdc_archive.replay.planning import Planning
from cdc_archive.replay.report import Report


class Catalog:
    """The files of all topic partitions that hold row changes, by number of the partition.

    Args:
        reader: the archive; every commit is read, no data file.
        database: where the files' names are kept.
    """

    def __init__(self, reader: ArchiveReader, database: sqlite3.Connection) -> None:
        self.reader = reader
        planning = Planning(database)
        self.plan, _ = planning.walk(reader, None, keys=True)
        self.files = planning.files
        self._streams: dict[str, set[int]] = {}
        for stream, file in self.files.contents():
            if holds_rows(file) and file.table is not None:
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

    def named_files(
        self, stream: int, table: str, wanted: FileFilter = every_file
    ) -> Iterator[NamedFile]:
        """The wanted files of a table in a partition, in the order of its log."""

        def is_wanted(one: NamedFile) -> bool:
            return one.file.table == table and holds_rows(one.file) and wanted(one.file)

        return self.files.of(stream, is_wanted)

    def key_columns(self, table: str) -> set[tuple[str, ...]]:
        """The columns of a table's keys; empty: a key that is no object.

        As one record of each partition tells, out of the newest file that has keys.
        """
        found = set()
        for stream in self._streams[table]:
            files = [bare(one) for one in self.named_files(stream, table, _may_have_keys)]
            records = chain.from_iterable(map(self.reader.named, reversed(files)))
            key = next((one.record.key for one in records if one.record.key is not None), None)
            if key is not None:
                value = key_value(key)
                found.add(tuple(value) if isinstance(value, dict) else ())
        return found

    def account(self, stream: int) -> Report:
        """What the chain of a partition says of losses, quarantine and what was skipped."""
        report = Report()
        for counts in self.files.account(stream, self.plan.heads[stream][2]):
            report.add(counts)
        return report


def _may_have_keys(file: FileEntry) -> bool:
    return not isinstance(file.keys, KeyFilter) or any(file.keys.bits)
