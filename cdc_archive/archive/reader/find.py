"""Finding records: by table, topic, file, window, offset, or one row's key through its changes."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import islice
from typing import Final, NamedTuple

from cdc_archive.archive.format.commit import FileEntry
from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.archive.reader.window import Window
from cdc_archive.changelog.record import ArchivedRecord
from cdc_archive.decode.images import key_value
from cdc_archive.errors import NothingFound

NEW_KEY: Final = "__debezium.newkey"
"""Header on the delete (and tombstone) of a key change: the key that the row has from now on."""


class Wanted(NamedTuple):
    """What to look for; None: any. Table and topic may hold wildcards; `follow_key` is JSON."""

    table: str | None = None
    topic: str | None = None
    file: str | None = None
    window: Window = Window()
    offset: int | None = None
    follow_key: str | None = None

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
    for partition in reader.partitions():
        if wanted.topic is not None and not fnmatchcase(partition.topic, wanted.topic):
            continue
        follow = None if wanted.follow_key is None else _Follow(wanted.follow_key)
        for archived in reader.scan(partition, wanted.file_matches):
            if wanted.record_matches(archived) and (follow is None or follow.is_it(archived)):
                yield archived


class _Follow:
    """Recognises the messages of one row, and learns its new key when the key changes."""

    def __init__(self, key: str) -> None:
        self._keys = [key_value(key.encode("utf-8", "surrogateescape"))]

    def is_it(self, archived: ArchivedRecord) -> bool:
        if key_value(archived.record.key) not in self._keys:
            return False
        for name, value in archived.record.headers:
            if name == NEW_KEY and (new := key_value(value)) not in self._keys:
                self._keys.append(new)
        return True
