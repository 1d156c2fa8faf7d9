"""Made-up changes as Debezium sends them, archives of them, and runs over these in this process."""

from __future__ import annotations

import base64
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.archive.reader.window import Window
from cdc_archive.replay import checkpointing, run
from cdc_archive.replay.asked import Asked
from cdc_archive.replay.report import Report
from cdc_archive.sinks.sink import Line
from cdc_archive.source.message import Message
from cdc_archive.storage.memory import MemoryStore
from cdc_archive.storage.object_store import ObjectStore
from cdc_archive.worker.limits import Limits
from support.build import message
from support.simulated_source import SimulatedSource
from support.workshop import Workshop

NOON_US = 1_771_502_400_000_000
"""2026-02-19T12:00:00Z."""
SECOND_US = 1_000_000
HOUR_US = 3600 * SECOND_US
DAY_US = 24 * HOUR_US

RULES = """
name = "small"
[actor]
template = "@"
plain = "{type: 'session', session: {user: {id: @}}}"
[[actor.source]]
message = ["who"]
value = "who"
[[actor.source]]
row = ["context"]
value = "row.who"
[lookup.teams]
tables = ["team"]
by = "id"
[[rule]]
type = "user.added"
tables = ["user"]
on = "create"
id = "row.id && to_string(row.id)"
payload = "{id: id, team: lookup('teams', row.team).name}"
[[rule]]
type = "user.updated"
tables = ["user"]
on = "update"
id = "row.id && to_string(row.id)"
payload = "{id: id, was: before.name, name: row.name, team: lookup('teams', row.team).name}"
[[rule]]
type = "user.deleted"
tables = ["user"]
on = "delete"
id = "row.id && to_string(row.id)"
payload = "{id: id, was: before.name}"
[[rule]]
type = "note.updated"
tables = ["note"]
on = "update"
id = "row.id && to_string(row.id)"
payload = "{id: id, was: before.text, text: row.text}"
"""

Told = tuple[str, str, Any, Any]
"""An operation (c, u, d, r, t), a table, the row before and the row after."""


