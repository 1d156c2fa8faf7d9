"""The change topics, message by message, to the events that the changes prove.

Messages of several topic partitions come in any order. Each change is held until it has settled,
and those of a connector are then followed in the order of its commits, as replay does.
"""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from cdc_archive.archive.writer.batch import Decode
from cdc_archive.audit.beside import Witnesses
from cdc_archive.audit.build import Unproven
from cdc_archive.audit.mapping import Mapping
from cdc_archive.audit.table_names import fits_any
from cdc_archive.changelog.record import (
    OP_HEARTBEAT,
    OP_MESSAGE,
    ArchivedRecord,
    ChangeRecord,
)
from cdc_archive.errors import Undecodable
from cdc_archive.history.fold import ReadRow
from cdc_archive.history.order import ROWS, ChangeStream, Reached
from cdc_archive.history.position import Change, Place
from cdc_archive.replay import beside, disk_states, gather
from cdc_archive.replay.beside import SAME_TRANSACTION_US, Beside
from cdc_archive.replay.progress import Progress
from cdc_archive.replay.telling import Told
from cdc_archive.source.message import Message
from cdc_archive.watch import follower, recent
from cdc_archive.watch.follower import Follower
from cdc_archive.watch.recent import RecentSeen
from cdc_archive.watch.streams import Stream

SCHEMA: Final = f"""
{disk_states.SCHEMA}{beside.SCHEMA}{beside.INDEXES}{recent.SCHEMA}{follower.SCHEMA}
CREATE TABLE IF NOT EXISTS provable (type TEXT, connector TEXT, PRIMARY KEY (type, connector));
CREATE TABLE IF NOT EXISTS passed (connector TEXT PRIMARY KEY, time_us INTEGER);
"""
HELD: Final = 20_000
"""So many changes of a connector are held at most: then the earliest have to have settled."""
_HEARTBEAT: Final = "__debezium-heartbeat."
_IDLE: Final = 5
"""A transaction of which nothing more came for so many settling times is over."""


class Held(NamedTuple):
    """A change that has yet to settle; sorts by its place."""

    place: Place
    taken_s: float
    change: Change
    stream: Stream
    reached: Reached
    stamp_us: int


class Proven(NamedTuple):
    """An event that the changes prove, and when Kafka got the message that told of it last."""

    told: Told
    stamp_us: int


