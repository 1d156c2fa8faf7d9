"""librdkafka's mock broker: Kafka's protocol without Java, in this process."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Self

from confluent_kafka import Producer
from kafka import KafkaProducer

from cdc_archive.source.message import Message

PARTITIONS = 4
"""Of every topic: the mock broker cannot be told otherwise through its clients."""
API_VERSION = (2, 3)
"""What kafka-python has to be told: the mock broker's own answer is not enough for it."""


class _Raw(str):
    """Text that a producer encodes to bytes of our choice."""

    __slots__ = ("_bytes",)

    def __new__(cls, name: bytes) -> Self:
        text = super().__new__(cls, name.decode("latin-1"))
        text._bytes = name
        return text

    def encode(self, *_: str) -> bytes:
        return self._bytes


class MockBroker:
    """One broker; topics are made by `topic`."""

    def __init__(self, producer: Producer, servers: str) -> None:
        self.servers = servers
        self._producer = producer

    def topic(self, name: str | None = None) -> str:
        """A new topic of `PARTITIONS` partitions: the mock makes what a producer asks about."""
        name = name or f"t-{secrets.token_hex(4)}"
        deadline = time.monotonic() + 10
        while len(self._producer.list_topics(name, timeout=10).topics[name].partitions) == 0:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return name

    def produce_raw(self, topic: str, *messages: tuple[bytes, Iterable[bytes]]) -> None:
        """Messages to partition 0: value, and names of headers, whatever their bytes are."""
        producer = KafkaProducer(bootstrap_servers=self.servers, api_version=API_VERSION)
        for value, names in messages:
            headers = [(_Raw(name), b"1") for name in names]
            producer.send(topic, value, headers=headers, partition=0, timestamp_ms=1)
        producer.flush(10)
        producer.close()

    def produce(self, messages: Iterable[Message]) -> None:
        """Write messages in order; their offsets are given by the broker."""
        for one in messages:
            self._producer.produce(
                one.topic,
                partition=one.partition,
                key=one.key,
                value=one.value,
                headers=list(one.headers),
                timestamp=max(one.timestamp, 0),
            )
        assert self._producer.flush(10) == 0


@contextmanager
def mock_broker() -> Iterator[MockBroker]:
    """Start one, stop it at the end."""
    producer = Producer({"bootstrap.servers": "unused", "test.mock.num.brokers": 1, "linger.ms": 1})
    brokers = producer.list_topics(timeout=10).brokers.values()
    yield MockBroker(producer, ",".join(f"{broker.host}:{broker.port}" for broker in brokers))
