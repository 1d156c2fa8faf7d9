"""A Kafka message as it left the broker: bytes and position, nothing decoded."""

from __future__ import annotations

from typing import NamedTuple

from cdc_archive.changelog.position import TopicPartition
from cdc_archive.changelog.record import Headers

NO_TIMESTAMP = -1
"""`timestamp_type` of a message that carries no timestamp."""
CREATE_TIME = 0
"""`timestamp_type` of a message stamped by its producer."""
LOG_APPEND_TIME = 1
"""`timestamp_type` of a message stamped by its broker."""


class Message(NamedTuple):
    """One message of a topic partition.

    `timestamp` is in milliseconds since 1970 UTC, -1 if the message has none; `timestamp_type` is
    one of `NO_TIMESTAMP`, `CREATE_TIME`, `LOG_APPEND_TIME`. `key` and `value` are None where Kafka
    carries a null, which is not the same as empty bytes.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()

    @property
    def topic_partition(self) -> TopicPartition:
        """The topic partition that it comes from."""
        return TopicPartition(self.topic, self.partition)
