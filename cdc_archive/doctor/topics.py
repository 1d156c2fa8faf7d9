"""What of Kafka's topics can lose changes before they are archived. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from cdc_archive.doctor.finding import (
    Blind,
    Finding,
    error,
    note,
    or_passed,
    passed,
    unseen,
    warning,
)
from cdc_archive.doctor.retention import SERVERS, of_retention
from cdc_archive.source.cluster import ClusterFacts, TopicLook
from cdc_archive.source.connector import ConnectorFacts

_CONFIG: Final = "Apache Kafka documentation, topic configuration"

_UNSEEN = warning(
    "kafka.unseen", "What the doctor cannot look at, it cannot call well.", "docs/doctor.md"
)
_MISSING = error(
    "kafka.topic-missing", "A worker does not start while a topic that it is to read is missing."
)
_NO_TOPIC = error("kafka.no-topics", "Nothing is archived if no topic matches the settings.")
_UNREAD = error(
    "kafka.topic-unread",
    "The connector writes it and no worker reads it: when retention has passed, what it holds is "
    "lost.",
)
_BEATS_UNREAD = note(
    "kafka.heartbeat-unread",
    "Without the connector's heartbeats in the archive silence cannot be told from a broken "
    "stream.",
)
_COMPACTS = error(
    "kafka.compacts",
    "Compaction keeps the newest message of each key: the history between is deleted, whether it "
    "was archived or not, and tombstones after it.",
    f"{_CONFIG}, `cleanup.policy`",
)
_ONE_COPY = warning(
    "kafka.one-copy",
    "With one copy, or one that suffices, a broker that dies takes messages with it.",
    f"{_CONFIG}, `min.insync.replicas`",
)
_OUT_OF_SYNC = warning(
    "kafka.out-of-sync",
    "Fewer copies are up to date than there should be: the next broker that dies may take messages "
    "with it.",
)
_UNCLEAN = error(
    "kafka.unclean-election",
    "A copy that is behind may become the leader: the end of the log is cut off, and new messages "
    "take the offsets of those that were lost.",
    f"{_CONFIG}, `unclean.leader.election.enable`",
)
_MANY = warning(
    "kafka.partitions",
    "Between partitions there is no order: a TRUNCATE has no key, and a key that changes moves its "
    "row to another partition. One partition a table keeps the order of the database.",
    "Debezium documentation, PostgreSQL connector, truncate events",
)
_SMALL_MESSAGES = note(
    "kafka.message-size",
    "A row of more than this (both images count) stops the connector.",
    f"{_CONFIG}, `max.message.bytes`",
)
_APPEND_TIME = note(
    "kafka.append-time",
    "The time of a message is when the broker got it; messages that tell no time of their own are "
    "filed under that hour.",
    f"{_CONFIG}, `message.timestamp.type`",
)
_AUTO_CREATE = note(
    "kafka.auto-create",
    "A topic that the broker makes by itself has the broker's defaults, not the archive's needs: "
    "see them for every new table.",
    "Apache Kafka documentation, broker configuration, `auto.create.topics.enable`",
)
_MAY_NOT_READ = error(
    "kafka.may-not-read",
    "A worker with these credentials cannot read the topic.",
    "Apache Kafka documentation, Authorization and ACLs",
)
_MAY_WRITE = note(
    "kafka.may-write",
    "Whoever archives a topic needs no right to write to it or to change it: with these "
    "credentials events could be invented.",
    "Apache Kafka documentation, Authorization and ACLs",
)
_NO_MEMBERS = warning("kafka.group-empty", "No worker is running: nothing is archived now.")
_SESSION = error(
    "kafka.session-timeout",
    "The broker refuses a consumer whose session timeout is out of its bounds.",
    "Apache Kafka documentation, broker configuration, `group.max.session.timeout.ms`",
)
_OFFSETS_EXPIRE = note(
    "kafka.offsets-expire",
    "Offsets of a group that was away so long are forgotten; the archive does not need them.",
    "Apache Kafka documentation, broker configuration, `offsets.retention.minutes`",
)

_BLIND: Final = {
    "topic settings": Blind(
        "cleanup.policy, retention and the rest", "Grant DESCRIBE_CONFIGS on the topics."
    ),
    "broker settings": Blind("the brokers' defaults", "Grant DESCRIBE_CONFIGS on the cluster."),
    "offsets": Blind("how much time is left until retention", "Grant DESCRIBE on the topics."),
    "group": Blind("whether a worker runs", "Grant DESCRIBE on the consumer group."),
    "log sizes": Blind(
        "how much room is left until retention.bytes",
        "Grant DESCRIBE on the cluster, and use kafka.client kafka-python for the doctor.",
    ),
    "rights": Blind("whether the topics may be read", "Grant DESCRIBE on the topics."),
    "archive": Blind(
        "what is archived already, so everything counts as waiting", "Set store.url; see `bucket`."
    ),
}
_LEAST_COPIES: Final = 2
_MEBIBYTE: Final = 1 << 20
_LONGEST_OFFSETS: Final = 10080


def findings(
    facts: ClusterFacts, connectors: Sequence[ConnectorFacts], session_timeout_ms: int
) -> Iterator[Finding]:
    """Look at a cluster.

    Args:
        facts: the cluster.
        connectors: those that write into it, as far as they are known.
        session_timeout_ms: of the workers.
    """
    for found in _all(facts, connectors, session_timeout_ms):
        yield found._replace(mend=found.mend.replace(SERVERS, facts.servers))


def _all(
    facts: ClusterFacts, connectors: Sequence[ConnectorFacts], session_timeout_ms: int
) -> Iterator[Finding]:
    yield from unseen(_UNSEEN, _BLIND, facts.unseen)
    for name in facts.missing:
        yield _MISSING.found(
            "the topic does not exist, or may not be seen",
            "Correct kafka.topics, or grant DESCRIBE and READ.",
            name,
        )
    if not facts.topics:
        yield _NO_TOPIC.found(
            f"none of the {len(facts.names)} topics that may be seen is read",
            "Correct kafka.topics or kafka.topic_pattern.",
        )
    for topic in facts.topics:
        found = [*_of_topic(topic, facts), *of_retention(topic, facts.now_ms)]
        seen = f"{len(topic.partitions)} partition(s), keeps what is not archived"
        if topic.config is not None:
            found = or_passed(found, "kafka", seen, topic.name)
        yield from found
    yield from _of_connectors(facts, connectors)
    yield from _of_brokers(facts, session_timeout_ms)


def _of_topic(topic: TopicLook, facts: ClusterFacts) -> Iterator[Finding]:
    name = topic.name
    if topic.config is not None:
        yield from _of_config(name, topic.config)
        yield from _of_copies(topic, topic.config, facts.brokers)
    if len(topic.partitions) > 1:
        yield _MANY.found(
            f"{len(topic.partitions)} partitions",
            'Make it anew with one partition (Debezium: "topic.creation.default.partitions": "1").',
            name,
        )
    behind = [
        one.partition for one in topic.partitions if one.replicas.in_sync < one.replicas.wanted
    ]
    if behind:
        yield _OUT_OF_SYNC.found(
            f"copies out of sync in partition(s) {', '.join(map(str, behind))}",
            f"kafka-topics.sh --bootstrap-server {SERVERS} --describe "
            "--under-replicated-partitions",
            name,
        )
    if topic.operations is not None:
        yield from _of_rights(name, topic.operations)


def _of_config(name: str, config: Mapping[str, str]) -> Iterator[Finding]:
    if "compact" in config.get("cleanup.policy", ""):
        yield _COMPACTS.found(
            f"cleanup.policy is {config['cleanup.policy']}",
            altered(name, "cleanup.policy=delete"),
            name,
        )
    if config.get("unclean.leader.election.enable") == "true":
        yield _UNCLEAN.found(
            "unclean.leader.election.enable is true",
            altered(name, "unclean.leader.election.enable=false"),
            name,
        )
    largest = config.get("max.message.bytes", "")
    if largest.isdecimal() and int(largest) < _MEBIBYTE:
        yield _SMALL_MESSAGES.found(
            f"max.message.bytes is {int(largest):,}",
            altered(name, "max.message.bytes=8388608"),
            name,
        )
    if config.get("message.timestamp.type") == "LogAppendTime":
        yield _APPEND_TIME.found(
            "message.timestamp.type is LogAppendTime",
            altered(name, "message.timestamp.type=CreateTime"),
            name,
        )


def _of_copies(topic: TopicLook, config: Mapping[str, str], brokers: int) -> Iterator[Finding]:
    copies = min((one.replicas.wanted for one in topic.partitions), default=0)
    least = config.get("min.insync.replicas", "")
    if copies >= _LEAST_COPIES and least.isdecimal() and int(least) < _LEAST_COPIES:
        yield _ONE_COPY.found(
            f"min.insync.replicas is {least}",
            altered(topic.name, "min.insync.replicas=2"),
            topic.name,
        )
    elif copies < _LEAST_COPIES:
        yield _ONE_COPY.found(
            f"replication factor {copies} ({brokers} broker(s))",
            f"kafka-reassign-partitions.sh --bootstrap-server {SERVERS} --reassignment-json-file "
            "... --execute, with three copies",
            topic.name,
        )


def _of_rights(name: str, operations: frozenset[str]) -> Iterator[Finding]:
    if "READ" not in operations:
        yield _MAY_NOT_READ.found(
            f"allowed: {', '.join(sorted(operations)) or 'nothing'}",
            f"kafka-acls.sh --bootstrap-server {SERVERS} --add --allow-principal User:... "
            f"--operation Read --operation Describe --topic {name}",
            name,
        )
    elif excess := sorted(operations & {"WRITE", "DELETE", "ALTER"}):
        yield _MAY_WRITE.found(
            f"these credentials may {', '.join(excess)} too",
            f"kafka-acls.sh --bootstrap-server {SERVERS} --list --topic {name}",
            name,
        )


def _of_connectors(facts: ClusterFacts, connectors: Sequence[ConnectorFacts]) -> Iterator[Finding]:
    read = {topic.name for topic in facts.topics}
    for connector in connectors:
        written = topics_of(connector, facts.names)
        for name in sorted(written - read):
            check = _BEATS_UNREAD if name == heartbeat_topic(connector) else _UNREAD
            yield check.found(
                f"connector {connector.name} writes it, and kafka.topics or kafka.topic_pattern "
                "does not have it",
                f"Add {name} to kafka.topics, or widen kafka.topic_pattern.",
                name,
            )
        if written and written <= read:
            yield passed("kafka", f"all {len(written)} topics of it are read", connector.name)


def topics_of(connector: ConnectorFacts, names: Sequence[str]) -> set[str]:
    """The topics that a connector writes: those that Connect tells, and those of its prefix."""
    prefix = connector.get("topic.prefix") or connector.get("database.server.name")
    written = {name for name in connector.topics or () if name in names}
    if prefix:
        written |= {name for name in names if name.startswith(f"{prefix}.")}
        written |= {name for name in names if name in (prefix, heartbeat_topic(connector))}
    return written


def heartbeat_topic(connector: ConnectorFacts) -> str:
    """The topic of a connector's heartbeats."""
    prefix = connector.get("topic.prefix") or connector.get("database.server.name")
    before = connector.get("topic.heartbeat.prefix") or connector.get("heartbeat.topics.prefix")
    return f"{before or '__debezium-heartbeat'}.{prefix}"


