"""The change record: one Kafka message, told apart into its parts and otherwise as it arrived.

The fields, in this order, are those of schemas/change_record.avsc.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from cdc_archive.changelog.position import TopicPartition

ROW_OPS: Final = frozenset({"c", "u", "d", "r", "t"})
"""Debezium's `op` of a message about rows: create, update, delete, read (snapshot), truncate."""
OP_MESSAGE: Final = "m"
"""Debezium's `op` of a logical decoding message."""
OP_TOMBSTONE: Final = "tombstone"
"""A message with a null value."""
OP_BEGIN: Final = "begin"
"""Transaction metadata, status BEGIN."""
OP_END: Final = "end"
"""Transaction metadata, status END."""
OP_HEARTBEAT: Final = "heartbeat"
"""Debezium's heartbeat."""
OP_SCHEMA_CHANGE: Final = "schema_change"
"""DDL on the connector's schema change topic."""
OP_UNKNOWN_ROW: Final = "row"
"""A flattened row whose connector was not told to add the operation."""

Headers = tuple[tuple[str, bytes | None], ...]
"""Header name and value, in their order; a name may stand more than once."""

JsonText = bytes
"""JSON text in UTF-8, exactly as received. `b"null"` is a JSON null; None in its place: absent."""


class ChangeRecord(NamedTuple):
    """One message as the archive keeps it.

    `timestamp` is Kafka's, in ms; `event_time_us` is in microseconds since 1970 UTC, None if no
    part of the message tells a time; `hour_source` says where it was taken from (`HourSource`).
    `table` is `db.schema.table` as the message names it, else the topic. `envelope` is the message
    value with the parts cut out, so that `value` gives back every byte; None for a tombstone.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    timestamp_type: int
    headers: Headers
    key: bytes | None
    op: str
    event_time_us: int | None
    hour_source: str
    table: str
    before: JsonText | None
    after: JsonText | None
    source: JsonText | None
    transaction: JsonText | None
    envelope: JsonText | None

    @property
    def topic_partition(self) -> TopicPartition:
        """The topic partition that the message came from."""
        return TopicPartition(self.topic, self.partition)


class ArchivedRecord(NamedTuple):
    """A change record with where in the archive it was read from.

    `file` is the object key of its data file, `sequence` the number of the commit that names it,
    `value_schema` the Connect schema that the message carried (JSON text), None if it had none.
    `incarnation` is that of the log: offsets are unique within it.
    """

    record: ChangeRecord
    file: str
    sequence: int
    value_schema: JsonText | None
    incarnation: int = 0
