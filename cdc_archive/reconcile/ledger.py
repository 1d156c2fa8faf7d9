"""Proven and published events on disk, to be read one type and resource after the other.

SQLite sorts outside of memory: how many events there are does not matter. A ledger belongs to one
run and is of no use after it, so nothing is done to let it survive a crash.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from heapq import merge
from pathlib import Path
from typing import Any, Final, NamedTuple

from cdc_archive.decode.exact_json import exact_json
from cdc_archive.decode.images import Row, parsed
from cdc_archive.errors import Stop
from cdc_archive.reconcile.expected import Expected
from cdc_archive.reconcile.published import Published

_CACHE_KIB: Final = 32_768
_HELD: Final = 1_000
"""Rows written at once."""
_ROOM: Final = "Make room on its disk, or name another --work-dir."
_SCHEMA: Final = """
CREATE TABLE expected (n INTEGER PRIMARY KEY, type BLOB, resource BLOB, near_us INTEGER, id BLOB,
  service BLOB, event BLOB);
CREATE TABLE evidence (n INTEGER PRIMARY KEY, evidence BLOB);
CREATE TABLE published (n INTEGER PRIMARY KEY, type BLOB, resource BLOB, near_us INTEGER, id BLOB,
  service BLOB, event BLOB, place BLOB, time_us INTEGER);
CREATE TABLE doubts (type BLOB, time_us INTEGER, resource BLOB);
CREATE TABLE missing (n INTEGER PRIMARY KEY);
CREATE TABLE findings (n INTEGER PRIMARY KEY, time_us INTEGER, finding BLOB)
"""
_INDEXES: Final = """
CREATE INDEX expected_id ON expected (id);
CREATE INDEX published_id ON published (id) WHERE id IS NOT NULL;
CREATE INDEX doubts_type ON doubts (type, time_us)
"""
# What has an expected event's id goes to that event; of others that share an id, to the first.
_MOVE: Final = """
CREATE TEMP TABLE moved (n INTEGER PRIMARY KEY, type BLOB, resource BLOB, near_us INTEGER);
INSERT INTO moved
  SELECT p.n, e.type, e.resource, e.near_us FROM published p JOIN expected e ON e.id = p.id
  WHERE p.id IS NOT NULL AND (p.type != e.type OR p.resource != e.resource
    OR abs(p.near_us - e.near_us) > 1000000);
INSERT INTO moved
  SELECT p.n, first.type, first.resource, first.near_us
  FROM (SELECT id, min(n) AS n FROM published WHERE id IS NOT NULL GROUP BY id HAVING count(*) > 1)
    AS doubled
  JOIN published first ON first.n = doubled.n
  JOIN published p ON p.id = doubled.id AND p.n != doubled.n
  WHERE NOT EXISTS (SELECT 1 FROM expected e WHERE e.id = p.id);
UPDATE published SET (type, resource, near_us) =
    (SELECT type, resource, near_us FROM moved WHERE moved.n = published.n)
  WHERE n IN (SELECT n FROM moved);
DROP TABLE moved
"""
_EXPECTED: Final = """
SELECT type, resource, near_us, 0, n, id, service, event FROM expected
  ORDER BY type, resource, near_us, n
"""
_PUBLISHED: Final = """
SELECT type, resource, near_us, 1, n, service, event, place, time_us FROM published
  ORDER BY type, resource, near_us, n
