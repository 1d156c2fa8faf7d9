"""Batches that librdkafka cannot read: it tells, and would go on as if none had been there."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from confluent_kafka import KafkaError
from support.fake_consumer import Consumer, Record

from cdc_archive.changelog.position import TopicPartition
from cdc_archive.errors import SourceDamaged
from cdc_archive.source.librdkafka import LibrdkafkaSource
from cdc_archive.source.librdkafka_settings import consumer_settings
from cdc_archive.source.options import KafkaOptions

OPTIONS = KafkaOptions(("b",), "g", topics=("t",))
PARTITION, OTHER = TopicPartition("t", 0), TopicPartition("t", 1)


def a_source(*records: Any) -> LibrdkafkaSource:
    source = LibrdkafkaSource(OPTIONS)
    source._positions |= {PARTITION: 5, OTHER: 7}
    source._consumer = Consumer(*records)
    return source


def polled(source: LibrdkafkaSource) -> list[tuple[int, int]]:
    """Partition and offset of what a few polls give."""
    return [(one.partition, one.offset) for _ in range(9) for one in source.poll(0)]


@pytest.mark.parametrize("code", [KafkaError._BAD_MSG, KafkaError._BAD_COMPRESSION])
def test_what_comes_before_damage_is_given_and_nothing_after_it(code: int) -> None:
    """Of no partition: the next poll stops the worker, and what was dropped was never counted."""
    source = a_source(Record(5), Record(7, None, 1), Record(6, code), Record(8, None, 1), Record(9))
    assert [(one.partition, one.offset) for one in source.poll(0)] == [(0, 5), (1, 7)]
    with pytest.raises(SourceDamaged, match=r"t\[0\]: .* a damaged batch at offset 6: ") as told:
        polled(source)
    assert (told.value.topic, told.value.partition, told.value.may_be_lost) == (*PARTITION, True)
    assert (source.position(PARTITION), source.position(OTHER)) == (6, 8)


def test_a_batch_that_was_begun_is_damaged_where_it_is_to_be_read() -> None:
    """Not at its beginning, which is archived."""
    source = a_source(Record(5), Record(2, KafkaError._BAD_MSG))
    with pytest.raises(SourceDamaged, match="at offset 6"):
        polled(source)


def test_a_form_that_is_not_known_is_no_loss() -> None:
    """Another client may read it."""
    source = a_source(Record(5, KafkaError._NOT_IMPLEMENTED))
    with pytest.raises(SourceDamaged, match="cannot read the batch at offset 5") as told:
        polled(source)
    assert not told.value.may_be_lost


def test_damage_of_a_partition_that_was_given_up_is_its_next_owners() -> None:
    source = a_source(Record(5, KafkaError._BAD_MSG, 3), Record(5))
    assert polled(source) == [(0, 5)]


def test_an_error_that_has_no_offset_is_no_damage() -> None:
    """Of a topic, as a broker tells it that is starting."""
    source = a_source(Record(None, KafkaError.UNKNOWN_TOPIC_OR_PART), Record(5))
    assert polled(source) == [(0, 5)]


def test_crcs_are_looked_at() -> None:
    """Which is not the client's default."""
    assert consumer_settings(OPTIONS, logging.getLogger())["check.crcs"] is True
