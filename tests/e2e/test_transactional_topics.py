"""A topic written in Kafka transactions ends with a marker, which is no message."""

from __future__ import annotations

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from support.listening import Listener
from support.real_stack import RealStack, wait_until

from cdc_archive.changelog.position import TopicPartition
from cdc_archive.source.kafka import KafkaSource
from cdc_archive.source.librdkafka import LibrdkafkaSource
from cdc_archive.source.options import KafkaOptions

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("client", [KafkaSource, LibrdkafkaSource])
def test_nothing_waits_beyond_the_marker_of_the_last_transaction(
    stack: RealStack, client: type[KafkaSource | LibrdkafkaSource]
) -> None:
    partition = TopicPartition(f"transactional.{client.__name__}", 0)
    admin = AdminClient({"bootstrap.servers": stack.kafka})
    admin.create_topics([NewTopic(partition.topic, 1, 1)])[partition.topic].result(20)
    producer = Producer({"bootstrap.servers": stack.kafka, "transactional.id": partition.topic})
    producer.init_transactions()
    producer.begin_transaction()
    producer.produce(partition.topic, b"{}", partition=0)
    producer.commit_transaction()
    source = client(KafkaOptions((stack.kafka,), partition.topic, topics=(partition.topic,)))
    source.open(Listener({partition: 0}))
    try:
        offsets: list[int] = []

        def read() -> bool:
            offsets.extend(one.offset for one in source.poll(0.5))
            return bool(offsets) and source.lag(partition) == 0

        wait_until(read, "the log to be read to its end")
        assert offsets == [0]
        assert source.position(partition) == source.log_range(partition).end == 2
    finally:
        source.close()
