"""What the messages of a connector prove, worked out from the model's whole rows.

Nothing here reads a message: the model knows what really happened, and which part of it was shown.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from replay_world.connector import Connector, Sent
from replay_world.database import Change, Transaction
from replay_world.schema import CONTEXT, Key, Row, Table


@dataclass(frozen=True)
class Step:
    """One change of one row: what is true of it, and what is proven.

    `proven_before` are the columns whose value before is provable, None if none is; so
    `proven_after`. `projects` are the rows of that table that are known then, `true_projects` those
    that were there; `has_projects` says whether the connector sends that table at all: if not, it
    is another database's. `loose` marks a row whose before image may be taken for the row (a table
    whose replica identity changed since its last UPDATE: nothing tells).
    """

    sent: int
    order: tuple[int, int]
    op: str
    table: str
    key: Row | None
    before: Row | None
    after: Row | None
    proven_before: Row | None
    proven_after: Row | None
    transaction: Transaction
    change: Change
    loose: bool
    name: str
    projects: dict[int, Row]
    true_projects: dict[int, Row]
    has_projects: bool

    @property
    def row(self) -> Row:
        """The version after, or the last one."""
        return self.after or self.before or {}


def steps(connector: Connector, delivered: Collection[int]) -> list[Step]:
    """The steps of all rows of a connector, in the order of its commits."""
    return [*_Following(connector, delivered).steps()]


class _Following:
    def __init__(self, connector: Connector, delivered: Collection[int]) -> None:
        self._connector = connector
        self._delivered = delivered
        self._known: dict[str, dict[Key, Row]] = {}
        self._full: dict[str, bool] = {}
        self._moved: Row | None = None
        self._known_projects: dict[int, Row] = {}
        self._has_projects = any(
            table is not None and table.name == "project"
            for table in (connector.sent[n].table for n in delivered)
        )
        self._transaction: Transaction | None = None
        self._ended: dict[int, Row] = {}
        first = connector.database.first
        self._projects: dict[int, Row] = {
            row["id"]: row for read in first if read.table.name == "project" for row in read.rows
        }

    def steps(self) -> Iterator[Step]:
        """One sent message after the other."""
        for n, sent in enumerate(self._connector.sent):
            table = sent.table
            self._follow_project(sent)
            if n not in self._delivered or table is None or sent.body is None:
                continue
            known = self._known.setdefault(table.name, {})
            if sent.read is not None:
                if table.key:
                    known[table.key_of(sent.read)] = sent.read
            else:
                yield from self._change(n, sent, table, known)
            if table.name == "project":
                self._known_projects = {row["id"]: row for row in known.values()}

    def _follow_project(self, sent: Sent) -> None:
        """How the table of projects really was; a new dict for each change, for steps keep it.

        What a transaction deletes is looked up to its end: a cascade deletes its rows after it.
        """
        change = sent.change
        if sent.transaction is not self._transaction:
            self._transaction, self._ended = sent.transaction, {}
        if change is None or sent.table is None or sent.table.name != "project" or not sent.body:
            return
        op = sent.body["op"]
        if op in ("t", "d"):
            self._ended = self._ended | self._projects
        if op == "t":
            self._projects = {}
        if op in ("d", "u") and change.before is not None:
            gone = change.before["id"]
            self._projects = {n: row for n, row in self._projects.items() if n != gone}
        if op in ("c", "u") and change.after is not None:
            self._projects = self._projects | {change.after["id"]: change.after}

    def _change(self, n: int, sent: Sent, table: Table, known: dict[Key, Row]) -> Iterator[Step]:
        change, body = sent.change, sent.body
        assert change is not None
        assert body is not None
        match body["op"], change.op:
            case "t", _:
                for key, row in sorted(known.items()):
                    yield self._step(n, sent, "delete", key, (row, None), (row, None))
                known.clear()
            case "d", "move":
                assert change.old_key is not None
                self._moved = self._last(table, change, known.pop(change.old_key, None))
            case "d", _:
                row = None if change.key is None else known.pop(change.key, None)
                proven = self._last(table, change, row)
                truth = (change.before, None)
                loose = self._full.get(table.name, False) and not change.full and row is None
                yield self._step(n, sent, "delete", change.key, truth, (proven, None), loose=loose)
            case "c", "c":
                self._remember(known, change.key, change.after)
                truth = (None, change.after)
                yield self._step(n, sent, "create", change.key, truth, truth)
            case "c", "move":
                yield self._update(n, sent, table, known, self._moved)
            case "u", _:
                row = None if change.key is None else known.get(change.key)
                self._full[table.name] = change.full
                yield self._update(n, sent, table, known, change.before if change.full else row)

    def _last(self, table: Table, change: Change, known: Row | None) -> Row | None:
        """What is proven of a row that goes."""
        if change.full and (self._full.get(table.name) or not table.key):
            return change.before
        return known

    def _update(
        self, n: int, sent: Sent, table: Table, known: dict[Key, Row], before: Row | None
    ) -> Step:
        change = sent.change
        assert change is not None
        assert change.after is not None
        assert change.before is not None
        after = {
            one.name: change.after[one.name]
            for one in table.columns
            if change.full
            or one.name in change.touched
            or not one.is_out_of_line(change.before[one.name])
            or (before is not None and one.name in before)
        }
        self._remember(known, change.key, after)
        truth = (change.before, change.after)
        loose = change.op == "move" and self._full.get(table.name, False) and not change.full
        return self._step(n, sent, "update", change.key, truth, (before, after), loose=loose)

    def _remember(self, known: dict[Key, Row], key: Key | None, row: Row | None) -> None:
        if key is not None and row is not None:
            known[key] = row

    def _step(
        self,
        n: int,
        sent: Sent,
        op: str,
        key: Key | None,
        truth: tuple[Row | None, Row | None],
        proven: tuple[Row | None, Row | None],
        *,
        loose: bool = False,
    ) -> Step:
        table, change, transaction = sent.table, sent.change, sent.transaction
        assert table is not None
        assert change is not None
        assert transaction is not None
        named = None if key is None else dict(zip(table.key, key, strict=True))
        whole = self._connector.table(table)
        return Step(
            n, sent.order, op, whole, named, *truth, *proven, transaction, change, loose,
            table.name, self._known_projects, self._ended | self._projects, self._has_projects,
        )  # fmt: skip


def tells_by(step: Step, way: str) -> bool:
    """Whether the transaction tells its actor in this way, besides the row's columns."""
    done = step.transaction
    if way == "header":
        return "header" in done.tells
    if way == "message":
        return any(one.prefix == "audit.actor" for one in done.changes)
    return any(one.table is CONTEXT for one in done.changes)
