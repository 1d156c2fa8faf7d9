"""A row's step from one version to the next, with what proves it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from cdc_archive.changelog.record import ArchivedRecord
from cdc_archive.decode.images import Row
from cdc_archive.history.position import Change

Proof = Literal["exact", "reconstructed", "key_only", "unknown", "none"]
EXACT: Final = "exact"
"""The message carried the whole before image."""
RECONSTRUCTED: Final = "reconstructed"
"""The before image is the previous version in the archive."""
KEY_ONLY: Final = "key_only"
"""Only the key is evidence: Debezium invents the rest under REPLICA IDENTITY DEFAULT."""
UNKNOWN: Final = "unknown"
"""The archive first sees the row here."""
NOT_APPLICABLE: Final = "none"
"""A created row has no version before."""

Doubt = Literal["gap", "quarantine"]
"""Why the version before may not be the last one: messages between were lost, or not decoded."""


EVERY_COLUMN: Final = frozenset({"*"})
"""In place of doubtful columns: the message does not even tell which the table has."""


class Origin(NamedTuple):
    """The message that a value was taken from."""

    topic: str
    partition: int
    offset: int
    incarnation: int = 0

    @classmethod
    def of(cls, archived: ArchivedRecord) -> Origin:
        """Where an archived record stands in its log."""
        record = archived.record
        return cls(record.topic, record.partition, record.offset, archived.incarnation)


_NOTHING: Final[Mapping[str, Origin]] = {}


class Transition(NamedTuple):
    """One change of one row.

    `key` is the row's key as canonical JSON text, None for a table without a key. `changed` holds
    the columns that provably differ, None if the version before is unknown. `unknown_columns` were
    not touched and their value is not in the archive (an out-of-line value). `before_origin` is the
    message that showed the version before, where that version was reconstructed; `filled` the
    columns of `after` that this message did not show, with the message that did. `doubtful` are the
    columns of which it cannot be told whether an update changed them, or what a deleted row had in
    them. `before_doubt` is set where the archive lacks messages between the one that showed the
    version before and this one.
    """

    op: Literal["create", "update", "delete"]
    table: str
    key: str | None
    before: Row | None
    after: Row | None
    before_proof: Proof
    changed: frozenset[str] | None
    unknown_columns: frozenset[str]
    change: Change
    before_origin: Origin | None = None
    filled: Mapping[str, Origin] = _NOTHING
    doubtful: frozenset[str] = frozenset()
    before_doubt: Doubt | None = None

    @property
    def row(self) -> Row:
        """The version after, or the last one of a deleted row."""
        return self.after if self.after is not None else self.before or {}


def changed_columns(before: Row | None, after: Row | None) -> frozenset[str] | None:
    """Columns of `after` whose value in `before` is another; a column that is new counts if set."""
    if before is None or after is None:
        return None
    earlier = before.get
    return frozenset([name for name, value in after.items() if earlier(name) != value])