class Changes:
    """Follows all connectors.

    Args:
        database: with `SCHEMA`; in a transaction.
        decode: reads messages.
        rules: the mapping.
        read: reads row images.
        doubt: told of events that may or may not have happened, with their time in microseconds.
        settle_s: how long a change is held, seconds.
        seen: told of each row change and heartbeat that was read: its topic, and its event time in
            microseconds.
    """

    def __init__(
        self,
        database: sqlite3.Connection,
        decode: Decode,
        rules: Mapping,
        read: ReadRow,
        doubt: Callable[[Unproven, int | None], None],
        settle_s: float,
        seen: Callable[[str, int], None] = lambda _topic, _time_us: None,
    ) -> None:
        self._database = database
        self._decode = decode
        self._rules = rules
        self._read = read
        self._doubt = doubt
        self._settle_s = settle_s
        self._seen = seen
        self._beside = Beside(database)
        self._witnesses = Witnesses(rules)
        self._held: dict[str, list[Held]] = {}
        self._followers: dict[str, Follower] = {}
        self._progress = Progress.load_all(database)
        self._passed: dict[str, int] = dict(database.execute("SELECT * FROM passed"))
        self._provable: dict[str, set[str]] = {}
        for kind, connector in database.execute("SELECT * FROM provable"):
            self._provable.setdefault(kind, set()).add(connector)
        self._tables: set[tuple[str, str]] = set()
        self._last_s = 0.0
        self._last_stamp_us = 0

    def take(self, message: Message, stream: Stream, now_s: float) -> Undecodable | None:
        """Take the next message of a stream; why it tells nothing, if it cannot be decoded."""
        try:
            decoded = self._decode(message)
        except Undecodable as error:
            return error
        record = decoded.record
        archived = ArchivedRecord(record, "", 0, decoded.value_schema, stream.incarnation)
        self._testify(archived, stream)
        if record.op == OP_HEARTBEAT:
            name = record.topic.removeprefix(_HEARTBEAT)
            self._hold_passed(name, record.event_time_us)
        if record.op in ROWS or record.op == OP_HEARTBEAT:
            self._seen(record.topic, record.event_time_us or 0)
        if record.op in ROWS:
            self._hold(archived, stream, message, now_s)
        return None

    def _testify(self, archived: ArchivedRecord, stream: Stream) -> None:
        if archived.record.op != OP_MESSAGE and archived.record.op not in ROWS:
            return
        for source, value in gather.told(self._witnesses, self._read, archived):
            self._beside.add_testimony(source, gather.change(archived, stream.number), value)

    def _hold(
        self, archived: ArchivedRecord, stream: Stream, message: Message, now_s: float
    ) -> None:
        changes = ChangeStream(stream.number, [archived], reached=stream.reached)
        connector = changes.connector() or ""
        held = self._held.setdefault(connector, [])
        for change in list(changes):  # then it knows how far it has come
            stream.reached = changes.reached
            stamp_us = message.timestamp * 1000
            one = Held(change.place, now_s, change, stream, stream.reached, stamp_us)
            heapq.heappush(held, one)

    @property
    def between_transactions(self) -> bool:
        """Whether no event waits for the end of its transaction."""
        return all(one.between_transactions for one in self._followers.values())

    def first_held(self) -> dict[int, int]:
        """The offset of the first change that is held, by number of its stream."""
        firsts: dict[int, int] = {}
        for held in self._held.values():
            for one in held:
                offset = one.change.archived.record.offset
                firsts[one.stream.number] = min(offset, firsts.get(one.stream.number, offset))
        return firsts

    def release(self, now_s: float, *, all_of_it: bool = False) -> Iterator[Proven]:
        """Follow the changes that have settled.

        Args:
            now_s: monotonic seconds.
            all_of_it: nothing more will come: follow all that is held.
        """
        for connector, held in self._held.items():
            while held and (
                all_of_it or len(held) > HELD or now_s - held[0].taken_s >= self._settle_s
            ):
                yield from self._follow(connector, heapq.heappop(held), now_s)
        quiet = now_s - self._last_s >= _IDLE * self._settle_s
        if (all_of_it or quiet) and not any(self._held.values()):
            for one in self._followers.values():
                yield from (Proven(told, self._last_stamp_us) for told in one.close())

    def _follow(self, connector: str, held: Held, now_s: float) -> Iterator[Proven]:
        self._last_s, self._last_stamp_us = now_s, held.stamp_us
        held.stream.followed = held.reached
        self._know_table(held.change.archived.record, connector)
        for told in self._follower(connector).take(held.change):
            yield Proven(told, held.stamp_us)
        if not held.change.position.snapshot:
            self._hold_passed(connector, held.change.archived.record.event_time_us)

    def _follower(self, connector: str) -> Follower:
        known = self._followers.get(connector)
        if known is None:
            progress = self._progress.get(connector, Progress())
            known = self._followers[connector] = Follower(
                self._database,
                connector,
                self._rules,
                self._read,
                self._beside,
                self._doubt,
                progress,
            )
        return known

    def _know_table(self, record: ChangeRecord, connector: str) -> None:
        """The types of events that rules make of this table's changes can be proven from now on."""
        place = (connector, record.table)
        if place in self._tables:
            return
        self._tables.add(place)
        for rule in self._rules.rule:
            if fits_any(record.table, rule.tables):
                self._provable.setdefault(rule.type, set()).add(connector)
                self._database.execute(
                    "INSERT OR IGNORE INTO provable VALUES (?, ?)", (rule.type, connector)
                )

    def _hold_passed(self, connector: str, time_us: int | None) -> None:
        if time_us is not None:
            self._passed[connector] = max(time_us, self._passed.get(connector, 0))

    @property
    def knows_any(self) -> bool:
        """Whether a change of a table that the mapping is about was ever seen."""
        return bool(self._provable)

    def passed_us(self, kind: str) -> int | None:
        """Event time up to which every change that can tell of a type was followed; None: no change
        of a table that can was ever seen.
        """
        return min((self._passed.get(one, 0) for one in self._provable.get(kind, ())), default=None)

    def save(self) -> None:
        """Write what is held in memory and belongs to the state. Only `between_transactions`."""
        for one in self._followers.values():
            one.save()
        self._database.executemany(
            "INSERT OR REPLACE INTO passed VALUES (?, ?)", self._passed.items()
        )

    def prune(self) -> None:
        """Forget what stood beside changes of more than a day before the newest, and which changes
        came so long ago that they do not come again.
        """
        RecentSeen(self._database).prune()
        if self._passed:
            beside.prune(self._database, max(self._passed.values()) - SAME_TRANSACTION_US)
