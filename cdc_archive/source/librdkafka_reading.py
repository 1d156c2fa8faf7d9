"""Reads a topic once by confluent-kafka (librdkafka), see reading.py."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Iterator
from operator import methodcaller
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition

from cdc_archive.changelog.position import OffsetRange, TopicPartition
from cdc_archive.changelog.record import Headers
from cdc_archive.errors import CdcArchiveError, SourceUnreachable
from cdc_archive.source.librdkafka_damage import unreadable
from cdc_archive.source.librdkafka_settings import consumer_settings
from cdc_archive.source.message import NO_TIMESTAMP, Message
from cdc_archive.source.missing_topics import refuse_missing
from cdc_archive.source.options import KafkaOptions
from cdc_archive.source.raw_headers import RawHeaders
from cdc_archive.source.reachable import overheard
from cdc_archive.source.reading import ANSWER_S, SILENCE_S, Deleted, deleted, silent
from cdc_archive.source.refusal import why_refused
from cdc_archive.source.tls_files import require_usable_files

_log = logging.getLogger(__name__)

_AT_ONCE: Final = 2_000
_POLL_S: Final = 0.5
_headers_of: Final = methodcaller("headers")
"""Not called as a method, see librdkafka.py."""


class LibrdkafkaTopicReader:
    """See the port, source/reading.py.

    Args:
        options: how to reach the cluster; its topics and its group do not matter.
    """

    def __init__(self, options: KafkaOptions) -> None:
        self._options = options
        self._raw_headers = RawHeaders(options)

    def read(self, topic: str, since_ms: int | None) -> Iterator[Message | Deleted]:
        """See the port."""
        require_usable_files(self._options)
        # The client wants the name of a group, though it joins none.
        own = {"group.id": f"cdc-archive-{uuid.uuid4().hex}", "enable.partition.eof": True}
        settings = consumer_settings(self._options, _log) | own
        settings.pop("group.instance.id", None)
        with overheard(__name__):
            consumer = Consumer(settings)
            try:
                yield from self._read(consumer, topic, since_ms)
            except KafkaException as error:
                raise why_refused(self._options) or self._told(topic, error.args[0]) from None
            finally:
                self._raw_headers.close()
                consumer.close()

    def _read(self, consumer: Any, topic: str, since_ms: int | None) -> Iterator[Message | Deleted]:
        metadata = consumer.list_topics(timeout=self._options.connect_timeout_s)
        refuse_missing([topic], metadata.topics)
        theirs = [
            KafkaPartition(topic, number) for number in sorted(metadata.topics[topic].partitions)
        ]
        held = {
            one.partition: OffsetRange(*consumer.get_watermark_offsets(one, timeout=ANSWER_S))
            for one in theirs
        }
        starts = {number: one.start for number, one in held.items()}
        if since_ms is not None:
            asked = [KafkaPartition(topic, number, max(0, since_ms)) for number in held]
            found = consumer.offsets_for_times(asked, timeout=ANSWER_S)
            starts = {one.partition: one.offset for one in found if one.offset >= 0}
        for number, one in held.items():
            yield from deleted(TopicPartition(topic, number), one, starts.get(number))
        ends = {
            number: held[number].end for number, start in starts.items() if start < held[number].end
        }
        consumer.assign([KafkaPartition(topic, number, starts[number]) for number in ends])
        yield from self._to_the_ends(consumer, topic, ends)

    def _to_the_ends(self, consumer: Any, topic: str, ends: dict[int, int]) -> Iterator[Message]:
        heard = time.monotonic()
        while ends:
            found = consumer.consume(_AT_ONCE, _POLL_S)
            if found:
                heard = time.monotonic()
            elif time.monotonic() - heard > SILENCE_S:
                raise silent(topic, self._options.servers)
            for record in found:
                problem = record.error()
                if problem is None:
                    if record.offset() < ends.get(record.partition(), 0):
                        yield _message(record, self._headers(record))
                    at_end = record.offset() + 1 >= ends.get(record.partition(), 0)
                else:
                    at_end = problem.code() == KafkaError._PARTITION_EOF  # noqa: SLF001
                    if not at_end and not problem.retriable():
                        where = TopicPartition(topic, record.partition())
                        damage = unreadable(where, record.offset(), problem)
                        raise damage or self._told(topic, problem)
                if at_end:
                    ends.pop(record.partition(), None)

    def _headers(self, record: Any) -> Headers:
        try:
            return tuple(_headers_of(record) or ())
        except (UnicodeDecodeError, SystemError):  # the latter if it is not the last header
            partition = TopicPartition(record.topic(), record.partition())
            return self._raw_headers.of(partition, record.offset())

    def _told(self, topic: str, error: KafkaError) -> CdcArchiveError:
        told = f"Kafka at {self._options.servers} does not give {topic}: {error.str()}"
        return SourceUnreachable(told)


def _message(record: Any, headers: Headers) -> Message:
    kind, timestamp = record.timestamp()
    return Message(
        record.topic(),
        record.partition(),
        record.offset(),
        timestamp,
        kind - 1 if kind else NO_TIMESTAMP,
        record.key(),
        record.value(),
        headers,
    )
