"""Reads a topic once by kafka-python, see reading.py."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

from kafka import TopicPartition as KafkaPartition
from kafka.errors import KafkaError

from cdc_archive.changelog.position import OffsetRange, TopicPartition
from cdc_archive.errors import SourceUnreachable
from cdc_archive.source.kafka_fetched import consumer_of_messages
from cdc_archive.source.kafka_settings import settings_outside_a_group
from cdc_archive.source.message import Message
from cdc_archive.source.missing_topics import refuse_missing
from cdc_archive.source.options import KafkaOptions
from cdc_archive.source.reachable import require_reachable
from cdc_archive.source.reading import ANSWER_S, SILENCE_S, Deleted, deleted, silent
from cdc_archive.source.refusal import why_refused
from cdc_archive.source.tls_files import require_usable_files

_POLL_MS: Final = 500
_ANSWER_MS: Final = int(ANSWER_S * 1000)


class KafkaTopicReader:
    """See the port, source/reading.py.

    Args:
        options: how to reach the cluster; its topics and its group do not matter.
    """

    def __init__(self, options: KafkaOptions) -> None:
        self._options = options

    def read(self, topic: str, since_ms: int | None) -> Iterator[Message | Deleted]:
        """See the port."""
        require_usable_files(self._options)
        require_reachable(self._options.bootstrap_servers, self._options.connect_timeout_s)
        try:
            consumer = consumer_of_messages(settings_outside_a_group(self._options))
            try:
                yield from self._read(consumer, topic, since_ms)
            finally:
                consumer.close(autocommit=False)
        except (KafkaError, OSError, ValueError) as error:
            told = f"Kafka at {self._options.servers} does not give {topic}: {error}"
            raise why_refused(self._options) or SourceUnreachable(told) from None

    def _read(self, consumer: Any, topic: str, since_ms: int | None) -> Iterator[Message | Deleted]:
        refuse_missing([topic], consumer.topics())
        theirs = [
            KafkaPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic))
        ]
        firsts = consumer.beginning_offsets(theirs, timeout_ms=_ANSWER_MS)
        ends = consumer.end_offsets(theirs, timeout_ms=_ANSWER_MS)
        starts = firsts if since_ms is None else _starts(consumer, theirs, since_ms)
        for one in theirs:
            held = OffsetRange(firsts[one], ends[one])
            yield from deleted(TopicPartition(*one), held, starts[one])
        open_ends = {
            one: ends[one]
            for one in theirs
            if (start := starts[one]) is not None and start < ends[one]
        }
        consumer.assign(list(open_ends))
        for one in open_ends:
            consumer.seek(one, starts[one])
        yield from self._to_the_ends(consumer, topic, open_ends)

    def _to_the_ends(
        self, consumer: Any, topic: str, ends: dict[KafkaPartition, int]
    ) -> Iterator[Message]:
        heard = time.monotonic()
        positions: dict[KafkaPartition, int | None] = {}
        while ends:
            for one, messages in consumer.poll(_POLL_MS).items():
                yield from (message for message in messages if message.offset < ends[one])
            reached = {one: consumer.position(one, timeout_ms=_ANSWER_MS) for one in ends}
            if reached != positions:
                heard, positions = time.monotonic(), reached
            elif time.monotonic() - heard > SILENCE_S:
                raise silent(topic, self._options.servers)
            done = [one for one in ends if (reached[one] or 0) >= ends[one]]
            if done:
                ends = {one: end for one, end in ends.items() if one not in done}
                positions = {}
                consumer.assign(list(ends))


def _starts(
    consumer: Any, partitions: list[KafkaPartition], since_ms: int
) -> dict[KafkaPartition, int | None]:
    found = consumer.offsets_for_times({one: max(0, since_ms) for one in partitions})
    return {one: None if found.get(one) is None else found[one].offset for one in partitions}
