"""What will become one commit: a contiguous range of offsets of one topic partition, in memory.

Every offset that comes in is accounted for (I4): archived, quarantined (I8), skipped by the
settings, or absent from the log. Pure but for the memory it holds; time is told by the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from cdc_archive.archive.format import layout
from cdc_archive.archive.format.commit import Skipped, SourceMark
from cdc_archive.archive.writer.express import Express
from cdc_archive.archive.writer.files import Files
from cdc_archive.archive.writer.open_file import Beside, FileFormat, OpenFile, at_once
from cdc_archive.archive.writer.stream_watch import StreamWatch
from cdc_archive.changelog.hour import Hour
from cdc_archive.changelog.position import OffsetRange, TopicPartition
from cdc_archive.decode.decoder import Decoded
from cdc_archive.decode.stream import StreamPoint
from cdc_archive.errors import StreamBroken, Undecodable
from cdc_archive.source.message import Message

ABSENT_BYTES: Final = 176
"""What a range of absent offsets costs: two numbers, a tuple, its place in a list."""

Decode = Callable[[Message], Decoded]
"""Turns a message into a record, or raises `Undecodable`."""


class Taken(NamedTuple):
    """What became of a message: `kind` is `changes`, `quarantine` or `skipped`; `label` its op or
    reason; `event_time_us` its time if it is a change that tells one.
    """

    kind: str
    label: str
    event_time_us: int | None = None


class Follows(NamedTuple):
    """What a batch comes after: the log's incarnation, and how far the change stream had come."""

    incarnation: int = 0
    source: SourceMark | None = None


AT_THE_BEGINNING: Final = Follows()


class Batch:
    """An open batch.

    Args:
        partition: the topic partition that all messages come from.
        start: the first offset that is to be accounted for.
        decode: what reads a message.
        form: how its files are written.
        skip: whether the settings leave this topic out.
        follows: what the batch comes after.
        beside: where blocks are compressed.
    """

    def __init__(
        self,
        partition: TopicPartition,
        start: int,
        decode: Decode,
        form: FileFormat,
        *,
        skip: bool,
        follows: Follows = AT_THE_BEGINNING,
        beside: Beside = at_once,
    ) -> None:
        self.partition = partition
        self.start = self.next_offset = start
        self.opened_at = 0.0
        self.messages = 0
        self._decode = decode
        self._skip = skip
        self._files = Files(partition, form, follows.incarnation, beside)
        self._skipped: Skipped | None = None
        self._absent: list[tuple[int, int]] = []
        self._stream = StreamWatch(follows.source)
        self._express = Express(partition, self._files, self._stream)

    def take_quickly(self, messages: Sequence[Message], at: int, now: float) -> Sequence[str]:
        """Account for messages from `at` on, up to the first that is not as most are: see express.

        Returns:
            the op of each that was taken; the next one is for `take`.
        """
        if self._skip:
            return ()
        ops = self._express.run(messages, at, self.next_offset)
        if ops and self.messages == 0:
            self.opened_at = now
        self.next_offset += len(ops)
        self.messages += len(ops)
        return ops

    def take(self, message: Message, now: float) -> Taken | None:
        """Account for one message; None if its offset was accounted for before.

        Args:
            message: the next one of the partition.
            now: monotonic seconds; that of the first message is the birth of the batch.

        Raises:
            StreamBroken: the connector begins anew with this message, which is not taken.
        """
        if message.offset < self.next_offset:
            return None
        read = None if self._skip else self._read(message)
        if message.offset > self.next_offset:
            self._absent.append((self.next_offset, message.offset))
        taken = self._keep(message, read)
        if self.messages == 0:
            self.opened_at = now
        self.next_offset = message.offset + 1
        self.messages += 1
        return taken

    def _read(self, message: Message) -> Decoded | Undecodable:
        try:
            decoded = self._decode(message)
        except Undecodable as error:
            return error
        begins = self._stream.broken_at(decoded.record)
        if begins is not None:
            raise self._broken(message.offset, begins)
        return decoded

    def _broken(self, offset: int, begins: StreamPoint) -> StreamBroken:
        known = 0 if self.source is None else self.source.position
        return StreamBroken(
            f"{self.partition}: offset {offset} begins a new stream of connector "
            f"{begins.connector} at position {begins.position}, after changes up to position "
            f"{known}: the connector lost its replication slot or its offsets, and what changed in "
            "between may never have been sent",
            begins.connector,
            begins.position,
        )

    def _keep(self, message: Message, read: Decoded | Undecodable | None) -> Taken:
        if read is None:
            self._count_skipped(message.offset)
            return Taken("skipped", "settings")
        if isinstance(read, Undecodable):
            self._files.quarantine(message, read)
            return Taken(layout.QUARANTINE, read.reason)
        try:
            self._files.add(read)
        except Undecodable as error:
            self._files.quarantine(message, error)
            return Taken(layout.QUARANTINE, error.reason)
        return Taken(layout.CHANGES, read.record.op, read.record.event_time_us)

    def _count_skipped(self, offset: int) -> None:
        known = self._skipped
        first, count = (offset, 0) if known is None else (known.first_offset, known.count)
        self._skipped = Skipped("settings", count + 1, first, offset)

    def settle(self) -> None:
        """Take note of what was compressed by now."""
        self._files.settle()

    @property
    def buffered_bytes(self) -> int:
        """Bytes held in memory."""
        return self._files.buffered_bytes + ABSENT_BYTES * len(self._absent)

    @property
    def newest_event_us(self) -> int | None:
        """The latest event time, microseconds; None: no change tells one."""
        return self._files.newest_event_us

    @property
    def open_files(self) -> int:
        """How many files are open."""
        return len(self._files)

    @property
    def range(self) -> OffsetRange:
        """The offsets accounted for so far."""
        return OffsetRange(self.start, self.next_offset)

    @property
    def source(self) -> SourceMark | None:
        """How far the change stream has come at the end of the batch."""
        return self._stream.mark()

    def files(self) -> Sequence[OpenFile]:
        """The open files, in an order that the data alone decides."""
        return self._files.in_order()

    def skipped(self) -> list[Skipped]:
        """What the settings left out."""
        return [] if self._skipped is None else [self._skipped]

    def absent(self) -> list[tuple[int, int]]:
        """Offsets that the log did not hand out."""
        return self._absent

    def oldest_hour_open(self) -> Hour | None:
        """The earliest hour among the open files of changes."""
        return self._files.oldest_hour()
