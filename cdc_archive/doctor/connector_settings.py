"""The settings of a Debezium connector that can lose, blur or hide changes. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from cdc_archive.doctor.finding import Check, error, note, warning

PAGE: Final = "Debezium documentation, PostgreSQL connector"
_RECORDED: Final = "recorded with Debezium 3.6.3"
_MEBIBYTE: Final = 1_048_576


class Setting(NamedTuple):
    """A setting that can be wrong: its default, when a value is wrong, and a better value.

    `since` is the first version that has it; None: every one that we meet. `first` is what must be
    so before the better value is set.
    """

    check: Check
    key: str
    default: str
    wrong: Callable[[str], bool]
    better: str
    postgres_only: bool = False
    since: str | None = None
    first: str = ""


def _setting_check(kind: Callable[..., Check], name: str, why: str, key: str) -> Check:
    return kind(f"connect.{name}", why, f"{PAGE}, `{key}`")


_SKIPS = _setting_check(
    error,
    "skipped-operations",
    "Changes of these operations never reach Kafka, so no archive has them. The default leaves out "
    "TRUNCATE: all rows of a table vanish and nothing tells of it.",
    "skipped.operations",
)
_NO_METADATA = _setting_check(
    warning,
    "transaction-metadata",
    "Without BEGIN and END of transactions and their counts nothing proves that no change is "
    "missing, and who acted cannot be joined from another topic.",
    "provide.transaction.metadata",
)
_TOLERANT = warning(
    "connect.errors-tolerance",
    "A record that a converter or a transform cannot take is left out, and the connector goes on.",
    "Apache Kafka documentation, Connect, `errors.tolerance`",
)._replace(severity=_SKIPS.severity)
_INEXACT = _setting_check(
    warning,
    "decimal-handling",
    "A decimal becomes a binary floating-point number: amounts are no longer what the database "
    "has.",
    "decimal.handling.mode",
)
_COARSE = _setting_check(
    warning,
    "time-precision",
    "Times lose what is finer than a millisecond, and with it the order of quick changes.",
    "time.precision.mode",
)
_BINARY = warning(
    "connect.binary-handling",
    "In a text mode an out-of-line bytea or date[] that a change left alone arrives as null: not "
    "to be told from a NULL.",
    _RECORDED,
)
_PLACEHOLDER = _setting_check(
    warning,
    "unavailable-value",
    "A value that a change left alone is known by this placeholder; with another one it looks like "
    "a new value, unless the mapping names it.",
    "unavailable.value.placeholder",
)
_TOMBSTONES = _setting_check(
    note,
    "tombstones",
    "Nothing of the archive needs tombstones; a compacted topic keeps deleted rows for ever.",
    "tombstones.on.delete",
)
_PLUGIN = _setting_check(
    warning,
    "plugin",
    "Only pgoutput has logical messages (who acted) and is part of PostgreSQL; the default is "
    "another one.",
    "plugin.name",
)
_NO_HEARTBEAT = _setting_check(
    warning,
    "heartbeat",
    "While captured tables are quiet and others are not, the slot stays where it is and WAL piles "
    "up until the slot is lost; and silence cannot be told from a broken stream.",
    "heartbeat.interval.ms",
)
NO_ACTION: Final = _setting_check(
    warning,
    "heartbeat-action",
    "A heartbeat that writes nothing (a row, or a logical message) does not move the slot when "
    "only other databases are busy, and does not prove the way from the database to the archive.",
    "heartbeat.action.query",
)
_DROPS_SLOT = _setting_check(
    error,
    "drops-slot",
    "Each stop of the connector throws the slot away: what is changed until it starts again is "
    "lost.",
    "slot.drop.on.stop",
)
_MISMATCH = _setting_check(
    warning,
    "offset-mismatch",
    "If the slot was made anew or moved on, the stream goes on after a hole, without a word. "
    "`trust_offset` stops the connector instead.",
    "offset.mismatch.strategy",
)
_SKIPS_AHEAD = _setting_check(
    error,
    "offset-mismatch-skips",
    "If the slot is ahead of what Kafka has, the connector jumps there: what lies between is lost.",
    "offset.mismatch.strategy",
)
_STOPS = _setting_check(
    error, "snapshot-only", "It ends after the snapshot: no change is captured.", "snapshot.mode"
)
_SNAPSHOTS = _setting_check(
    warning,
    "snapshot-mode",
    "It takes a snapshot by itself after it lost its place: what happened between is lost, and the "
    "stream looks whole. A worker then stops with exit code 8 until somebody accepts the loss.",
    "snapshot.mode",
)
_NO_SNAPSHOT = _setting_check(
    note,
    "no-snapshot",
    "Rows that existed before have no first version in the archive: their first change has no "
    "image before it, unless the replica identity is FULL.",
    "snapshot.mode",
)
_PUBLISHES_ALL = _setting_check(
    note,
    "publication-autocreate",
    "The connector makes the publication that it does not find: for all tables, or for those that "
    "it captured then, and then a missing or renamed one is not noticed.",
    "publication.autocreate.mode",
)
_UNSAFE_PRODUCER = error(
    "connect.producer-acks",
    "A broker that dies takes messages with it that Debezium thinks are stored.",
    "Apache Kafka documentation, producer, `acks`",
)
_SMALL_REQUESTS = note(
    "connect.request-size",
    "A row of more than a megabyte (both images count) stops the connector until this is raised, "
    "here and as the topic's max.message.bytes.",
    "Apache Kafka documentation, producer, `max.request.size`",
)
_AT_LEAST_ONCE = note(
    "connect.exactly-once",
    "After a crash some messages come twice; replay knows them by position and leaves them out.",
    "Apache Kafka documentation, Connect, `exactly.once.support`",
)
_FLUSH = _setting_check(
    warning,
    "lsn-flush",
    "Debezium confirms nothing to the slot: WAL piles up until somebody else does.",
    "lsn.flush.mode",
)

SETTINGS: Final = (
    Setting(_SKIPS, "skipped.operations", "t", lambda v: v != "none", "none"),
    Setting(_NO_METADATA, "provide.transaction.metadata", "false", lambda v: v != "true", "true"),
    Setting(_TOLERANT, "errors.tolerance", "none", lambda v: v == "all", "none"),
    Setting(_INEXACT, "decimal.handling.mode", "precise", lambda v: v == "double", "precise"),
    Setting(_COARSE, "time.precision.mode", "adaptive", lambda v: v == "connect", "adaptive"),
    Setting(_BINARY, "binary.handling.mode", "bytes", lambda v: v != "bytes", "bytes"),
    Setting(
        _PLACEHOLDER,
        "unavailable.value.placeholder",
        "__debezium_unavailable_value",
        lambda v: v != "__debezium_unavailable_value",
        "__debezium_unavailable_value",
    ),
    Setting(_TOMBSTONES, "tombstones.on.delete", "true", lambda v: v != "true", "true"),
    Setting(_PLUGIN, "plugin.name", "decoderbufs", lambda v: v != "pgoutput", "pgoutput", True),
    Setting(_NO_HEARTBEAT, "heartbeat.interval.ms", "0", lambda v: v == "0", "10000"),
    Setting(_DROPS_SLOT, "slot.drop.on.stop", "false", lambda v: v == "true", "false", True),
    Setting(
        _MISMATCH,
        "offset.mismatch.strategy",
        "no_validation",
        lambda v: v == "no_validation",
        "trust_offset",
        True,
        "3.4.0.Final",
    ),
    Setting(
        _SKIPS_AHEAD,
        "offset.mismatch.strategy",
        "no_validation",
        lambda v: v in ("trust_slot", "trust_greater_lsn"),
        "trust_offset",
        True,
        "3.4.0.Final",
    ),
    Setting(_STOPS, "snapshot.mode", "initial", lambda v: v == "initial_only", "initial"),
    Setting(
        _SNAPSHOTS,
        "snapshot.mode",
        "initial",
        lambda v: v in ("always", "when_needed"),
        "initial",
    ),
    Setting(
        _NO_SNAPSHOT,
        "snapshot.mode",
        "initial",
        lambda v: v in ("never", "no_data", "schema_only"),
        "initial",
    ),
    Setting(
        _PUBLISHES_ALL,
        "publication.autocreate.mode",
        "all_tables",
        lambda v: v != "disabled",
        "disabled",
        True,
    ),
    Setting(
        _FLUSH,
        "lsn.flush.mode",
        "connector",
        lambda v: v == "manual",
        "connector",
        True,
        "3.4.0.Beta1",
    ),
    Setting(
        _UNSAFE_PRODUCER, "producer.override.acks", "all", lambda v: v not in ("all", "-1"), "all"
    ),
    Setting(
        _SMALL_REQUESTS,
        "producer.override.max.request.size",
        "1048576",
        lambda v: v.isdecimal() and int(v) <= _MEBIBYTE,
        "8388608",
    ),
    Setting(
        _AT_LEAST_ONCE,
        "exactly.once.support",
        "requested",
        lambda v: v != "required",
        "required",
        first="With exactly.once.source.support=enabled on every worker of Connect: ",
    ),
)
