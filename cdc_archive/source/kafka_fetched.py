"""What kafka-python fetched, handed out as our messages: `poll` gives those and not its records.

Its own way makes three objects of each record and measures every header, which is most of what
reading costs. So for a consumer of ours another class stands for what came of one partition. This
is the one place that knows kafka-python's private names for that (its consumer/fetcher.py,
`PartitionRecords`); which batches are left out, and where a partition stands, follow its rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import dropwhile
from typing import Any, Final

from kafka import KafkaConsumer
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError, UnsupportedCodecError
from kafka.protocol.consumer import IsolationLevel

from cdc_archive.changelog.position import TopicPartition
from cdc_archive.source.damaged_batch import damaged_batch, unknown_batch
from cdc_archive.source.kafka_batches import Batch, Reading, batches
from cdc_archive.source.kafka_wire import receive_in_pieces
from cdc_archive.source.message import Message
from cdc_archive.source.record_batch import KnownHeaders

_COMMITTED: Final = IsolationLevel.READ_COMMITTED


def consumer_of_messages(settings: Mapping[str, Any]) -> Any:
    """A `KafkaConsumer` whose `poll` gives lists of `Message`."""
    receive_in_pieces()
    consumer = KafkaConsumer(**settings)
    consumer._fetcher.PartitionRecords = partial(Fetched, KnownHeaders())  # noqa: SLF001
    return consumer


class Fetched(Fetcher.PartitionRecords):  # type: ignore[misc]  # the library is untyped
    """What was fetched of one partition, until all of it was taken.

    Args:
        known: headers that were read before.
        given: as for kafka-python's own class.
    """

    next_fetch_offset: int
    record_iterator: Iterator[Reading] | None
    """Of batches, not of records; None when all was taken."""

    def __init__(
        self, known: KnownHeaders, fetch_offset: int, tp: Any, records: Any, **given: Any
    ) -> None:
        super().__init__(fetch_offset, tp, records, **given)
        self._known = known
        self._reading: Reading | None = None
        self._is_before = True
        self.record_iterator = self._batches(bytes(records._buffer))  # noqa: SLF001

    def take(self, n: int) -> list[Message]:
        """The next messages, `n` or fewer.

        What comes before damage is handed out first. Then the rest is dropped, to be fetched again:
        kafka-python's own class would stay, give nothing, and be asked for ever.

        Raises:
            SourceDamaged: a batch or a record is damaged, or of an unknown form.
        """
        found: list[Message] = []
        try:
            self._maybe_raise_next_inline_exception()
            while len(found) < n and (reading := self._batch()) is not None:
                self._read(reading, found, n - len(found))
        except Exception as error:
            if not found:
                self.drain()
                if isinstance(error, CorruptRecordError):
                    raise damaged_batch(*self._place, str(error)) from error
                if isinstance(error, UnsupportedCodecError):
                    raise unknown_batch(*self._place, str(error)) from error
                raise
            self._next_inline_exception = error
        return found

    @property
    def _place(self) -> tuple[TopicPartition, int]:
        return TopicPartition(*self.topic_partition), self.next_fetch_offset

    def _batch(self) -> Reading | None:
        """The batch that is being read, else the next."""
        if self._reading is None and self.record_iterator is not None:
            self._reading = next(self.record_iterator, None)
        return self._reading

    def _read(self, reading: Reading, into: list[Message], most: int) -> None:
        had, self._reading = len(into), None
        try:
            if reading.read(into, most):
                self._reading = reading
        finally:
            new = into[had:]
            if new:
                self.records_read += len(new)
                self.next_fetch_offset = new[-1].offset + 1
                if self._is_before:  # a batch may begin before what was asked for
                    into[had:] = dropwhile(self._maybe_skip_record, new)
                    self._is_before = len(into) == had

    def _batches(self, data: bytes) -> Iterator[Reading]:
        partition = TopicPartition(*self.topic_partition)
        batch = None
        for batch in batches(data):
            if self.check_crcs and not batch.validate_crc():
                at = batch.header.base_offset
                raise CorruptRecordError(f"the batch at offset {at} has a wrong CRC")
            self.bytes_read += batch.size
            if batch.is_present:
                self.leader_epoch = batch.header.leader_epoch
                if self._is_left_out(batch):
                    self.next_fetch_offset = batch.header.next_offset
                    continue
            yield batch.messages(partition, self._known)
        if batch is not None and batch.is_present:  # its last record may be compacted away
            self.next_fetch_offset = batch.header.next_offset
        self.drain()

    def _is_left_out(self, batch: Batch) -> bool:
        """Whether it was aborted, or marks the end of a transaction (KIP-98)."""
        header = batch.header
        if self.isolation_level == _COMMITTED and header.has_producer_id():
            self._consume_aborted_transactions_up_to(header.last_offset)
            if header.is_control_batch:
                if self._contains_abort_marker(batch.whole()):
                    self.aborted_producer_ids.discard(header.producer_id)
            elif self._is_batch_aborted(header):
                return True
        return bool(header.is_control_batch)
