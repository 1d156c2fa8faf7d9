"""Record batches in a fetched answer: where they stand, what their headers say, what is in them.

kafka-python's classes tell it; but each copies the bytes that it is given, so here they are
given no more than they need.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, Final, Protocol

from kafka.errors import CorruptRecordError, KafkaError, UnsupportedCodecError
from kafka.record.default_records import DefaultRecordBatch
from kafka.record.legacy_records import LegacyRecordBatch
from kafka.record.memory_records import MemoryRecords
from kafka.record.util import calc_crc32c

from cdc_archive.changelog.position import TopicPartition
from cdc_archive.source.message import NO_TIMESTAMP, Message
from cdc_archive.source.record_batch import Common, KnownHeaders, RecordBatch

_LENGTH: Final = struct.Struct(">i")
_HEADER: Final = DefaultRecordBatch.HEADER_STRUCT.size
_PRESENT: Final = 2
"""The magic of batches since Kafka 0.11; those before have another form."""


class Reading(Protocol):
    """The messages of one batch, read some at a time."""

    def read(self, into: list[Message], most: int) -> bool:
        """Append the next messages, `most` or fewer; whether there are more.

        Raises:
            CorruptRecordError: what comes next is no record. Those before it were appended.
        """
        ...


class Batch:
    """One batch.

    Args:
        data: the whole answer.
        start: where in it the batch begins.
        end: where in it the batch ends.

    Raises:
        UnsupportedCodecError: it is of no form that is known.
    """

    def __init__(self, data: bytes, start: int, end: int) -> None:
        self._data, self._start, self._end = data, start, end
        self.size = end - start
        magic = data[start + MemoryRecords.MAGIC_OFFSET]
        if magic > _PRESENT:
            raise UnsupportedCodecError(f"a batch of magic {magic}, which nobody knows")
        self.is_present = magic == _PRESENT
        view = memoryview(data)[start:end]
        self.header: Any = (
            DefaultRecordBatch(view[:_HEADER])
            if self.is_present
            else LegacyRecordBatch(view, magic)
        )
        """What its header says, in kafka-python's names."""

    def whole(self) -> Any:
        """The batch as kafka-python reads it."""
        return DefaultRecordBatch(memoryview(self._data)[self._start : self._end])

    def validate_crc(self) -> bool:
        """Whether it is what was sent."""
        if not self.is_present:
            return bool(self.header.validate_crc())
        checked = memoryview(self._data)[self._start : self._end]
        found = calc_crc32c(checked[DefaultRecordBatch.ATTRIBUTES_OFFSET :])
        return bool(found == self.header.crc)

    def messages(self, partition: TopicPartition, known: KnownHeaders) -> Reading:
        """What is in it.

        Raises:
            CorruptRecordError, UnsupportedCodecError: it cannot be decompressed.
        """
        header = self.header
        if not self.is_present:
            with _told_as_damage():
                return _Legacy(partition, iter([*header]))
        stamped = header.max_timestamp if header.timestamp_type else None
        common = Common(*partition, header.base_offset, header.first_timestamp, stamped)
        data, pos, end = self._data, self._start + _HEADER, self._end
        if header.compression_type:
            with _told_as_damage():
                data = bytes(iter(self.whole())._buffer)  # noqa: SLF001  # iterating decompresses
            pos, end = 0, len(data)
        return RecordBatch(common, data, pos, end, header.records_count, known)


def batches(data: bytes) -> Iterator[Batch]:
    """All batches that are in `data` to their end; the last one is often cut off.

    Raises:
        CorruptRecordError: a batch is smaller than any.
        UnsupportedCodecError: one is of no form that is known.
    """
    start, overhead = 0, MemoryRecords.LOG_OVERHEAD
    while len(data) - start >= overhead:
        (length,) = _LENGTH.unpack_from(data, start + MemoryRecords.LENGTH_OFFSET)
        end = start + overhead + length
        if end > len(data):
            return
        if end - start < MemoryRecords.MIN_SLICE:
            raise CorruptRecordError(f"a batch of {end - start} bytes")
        yield Batch(data, start, end)
        start = end


@contextmanager
def _told_as_damage() -> Iterator[None]:
    """What the libraries that decompress say, each in its own way."""
    try:
        yield
    except (KafkaError, MemoryError):
        raise
    except Exception as error:
        raise CorruptRecordError(f"it cannot be decompressed: {error!r}") from error


class _Legacy:
    """Messages of a batch as it was before Kafka 0.11: without headers, each with its own CRC."""

    def __init__(self, partition: TopicPartition, records: Iterator[Any]) -> None:
        self._partition = partition
        self._records = records

    def read(self, into: list[Message], most: int) -> bool:
        """See `Reading`."""
        had = len(into)
        for record in islice(self._records, most):
            if not record.validate_crc():
                raise CorruptRecordError(f"{self._partition}: offset {record.offset}, wrong CRC")
            at, kind = record.timestamp, record.timestamp_type
            into.append(
                Message(
                    *self._partition,
                    record.offset,
                    -1 if at is None else at,
                    NO_TIMESTAMP if kind is None else kind,
                    record.key,
                    record.value,
                )
            )
        return len(into) - had == most
