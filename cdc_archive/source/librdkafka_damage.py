"""What librdkafka tells of a batch that it cannot read, before it goes on as if none had been."""

from __future__ import annotations

from typing import Final

from confluent_kafka import KafkaError

from cdc_archive.changelog.position import TopicPartition
from cdc_archive.errors import SourceDamaged
from cdc_archive.source.damaged_batch import damaged_batch, unknown_batch

_TOLD_BY: Final = {
    KafkaError._BAD_MSG: damaged_batch,  # noqa: SLF001
    KafkaError._BAD_COMPRESSION: damaged_batch,  # noqa: SLF001
    KafkaError._NOT_IMPLEMENTED: unknown_batch,  # noqa: SLF001  # a codec, or a form
}


def unreadable(partition: TopicPartition, offset: int, error: KafkaError) -> SourceDamaged | None:
    """The error for such a batch; None if librdkafka tells of something else.

    Args:
        partition: where it is.
        offset: its first one that is to be read.
        error: in the place of a message.
    """
    told = _TOLD_BY.get(error.code())
    return None if told is None else told(partition, offset, error.str())
