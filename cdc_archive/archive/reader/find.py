"""Finding records: by table, topic, file, window, offset, or one row's key through its changes."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import islice
from typing import NamedTuple

from cdc_archive.archive.format.commit import FileEntry
from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.archive.reader.row_search import RowSearch, Survey
from cdc_archive.archive.reader.window import Window
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.changelog.record import ArchivedRecord
from cdc_archive.errors import NothingFound
from cdc_archive.history.asked_key import AskedKey
from cdc_archive.history.fold import canonical


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
    keys: dict[str, set[str]] = {}
    partitions = [
        one
        for one in reader.partitions()
        if wanted.topic is None or fnmatchcase(one.topic, wanted.topic)
    ]
    for partition in partitions:
        topic = partition.topic
        if wanted.follow_key is not None and topic not in keys:
            siblings = [one for one in partitions if one.topic == topic]
            keys[topic] = _followed(reader, siblings, wanted, wanted.follow_key)
        for archived in reader.scan(partition, wanted.file_matches):
            if wanted.record_matches(archived) and (
                wanted.follow_key is None or canonical(archived.record.key) in keys[topic]
            ):
                yield archived


def _followed(
    reader: ArchiveReader, topic: list[TopicPartition], wanted: Wanted, key: AskedKey
) -> set[str]:
    """The keys of a row in the partitions of one topic, whenever it had them."""
    at_any_time = Wanted(table=wanted.table).file_matches
    found = Survey(key)
    for partition in topic:
        for archived in reader.scan(partition, at_any_time):
            found.look(archived)
    return RowSearch(found).keys
