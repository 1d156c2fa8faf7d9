"""Where a change stands in its source database, and the order that follows from it. Pure.

Source of the order: within a PostgreSQL stream `source.sequence[0]` (the last commit) rises while
`lsn` and `txId` go back when transactions overlap; `total_order` counts within a transaction. MySQL
and MariaDB give file and position of the binlog, and `row` for the rows of one statement.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from heapq import merge
from operator import itemgetter
from typing import Any, Final, NamedTuple

from cdc_archive.changelog.record import OP_UNKNOWN_ROW, ROW_OPS, ArchivedRecord, ChangeRecord
from cdc_archive.decode.images import Row, parsed, row
from cdc_archive.decode.stream import binlog_position

_LARGEST: Final = 1 << 127
_ROWS: Final = ROW_OPS | {OP_UNKNOWN_ROW}


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


def position(record: ChangeRecord) -> SourcePosition:
    """Read the position out of an envelope, or out of a flattened row's added fields."""
    source = row(record.source) or {}
    if record.source is None and record.transaction is None:
        return _flattened(record)
    block = row(record.transaction) or {}
    sequence = source.get("sequence")
    transaction = block.get("id")
    return SourcePosition(
        source.get("name"),
        source.get("snapshot") not in (None, "false", False),
        _last_commit(sequence) if sequence else _binlog(source.get("file"), source.get("pos")),
        _number(source.get("lsn")),
        str(transaction).split(":")[0] if transaction else _text(source.get("txId")),
        _number(block.get("total_order")),
        _number(source.get("row")),
    )


def _flattened(record: ChangeRecord) -> SourcePosition:
    fields: Row = row(record.after or record.before) or {}
    transaction = fields.get("__transaction_id") or fields.get("__source_txId")
    return SourcePosition(
        fields.get("__name"),
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


def _text(value: object) -> str | None:
    return None if value is None else str(value)


class Change(NamedTuple):
    """An archived record with its position in the source."""

    archived: ArchivedRecord
    position: SourcePosition


def identity(change: Change) -> bytes | None:
    """What two deliveries of one change have in common; None if the source does not tell enough.

    Never the LSN alone: the rows of one statement, a key change and a TRUNCATE share one.
    """
    where, record = change.position, change.archived.record
    if where.lsn is None and where.last_commit is None:
        return None
    place = where._replace(snapshot=False)
    text = repr((place, record.table, record.op, record.key)).encode()
    return hashlib.blake2b(text + (record.after or b""), digest_size=12).digest()


def in_commit_order(streams: Iterable[Iterable[ArchivedRecord]]) -> Iterator[Change]:
    """The row changes of all partitions, each in offset order, merged into the order of commits.

    The same streams give the same order, whatever the order in which they are given. Offset order
    within a partition always holds: what comes again after a restart, and rows of a snapshot, which
    is no commit, stay behind the change that they follow there.
    """
    for _, change in merge(*map(_placed, streams), key=itemgetter(0)):
        yield change


def _placed(stream: Iterable[ArchivedRecord]) -> Iterator[tuple[tuple[Any, ...], Change]]:
    latest = (0, 0, 0)
    for archived in stream:
        record = archived.record
        if record.op not in _ROWS:
            continue
        where = position(record)
        if not where.snapshot:
            within = where.total_order or where.row or 0
            own = (record.event_time_us or 0, where.last_commit or 0, within)
            latest = max(latest, own)
        tie = (record.topic, record.partition, record.offset)
        yield (*latest, *tie), Change(archived, where)
