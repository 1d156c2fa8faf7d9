"""What the archive holds of each transaction, on disk, as its files are read in any order."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec

from cdc_archive.archive.reader.window import Window
from cdc_archive.changelog.record import (
    OP_BEGIN,
    OP_END,
    OP_MESSAGE,
    OP_UNKNOWN_ROW,
    ROW_OPS,
    ArchivedRecord,
    ChangeRecord,
)
from cdc_archive.decode.images import row
from cdc_archive.history.position import position
from cdc_archive.integrity.completeness import (
    COUNTED_ANEW,
    MESSAGES,
    NEAR_US,
    SHORT,
    UNPROVABLE,
    End,
    Judged,
    Seen,
    StreamResult,
    judge,
)
from cdc_archive.integrity.findings import INCOMPLETE, RESTARTED, Finding
from cdc_archive.integrity.ledger import temporary
from cdc_archive.integrity.topic_facts import TopicFacts

_CHANGES: Final = (ROW_OPS | {OP_UNKNOWN_ROW, OP_MESSAGE}) - {"r"}
_CONNECTOR: Final = "__debezium.context.connectorLogicalName"
_UNKNOWN_LSN: Final = -1
_LSN_DIGITS: Final = 19
_LARGEST: Final = (1 << 63) - 1
_SCHEMA: Final = """
CREATE TABLE change (connector TEXT, tx TEXT, lsn INT, place INT, id BLOB, source_table TEXT,
    topic TEXT, after_commit INT, PRIMARY KEY (connector, tx, lsn, place, id)) WITHOUT ROWID;
CREATE TABLE begin (connector TEXT, tx TEXT, lsn INT, partition INT, log_offset INT,
    PRIMARY KEY (connector, tx, lsn, partition, log_offset)) WITHOUT ROWID;
CREATE TABLE end (connector TEXT, tx TEXT, lsn INT, told TEXT, time_us INT, place TEXT, file TEXT,
    PRIMARY KEY (connector, tx, lsn)) WITHOUT ROWID;
