"""Whether a data file holds what its commit says of it. Every record is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from cdc_archive.archive.format.commit import Commit, FileEntry
from cdc_archive.archive.format.layout import QUARANTINE
from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.changelog.hour import hour_of
from cdc_archive.changelog.position import TopicPartition


class _Seen(NamedTuple):
    place: TopicPartition
    offset: int
    label: str
    event_time_us: int | None
    home: tuple[str | None, str, str] | None


def offsets(reader: ArchiveReader, file: FileEntry, commit: Commit) -> list[int]:
    """The offsets of a file whose content agrees with its entry.

    Raises:
        ArchiveDamaged: missing, altered or unreadable.
        ValueError: what disagrees.
    """
    seen = list(_quarantined(reader, file) if file.kind == QUARANTINE else _changes(reader, file))
    found = [one.offset for one in seen]
    _require(all(one.place == commit.topic_partition for one in seen), "another topic partition")
    _require(found == sorted(set(found)), "offsets that do not rise")
    _require(len(found) == file.records, f"{len(found)} records instead of {file.records}")
    ends = [found[0], found[-1]] if found else []
    _require(ends == [file.first_offset, file.last_offset], f"offsets {ends}")
    counts = Counter(one.label for one in seen)
    _require(dict(counts) == file.counts, f"counts {dict(counts)} instead of {file.counts}")
    times = [one.event_time_us for one in seen if one.event_time_us is not None]
    span = (min(times, default=None), max(times, default=None))
    _require(span == (file.min_event_time_us, file.max_event_time_us), f"event times {span}")
    homes = {one.home for one in seen} - {None}
    _require(homes <= {(file.table, file.date, file.hour)}, f"records of {sorted(map(str, homes))}")
    return found


def _changes(reader: ArchiveReader, file: FileEntry) -> Iterator[_Seen]:
    for archived in reader.file(file, 0):
        record = archived.record
        home = (record.table, *hour_of(record.event_time_us))
        place, time = record.topic_partition, record.event_time_us
        yield _Seen(place, record.offset, record.op, time, home)


def _quarantined(reader: ArchiveReader, file: FileEntry) -> Iterator[_Seen]:
    for message, reason, _ in reader.quarantined(file):
        place = TopicPartition(message.topic, message.partition)
        yield _Seen(place, message.offset, reason, None, None)


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(f"its content disagrees with its commit: {what}")
