"""What a topic partition's log holds, asked once, by a client that belongs to no group."""

from __future__ import annotations

from typing import Final

from kafka import KafkaConsumer
from kafka import TopicPartition as KafkaPartition
from kafka.errors import KafkaError

from cdc_archive.changelog.position import OffsetRange, TopicPartition
from cdc_archive.errors import SourceUnreachable, TopicMissing
from cdc_archive.source.kafka_settings import settings_outside_a_group
from cdc_archive.source.options import KafkaOptions
from cdc_archive.source.reachable import require_reachable

_ANSWER_MS: Final = 10_000


def held(options: KafkaOptions, partition: TopicPartition) -> OffsetRange:
    """The offsets that the log holds now: [first still held, next to be written).

    Raises:
        SourceUnreachable: no broker answers, or it refuses.
        TopicMissing: there is no such topic partition.
    """
    require_reachable(options.bootstrap_servers, options.connect_timeout_s)
    theirs = KafkaPartition(*partition)
    try:
        consumer = KafkaConsumer(**settings_outside_a_group(options))
        try:
            if partition.partition not in (consumer.partitions_for_topic(partition.topic) or ()):
                raise TopicMissing(f"the cluster has no topic partition {partition}")
            first = consumer.beginning_offsets([theirs], timeout_ms=_ANSWER_MS)[theirs]
            end = consumer.end_offsets([theirs], timeout_ms=_ANSWER_MS)[theirs]
        finally:
            consumer.close(autocommit=False)
    except (KafkaError, OSError) as error:
        told = f"Kafka at {options.servers} does not tell what {partition} holds: {error}"
        raise SourceUnreachable(told) from None
    return OffsetRange(first, end)
