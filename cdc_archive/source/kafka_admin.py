"""Asks a cluster by kafka-python's admin client. See the port, source/cluster.py."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kafka import KafkaAdminClient
from kafka import TopicPartition as KafkaPartition
from kafka import errors as kafka_errors
from kafka.admin import ConfigResource, ConfigResourceType, OffsetSpec

from cdc_archive.changelog.position import TopicPartition
from cdc_archive.errors import SourceBusy, SourceDenied
from cdc_archive.source.cluster import EARLIEST, LATEST, GroupFacts, Replicas
from cdc_archive.source.kafka_settings import consumer_settings
from cdc_archive.source.kafka_topics import ADMIN_SETTINGS
from cdc_archive.source.options import KafkaOptions
from cdc_archive.source.reachable import overheard, require_reachable
from cdc_archive.source.refusal import why_refused
from cdc_archive.source.tls_files import require_usable_files

_SENTINELS = {EARLIEST: OffsetSpec.EARLIEST, LATEST: OffsetSpec.LATEST}


class KafkaAdmin:
    """A connection, made when it is made.

    Args:
        options: how to reach the cluster.

    Raises:
        SourceUnreachable, SourceDenied: it lets nobody in.
    """

    def __init__(self, options: KafkaOptions) -> None:
        require_usable_files(options)
        require_reachable(options.bootstrap_servers, options.connect_timeout_s)
        settings = consumer_settings(options)
        with overheard("kafka"):
            try:
                self._client: Any = KafkaAdminClient(**{k: settings[k] for k in ADMIN_SETTINGS})
            except (kafka_errors.KafkaError, OSError, ValueError) as error:
                told = why_refused(options)
                raise told or SourceDenied(f"Kafka at {options.servers}: {error}") from None

    def brokers(self) -> int:
        """See the port."""
        with _told("the brokers"):
            return len(self._client.describe_cluster()["brokers"])

    def topics(self) -> Mapping[str, tuple[Replicas, ...]]:
        """See the port."""
        with _told("the topics"):
            described = self._client.describe_topics()
        found = {}
        for topic in described:
            parts = sorted(topic["partitions"], key=lambda one: one["partition_index"])
            found[topic["name"]] = tuple(
                Replicas(len(one["replica_nodes"]), len(one["isr_nodes"])) for one in parts
            )
        return found

    def operations(self, topics: Collection[str]) -> Mapping[str, frozenset[str]]:
        """See the port."""
        with _told("our rights"):
            described = self._client.describe_topics(list(topics)) if topics else []
        return {
            topic["name"]: frozenset(topic["authorized_operations"])
            for topic in described
            if topic.get("authorized_operations")
        }

    def topic_config(self, topics: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        """See the port."""
        if not topics:
            return {}
        asked = [ConfigResource(ConfigResourceType.TOPIC, topic) for topic in topics]
        with _told("the settings of topics"):
            found = self._client.describe_configs(asked, config_filter="all")
        return {name: _values(config) for name, config in found.get("topic", {}).items()}

    def broker_config(self) -> Mapping[str, str]:
        """See the port."""
        with _told("the brokers' settings"):
            number = str(self._client.describe_cluster()["brokers"][0]["broker_id"])
            asked = [ConfigResource(ConfigResourceType.BROKER, number)]
            found = self._client.describe_configs(asked, config_filter="all")
        return _values(found["broker"][number])

    def offsets(self, asked: Mapping[TopicPartition, int]) -> Mapping[TopicPartition, int]:
        """See the port."""
        specs = {KafkaPartition(*one): _SENTINELS.get(at, at) for one, at in asked.items()}
        with _told("offsets"):
            found = self._client.list_partition_offsets(specs)
        return {TopicPartition(*one): told.offset for one, told in found.items()}

    def group(self, name: str) -> GroupFacts:
        """See the port."""
        with _told(f"group {name}"):
            try:
                described = self._client.describe_groups([name])[name]
            except kafka_errors.GroupIdNotFoundError:
                return GroupFacts("Dead", 0, {})
            offsets = self._client.list_group_offsets(name).get(name, {})
        return GroupFacts(
            described["group_state"],
            len(described["members"]),
            {TopicPartition(*one): told.offset for one, told in offsets.items()},
        )

    def sizes(self, topics: Collection[str]) -> Mapping[TopicPartition, int] | None:
        """See the port. The largest replica counts."""
        with _told("the sizes of logs"):
            told = self._client.describe_log_dirs(list(topics)) if topics else []
        found: dict[TopicPartition, int] = {}
        for folder in (folder for broker in told for folder in broker["log_dirs"]):
            for topic in folder["topics"]:
                for part in topic["partitions"]:
                    one = TopicPartition(topic["name"], part["partition_index"])
                    found[one] = max(found.get(one, 0), part["partition_size"])
        return found

    def close(self) -> None:
        """See the port."""
        self._client.close()


def _values(config: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    return {key: str(told["value"]) for key, told in config.items() if told["value"] is not None}


@contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except kafka_errors.AuthorizationError as error:
        raise SourceDenied(f"Kafka does not tell {what}: {type(error).__name__}") from None
    except (kafka_errors.KafkaError, OSError) as error:
        raise SourceBusy(f"Kafka does not tell {what}: {error!r}") from None
