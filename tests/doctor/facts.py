"""Facts of sound parts; a test alters one of them."""

from __future__ import annotations

from typing import Any

from cdc_archive.doctor.finding import Finding, Severity
from cdc_archive.source.cluster import ClusterFacts, GroupFacts, PartitionFacts, Replicas, TopicLook
from cdc_archive.source.connector import ConnectorFacts, TaskFacts
from cdc_archive.source.database import (
    DatabaseFacts,
    PublicationFacts,
    SlotFacts,
    TableFacts,
)
from cdc_archive.storage.bucket import (
    BucketFacts,
    ExpiryRule,
    FolderFacts,
    ObjectLockFacts,
    RightsFacts,
)

EVERY = frozenset({"insert", "update", "delete", "truncate"})
NOW_MS = 1_800_000_000_000
HOUR_MS = 3_600_000

SETTINGS = {
    "wal_level": "logical",
    "max_replication_slots": "10",
    "max_slot_wal_keep_size": "102400",
    "logical_decoding_work_mem": "65536",
}
TABLE = TableFacts("app.api_key", "full", True, publications=("pub",))
SLOT = SlotFacts("slot", "pgoutput", "lab", True, "reserved", 1 << 40, 100, True)
DATABASE = DatabaseFacts(
    "lab",
    170004,
    SETTINGS,
    (TABLE,),
    (PublicationFacts("pub", EVERY),),
    (SLOT,),
)
CONFIG = {
    "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
    "database.dbname": "lab",
    "topic.prefix": "pg",
    "slot.name": "slot",
    "publication.name": "pub",
    "schema.include.list": "app",
    "plugin.name": "pgoutput",
    "publication.autocreate.mode": "disabled",
    "skipped.operations": "none",
    "provide.transaction.metadata": "true",
    "heartbeat.interval.ms": "5000",
    "heartbeat.action.query": "SELECT pg_logical_emit_message(false, 'heartbeat', '')",
    "offset.mismatch.strategy": "trust_offset",
    "exactly.once.support": "required",
    "producer.override.max.request.size": "8388608",
    "key.converter": "org.apache.kafka.connect.json.JsonConverter",
    "value.converter": "org.apache.kafka.connect.json.JsonConverter",
}
CONNECTOR = ConnectorFacts(
    "pg",
    CONFIG,
    "http://connect:8083",
    "RUNNING",
    (TaskFacts(0, "RUNNING"),),
    "3.7.0.Final",
    ("pg.app.api_key",),
)
TOPIC_CONFIG = {
    "cleanup.policy": "delete",
    "retention.ms": str(7 * 24 * HOUR_MS),
    "retention.bytes": "-1",
    "min.insync.replicas": "2",
    "max.message.bytes": "8388608",
    "unclean.leader.election.enable": "false",
    "message.timestamp.type": "CreateTime",
}
PARTITION = PartitionFacts(0, Replicas(3, 3), 0, 100, 100, 90)
TOPIC = TopicLook("pg.app.api_key", (PARTITION,), TOPIC_CONFIG, frozenset({"READ", "DESCRIBE"}))
CLUSTER = ClusterFacts(
    NOW_MS,
    3,
    ("pg.app.api_key",),
    (TOPIC,),
    group=GroupFacts("Stable", 2, {}),
    servers="kafka:9092",
)
POLICY = {
    "Statement": [
        {"Effect": "Deny", "Condition": {"Null": {"s3:if-none-match": "true"}}},
        {"Effect": "Deny", "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
    ]
}
BUCKET = BucketFacts(
    "b",
    "production/",
    "https://s3.amazonaws.com",
    True,
    "Enabled",
    ObjectLockFacts(True, "COMPLIANCE", 365),
    (ExpiryRule("uploads", "", aborts_uploads_days=7),),
    "aws:kms",
    True,
    POLICY,
    True,
    0.5,
    RightsFacts("arn:aws:iam::1:role/w", {"s3:DeleteObject": False}, "IAM"),
)
FOLDER = FolderFacts("/archive", True, 0o750, 1 << 40, 1 << 41, True, "ext4")


def configured(**changes: str | None) -> ConnectorFacts:
    """The connector with other settings; dots are written as two underscores; None removes."""
    config: dict[str, Any] = CONFIG | {k.replace("__", "."): v for k, v in changes.items()}
    return CONNECTOR._replace(config={k: v for k, v in config.items() if v is not None})


def checks(found: Any) -> set[str]:
    """The checks of findings that are not ok; each of these has a reason and something to do."""
    bad = [one for one in found if one.severity is not Severity.OK]
    for one in bad:
        assert isinstance(one, Finding)
        assert one.seen
        assert one.why
        assert one.mend
    return {one.check for one in bad}
