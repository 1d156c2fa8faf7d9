"""What the cluster says of topics, asked by kafka-python's admin client from any thread."""

from __future__ import annotations

import base64
import threading
import uuid
from collections.abc import Mapping
from typing import Any, Final

from kafka import KafkaAdminClient
from kafka import errors as kafka_errors

from cdc_archive.errors import SourceBusy
from cdc_archive.source.source import NO_FACTS, TopicFacts

ADMIN_SETTINGS: Final = (
    "bootstrap_servers",
    "client_id",
    "security_protocol",
    "sasl_mechanism",
    "sasl_plain_username",
    "sasl_plain_password",
    "ssl_cafile",
    "ssl_certfile",
    "ssl_keyfile",
    "ssl_password",
    "api_version",
    "bootstrap_timeout_ms",
)
"""The settings that a consumer shares with an admin client."""


class TopicAsker:
    """A connection of its own, made when first asked.

    Args:
        settings: the consumer's; those that an admin client shares are used.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._settings = {name: settings[name] for name in ADMIN_SETTINGS}
        self._lock = threading.Lock()
        self._client: Any = None

    def facts(self, topic: str) -> TopicFacts:
        """Id and partitions of a topic; nothing of one that does not exist.

        Raises:
            SourceBusy: no broker answers now.
        """
        with self._lock:
            try:
                if self._client is None:
                    self._client = KafkaAdminClient(**self._settings)
                (described,) = self._client.describe_topics([topic])
            except (kafka_errors.KafkaError, OSError) as error:
                raise SourceBusy(f"Kafka does not tell about topic {topic}: {error!r}") from None
        if described["error_code"] == kafka_errors.UnknownTopicOrPartitionError.errno:
            return NO_FACTS
        return TopicFacts(shown(described.get("topic_id")), len(described["partitions"]) or None)

    def close(self) -> None:
        """Free the connection."""
        with self._lock:
            client, self._client = self._client, None
            if client is not None:
                client.close()


def shown(topic_id: object) -> str | None:
    """A topic id as Kafka's own tools show it, base64 of its 128 bits; zero: it has none."""
    try:
        known = topic_id if isinstance(topic_id, uuid.UUID) else uuid.UUID(str(topic_id))
    except ValueError:
        return None
    if known.int == 0:
        return None
    return base64.urlsafe_b64encode(known.bytes).decode().rstrip("=")