def _of_brokers(facts: ClusterFacts, session_timeout_ms: int) -> Iterator[Finding]:
    config = facts.broker_config
    if config.get("auto.create.topics.enable") == "true":
        yield _AUTO_CREATE.found(
            "auto.create.topics.enable is true",
            "auto.create.topics.enable=false on the brokers, and topic.creation.default.* in the "
            "connector",
        )
    low = int(config.get("group.min.session.timeout.ms") or session_timeout_ms)
    high = int(config.get("group.max.session.timeout.ms") or session_timeout_ms)
    if not low <= session_timeout_ms <= high:
        yield _SESSION.found(
            f"kafka.session_timeout_ms is {session_timeout_ms:,}, the broker takes {low:,} to "
            f"{high:,}",
            f"kafka.session_timeout_ms = {min(max(low, session_timeout_ms), high)}",
        )
    kept = config.get("offsets.retention.minutes", "")
    if kept.isdecimal() and int(kept) < _LONGEST_OFFSETS:
        yield _OFFSETS_EXPIRE.found(
            f"offsets.retention.minutes is {int(kept):,}", "offsets.retention.minutes=10080"
        )
    if facts.group is not None and not facts.group.members:
        yield _NO_MEMBERS.found(
            f"the group is {facts.group.state}, without a member", "cdc-archive worker"
        )
    elif facts.group is not None:
        yield passed("kafka", f"{facts.group.members} worker(s), group {facts.group.state}")


def altered(topic: str, setting: str) -> str:
    """The command that changes a topic's setting."""
    return (
        f"kafka-configs.sh --bootstrap-server {SERVERS} --alter --entity-type topics "
        f"--entity-name {topic} --add-config {setting}"
    )
