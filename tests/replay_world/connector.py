"""A model of Debezium's PostgreSQL connector: a database's log as messages, in Kafka's order.

The shape is that of tests/captures/pg_jp.jsonl.gz.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Final

from cdc_archive.source.message import CREATE_TIME, Message
from replay_world.database import Change, Database, Loose, Read, Transaction
from replay_world.profile import Profile
from replay_world.schema import Key, Row, Table

Place = tuple[str, int, int]
"""Topic, partition, offset."""


@dataclass(frozen=True)
class Sent:
    """A message of the connector, and what it tells of.

    `order` is its place among the changes of the connector: commit and place in it; 0 is what was
    read. `read` is the row of a snapshot, `change` that of a transaction.
    """

    connector: int
    order: tuple[int, int]
    topic: str
    partition: int
    key: bytes | None
    body: dict[str, Any] | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    transaction: Transaction | None = None
    change: Change | None = None
    read: Row | None = None
    table: Table | None = None


class Connector:
    """Turns a database's log into messages.

    Args:
        rng: decides partitions and crashes.
        profile: the world's settings.
        number: which connector it is.
        database: what it follows.
    """

    def __init__(self, rng: Random, profile: Profile, number: int, database: Database) -> None:
        self.rng, self.profile, self.number, self.database = rng, profile, number, database
        self.name = f"pg{number}"
        self.db = "lab" if profile.same_names else f"lab{number}"
        self._last: int | None = None
        self.sent = [*self._snapshot(), *self._stream()]

    def table(self, table: Table) -> str:
        """A table's whole name."""
        return f"{self.db}.app.{table.name}"

    def _snapshot(self) -> Iterator[Sent]:
        for read in self.database.first:
            if self.rng.random() < self.profile.snapshot:
                for row in read.rows:
                    yield self._read(read, row, "true")

    def _stream(self) -> Iterator[Sent]:
        """Commits in their order, each change with the commit before."""
        for entry in self.database.log:
            if isinstance(entry, Read):
                for row in entry.rows:
                    yield self._read(entry, row, "incremental")
            elif isinstance(entry, Loose):
                source = self._source(None, entry.lsn, None, entry.time_us)
                message = {"prefix": "audit.actor", "content": "eyJ0eXBlIjoic2Vzc2lvbiJ9"}
                yield self._message(None, source, None, message, (0, 0))
            else:
                yield from self._transaction(entry)

    def _transaction(self, done: Transaction) -> Iterator[Sent]:
        headers: tuple[tuple[str, bytes | None], ...] = ()
        if "header" in done.tells:
            headers = (("x-actor", json.dumps(done.actor).encode()),)
        order = 0
        for change in done.changes:
            for sent in self._sent(done, change, headers):
                if sent.body is not None:
                    order += 1
                    block = {"id": f"{done.xid}:{change.lsn}", "total_order": order}
                    block["data_collection_order"] = order
                    sent.body["transaction"] = block if self.profile.metadata else None
                yield replace(sent, order=(done.number, order))
        self._last = done.commit_lsn

    def _sent(
        self, done: Transaction, change: Change, headers: tuple[tuple[str, bytes | None], ...]
    ) -> Iterator[Sent]:
        table = change.table
        source = self._source(table, change.lsn, done.xid, done.time_us)
        if table is None:
            content = base64.b64encode(change.content).decode()
            message = {"prefix": change.prefix, "content": content}
            yield self._message(done, source, change, message, (0, 0))
            return

        def row(
            op: str, key: Key | None, before: Row | None, after: Row | None, **more: Key
        ) -> Sent:
            assert table is not None
            marks = tuple((f"__debezium.{n}", _key(table, to)) for n, to in more.items())
            body = {"before": before, "after": after, "source": source, "op": op}
            data = None if op == "tombstone" else body
            encoded = None if key is None else _key(table, key)
            told = marks if op == "tombstone" else (*marks, *headers)
            made = self._made(table, encoded, data, told)
            return replace(made, transaction=done, change=change)

        before, after, full = change.before, change.after, change.full
        match change.op:
            case "c":
                yield row("c", change.key, None, after)
            case "u":
                yield row("u", change.key, before if full else None, _shown(table, change))
            case "d":
                yield row("d", change.key, _last_image(table, change), None)
                if change.key is not None:
                    yield row("tombstone", change.key, None, None)
            case "t":
                yield row("t", None, None, None)
            case "move":
                assert change.key is not None
                assert change.old_key is not None
                image, to = _last_image(table, change), change.key
                yield row("d", change.old_key, image, None, newkey=to)
                yield row("tombstone", change.old_key, None, None, newkey=to)
                yield row("c", to, None, _shown(table, change), oldkey=change.old_key)

    def _read(self, read: Read, row: Row, kind: str) -> Sent:
        table = read.table
        first = kind == "true"
        source = self._source(
            table, read.lsn if first else None, 1 if first else None, read.time_us
        )
        source["snapshot"] = kind
        source["sequence"] = json.dumps([self._told_last(), str(read.lsn)])
        body = {"before": None, "after": row, "source": source, "transaction": None, "op": "r"}
        key = _key(table, table.key_of(row)) if table.key else None
        return replace(self._made(table, key, body, ()), read=row)

    def _made(
        self, table: Table, key: bytes | None, body: dict[str, Any] | None, headers: Any
    ) -> Sent:
        count = self.profile.partitions
        partition = self.rng.randrange(count) if key is None else zlib.crc32(key) % count
        topic = f"{self.name}.app.{table.name}"
        return Sent(self.number, (0, 0), topic, partition, key, body, headers, table=table)

    def _message(
        self, done: Transaction | None, source: Row, change: Change | None, message: Row, order: Any
    ) -> Sent:
        body = {"op": "m", "source": source, "transaction": None, "message": message}
        key = json.dumps({"prefix": message["prefix"]}).encode()
        topic = f"{self.name}.message"
        return Sent(self.number, order, topic, 0, key, body, (), done, change)

    def _told_last(self) -> str | None:
        return None if self._last is None else str(self._last)

    def _source(self, table: Table | None, lsn: int | None, xid: int | None, time_us: int) -> Row:
        return {
            "version": "3.6.3.Final",
            "connector": "postgresql",
            "name": self.name,
            "ts_ms": time_us // 1000,
            "snapshot": "false",
            "db": self.db,
            "sequence": json.dumps([self._told_last(), str(lsn)]),
            "ts_us": time_us,
            "ts_ns": time_us * 1000,
            "schema": "" if table is None else "app",
            "table": "" if table is None else table.name,
            "txId": xid,
            "lsn": lsn,
            "xmin": None,
            "origin": None,
            "origin_lsn": None,
        }

    def delivered(self) -> Iterator[tuple[int, int]]:
        """The run that sent it and the number in `sent` of all that reaches Kafka, in this order
        within each partition.

        A crash goes back to the flushed offset `again`; of what came after that one, each partition
        has got a part. Rows that were read come again only if the snapshot begins anew.
        """
        rng, total = self.rng, len(self.sent)
        begins = next((n for n, one in enumerate(self.sent) if one.read is None), total)
        done = furthest = 0
        for run in range(self.profile.crashes + 1):
            last = run == self.profile.crashes
            end = total if last else rng.randrange(done, total + 1)
            reached = max(furthest, end)
            again = 0 if reached <= begins else max(begins, end - rng.choice([0, 3, 10, 30]))
            until: dict[tuple[str, int], int] = {}
            for n in range(done, end):
                one = self.sent[n]
                cut = until.setdefault((one.topic, one.partition), rng.randrange(again, end + 1))
                comes = one.read is None or n >= furthest or n < begins
                if comes and (last or n < cut):
                    yield run, n
            furthest, done = reached, again


