"""Finding records: by table, topic, file, window, offset, or one row's key through its changes."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import partial
from itertools import islice
from typing import NamedTuple

from cdc_archive.archive.format.commit import FileEntry
from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.archive.reader.row_search import RowKeys, survey
from cdc_archive.archive.reader.window import Window
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.changelog.record import ArchivedRecord
from cdc_archive.errors import NothingFound
from cdc_archive.history.asked_key import AskedKey


class Wanted(NamedTuple):
    """What to look for; None: any. Table and topic may hold wildcards.

    `follow_key` is a key that the row has or had; what stood under its keys before or after it
    comes too (`cdc-archive history` tells rows apart).
    """

    table: str | None = None
    topic: str | None = None
    file: str | None = None
    window: Window = Window()
    offset: int | None = None
    follow_key: AskedKey | None = None

    def file_matches(self, file: FileEntry) -> bool:
        """Whether a file can hold a match."""
        return (
            (self.table is None or fnmatchcase(file.table or "", self.table))
            and (self.file is None or file.key == self.file)
            and (self.offset is None or file.first_offset <= self.offset <= file.last_offset)
            and self.window.may_hold(file)
        )

    def record_matches(self, archived: ArchivedRecord) -> bool:
        """Whether a record of such a file is one."""
        record = archived.record
        return self.window.holds(record.event_time_us) and self.offset in (None, record.offset)


def records(
    reader: ArchiveReader, wanted: Wanted, limit: int | None = None
) -> Iterator[ArchivedRecord]:
    """The matching records, partition by partition, in offset order.

    Raises:
        NothingFound: nothing matches; raised once the search is over.
    """
    found = islice(_search(reader, wanted), limit)
    first = next(found, None)
    if first is None:
        raise NothingFound("no archived record matches", "See what there is: cdc-archive ls")
    yield first
    yield from found


def _search(reader: ArchiveReader, wanted: Wanted) -> Iterator[ArchivedRecord]:
    rows: dict[str, RowKeys] = {}
    partitions = [
        one
        for one in reader.partitions()
        if wanted.topic is None or fnmatchcase(one.topic, wanted.topic)
    ]
    for partition in partitions:
        if wanted.follow_key is None:
            found = reader.scan(partition, wanted.file_matches)
        else:
            topic = partition.topic
            if topic not in rows:
                siblings = [one for one in partitions if one.topic == topic]
                rows[topic] = _followed(reader, siblings, wanted, wanted.follow_key)
            found = _of_row(reader, partition, wanted, rows[topic])
        yield from filter(wanted.record_matches, found)


def _of_row(
    reader: ArchiveReader, partition: TopicPartition, wanted: Wanted, row: RowKeys
) -> Iterator[ArchivedRecord]:
    def matches(file: FileEntry) -> bool:
        return wanted.file_matches(file) and row.in_file(file)

    for archived in reader.scan(partition, matches, lambda _, key, __: row.has(key)):
        if row.holds(archived.record.key):
            yield archived


def _followed(
    reader: ArchiveReader, topic: list[TopicPartition], wanted: Wanted, key: AskedKey
) -> RowKeys:
    """The keys of a row in the partitions of one topic, whenever it had them."""
    at_any_time = Wanted(table=wanted.table).file_matches
    files = [partial(reader.files, partition, at_any_time) for partition in topic]
    return RowKeys(survey(key, files, reader.named))
