"""What waits for its counterpart, and what was found: expected and published events on disk.

An expected event is open, or missing; a published one open, unexpected, or paired (and kept for a
while, for its doubles). Both stand under a type and a resource, those of the change: a published
one that has the id of an expected one stands under that one's.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from cdc_archive.decode.exact_json import exact_json
from cdc_archive.decode.images import Row, parsed
from cdc_archive.reconcile.comparing import content
from cdc_archive.reconcile.expected import Expected
from cdc_archive.reconcile.published import Published

OPEN: Final = 0
MISSING: Final = 1
UNEXPECTED: Final = 1
PAIRED: Final = 2

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS expected (
  number INTEGER PRIMARY KEY, id BLOB, type TEXT, resource BLOB, service TEXT, time_us INTEGER,
  due_us INTEGER, state INTEGER, place TEXT, event BLOB);
CREATE INDEX IF NOT EXISTS expected_of ON expected (type, resource, time_us);
CREATE INDEX IF NOT EXISTS expected_id ON expected (id);
CREATE INDEX IF NOT EXISTS expected_due ON expected (state, due_us);
CREATE INDEX IF NOT EXISTS expected_kind ON expected (state, type, service, time_us);
CREATE TABLE IF NOT EXISTS published (
  number INTEGER PRIMARY KEY, id BLOB, type TEXT, resource BLOB, service TEXT, time_us INTEGER,
  due_us INTEGER, seen_us INTEGER, state INTEGER, place TEXT, event BLOB);
CREATE INDEX IF NOT EXISTS published_of ON published (type, resource, time_us);
CREATE INDEX IF NOT EXISTS published_id ON published (id);
CREATE INDEX IF NOT EXISTS published_due ON published (state, due_us);
CREATE TABLE IF NOT EXISTS doubts (type TEXT, resource BLOB, time_us INTEGER);
CREATE INDEX IF NOT EXISTS doubts_of ON doubts (type, time_us);
"""


class Group(NamedTuple):
    """What is matched together: an event type and what the event is about."""

    type: str
    resource: str


class Waiting(NamedTuple):
    """An event that waits, with its number, its state, and when it is due (see `Items`)."""

    number: int
    state: int
    due_us: int
    seen_us: int


class Repeated(NamedTuple):
    """Where an event stands that another one repeats, whose it is, and whether both have one id."""

    place: str
    service: str
    same_id: bool