"""


class _Block(msgspec.Struct):
    id: Any = None
    total_order: Any = None


class _Boundary(msgspec.Struct):
    id: str
    event_count: int | None = None
    data_collections: list[dict[str, Any]] | None = None


class _Wrapped(msgspec.Struct):
    payload: _Boundary


class _Place(NamedTuple):
    transaction: str
    lsn: int
    number: int


class Transactions:
    """Takes the records of an archive, and judges its transactions in the end.

    Args:
        window: transactions whose END lies in it are judged.
    """

    def __init__(self, window: Window) -> None:
        self._window = window
        self._notes = temporary()
        self._notes.executescript(_SCHEMA)
        self._outside: Counter[str] = Counter()
        self._newest_us: dict[str, int] = {}

    def close(self) -> None:
        """Throw the notes away."""
        self._notes.close()

    def take(self, archived: ArchivedRecord) -> None:
        """One record that is archived."""
        record = archived.record
        if record.op in _CHANGES:
            self._change(record)
        elif record.op in (OP_BEGIN, OP_END):
            self._boundary(archived)

    def _change(self, record: ChangeRecord) -> None:
        where = position(record)
        connector = where.name or _in_header(record) or record.topic.partition(".")[0]
        place = _place(record)
        if where.snapshot:
            return
        if place is None:
            self._outside[connector] += 1
            return
        time_us = record.event_time_us or 0
        self._newest_us[connector] = max(time_us, self._newest_us.get(connector, 0))
        table = MESSAGES if record.op == OP_MESSAGE else record.table
        number = (
            place.number if record.op == OP_MESSAGE else None
        )  # they bear no content to compare
        images = (record.key, record.before, record.after)
        told = (place.lsn, where.lsn, table, record.op, images, number)
        identity = hashlib.blake2b(repr(told).encode(), digest_size=12).digest()
        lsn = place.lsn if where.lsn is None or place.lsn == _UNKNOWN_LSN else where.lsn
        after = min(where.last_commit or 0, _LARGEST)
        values = (connector, place.transaction, _bounded(lsn), place.number, identity)
        self._notes.execute(
            "INSERT OR IGNORE INTO change VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (*values, table, record.topic, after),
        )

    def _boundary(self, archived: ArchivedRecord) -> None:
        record = archived.record
        told = _boundary(record.envelope or b"")
        connector = record.topic.rpartition(".")[0] or record.topic
        if told is None:
            return
        transaction, lsn = _split(told.id)
        if record.op == OP_BEGIN:
            self._notes.execute(
                "INSERT OR IGNORE INTO begin VALUES (?, ?, ?, ?, ?)",
                (connector, transaction, lsn, record.partition, record.offset),
            )
            return
        where = f"{record.topic_partition}@{record.offset}"
        counts = json.dumps([told.event_count, _counts(told)])
        self._notes.execute(
            "INSERT OR IGNORE INTO end VALUES (?, ?, ?, ?, ?, ?, ?)",
            (connector, transaction, lsn, counts, record.event_time_us, where, archived.file),
        )

    def judge(
        self, topics: TopicFacts, now_us: int | None, results: list[StreamResult]
    ) -> Iterator[Finding]:
        """Findings; the results of the connectors are added to `results`."""
        sql = "SELECT connector FROM change UNION SELECT connector FROM end ORDER BY 1"
        names = {name for (name,) in self._notes.execute(sql)} | {*self._outside}
        for connector in sorted(names):
            result = StreamResult(connector, Counter(), Counter(), self._outside[connector])
            results.append(result)
            yield from self._stream(connector, topics, now_us, result)

    def _stream(
        self, connector: str, topics: TopicFacts, now_us: int | None, result: StreamResult
    ) -> Iterator[Finding]:
        tables = self._tables(connector)
        before: tuple[str, int] = ("", _UNKNOWN_LSN)
        ends = self._notes.execute(
            "SELECT tx, lsn, told, time_us, place, file FROM end WHERE connector = ?"
            " ORDER BY tx, lsn",
            (connector,),
        )
        known = False
        for transaction, lsn, told, time_us, where, file in ends:
            known = True
            since = before[1] if before[0] == transaction else _UNKNOWN_LSN - 1
            before = (transaction, lsn)
            if not self._window.holds(time_us):
                continue
            count, by_table = json.loads(told)
            place = None if lsn == _UNKNOWN_LSN else lsn
            end = End(transaction, place, count, by_table, time_us, where, file)
            seen = self._seen(connector, transaction, since, lsn)
            facts = {name: topics.of(connector, name, tables) for name in by_table} | {
                MESSAGES: topics.of(connector, MESSAGES, tables)
            }
            judged = judge(end, seen, facts, now_us)
            yield from _told(end, judged, result)
        if known:
            yield from self._endless(connector, result, topics)
        elif tables:
            result.reasons["no transaction metadata is archived"] += 1
            result.states[UNPROVABLE] += 1

    def _seen(self, connector: str, transaction: str, since: int, lsn: int) -> Seen:
        rows = self._notes.execute(
            "SELECT source_table, place, id, lsn FROM change"
            " WHERE connector = ? AND tx = ? AND lsn > ? AND lsn <= ?",
            (connector, transaction, since, lsn),
        ).fetchall()
        places = {(table, place) for table, place, _, _ in rows}
        changes = {(table, identity) for table, _, identity, _ in rows}
        numbers = {place for _, place, _, _ in rows}
        ((begins, first),) = self._notes.execute(
            "SELECT count(*), min(lsn) FROM begin"
            " WHERE connector = ? AND tx = ? AND lsn > ? AND lsn <= ?",
            (connector, transaction, since, lsn),
        ).fetchall()
        lsns = [found for _, _, _, found in rows if found != _UNKNOWN_LSN]
        return Seen(
            Counter(table for table, _ in places),
            Counter(table for table, _ in changes),
            len({(place, identity) for _, place, identity, _ in rows}) > len(numbers),
            begins,
            min(lsns) if lsns else first if first != _UNKNOWN_LSN else None,
        )

    def _tables(self, connector: str) -> dict[str, tuple[set[str], int, int]]:
        """The tables of a connector: their topics, and the first and last LSN of their changes."""
        found: dict[str, tuple[set[str], int, int]] = {}
        for table, topic, low, high in self._notes.execute(
            "SELECT source_table, topic, min(lsn), max(lsn) FROM change WHERE connector = ?"
            " GROUP BY source_table, topic",
            (connector,),
        ):
            topics, first, last = found.get(table, (set(), low, high))
            found[table] = ({*topics, topic}, min(first, low), max(last, high))
        return found

    def _newest_ended(self, connector: str) -> int:
        """Changes after this commit have no END here yet: each chain commits on its own, so that
        of the boundaries may lag. If it lags for too long, what it lacks never came.
        """
        ((newest,),) = self._notes.execute(
            "SELECT max(after_commit) FROM change WHERE connector = ?", (connector,)
        ).fetchall()
        ((ended, time_us),) = self._notes.execute(
            "SELECT max(c.after_commit), max(e.time_us) FROM change c JOIN end e"
            " ON e.connector = c.connector AND e.tx = c.tx AND c.lsn <= e.lsn"
            " WHERE c.connector = ?",
            (connector,),
        ).fetchall()
        lags = time_us is not None and self._newest_us[connector] - time_us < NEAR_US
        return int(ended if lags else newest or 0)

    def _endless(
        self, connector: str, result: StreamResult, topics: TopicFacts
    ) -> Iterator[Finding]:
        """Transactions with changes after their last END."""
        newest = self._newest_ended(connector)
        rows = self._notes.execute(
            "SELECT c.tx, count(DISTINCT c.place), max(c.after_commit), max(c.topic) FROM change c"
            " LEFT JOIN (SELECT tx, max(lsn) AS lsn FROM end WHERE connector = ?1 GROUP BY tx) e"
            " ON e.tx = c.tx WHERE c.connector = ?1 AND (e.lsn IS NULL OR c.lsn > e.lsn)"
            " GROUP BY c.tx ORDER BY c.tx",
            (connector,),
        )
        for transaction, count, after, topic in rows:
            if after >= newest:
                why = "their END is not archived yet"
            elif self._window != Window():
                continue
            else:
                why = topics.why_no_end(f"{connector}.transaction")
            if why:
                result.states[UNPROVABLE] += 1
                result.reasons[why] += 1
                continue
            result.states[SHORT] += 1
            what = f"transaction {transaction} of {connector}: {count} changes, but its END, which"
            yield Finding(INCOMPLETE, topic, f"{what} those of later ones followed, never came")


def _told(end: End, judged: Judged, result: StreamResult) -> Iterator[Finding]:
    result.states[judged.state] += 1
    at = "" if end.lsn is None else f" at LSN {end.lsn}"
    what = f"transaction {end.transaction}{at} (END {end.where}): {judged.why}"
    if judged.state == SHORT:
        yield Finding(INCOMPLETE, end.file, what)
    elif judged.state == COUNTED_ANEW:
        yield Finding(RESTARTED, end.file, what)
    elif judged.state == UNPROVABLE:
        result.reasons[judged.why] += 1


def _place(record: ChangeRecord) -> _Place | None:
    """Transaction, LSN and number within it, as the message tells them."""
    block: _Block | None = None
    if record.transaction is not None:
        try:
            block = msgspec.json.decode(record.transaction, type=_Block | None)
        except (msgspec.DecodeError, ValueError, RecursionError):
            return None
    elif record.source is None:
        fields = row(record.after or record.before) or {}
        block = _Block(fields.get("__transaction_id"), fields.get("__transaction_total_order"))
    if block is None or not isinstance(block.id, str) or not isinstance(block.total_order, int):
        return None
    transaction, lsn = _split(block.id)
    return _Place(transaction, lsn, _bounded(block.total_order))


def _split(name: str) -> tuple[str, int]:
    """PostgreSQL's `txId:LSN`; what others call a transaction is one name."""
    transaction, colon, lsn = name.rpartition(":")
    if colon and transaction.isdigit() and lsn.isdigit() and len(lsn) <= _LSN_DIGITS:
        return transaction, _bounded(int(lsn))
    return name, _UNKNOWN_LSN


def _bounded(number: int) -> int:
    return max(-_LARGEST, min(number, _LARGEST))


def _boundary(envelope: bytes) -> _Boundary | None:
    text = envelope.replace(b"\x05", b"null")
    for kind in (_Boundary, _Wrapped):
        try:
            found: Any = msgspec.json.decode(text, type=kind)
        except (msgspec.DecodeError, ValueError, RecursionError):
            continue
        return found if isinstance(found, _Boundary) else found.payload
    return None


def _counts(told: _Boundary) -> dict[str, int]:
    found: Counter[str] = Counter()
    for one in told.data_collections or ():
        name, count = one.get("data_collection"), one.get("event_count")
        if isinstance(name, str) and isinstance(count, int):
            found[name] += count
    return dict(found)


def _in_header(record: ChangeRecord) -> str | None:
    for name, value in record.headers:
        if name == _CONNECTOR and value is not None:
            return value.decode("utf-8", "replace")
    return None
