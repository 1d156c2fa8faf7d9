"""What the cluster says of topics, asked by librdkafka's admin client from any thread."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, TopicCollection, Uuid
from confluent_kafka.admin import AdminClient

from cdc_archive.errors import SourceBusy
from cdc_archive.source.source import NO_FACTS, TopicFacts

_ANSWER_S: Final = 10.0
_FOR_URLS: Final = str.maketrans("+/", "-_")
_NO_ID: Final = "A" * 22
"""128 zero bits in base64: the broker has no topic ids."""
ADMIN_SETTINGS: Final = ("bootstrap.servers", "client.id", "security.", "sasl.", "ssl.", "logger")
"""Beginnings of the settings that a consumer shares with an admin client."""


class TopicAsker:
    """A connection of its own, made when first asked.

    Args:
        settings: the consumer's; those that an admin client shares are used.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._settings = {k: v for k, v in settings.items() if k.startswith(ADMIN_SETTINGS)}
        self._client: Any = None

    def facts(self, topic: str) -> TopicFacts:
        """Id and partitions of a topic; nothing of one that does not exist.

        Raises:
            SourceBusy: no broker answers now.
        """
        if self._client is None:
            self._client = AdminClient(self._settings)
        try:
            asked = self._client.describe_topics(
                TopicCollection([topic]), request_timeout=_ANSWER_S
            )
            found = asked[topic].result()
        except KafkaException as error:
            if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                return NO_FACTS
            what = f"Kafka does not tell about topic {topic}: {error.args[0].str()}"
            raise SourceBusy(what) from None
        return TopicFacts(shown(found.topic_id), len(found.partitions) or None)


def shown(topic_id: Uuid) -> str | None:
    """A topic id as Kafka's own tools show it: base64 for URLs, while librdkafka has the other."""
    text = str(topic_id).translate(_FOR_URLS)
    return None if text == _NO_ID else text