"""


class Entry(NamedTuple):
    """An event at its place among all others; `side` 0: proven, 1: published."""

    type: bytes
    resource: bytes
    near_us: int
    side: int
    n: int
    told: tuple[Any, ...]

    def expected(self) -> Expected:
        """The proven event; its evidence stays in the ledger."""
        named, service, event = self.told
        about, kind = _text(self.resource), _text(self.type)
        return Expected(_text(named), kind, about, self.near_us, parsed(event), {}, _text(service))

    def published(self) -> Published:
        """The published event."""
        service, event, place, time_us = self.told
        return Published(parsed(event), _text(service), _text(place), time_us)


class Ledger:
    """A file of proven and published events.

    Args:
        path: of the file; what stands there is replaced.

    Raises:
        Stop: it cannot be made; all methods too, if its disk is full.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.unlink(missing_ok=True)
            path.touch(mode=0o600)  # events are in it
            self._database = sqlite3.connect(path, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise Stop(f"{path} cannot be made: {error}", _ROOM) from None
        self._held: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        self._numbers: Counter[str] = Counter()
        for setting in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{_CACHE_KIB}"):
            self._database.execute(f"PRAGMA {setting}")
        with suppress(sqlite3.Error):  # a library built without it sorts in the system's folder
            folder = str(path.parent).replace("'", "''")
            self._database.execute(f"PRAGMA temp_store_directory = '{folder}'")
        self._do(_SCHEMA)
        self._do("BEGIN")

    def expect(self, one: Expected, event: bytes, evidence: bytes) -> None:
        """Take a proven event, and its JSON text and that of its evidence."""
        n = self._add(
            "expected",
            _bytes(one.type),
            _bytes(one.resource),
            one.time_us,
            _bytes(one.id),
            _bytes(one.service),
            event,
        )
        self._write("evidence", n, evidence)

    def take(self, one: Published, resource: str) -> None:
        """Take a published event."""
        self._add(
            "published",
            _bytes(one.type),
            _bytes(resource),
            one.time_us,
            None if one.id is None else _bytes(one.id),
            _bytes(one.service or ""),
            exact_json(one.event),
            _bytes(one.where),
            one.time_us,
        )

    def doubt(self, kind: str, time_us: int, resource: str | None) -> None:
        """Take an event of which it cannot be told whether it happened; None: about something."""
        about = None if resource is None else _bytes(resource)
        self._write("doubts", _bytes(kind), time_us, about)

    def settle(self) -> None:
        """All events are there. Those that share an id come to stand together."""
        self._flush()
        self._do(_INDEXES)
        self._do(_MOVE)

    def entries(self) -> Generator[Entry, None, None]:
        """All events, by type, resource and time. To be closed before the ledger is."""
        with self._on_disk():
            expected, published = map(self._database.execute, (_EXPECTED, _PUBLISHED))
            for kind, about, near_us, side, n, *told in merge(expected, published):
                yield Entry(kind, about, near_us, side, n, tuple(told))

    def evidence(self, named: str) -> Row:
        """What proves a proven event."""
        told: Row = parsed(self._evidence(named)[1])
        return told

    def miss(self, named: str) -> None:
        """Note that a proven event is not among the published ones."""
        self._write("missing", self._evidence(named)[0])

    def missing(self) -> Iterator[tuple[bytes, bytes]]:
        """The events that were missed, and their evidence, as JSON text, in replay's order."""
        self._flush()
        with self._on_disk():
            yield from self._database.execute(
                "SELECT event, evidence FROM missing JOIN expected USING (n)"
                " JOIN evidence USING (n) ORDER BY n"
            )

    def is_doubtful(self, kind: str, resource: str, time_us: int, tolerance_us: int) -> bool:
        """Whether an event may have happened then that cannot be proven; it answers for one."""
        found = self._database.execute(
            "SELECT rowid FROM doubts WHERE type = ? AND time_us BETWEEN ? AND ?"
            " AND (resource IS NULL OR resource = ?) ORDER BY abs(time_us - ?), rowid LIMIT 1",
            (
                _bytes(kind),
                time_us - tolerance_us,
                time_us + tolerance_us,
                _bytes(resource),
                time_us,
            ),
        ).fetchone()
        if found is not None:
            self._database.execute("DELETE FROM doubts WHERE rowid = ?", found)
        return found is not None

    def find(self, time_us: int, finding: Row) -> None:
        """Keep a finding."""
        self._add("findings", time_us, exact_json(finding))

    def findings(self) -> Iterator[bytes]:
        """All findings as JSON text, in order of time."""
        self._flush()
        with self._on_disk():
            found = self._database.execute("SELECT finding FROM findings ORDER BY time_us, n")
            for (finding,) in found:
                yield finding

    def close(self) -> None:
        """Remove the file."""
        with suppress(sqlite3.Error):
            self._database.execute("PRAGMA temp_store_directory = ''")
        self._database.close()
        self._path.unlink(missing_ok=True)

    def _add(self, table: str, *values: object) -> int:
        self._numbers[table] += 1
        self._write(table, self._numbers[table], *values)
        return self._numbers[table]

    def _write(self, table: str, *values: object) -> None:
        held = self._held[table]
        held.append(values)
        if len(held) >= _HELD:
            self._flush()

    def _flush(self) -> None:
        with self._on_disk():
            for table, rows in self._held.items():
                if rows:
                    places = ", ".join("?" * len(rows[0]))
                    self._database.executemany(f"INSERT INTO {table} VALUES ({places})", rows)  # noqa: S608  # our own names
                    rows.clear()

    def _do(self, script: str) -> None:
        with self._on_disk():
            for statement in script.split(";"):
                self._database.execute(statement)

    def _evidence(self, named: str) -> tuple[int, bytes]:
        found: tuple[int, bytes] = self._database.execute(
            "SELECT n, evidence FROM expected JOIN evidence USING (n) WHERE id = ?",
            (_bytes(named),),
        ).fetchone()
        return found

    @contextmanager
    def _on_disk(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise Stop(f"{self._path} does not take what is compared: {error}", _ROOM) from None


def _bytes(text: str) -> bytes:
    """A text as bytes that sort as it does, lone surrogates too."""
    return text.encode("utf-8", "surrogatepass")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")
