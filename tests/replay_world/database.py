"""A model of PostgreSQL: transactions that overlap, locks, and a log in the order of commits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from replay_world.profile import Profile
from replay_world.schema import CONTEXT, TABLES, Column, Key, Row, Table

EPOCH_US: Final = 1_771_516_800_000_000
_PLACES: Final = {"country": "NL", "city": "’s-Hertogenbosch", "asn": "64497"}


def actor(number: int) -> Row:
    """Someone who changes rows."""
    user = {"id": f"user_{number}", "email": f"u{number}@example.com"}
    if number % 2:
        return {"type": "api_key", "api_key": {"id": f"key_{number}", "user": user}}
    session = {"user": user, "ip_address": f"203.0.113.{number}", "user_agent": "Lab/1"}
    session |= {"ja3": "19bd68", "ja4": "t13d", "ip_address_details": _PLACES}
    return {"type": "session", "session": session}


@dataclass
class Change:
    """One change of a transaction, with the whole rows. `op` is c, u, d, t, m, or `move`.

    `touched` are the columns that an UPDATE wrote, `full` the table's replica identity then.
    `shown` says that the connector does not mark the row's out-of-line values (a read row).
    """

    op: str
    lsn: int
    table: Table | None = None
    key: Key | None = None
    old_key: Key | None = None
    before: Row | None = None
    after: Row | None = None
    touched: frozenset[str] = frozenset()
    full: bool = False
    prefix: str = ""
    content: bytes = b""


@dataclass
class Transaction:
    """A transaction; `number` counts the commits of its database, from 1 on."""

    xid: int
    actor: Row | None
    tells: tuple[str, ...]
    ambiguous: bool
    changes: list[Change] = field(default_factory=list)
    undo: list[tuple[str, Key, Row | None]] = field(default_factory=list)
    locks: set[tuple[str, Key]] = field(default_factory=set)
    tables: set[str] = field(default_factory=set)
    number: int = 0
    commit_lsn: int = 0
    time_us: int = 0


@dataclass
class Read:
    """Rows as a snapshot reads them; the first one is taken before the stream begins."""

    table: Table
    rows: list[Row]
    lsn: int
    time_us: int


@dataclass
class Loose:
    """A logical message outside of any transaction."""

    lsn: int
    time_us: int


class Database:
    """Runs transactions; `log` is what a replication slot would give, `first` what was there.

    Args:
        rng: decides everything.
        profile: how much of what.
        first_xid: where transaction ids begin.
    """

    def __init__(self, rng: Random, profile: Profile, first_xid: int) -> None:
        self.rng, self.profile = rng, profile
        self.rows: dict[str, dict[Key, Row]] = {one.name: {} for one in (*TABLES, CONTEXT)}
        self.full = {one.name: one.full for one in (*TABLES, CONTEXT)}
        self.log: list[Transaction | Read | Loose] = []
        self.lsn = rng.randrange(1_000, 1 << 40)
        self.now_us = EPOCH_US + rng.randrange(1_000_000)
        self._xid = first_xid
        self._hidden = 0
        self._commits = 0
        self._open: list[Transaction] = []
        for table in TABLES:
            for _ in range(rng.randrange(profile.keys)):
                row = self._new_row(table, None)
                if table.key and table.key_of(row) in self.rows[table.name]:
                    continue
                self.rows[table.name][self._place(table, row)] = row
        self.first = [
            Read(table, [*self.rows[table.name].values()], self.lsn, self.now_us)
            for table in TABLES
        ]

    def run(self) -> None:
        """As many steps as the profile says; then what is open commits."""
        for _ in range(self.profile.steps):
            self._step()
        while self._open:
            self._commit(self._open[0])

    def _step(self) -> None:
        rng, profile = self.rng, self.profile
        self.now_us += rng.choice([1, 5, 1_000, 300_000])
        if rng.random() < profile.incremental:
            self._read()
        if rng.random() < 0.03:
            self.log.append(Loose(self._next_lsn(), self.now_us))
        if not self._open or (len(self._open) < profile.most_open and rng.random() < 0.4):
            self._begin()
            return
        transaction = rng.choice(self._open)
        ends = rng.random() > (0.9 if rng.random() < profile.long_transaction else 0.5)
        if not ends:
            self._change(transaction)
        elif rng.random() < profile.rollback:
            self._roll_back(transaction)
        else:
            self._commit(transaction)

    def _next_lsn(self) -> int:
        self.lsn += 8 * self.rng.randrange(1, 30)
        return self.lsn

    def _begin(self) -> None:
        rng, profile = self.rng, self.profile
        self._xid += 1
        who = actor(rng.randrange(5)) if rng.random() < profile.told else None
        tells = tuple(one for one in profile.tells if rng.random() < 0.7) if who else ()
        made = Transaction(self._xid, who, tells, bool(who) and rng.random() < profile.ambiguous)
        self._open.append(made)
        made.tables = set()
        if rng.random() < 0.5:
            self._tell(made)

    def _tell(self, transaction: Transaction) -> None:
        """The application says who it is: in a message, in a context row."""
        if any(one.op == "m" for one in transaction.changes):
            return
        told = [transaction.actor]
        if transaction.ambiguous:
            told.append(actor(7))
        for who in told:
            content = json.dumps(who).encode()
            if "message" in transaction.tells:
                message = Change("m", self._next_lsn(), prefix="audit.actor", content=content)
                transaction.changes.append(message)
            if "row" in transaction.tells:
                self._hidden += 1
                row = {"id": self._hidden, "actor": json.dumps(who), "at": 1}
                self._write(transaction, CONTEXT, "c", None, row)
        if "message" not in transaction.tells:
            noise = Change("m", self._next_lsn(), prefix="noise", content=b"{}")
            transaction.changes.append(noise)

    def _commit(self, transaction: Transaction) -> None:
        if transaction.tells and not any(one.op == "m" for one in transaction.changes):
            self._tell(transaction)
        self._open.remove(transaction)
        transaction.commit_lsn = self._next_lsn()
        self.lsn += 8
        transaction.time_us = self._time()
        if transaction.changes:
            self._commits += 1
            transaction.number = self._commits
            self.log.append(transaction)

    def _time(self) -> int:
        """The clock of the session that commits, which is not that of the log."""
        rng = self.rng
        match self.profile.clock:
            case "ties":
                return self.now_us // 1_000_000 * 1_000_000
            case "back":
                return self.now_us - rng.randrange(8)
            case "far back":
                return self.now_us - rng.choice([0, 0, 3, 2_000_000])
        return self.now_us

    def _roll_back(self, transaction: Transaction) -> None:
        for table, place, row in reversed(transaction.undo):
            if row is None:
                self.rows[table].pop(place, None)
            else:
                self.rows[table][place] = row
        self._open.remove(transaction)

    def _read(self) -> None:
        """An incremental snapshot's chunk: rows that no open transaction holds."""
        table = self.rng.choice([one for one in TABLES if one.key])
        held = {lock for one in self._open for lock in one.locks}
        if any(table.name in one.tables for one in self._open):
            return
        rows = [
            row
            for place, row in self.rows[table.name].items()
            if (table.name, place) not in held and self.rng.random() < 0.7
        ]
        if rows:
            self.log.append(Read(table, rows, self.lsn, self.now_us))

    # changes

    def _change(self, transaction: Transaction) -> None:
        rng, profile = self.rng, self.profile
        table = rng.choice(TABLES)
        if any(table.name in one.tables for one in self._open if one is not transaction):
            return
        if rng.random() < profile.switch and table.key and not self._held(table, transaction):
            self.full[table.name] = not self.full[table.name]
        if rng.random() < profile.truncate and not self._held(table, transaction):
            self._truncate(transaction, table)
            return
        if rng.random() < 0.35:
            self._insert(transaction, table)
            return
        free = self._free(transaction, table)
        if not free:
            return
        if not table.key:
            return
        dice = rng.random()
        many = rng.sample(free, min(len(free), rng.choice([1, 1, 1, 3])))
        for place in many:
            if dice < profile.delete:
                self._delete(transaction, table, place)
            elif dice < profile.delete + profile.move:
                self._move(transaction, table, place)
            else:
                self._update(transaction, table, place)

    def _held(self, table: Table, transaction: Transaction) -> bool:
        """Whether another transaction has changed rows of it."""
        others = (one for one in self._open if one is not transaction)
        return any(name == table.name for one in others for name, _ in one.locks)

    def _free(self, transaction: Transaction, table: Table) -> list[Key]:
        held = {lock for one in self._open if one is not transaction for lock in one.locks}
        return [place for place in self.rows[table.name] if (table.name, place) not in held]

    def _may_take(self, transaction: Transaction, table: Table, key: Key) -> bool:
        held = {lock for one in self._open if one is not transaction for lock in one.locks}
        return key not in self.rows[table.name] and (table.name, key) not in held

    def _insert(self, transaction: Transaction, table: Table) -> None:
        """Rows of one statement may share an LSN."""
        lsn = None
        for _ in range(self.rng.choice([1, 1, 3])):
            row = self._new_row(table, transaction)
            if not table.key or self._may_take(transaction, table, table.key_of(row)):
                lsn = self._write(transaction, table, "c", None, row, lsn=lsn)

    def _update(self, transaction: Transaction, table: Table, place: Key) -> None:
        rng = self.rng
        row = self.rows[table.name][place]
        others = [one for one in table.others if one.kind not in ("actor", "stamp")]
        new, touched = dict(row), set()
        if rng.random() < self.profile.touch_all:  # an ORM writes every column
            touched = {one.name for one in others}
        elif rng.random() < 0.85:
            touched = {one.name for one in rng.sample(others, rng.randrange(1, len(others) + 1))}
        for column in others:
            if column.name in touched and rng.random() < 0.6:
                new[column.name] = self._value(column)
        told = "updated_by"
        if rng.random() < 0.15:
            new["deleted_at"], told = f"at {self.now_us}", "deleted_by"
            touched.add("deleted_at")
        if "columns" in transaction.tells:
            new[told] = json.dumps(transaction.actor)
            touched.add(told)
        self._write(transaction, table, "u", row, new, touched=touched)

    def _move(self, transaction: Transaction, table: Table, place: Key) -> None:
        row = self.rows[table.name][place]
        new = row | {table.key[-1]: self.rng.randrange(self.profile.keys)}
        if not self._may_take(transaction, table, table.key_of(new)):
            return
        touched = {table.key[-1]}
        if self.rng.random() < 0.5:
            column = self.rng.choice([c for c in table.others if c.kind not in ("actor", "stamp")])
            new[column.name] = self._value(column)
            touched.add(column.name)
        self._write(transaction, table, "move", row, new, touched=touched)

    def _delete(self, transaction: Transaction, table: Table, place: Key) -> None:
        self._write(transaction, table, "d", self.rows[table.name][place], None)

    def _truncate(self, transaction: Transaction, table: Table) -> None:
        transaction.tables.add(table.name)
        for place, row in self.rows[table.name].items():
            transaction.undo.append((table.name, place, row))
        self.rows[table.name] = {}
        transaction.changes.append(Change("t", self._next_lsn(), table))

    def _write(
        self,
        transaction: Transaction,
        table: Table,
        op: str,
        before: Row | None,
        after: Row | None,
        touched: set[str] | frozenset[str] = frozenset(),
        lsn: int | None = None,
    ) -> int:
        rows = self.rows[table.name]
        lsn = lsn or self._next_lsn()
        old = None if before is None else table.key_of(before)
        new = None if after is None else table.key_of(after)
        for row, place in ((before, old), (after, new)):
            if row is not None and table.key and place is not None:
                transaction.undo.append((table.name, place, rows.get(place)))
                transaction.locks.add((table.name, place))
        if old is not None:
            rows.pop(old)
        if after is not None:
            place = self._place(table, after)
            if not table.key:
                transaction.undo.append((table.name, place, None))
            rows[place] = after
        key = new if new is not None else old
        made = Change(op, lsn, table, key if table.key else None, old if table.key else None)
        made.before, made.after = before, after
        made.touched, made.full = frozenset(touched), self.full[table.name]
        transaction.changes.append(made)
        return lsn

    def _place(self, table: Table, row: Row) -> Key:
        if table.key:
            return table.key_of(row)
        self._hidden += 1
        return ("hidden", self._hidden)

    def _new_row(self, table: Table, transaction: Transaction | None) -> Row:
        row = {one.name: self._value(one) for one in table.columns}
        if "created_by" in row and transaction is not None and "columns" in transaction.tells:
            row["created_by"] = json.dumps(transaction.actor)
        return row

    def _value(self, column: Column) -> Any:
        match column.kind:
            case "actor" | "stamp":
                return None
            case "project":
                return self.rng.randrange(self.profile.keys)
        if column.name in ("id", "team"):
            return self.rng.randrange(self.profile.keys if column.name == "id" else 2)
        return column.value(self.rng)


def transactions(database: Database) -> Iterator[Transaction]:
    """The transactions of its log."""
    return (one for one in database.log if isinstance(one, Transaction))
