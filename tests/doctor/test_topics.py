"""What the doctor says of Kafka: each rule with a fact that it is about."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import pytest
from doctor.facts import CLUSTER, CONNECTOR, HOUR_MS, NOW_MS, PARTITION, TOPIC, TOPIC_CONFIG, checks

from cdc_archive.changelog.position import TopicPartition
from cdc_archive.doctor import topics
from cdc_archive.doctor.finding import Severity
from cdc_archive.errors import SourceBusy, SourceDenied
from cdc_archive.source.cluster import EARLIEST, LATEST, GroupFacts, Replicas
from cdc_archive.source.cluster_look import look

DAY_MS = 24 * HOUR_MS


def found(facts: Any, connectors: Any = (CONNECTOR,)) -> list[Any]:
    return list(topics.findings(facts, connectors, 45_000))


def with_topic(**changes: Any) -> Any:
    return CLUSTER._replace(topics=(TOPIC._replace(**changes),))


def with_config(**changes: str) -> Any:
    config = TOPIC_CONFIG | {k.replace("_", "."): v for k, v in changes.items()}
    return with_topic(config=config)


def with_partition(config: Mapping[str, str] = TOPIC_CONFIG, **changes: Any) -> Any:
    return with_topic(partitions=(PARTITION._replace(**changes),), config=config)


def test_a_sound_cluster_gives_nothing_but_ok() -> None:
    """And is told to be so."""
    told = found(CLUSTER)
    assert checks(told) == set()
    assert len(told) == 3


@pytest.mark.parametrize(
    ("facts", "check"),
    [
        (CLUSTER._replace(missing=("pg.x",)), "topic-missing"),
        (CLUSTER._replace(topics=()), "no-topics"),
        (CLUSTER._replace(names=("pg.app.api_key", "pg.message")), "topic-unread"),
        (CLUSTER._replace(names=("__debezium-heartbeat.pg",)), "heartbeat-unread"),
        (with_config(cleanup_policy="compact,delete"), "compacts"),
        (with_config(unclean_leader_election_enable="true"), "unclean-election"),
        (with_config(max_message_bytes="1000"), "message-size"),
        (with_config(message_timestamp_type="LogAppendTime"), "append-time"),
        (with_config(min_insync_replicas="1"), "one-copy"),
        (with_config(retention_ms=str(HOUR_MS)), "retention-short"),
        (with_config(retention_bytes="1000000"), "retention-bytes"),
        (with_partition(replicas=Replicas(1, 1)), "one-copy"),
        (with_partition(replicas=Replicas(3, 2)), "out-of-sync"),
        (with_topic(partitions=(PARTITION, PARTITION._replace(partition=1))), "partitions"),
        (with_topic(operations=frozenset({"DESCRIBE"})), "may-not-read"),
        (with_topic(operations=frozenset({"READ", "WRITE"})), "may-write"),
        (with_partition(first=50, next_offset=40), "deleted-unread"),
        (CLUSTER._replace(broker_config={"auto.create.topics.enable": "true"}), "auto-create"),
        (
            CLUSTER._replace(broker_config={"group.max.session.timeout.ms": "10000"}),
            "session-timeout",
        ),
        (CLUSTER._replace(broker_config={"offsets.retention.minutes": "60"}), "offsets-expire"),
        (CLUSTER._replace(group=GroupFacts("Empty", 0, {})), "group-empty"),
        (CLUSTER._replace(unseen={"group": "denied"}, group=None), "unseen"),
    ],
)
def test_each_fault_of_kafka_is_found(facts: Any, check: str) -> None:
    """And is not found of a sound cluster."""
    assert f"kafka.{check}" in checks(found(facts))
    assert f"kafka.{check}" not in checks(found(CLUSTER))


@pytest.mark.parametrize(
    ("waits_since", "is_soon"),
    [(NOW_MS - 7 * DAY_MS + HOUR_MS, True), (NOW_MS - HOUR_MS, False)],
)
def test_a_message_that_is_about_to_be_deleted_is_an_error(waits_since: int, is_soon: bool) -> None:
    """By its age and retention.ms."""
    facts = with_partition(next_offset=50, waits_since_ms=waits_since)
    assert ("kafka.deletes-soon" in checks(found(facts))) is is_soon


@pytest.mark.parametrize(("size", "is_soon"), [(100_000, True), (1_000, False)])
def test_a_log_that_is_about_to_outgrow_its_bytes_is_an_error(size: int, is_soon: bool) -> None:
    """By its size, what waits, and the growth of the last hour."""
    config = TOPIC_CONFIG | {"retention.bytes": "60000"}
    facts = with_partition(config, next_offset=50, an_hour_ago=0, size=size)
    assert ("kafka.deletes-soon" in checks(found(facts))) is is_soon


def test_a_topic_whose_settings_are_not_to_be_seen_is_not_called_well() -> None:
    """What is unknown is told, once."""
    blind = with_topic(config=None)._replace(unseen={"topic settings": "denied"})
    told = found(blind)
    assert checks(told) == {"kafka.unseen"}
    assert not any(one.about == TOPIC.name for one in told if one.severity is Severity.OK)


def test_commands_name_the_brokers_of_the_settings() -> None:
    """They can be run as they stand."""
    (one,) = [o for o in found(with_config(cleanup_policy="compact")) if o.mend]
    assert one.mend == (
        "kafka-configs.sh --bootstrap-server kafka:9092 --alter --entity-type topics "
        "--entity-name pg.app.api_key --add-config cleanup.policy=delete"
    )


class Admin:
    """A cluster of one topic whose messages came a minute apart, up to now."""

    def __init__(self, refuses: Collection[str] = ()) -> None:
        self.refuses = refuses

    def _ask(self, what: str) -> None:
        if what in self.refuses:
            raise SourceDenied(f"no {what}")

    def brokers(self) -> int:
        return 3

    def topics(self) -> Mapping[str, tuple[Replicas, ...]]:
        self._ask("topics")
        return {"t": (Replicas(3, 3),), "other": (Replicas(3, 3),)}

    def operations(self, names: Collection[str]) -> Mapping[str, frozenset[str]]:
        self._ask("rights")
        return {name: frozenset({"READ"}) for name in names}

    def topic_config(self, names: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        self._ask("topic settings")
        return {name: {"retention.ms": str(DAY_MS), "retention.bytes": "5"} for name in names}

    def broker_config(self) -> Mapping[str, str]:
        self._ask("broker settings")
        return {}

    def offsets(self, asked: Mapping[TopicPartition, int]) -> Mapping[TopicPartition, int]:
        self._ask("offsets")
        return {one: self._offset(at) for one, at in asked.items()}

    def _offset(self, at: int) -> int:
        if at in (EARLIEST, LATEST):
            return {EARLIEST: 0, LATEST: 600}[at]
        offset = max(0, 600 - (NOW_MS - at) // 60_000)
        return offset if offset < 600 else -1

    def group(self, name: str) -> GroupFacts:
        self._ask("group")
        return GroupFacts("Stable", 1, {})

    def sizes(self, names: Collection[str]) -> Mapping[TopicPartition, int] | None:
        self._ask("log sizes")
        return {TopicPartition("t", 0): 6000}

    def close(self) -> None:
        pass


def looked(admin: Any, next_offset: int = 300) -> Any:
    heads = {TopicPartition("t", 0): next_offset}
    return look(admin, lambda name: name == "t", ["t", "u"], "g", heads, NOW_MS)


def test_a_look_finds_lag_rate_and_how_long_the_oldest_message_waits() -> None:
    """To the minute, by asking for offsets of times only: no message is read."""
    facts = looked(Admin())
    (topic,) = facts.topics
    (part,) = topic.partitions
    assert (part.lag, part.an_hour_ago, part.size) == (300, 540, 6000)
    assert facts.missing == ("u",)
    assert part.waits_since_ms is not None
    assert abs((NOW_MS - part.waits_since_ms) / 60_000 - 300) < 2


def test_nothing_waits_where_everything_is_archived() -> None:
    """So there is no time of it."""
    (part,) = looked(Admin(), 600).topics[0].partitions
    assert (part.lag, part.waits_since_ms) == (0, None)


@pytest.mark.parametrize(
    "fact", ["rights", "topic settings", "broker settings", "offsets", "group", "log sizes"]
)
def test_a_question_that_is_refused_leaves_the_others_answered(fact: str) -> None:
    """And is remembered with its reason; the rules have words for each."""
    facts = looked(Admin([fact]))
    assert facts.unseen == {fact: f"no {fact}"}
    assert "kafka.unseen" in checks(found(facts, ()))


def test_a_cluster_that_tells_not_even_its_topics_is_an_error() -> None:
    """Nothing can be said of it."""
    with pytest.raises((SourceDenied, SourceBusy)):
        looked(Admin(["topics"]))