class Items:
    """Keeps both kinds.

    `due_us` of an event is when its counterpart should have come: an expected event is due once the
    published log was read to its end at that time or later.

    Args:
        database: with `SCHEMA`; in a transaction.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def expect(self, one: Expected, place: str, due_us: int) -> None:
        """Take an event that the changes prove."""
        self._database.execute(
            "INSERT INTO expected VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                _bytes(one.id),
                one.type,
                _bytes(one.resource),
                one.service,
                one.time_us,
                due_us,
                OPEN,
                place,
                exact_json(one.event),
            ),
        )
        self._database.execute(
            "UPDATE published SET type = ?, resource = ? WHERE id = ? AND state <> ?",
            (one.type, _bytes(one.resource), _bytes(one.id), PAIRED),
        )

    def publish(self, one: Published, group: Group, due_us: int, seen_us: int) -> Group:
        """Take a published event; the group that it stands in."""
        id_ = None if one.id is None else _bytes(one.id)
        of_id = self._database.execute(
            "SELECT type, resource FROM expected WHERE id = ?1"
            " UNION ALL SELECT type, resource FROM published WHERE id = ?1 LIMIT 1",
            (id_,),
        ).fetchone()
        if of_id is not None:
            group = Group(of_id[0], _text(of_id[1]))
        self._database.execute(
            "INSERT INTO published VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                id_,
                group.type,
                _bytes(group.resource),
                one.service or "",
                one.time_us,
                due_us,
                seen_us,
                OPEN,
                one.where,
                exact_json(one.event),
            ),
        )
        return group

    def doubt(self, kind: str, resource: str | None, time_us: int) -> None:
        """Remember an event that may or may not have happened; `resource` None: of anything."""
        about = None if resource is None else _bytes(resource)
        self._database.execute("INSERT INTO doubts VALUES (?, ?, ?)", (kind, about, time_us))

    def is_doubtful(self, group: Group, time_us: int, tolerance_us: int) -> bool:
        """Whether an event of a group may have happened at about a time."""
        found = self._database.execute(
            "SELECT 1 FROM doubts WHERE type = ? AND time_us BETWEEN ? AND ?"
            " AND (resource IS NULL OR resource = ?) LIMIT 1",
            (group.type, time_us - tolerance_us, time_us + tolerance_us, _bytes(group.resource)),
        )
        return found.fetchone() is not None

    def groups_due(self, published_us: int, changes_us: int) -> set[Group]:
        """Groups with an open event that is due, told by how far both sides were read.

        Of the published ones every group: whether they are due depends on more.
        """
        rows = self._database.execute(
            "SELECT type, resource FROM expected WHERE state = ? AND due_us <= ?"
            " UNION SELECT type, resource FROM published WHERE state = ? AND seen_us <= ?",
            (OPEN, published_us, OPEN, changes_us),
        )
        return {Group(kind, _text(resource)) for kind, resource in rows}

    def waiting(
        self, group: Group, around_us: int
    ) -> tuple[list[tuple[Waiting, Expected]], list[tuple[Waiting, Published]]]:
        """The events of a group that have no counterpart yet.

        All that are open, and of those that were found missing or unexpected the ones near them:
        within `around_us`, or with the id of one.
        """
        about = (group.type, _bytes(group.resource))
        # +state: or SQLite goes by the state, through all that is open, for each group.
        low, high = self._database.execute(
            "SELECT min(time_us), max(time_us) FROM ("
            " SELECT time_us FROM expected WHERE type = ?1 AND resource = ?2 AND +state = 0"
            " UNION ALL"
            " SELECT time_us FROM published WHERE type = ?1 AND resource = ?2 AND +state = 0)",
            about,
        ).fetchone()
        if low is None:
            return [], []
        near = (*about, low - around_us, high + around_us)
        proven = self._database.execute(
            "SELECT number, state, due_us, 0, id, service, time_us, event FROM expected"
            " WHERE type = ?1 AND resource = ?2 AND (state = 0 OR time_us BETWEEN ?3 AND ?4"
            " OR id IN (SELECT id FROM published WHERE type = ?1 AND resource = ?2 AND +state = 0))"
            " ORDER BY number",
            near,
        )
        told = self._database.execute(
            "SELECT number, state, due_us, seen_us, place, service, time_us, event FROM published"
            " WHERE type = ?1 AND resource = ?2 AND state < 2 AND (state = 0"
            " OR time_us BETWEEN ?3 AND ?4 OR id IN"
            " (SELECT id FROM expected WHERE type = ?1 AND resource = ?2 AND +state = 0))"
            " ORDER BY number",
            near,
        )
        return (
            [
                (
                    Waiting(*head),
                    Expected(
                        _text(id_), group.type, group.resource, time_us, parsed(event), {}, service
                    ),
                )
                for *head, id_, service, time_us, event in proven
            ],
            [
                (Waiting(*head), Published(parsed(event), service or None, place, time_us))
                for *head, place, service, time_us, event in told
            ],
        )

    def repeated(self, group: Group, one: Published, tolerance_us: int) -> Repeated | None:
        """The first event of a group that has its counterpart and that another one repeats: it has
        the same id, or says the same at about the same time.
        """
        id_ = None if one.id is None else _bytes(one.id)
        found = self._database.execute(
            "SELECT place, service, id IS ?5 AND ?5 IS NOT NULL FROM published"
            " WHERE type = ?1 AND resource = ?2 AND state = 2"
            " AND (time_us BETWEEN ?3 AND ?4 AND event = ?6 OR id = ?5) ORDER BY number LIMIT 1",
            (
                group.type,
                _bytes(group.resource),
                one.time_us - tolerance_us,
                one.time_us + tolerance_us,
                id_,
                _said(one.event),
            ),
        ).fetchone()
        return None if found is None else Repeated(found[0], found[1], bool(found[2]))

    def miss(self, number: int) -> None:
        """An expected event was not published in time."""
        self._database.execute("UPDATE expected SET state = 1 WHERE number = ?", (number,))

    def met(self, expected: int, published: int, event: Row) -> None:
        """Two events belong together; of the published one only what tells its doubles is kept."""
        self._database.execute("DELETE FROM expected WHERE number = ?", (expected,))
        self._database.execute(
            "UPDATE published SET state = 2, event = ? WHERE number = ?", (_said(event), published)
        )

    def unexpect(self, published: int) -> None:
        """No change tells of a published event."""
        self._database.execute("UPDATE published SET state = 1 WHERE number = ?", (published,))

    def drop_expected(self, numbers: Iterable[int]) -> None:
        """They are of no more interest."""
        self._drop("expected", numbers)

    def drop_published(self, numbers: Iterable[int]) -> None:
        """They are of no more interest."""
        self._drop("published", numbers)

    def _drop(self, table: str, numbers: Iterable[int]) -> None:
        rows = [(one,) for one in numbers]
        self._database.executemany(f"DELETE FROM {table} WHERE number = ?", rows)  # noqa: S608

    def last_due_us(self) -> int | None:
        """When the last open event of either side is due; None: none is open."""
        (due_us,) = self._database.execute(
            "SELECT max(due_us) FROM (SELECT due_us FROM expected WHERE state = 0"
            " UNION ALL SELECT due_us FROM published WHERE state = 0)"
        ).fetchone()
        return due_us  # type: ignore[no-any-return]

    def waiting_count(self) -> int:
        """How many events of either side are open."""
        (count,) = self._database.execute(
            "SELECT (SELECT count(*) FROM expected WHERE state = 0)"
            " + (SELECT count(*) FROM published WHERE state = 0)"
        ).fetchone()
        return int(count)

    def due_before(self, time_us: int) -> bool:
        """Whether an open expected event is due before a time."""
        found = self._database.execute(
            "SELECT 1 FROM expected WHERE state = 0 AND due_us <= ? LIMIT 1", (time_us,)
        )
        return found.fetchone() is not None

    def missing(self) -> Sequence[tuple[str, str, int, int, int, str]]:
        """What is missing, by type and service: type, service, count, first and last event time,
        and the places of some of the changes, apart by spaces.
        """
        return self._database.execute(
            "SELECT type, service, count(*), min(time_us), max(time_us), (SELECT"
            " group_concat(place, ' ') FROM (SELECT place FROM expected AS e WHERE e.type ="
            " expected.type AND e.service = expected.service AND e.state = 1"
            " ORDER BY e.time_us DESC LIMIT 5))"
            " FROM expected WHERE state = 1 GROUP BY type, service ORDER BY type, service"
        ).fetchall()

    def missing_since(self, kind: str, service: str, time_us: int) -> int:
        """How many events of a type and service are missing of after a time."""
        (count,) = self._database.execute(
            "SELECT count(*) FROM expected WHERE state = 1 AND type = ? AND service = ?"
            " AND time_us > ?",
            (kind, service, time_us),
        ).fetchone()
        return int(count)

    def prune(self, met_before_us: int, missing_before_us: int, kept: int) -> int:
        """Forget what was published before a time (of arrival), and what is missing since before
        another one (of its change), or beyond so many; how many missing ones were forgotten.
        """
        self._database.execute(
            "DELETE FROM published WHERE state > 0 AND seen_us < ?", (met_before_us,)
        )
        self._database.execute("DELETE FROM doubts WHERE time_us < ?", (missing_before_us,))
        return self._database.execute(
            "DELETE FROM expected WHERE state = 1 AND (due_us < ? OR number IN"
            " (SELECT number FROM expected WHERE state = 1 ORDER BY number DESC LIMIT -1"
            " OFFSET ?))",
            (missing_before_us, kept),
        ).rowcount


def _said(event: Row) -> bytes:
    return hashlib.blake2b(content(event), digest_size=16).digest()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")
