"""Asks a cluster by librdkafka's admin client. See the port, source/cluster.py."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicCollection
from confluent_kafka import TopicPartition as KafkaPartition
from confluent_kafka import admin as confluent_admin

from cdc_archive.changelog.position import TopicPartition
from cdc_archive.errors import SourceBusy, SourceDenied
from cdc_archive.source.cluster import EARLIEST, LATEST, GroupFacts, Replicas
from cdc_archive.source.librdkafka_settings import consumer_settings
from cdc_archive.source.librdkafka_topics import ADMIN_SETTINGS
from cdc_archive.source.options import KafkaOptions
from cdc_archive.source.reachable import require_reachable
from cdc_archive.source.refusal import why_refused
from cdc_archive.source.tls_files import require_usable_files

_admin: Any = confluent_admin  # most of it has no types
_ANSWER_S: Final = 15.0
_SILENT: Final = logging.getLogger("cdc-archive.doctor.librdkafka")
_SILENT.setLevel(logging.CRITICAL + 1)
_DENIED: Final = "AUTHORIZATION"


class LibrdkafkaAdmin:
    """A connection, made when it is made.

    Args:
        options: how to reach the cluster.

    Raises:
        SourceUnreachable, SourceDenied: it lets nobody in.
    """

    def __init__(self, options: KafkaOptions) -> None:
        require_usable_files(options)
        require_reachable(options.bootstrap_servers, options.connect_timeout_s)
        settings = consumer_settings(options, _SILENT).items()
        self._client: Any = _admin.AdminClient(
            {k: v for k, v in settings if k.startswith(ADMIN_SETTINGS)}
        )
        try:
            self._client.list_topics(timeout=options.connect_timeout_s)
        except KafkaException as error:
            told = why_refused(options)
            raise told or SourceDenied(f"Kafka at {options.servers}: {_text(error)}") from None

    def brokers(self) -> int:
        """See the port."""
        with _told("the brokers"):
            return len(self._client.list_topics(timeout=_ANSWER_S).brokers)

    def topics(self) -> Mapping[str, tuple[Replicas, ...]]:
        """See the port."""
        with _told("the topics"):
            found = self._client.list_topics(timeout=_ANSWER_S).topics
        return {
            name: tuple(
                Replicas(len(topic.partitions[one].replicas), len(topic.partitions[one].isrs))
                for one in sorted(topic.partitions)
            )
            for name, topic in found.items()
        }

    def operations(self, topics: Collection[str]) -> Mapping[str, frozenset[str]]:
        """See the port."""
        with _told("our rights"):
            asked: dict[str, Any] = {}
            if topics:
                asked = self._client.describe_topics(
                    TopicCollection(list(topics)),
                    include_authorized_operations=True,
                    request_timeout=_ANSWER_S,
                )
            told = {name: future.result().authorized_operations for name, future in asked.items()}
        return {name: frozenset(one.name for one in known) for name, known in told.items() if known}

    def topic_config(self, topics: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        """See the port."""
        asked = [_admin.ConfigResource(_admin.ResourceType.TOPIC, topic) for topic in topics]
        with _told("the settings of topics"):
            return self._configs(asked) if asked else {}

    def broker_config(self) -> Mapping[str, str]:
        """See the port."""
        with _told("the brokers' settings"):
            number = str(next(iter(self._client.list_topics(timeout=_ANSWER_S).brokers)))
            return self._configs([_admin.ConfigResource(_admin.ResourceType.BROKER, number)])[
                number
            ]

    def _configs(self, asked: list[Any]) -> dict[str, dict[str, str]]:
        futures = self._client.describe_configs(asked, request_timeout=_ANSWER_S)
        return {
            resource.name: {
                key: str(entry.value)
                for key, entry in future.result().items()
                if entry.value is not None
            }
            for resource, future in futures.items()
        }

    def offsets(self, asked: Mapping[TopicPartition, int]) -> Mapping[TopicPartition, int]:
        """See the port."""
        sentinels = {EARLIEST: _admin.OffsetSpec.earliest(), LATEST: _admin.OffsetSpec.latest()}
        specs = {
            KafkaPartition(*one): sentinels.get(at) or _admin.OffsetSpec.for_timestamp(at)
            for one, at in asked.items()
        }
        with _told("offsets"):
            futures = self._client.list_offsets(specs, request_timeout=_ANSWER_S)
            return {
                TopicPartition(one.topic, one.partition): future.result().offset
                for one, future in futures.items()
            }

    def group(self, name: str) -> GroupFacts:
        """See the port."""
        with _told(f"group {name}"):
            told = self._client.describe_consumer_groups([name], request_timeout=_ANSWER_S)
            described = told[name].result()
            asked = [ConsumerGroupTopicPartitions(name)]
            listed = self._client.list_consumer_group_offsets(asked, request_timeout=_ANSWER_S)
            offsets = listed[name].result().topic_partitions
        return GroupFacts(
            described.state.name.replace("_", " ").title().replace(" ", ""),
            len(described.members),
            {TopicPartition(one.topic, one.partition): one.offset for one in offsets},
        )

    def sizes(self, topics: Collection[str]) -> Mapping[TopicPartition, int] | None:
        """See the port: librdkafka has no such question."""
        return None

    def close(self) -> None:
        """See the port: it is freed with this object."""


def _text(error: KafkaException) -> str:
    return str(error.args[0].str() if hasattr(error.args[0], "str") else error.args[0])


@contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except KafkaException as error:
        told = f"Kafka does not tell {what}: {_text(error)}"
        if _DENIED in str(getattr(error.args[0], "name", lambda: "")()):
            raise SourceDenied(told) from None
        raise SourceBusy(told) from None
