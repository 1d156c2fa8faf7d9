"""Where a change stands in its source database, as its message tells it. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from functools import cached_property
from itertools import pairwise
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from cdc_archive.changelog.record import ArchivedRecord, ChangeRecord, JsonText
from cdc_archive.decode.images import Row, parsed, row
from cdc_archive.decode.stream import binlog_position

NEW_KEY: Final = "__debezium.newkey"
"""Header on the delete (and tombstone) of a change of key: the key that the row has from now on."""
OLD_KEY: Final = "__debezium.oldkey"
"""Header on the create that follows it: the key that the row had."""
RUN: Final = "__debezium.context.runId"
"""Header that differs from one run of a connector to the next."""

_LARGEST: Final = 1 << 127
_FIRST: Final = re.compile(r'\["([0-9]{1,19})"')
_T = TypeVar("_T", bound=msgspec.Struct)


class SourcePosition(NamedTuple):
    """What `source` and `transaction` say; None where they say nothing.

    `last_commit` is a number that rises from transaction to transaction: the LSN of the commit
    before, or file and position of the binlog.
    """

    name: str | None
    snapshot: bool
    last_commit: int | None
    lsn: int | None
    transaction: str | None
    total_order: int | None
    row: int | None


class _Source(msgspec.Struct, rename={"tx_id": "txId"}):
    name: Any = None
    snapshot: Any = None
    sequence: Any = None
    lsn: Any = None
    tx_id: Any = None
    file: Any = None
    pos: Any = None
    row: Any = None


class _Transaction(msgspec.Struct):
    id: Any = None
    total_order: Any = None


_source: Final = msgspec.json.Decoder(_Source).decode
_transaction: Final = msgspec.json.Decoder(_Transaction).decode


def position(record: ChangeRecord) -> SourcePosition:
    """Read the position out of an envelope, or out of a flattened row's added fields."""
    if record.source is None and record.transaction is None:
        return _flattened(record)
    source = _block(record.source, _source, _Source)
    block = _block(record.transaction, _transaction, _Transaction)
    return SourcePosition(
        _name(source.name),
        source.snapshot not in (None, "false", False),
        _last_commit(source.sequence) if source.sequence else _binlog(source.file, source.pos),
        _number(source.lsn),
        str(block.id).split(":")[0] if block.id else _text(source.tx_id),
        _number(block.total_order),
        _number(source.row),
    )


def _block(text: JsonText | None, decode: Callable[[bytes], _T], kind: Callable[..., _T]) -> _T:
    if text is None:
        return kind()
    try:
        return decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError):
        members = row(text) or {}
        return kind(*map(members.get, kind().__struct_encode_fields__))


def _flattened(record: ChangeRecord) -> SourcePosition:
    fields: Row = row(record.after or record.before) or {}
    transaction = fields.get("__transaction_id") or fields.get("__source_txId")
    return SourcePosition(
        _name(fields.get("__name")),
        record.op == "r",
        None,
        _number(fields.get("__lsn")),
        None if transaction is None else str(transaction).split(":")[0],
        _number(fields.get("__transaction_total_order")),
        None,
    )


def _binlog(file: object, offset: object) -> int | None:
    return binlog_position(file if isinstance(file, str) else None, _number(offset))


def _last_commit(sequence: Any) -> int | None:
    if isinstance(sequence, str) and (plain := _FIRST.match(sequence)):
        return int(plain[1])
    try:
        first = parsed(sequence)[0]
        return None if first is None else _number(int(first))
    except (TypeError, ValueError, IndexError, KeyError):
        return None


def _number(value: object) -> int | None:
    """The value if it is a number that a database can count to: others do not order changes."""
    if isinstance(value, bool) or not isinstance(value, int) or not -_LARGEST < value < _LARGEST:
        return None
    return value


def _name(value: object) -> str | None:
    """A connector's name; a lone surrogate, which UTF-8 cannot hold, is told as its escape."""
    if not isinstance(value, str):
        return None
    return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()


def _text(value: object) -> str | None:
    return None if value is None else str(value)


class Place(NamedTuple):
    """Where a change stands among those of its connector.

    `timeline` counts how often the connector's positions began anew, `commit` is the position of
    the commit before (or the time in microseconds, of a connector that tells no position), `within`
    the place in the transaction. Then comes where the message stands: number of its stream,
    incarnation, offset.
    """

    timeline: int
    commit: int
    within: int
    stream: int
    incarnation: int
    offset: int

    def packed(self) -> bytes:
        """Bytes that sort as the place does."""
        timeline, commit, within, stream, incarnation, offset = self
        return (
            timeline.to_bytes(4, "big")
            + commit.to_bytes(16, "big")
            + within.to_bytes(16, "big")
            + stream.to_bytes(4, "big")
            + incarnation.to_bytes(8, "big")
            + offset.to_bytes(8, "big")
        )

    @classmethod
    def unpacked(cls, data: bytes) -> Place:
        """The place that `packed` made these bytes of."""
        ends = (0, 4, 20, 36, 40, 48, 56)
        return cls(*(int.from_bytes(data[a:b]) for a, b in pairwise(ends)))


class _Change(NamedTuple):
    archived: ArchivedRecord
    position: SourcePosition
    place: Place


class Change(_Change):
    """An archived record with its position in the source, and its place among the others."""

    @cached_property
    def identity(self) -> bytes | None:
        """What two deliveries of one change have in common; None if the source does not tell
        enough.

        Never the LSN alone: the rows of one statement, a key change and a TRUNCATE share one.
        """
        where, record = self.position, self.archived.record
        if where.lsn is None and where.last_commit is None:
            return None
        place = where._replace(snapshot=False) if where.snapshot else where
        text = repr((place, record.table, record.op, record.key)).encode()
        return hashlib.blake2b(text + (record.after or b""), digest_size=12).digest()


def may_have_twins(change: Change) -> bool:
    """Whether another change may have the same identity: an equal row of the same statement, in a
    table without a key, where nothing tells the place in the transaction.
    """
    where = change.position
    return change.archived.record.key is None and where.total_order is None and where.row is None