def _key(table: Table, key: Key) -> bytes:
    return json.dumps(dict(zip(table.key, key, strict=True)), separators=(",", ":")).encode()


def _shown(table: Table, change: Change) -> Row:
    """The row after an UPDATE; what lies out of line and was not written is not shown."""
    before, after = change.before, change.after
    assert before is not None
    assert after is not None
    if change.full:
        return after
    return {
        one.name: one.placeholder
        if one.name not in change.touched and one.is_out_of_line(before[one.name])
        else after[one.name]
        for one in table.columns
    }


def _last_image(table: Table, change: Change) -> Row:
    """The before image of a DELETE: the row, or its key and inventions."""
    before = change.before
    assert before is not None
    if change.full:
        return before
    return {
        one.name: before[one.name] if one.name in table.key else one.invented
        for one in table.columns
    }


def _earlier(source: Row, runs: int) -> Row:
    ms, lsn = source["ts_ms"] - 1_000 * runs, source["lsn"] - 8 * runs
    times = {"ts_ms": ms, "ts_us": source["ts_us"] - 1_000_000 * runs}
    times["ts_ns"] = times["ts_us"] * 1_000
    return source | times | {"lsn": lsn, "sequence": json.dumps([None, str(lsn)])}


_CONTEXT: Final = "__debezium.context."


def message_of(sent: Sent, run: int, last_run: int, offset: int, sent_us: int) -> Message:
    """The message as a consumer gets it.

    `run` and the envelope's time differ from copy to copy; a snapshot that begins anew is another
    snapshot, of another time and position.
    """
    headers = sent.headers
    if not sent.topic.endswith(".message"):
        headers = (*headers, (f"{_CONTEXT}runId", f"run-{run}".encode()))
    value = None
    if sent.body is not None:
        stamps = {"ts_ms": sent_us // 1000, "ts_us": sent_us, "ts_ns": sent_us * 1000}
        body = sent.body
        if body["source"]["snapshot"] == "true":
            body = body | {"source": _earlier(body["source"], last_run - run)}
        text = json.dumps(body | stamps, separators=(",", ":"), ensure_ascii=False)
        value = text.encode()
    return Message(
        topic=sent.topic,
        partition=sent.partition,
        offset=offset,
        timestamp=sent_us // 1000,
        timestamp_type=CREATE_TIME,
        key=sent.key,
        value=value,
        headers=headers,
    )
