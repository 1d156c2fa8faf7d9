"""What will become one commit: a contiguous range of offsets of one topic partition, in memory.

Every offset that comes in is accounted for (I4): archived, quarantined (I8), skipped by the
settings, or absent from the log. Pure but for the memory it holds; time is told by the caller.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

from cdc_archive.archive.format import avro, layout
from cdc_archive.archive.format.commit import Skipped
from cdc_archive.archive.writer.open_file import FileFormat, FileIdentity, OpenFile
from cdc_archive.changelog.hour import Hour, hour_of, plausible
from cdc_archive.changelog.position import OffsetRange, TopicPartition
from cdc_archive.changelog.record import JsonText
from cdc_archive.decode.decoder import Decoded
from cdc_archive.errors import Undecodable
from cdc_archive.source.message import Message

Decode = Callable[[Message], Decoded]
"""Turns a message into a record, or raises `Undecodable`."""


class Taken(NamedTuple):
    """What became of a message: `kind` is `changes`, `quarantine` or `skipped`; `label` its op or
    reason; `event_time_us` its time if it is a change that tells one.
    """

    kind: str
    label: str
    event_time_us: int | None = None


class Batch:
    """An open batch.

    Args:
        partition: the topic partition that all messages come from.
        start: the first offset that is to be accounted for.
        decode: what reads a message.
        form: how its files are written.
        skip: whether the settings leave this topic out.
    """

    def __init__(
        self,
        partition: TopicPartition,
        start: int,
        decode: Decode,
        form: FileFormat,
        *,
        skip: bool,
    ) -> None:
        self.partition = partition
        self.start = self.next_offset = start
        self.opened_at = 0.0
        self.messages = 0
        self.buffered_bytes = 0
        self.newest_event_us: int | None = None
        self._decode = decode
        self._form = form
        self._skip = skip
        self._prefix = avro.position(partition)
        self._files: dict[FileIdentity, OpenFile] = {}
        self._schemas: dict[JsonText, str] = {}
        self._skipped: Skipped | None = None
        self._absent: list[tuple[int, int]] = []

    def take(self, message: Message, now: float) -> Taken | None:
        """Account for one message; None if its offset was accounted for before.

        Args:
            message: the next one of the partition.
            now: monotonic seconds; that of the first message is the birth of the batch.
        """
        if message.offset < self.next_offset:
            return None
        if message.offset > self.next_offset:
            self._absent.append((self.next_offset, message.offset))
        taken = self._take(message)
        if self.messages == 0:
            self.opened_at = now
        self.next_offset = message.offset + 1
        self.messages += 1
        return taken

    def _take(self, message: Message) -> Taken:
        if self._skip:
            self._count_skipped(message.offset)
            return Taken("skipped", "settings")
        try:
            decoded = self._decode(message)
        except Undecodable as error:
            self._quarantine(message, error)
            return Taken(layout.QUARANTINE, error.reason)
        record = decoded.record
        identity = FileIdentity(
            layout.CHANGES,
            record.table,
            hour_of(record.event_time_us),
            self._fingerprint(decoded.value_schema),
        )
        encoded = avro.change(self._prefix, record)
        self._append(
            identity, decoded.value_schema, encoded, message.offset, record.event_time_us, record.op
        )
        return Taken(layout.CHANGES, record.op, record.event_time_us)

    def _count_skipped(self, offset: int) -> None:
        known = self._skipped
        first, count = (offset, 0) if known is None else (known.first_offset, known.count)
        self._skipped = Skipped("settings", count + 1, first, offset)

    def _quarantine(self, message: Message, error: Undecodable) -> None:
        us = message.timestamp * 1000
        identity = FileIdentity(
            layout.QUARANTINE, message.topic, hour_of(us if plausible(us) else None), None
        )
        encoded = avro.quarantined(self._prefix, message, error.reason, error.detail)
        self._append(identity, None, encoded, message.offset, None, error.reason)

    def _append(
        self,
        identity: FileIdentity,
        schema: JsonText | None,
        encoded: bytes,
        offset: int,
        event_time_us: int | None,
        label: str,
    ) -> None:
        file = self._files.get(identity)
        if file is None:
            file = self._files[identity] = OpenFile(identity, self.partition, schema, self._form)
            self.buffered_bytes += file.buffered_bytes
        before = file.buffered_bytes
        file.append(encoded, offset, event_time_us, label)
        self.buffered_bytes += file.buffered_bytes - before
        if event_time_us is not None:
            newest = self.newest_event_us
            self.newest_event_us = event_time_us if newest is None else max(newest, event_time_us)

    def _fingerprint(self, schema: JsonText | None) -> str | None:
        if schema is None:
            return None
        known = self._schemas.get(schema)
        if known is None:
            known = self._schemas[schema] = hashlib.sha256(schema).hexdigest()
        return known

    @property
    def open_files(self) -> int:
        """How many files are open."""
        return len(self._files)

    @property
    def range(self) -> OffsetRange:
        """The offsets accounted for so far."""
        return OffsetRange(self.start, self.next_offset)

    def files(self) -> Sequence[OpenFile]:
        """The open files, in an order that the data alone decides."""
        return [self._files[identity] for identity in sorted(self._files, key=_order)]

    def skipped(self) -> list[Skipped]:
        """What the settings left out."""
        return [] if self._skipped is None else [self._skipped]

    def absent(self) -> list[tuple[int, int]]:
        """Offsets that the log did not hand out."""
        return self._absent

    def oldest_hour_open(self) -> Hour | None:
        """The earliest hour among the open files of changes."""
        hours = [identity.hour for identity in self._files if identity.kind == layout.CHANGES]
        return min(hours, default=None)


def _order(identity: FileIdentity) -> tuple[str, str, Hour, str]:
    return (*identity[:3], identity.value_schema or "")
