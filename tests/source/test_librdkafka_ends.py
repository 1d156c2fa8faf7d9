"""The position of a topic partition whose log ends with what is no message."""

from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka import KafkaError

from cdc_archive.changelog.position import TopicPartition
from cdc_archive.source.librdkafka import LibrdkafkaSource
from cdc_archive.source.options import KafkaOptions

PARTITION = TopicPartition("t", 0)


class Record:
    """A message, or the end of the partition at an offset."""

    def __init__(self, offset: int, *, is_end: bool = False) -> None:
        self._offset = offset
        self._is_end = is_end

    def error(self) -> KafkaError | None:
        return KafkaError(KafkaError._PARTITION_EOF) if self._is_end else None

    def topic(self) -> str:
        return PARTITION.topic

    def partition(self) -> int:
        return PARTITION.partition

    def offset(self) -> int:
        return self._offset

    def timestamp(self) -> tuple[int, int]:
        return 1, 1

    def key(self) -> None:
        return None

    value = headers = key


class Consumer:
    def __init__(self, *records: Record) -> None:
        self._records = list(records)

    def consume(self, most: int, _timeout_s: float) -> list[Record]:
        found, self._records = self._records[:most], self._records[most:]
        return found


def end(offset: int) -> Record:
    return Record(offset, is_end=True)


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
