"""What an archive holds in quarantine, message by message, and what was recovered from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from cdc_archive.archive.format.layout import QUARANTINE
from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.source.message import Message


class Held(NamedTuple):
    """A quarantined message: why, where it lies, and which commit recovered it (None: none yet)."""

    message: Message
    reason: str
    detail: str
    file: str
    sequence: int
    incarnation: int
    recovered_by: int | None


class Asked(NamedTuple):
    """Which messages are asked for; wildcards in topic and reason; None: any."""

    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    reason: str | None = None


def held(reader: ArchiveReader, asked: Asked) -> Iterator[Held]:
    """The quarantined messages of all partitions asked for, in the order of their logs."""
    for partition in reader.partitions():
        if asked.topic is not None and not fnmatchcase(partition.topic, asked.topic):
            continue
        if asked.partition in (None, partition.partition):
            yield from of_partition(reader, partition, asked)


def of_partition(
    reader: ArchiveReader,
    partition: TopicPartition,
    asked: Asked = Asked(),  # noqa: B008  # a value
) -> Iterator[Held]:
    """The quarantined messages of one partition; memory: one file.

    Raises:
        ArchiveDamaged: a file is missing, altered or unreadable.
    """
    recovered = _recovered(reader, partition)
    for commit in reader.commits(partition):
        for file in commit.files:
            if file.kind != QUARANTINE or not _may_hold(file.counts, asked.reason):
                continue
            if asked.offset is not None and not (
                file.first_offset <= asked.offset <= file.last_offset
            ):
                continue
            for message, reason, detail in reader.quarantined(file):
                if asked.offset not in (None, message.offset):
                    continue
                if asked.reason is None or fnmatchcase(reason, asked.reason):
                    by = recovered.get((file.key, message.offset))
                    yield Held(
                        message,
                        reason,
                        detail,
                        file.key,
                        commit.sequence,
                        commit.log.incarnation,
                        by,
                    )


def lines(found: Iterable[Held]) -> Iterator[dict[str, Any]]:
    """A row for each message."""
    for held in found:
        message = held.message
        yield {
            "topic": message.topic,
            "partition": message.partition,
            "offset": message.offset,
            "reason": held.reason,
            "detail": held.detail,
            "bytes": len(message.value or b""),
            "recovered_by": held.recovered_by,
        }


def summary(found: Iterable[Held]) -> Iterator[dict[str, Any]]:
    """A row for each topic partition and reason."""
    groups: dict[tuple[str, int, str], list[int]] = {}
    for held in found:
        place = (held.message.topic, held.message.partition, held.reason)
        groups.setdefault(place, []).append(held.message.offset)
    for (topic, partition, reason), offsets in sorted(groups.items()):
        yield {
            "topic": topic,
            "partition": partition,
            "reason": reason,
            "messages": len(offsets),
            "first_offset": offsets[0],
            "last_offset": offsets[-1],
        }


def _may_hold(counts: dict[str, int], reason: str | None) -> bool:
    return reason is None or any(fnmatchcase(known, reason) for known in counts)


def _recovered(reader: ArchiveReader, partition: TopicPartition) -> dict[tuple[str, int], int]:
    return {
        (one.origin, offset): commit.sequence
        for commit, one in reader.recovered(partition)
        for start, end in one.offsets
        for offset in range(start, end)
    }
