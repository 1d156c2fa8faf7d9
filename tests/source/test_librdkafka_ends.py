"""The position of a topic partition whose log ends with what is no message."""

from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka import KafkaError
from support.fake_consumer import Consumer, Record

from cdc_archive.changelog.position import TopicPartition
from cdc_archive.source.librdkafka import LibrdkafkaSource
from cdc_archive.source.options import KafkaOptions

PARTITION = TopicPartition("t", 0)


def end(offset: int) -> Record:
    return Record(offset, KafkaError._PARTITION_EOF)


@pytest.mark.parametrize(
    ("records", "position"),
    [
        ([Record(7), Record(8)], 9),
        ([Record(7), Record(8), end(10)], 10),
        ([Record(6), Record(7), Record(8), end(10)], 10),
        ([end(7), Record(7), Record(8)], 9),
        ([Record(7), end(9), Record(9), end(11)], 11),
    ],
)
def test_an_end_counts_wherever_it_stands_among_the_messages(
    records: list[Any], position: int
) -> None:
    source = LibrdkafkaSource(KafkaOptions(("b",), "g", topics=("t",)))
    source._positions[PARTITION] = 6
    source._consumer = Consumer(*records)
    for _ in range(3):
        source.poll(0)
    assert source.position(PARTITION) == position
    source._consumer = None
