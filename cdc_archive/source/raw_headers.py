"""Headers that confluent-kafka cannot hand over, for a name is not UTF-8: fetched by kafka-python.

Such a message is rare, so it may cost a request of its own; the rest goes on by librdkafka. The
headers that come with the same answer are kept, for whoever sends one such message sends many.
"""

from __future__ import annotations

import time
from typing import Any, Final

from kafka import TopicPartition as KafkaPartition
from kafka.errors import KafkaError

from cdc_archive.changelog.position import TopicPartition
from cdc_archive.changelog.record import Headers
from cdc_archive.errors import SourceInvalid
from cdc_archive.source.kafka_fetched import consumer_of_messages
from cdc_archive.source.kafka_settings import settings_outside_a_group
from cdc_archive.source.options import KafkaOptions

_PATIENCE_S: Final = 30.0
_AT_ONCE: Final = 500


class RawHeaders:
    """A second client, connected when it is first asked; belongs to no group.

    Args:
        options: how to reach the cluster.
    """

    def __init__(self, options: KafkaOptions) -> None:
        self._options = options
        self._consumer: Any = None
        self._known: dict[TopicPartition, dict[int, Headers]] = {}

    def of(self, partition: TopicPartition, offset: int) -> Headers:
        """The headers of one message.

        Raises:
            SourceInvalid: they cannot be fetched.
        """
        known = self._known.get(partition, {})
        if offset in known:
            return known[offset]
        try:
            self._known = {partition: self._fetched(KafkaPartition(*partition), offset)}
            return self._known[partition][offset]
        except (KafkaError, OSError) as error:  # TimeoutError is an OSError
            raise self._told(partition, offset, str(error)) from None

    def _fetched(self, partition: KafkaPartition, offset: int) -> dict[int, Headers]:
        if self._consumer is None:
            self._consumer = consumer_of_messages(settings_outside_a_group(self._options))
        self._consumer.assign([partition])
        self._consumer.seek(partition, offset)
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            for messages in self._consumer.poll(timeout_ms=1000, max_records=_AT_ONCE).values():
                found = {one.offset: one.headers for one in messages}
                if offset in found:
                    return found
        raise TimeoutError("no answer")

    def _told(self, partition: TopicPartition, offset: int, why: str) -> SourceInvalid:
        return SourceInvalid(
            f"{partition}: the message at offset {offset} has a header whose name is not UTF-8, "
            f"and its headers cannot be read ({why})",
            'Set kafka.client = "kafka-python", which can read them.',
        )

    def close(self) -> None:
        """Leave."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close(autocommit=False)