class Database:
    """A source database and its connector: each transaction becomes messages, a topic a table."""

    def __init__(self, name: str = "pg", *, positions: bool = True) -> None:
        self.log: list[Message] = []
        self._name = name
        self._positions = positions
        self._offsets: Counter[str] = Counter()
        self._lsn = self._last_commit = 1000
        self._transactions = 0
        self.run = b"run-1"

    def commit(self, at_us: int, *changes: Told, tx: int | None = None) -> list[Message]:
        """A transaction at a time; `who` as a table is a logical message with that content."""
        self._transactions += 1
        number, begun, sent = tx or 500 + self._transactions, self._lsn, []
        for order, (op, table, before, after) in enumerate(changes, 1):
            self._lsn += 8
            told = {"op": op, "source": self._source(at_us, table, number)}
            told["transaction"] = {"id": f"{number}:{begun}", "total_order": order}
            if table == "who":
                content = base64.b64encode(json.dumps(after).encode()).decode()
                told |= {"op": "m", "message": {"prefix": "who", "content": content}}
            else:
                told |= {"before": before, "after": after}
            sent.append(self.send(table, told, before or after))
        self._last_commit = self._lsn = self._lsn + 8
        return sent

    def move(self, at_us: int, table: str, before: Any, after: Any) -> None:
        """A change of key: delete and create, with the headers that join them."""
        old, new = ({"id": row["id"]} for row in (before, after))
        first, second = self.commit(at_us, ("d", table, before, None), ("c", table, None, after))
        self.log[-2] = first._replace(headers=(*first.headers, _header("newkey", new)))
        self.log[-1] = second._replace(
            key=json.dumps(new).encode(), headers=(*second.headers, _header("oldkey", old))
        )

    def begin_anew(self) -> None:
        """Another database stands where this one stood: it counts from the beginning."""
        self._lsn = self._last_commit = 100
        self.run = b"run-2"

    def send(self, table: str, told: dict[str, Any], row: Any) -> Message:
        """One more message of a table's topic."""
        topic = f"{self._name}.app.{table}"
        key = None if row is None or "id" not in row else json.dumps({"id": row["id"]}).encode()
        headers = (("__debezium.context.runId", self.run),)
        made = message(
            json.dumps(told).encode(),
            topic=topic,
            offset=self._offsets[topic],
            key=key,
            timestamp=told["source"]["ts_ms"],
            headers=headers,
        )
        self._offsets[topic] += 1
        self.log.append(made)
        return made

    def again(self, sent: Iterable[Message]) -> None:
        """A restart of the connector: it sends what it had sent."""
        self.run += b"+"
        for one in sent:
            made = one._replace(
                offset=self._offsets[one.topic], headers=(("__debezium.context.runId", self.run),)
            )
            self._offsets[one.topic] += 1
            self.log.append(made)

    def _source(self, at_us: int, table: str, number: int) -> dict[str, Any]:
        source = {"name": self._name, "snapshot": "false", "db": "lab", "schema": "app"}
        source |= {"table": table, "ts_us": at_us, "ts_ms": at_us // 1000, "txId": number}
        if self._positions:
            sequence = json.dumps([str(self._last_commit), str(self._lsn)])
            source |= {"lsn": self._lsn, "sequence": sequence}
        return source


def _header(name: str, key: Any) -> tuple[str, bytes]:
    return f"__debezium.{name}", json.dumps(key).encode()


def archived(
    log: Iterable[Message],
    store: ObjectStore | None = None,
    records: int = 10_000,
    wall: float = 1771516800.0,
) -> ObjectStore:
    """An archive of a log, a commit for so many records; one that exists goes on, at a time."""
    store = store or MemoryStore()
    source = SimulatedSource(log, batch=min(100, records))
    Workshop(source, store, Limits(commit_records=records), wall=lambda: wall).run()
    return store


class Lines:
    """A sink in memory."""

    def __init__(self) -> None:
        self.written: list[Line] = []

    def write(self, line: Line) -> None:
        self.written.append(line)

    def close(self) -> None:
        pass

    def abort(self) -> None:
        pass


class Replayed(NamedTuple):
    """What a run wrote, as bytes, and its report."""

    written: list[Line]
    report: Report

    @property
    def payloads(self) -> list[dict[str, Any]]:
        """What each event tells."""
        events = [json.loads(line.event) for line in self.written]
        return [event[event["type"]] for event in events]

    @property
    def actors(self) -> list[Any]:
        """Who did it, of `RULES`."""
        actors = [json.loads(line.event)["actor"] for line in self.written]
        return [actor and actor["session"]["user"]["id"] for actor in actors]


def order(
    store: ObjectStore,
    start_us: int | None = None,
    end_us: int | None = None,
    rules: str = RULES,
    **more: Any,
) -> run.Order:
    """Everything in a window."""
    return run.Order(lambda: ArchiveReader(store), rules, Asked(Window(start_us, end_us)), **more)


def replay(asked: run.Order, folder: Path | None = None, jobs: int = 1, **more: Any) -> Replayed:
    """A run; in a folder of its own if none is given."""
    sink = Lines()
    with tempfile.TemporaryDirectory() as own:
        report = run.replay(asked, sink, folder or Path(own), jobs, **more)
    return Replayed(sink.written, report)


def checkpoint(
    store: ObjectStore, at_us: int | None, rules: str = RULES, jobs: int = 1
) -> checkpointing.Made:
    """Make a checkpoint."""
    with tempfile.TemporaryDirectory() as own:
        return checkpointing.make(order(store, rules=rules), store, at_us, Path(own), jobs)


def one_after_the_other(work: Callable[[int], None], count: int, _: int) -> None:
    """Does what `processes.run_all` does, in this process: a store in memory has no other."""
    for number in range(count):
        work(number)
