"""A topic, filled once and archived by everyone who is measured."""

from __future__ import annotations

import secrets
from collections import Counter
from typing import NamedTuple

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from bench.realistic import events
from bench.stack import servers


class Topic(NamedTuple):
    """What was sent: messages by partition, bytes of keys and values."""

    name: str
    by_partition: dict[int, int]
    size: int

    @property
    def events(self) -> int:
        """Messages in all partitions."""
        return sum(self.by_partition.values())


def fill(recording: str, count: int, *, partitions: int = 4, hours: int = 0) -> Topic:
    """Send events; of each key always to the same partition. `hours` as in `realistic.events`."""
    name = f"speed-{recording}-{secrets.token_hex(3)}"
    config = {"retention.ms": "-1"}
    topic = NewTopic(name, partitions, 1, config=config)
    admin = AdminClient(servers())
    admin.create_topics([topic])[name].result(20)
    sent: Counter[int] = Counter()
    size = 0

    def on_delivery(error: object, message: object) -> None:
        assert error is None, error
        sent[message.partition()] += 1  # type: ignore[attr-defined]

    producer = Producer(servers() | {"linger.ms": 50, "queue.buffering.max.kbytes": 64 << 10})
    for _, event in zip(range(count), events(recording, hours=hours), strict=False):
        size += len(event.key) + len(event.value)
        while True:
            try:
                producer.produce(
                    name, event.value, event.key, headers=event.headers, on_delivery=on_delivery
                )
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    producer.flush()
    return Topic(name, dict(sorted(sent.items())), size)
