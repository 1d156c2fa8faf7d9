"""A Kafka message as it left the broker: bytes and position, nothing decoded."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final, NamedTuple

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


message_of: Final = partial(tuple.__new__, Message)
"""A message from a tuple of its eight fields, at half of the cost of naming them."""


def ends(messages: Sequence[Message]) -> dict[TopicPartition, int]:
    """For each topic partition the offset after its last message; each one's are in order."""
    found: dict[TopicPartition, int] = {}
    if not messages:
        return found
    last = messages[0]
    for message in messages:
        if message[1] != last[1] or message[0] != last[0]:
            found[last.topic_partition] = last.offset + 1
        last = message
    found[last.topic_partition] = last.offset + 1
    return found
