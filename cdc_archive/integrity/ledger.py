"""What is there and what is named, of a whole archive, on disk: memory does not grow with it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from cdc_archive.archive.format import layout
from cdc_archive.archive.format.commit import Commit, FileEntry
from cdc_archive.errors import Stop
from cdc_archive.integrity.findings import EXTRA, Finding
from cdc_archive.storage.object_store import ObjectStat

_CACHE_KIB: Final = 16_384
_SCHEMA: Final = """
CREATE TABLE object (key TEXT PRIMARY KEY, size INT) WITHOUT ROWID;
CREATE TABLE listed (chain TEXT, sequence INT, PRIMARY KEY (chain, sequence)) WITHOUT ROWID;
CREATE TABLE sealed (chain TEXT, sequence INT, digest TEXT, sha256 TEXT, previous TEXT, whole INT,
    PRIMARY KEY (chain, sequence, digest)) WITHOUT ROWID;
CREATE INDEX by_digest ON sealed (digest);
CREATE TABLE named (key TEXT PRIMARY KEY, sha256 TEXT, kind TEXT, chain TEXT, incarnation INT,
    first INT, last INT) WITHOUT ROWID;
CREATE TABLE lost (chain TEXT, incarnation INT, first INT, end INT);
CREATE INDEX by_sha256 ON named (sha256);
CREATE INDEX by_offset ON named (chain, incarnation, last);
"""


class Sealed(NamedTuple):
    """What a digest says of a commit, and the digest's key.

    `whole`: it holds the commit's bytes, and `previous` is what they say; else it only names it.
    """

    sequence: int
    sha256: str
    previous: str | None
    digest: str
    whole: bool = True


class Named(NamedTuple):
    """A data file that a commit names."""

    key: str
    kind: str


def temporary() -> sqlite3.Connection:
    """A database of this process alone, in a file that is gone when it is closed."""
    database = sqlite3.connect("", isolation_level=None)
    database.execute("PRAGMA journal_mode = OFF")
    database.execute("PRAGMA synchronous = OFF")
    database.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    database.execute("PRAGMA temp_store = FILE")
    return database


@contextmanager
def told() -> Iterator[None]:
    """Say what a disk that does not take our notes means.

    Raises:
        Stop: it does not.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise Stop(
            f"the folder for temporary files does not take notes: {error}",
            "Make room there, or set TMPDIR (SQLITE_TMPDIR) to a folder on a larger disk.",
        ) from error


class Ledger:
    """Notes of one look at an archive."""

    def __init__(self) -> None:
        self._notes = temporary()
        self._notes.executescript(_SCHEMA)

    def close(self) -> None:
        """Throw the notes away."""
        self._notes.close()

    def take(self, objects: Iterable[ObjectStat]) -> Iterator[Finding]:
        """All objects there are, commits apart from the rest; names that are no text are told."""
        for stat in objects:
            shown = stat.key.encode("utf-8", "backslashreplace").decode()
            if shown != stat.key:
                yield Finding(EXTRA, shown, "no archive has an object of such a name")
                continue
            chain, sequence = layout.chain_prefix_of(stat.key), layout.sequence_of(stat.key)
            if chain is None:
                self._do("INSERT OR REPLACE INTO object VALUES (?, ?)", stat.key, stat.size)
            else:
                self._do("INSERT OR REPLACE INTO listed VALUES (?, ?)", chain, sequence)

    def keys(self, prefix: str) -> Iterator[str]:
        """Objects below a prefix, commits left out, in the order of their keys."""
        rows = self._notes.execute(
            "SELECT key FROM object WHERE key >= ? AND key < ? ORDER BY key",
            (prefix, prefix + "\U0010ffff"),
        )
        return (key for (key,) in rows)

    def holds(self, key: str) -> bool:
        """Whether an object was listed that is no commit."""
        return bool(self._all("SELECT 1 FROM object WHERE key = ?", key))

    @property
    def objects(self) -> int:
        """How many objects there are."""
        ((others,),) = self._all("SELECT count(*) FROM object")
        ((commits,),) = self._all("SELECT count(*) FROM listed")
        return int(others + commits)

    def chains(self) -> list[str]:
        """Prefixes of all chains that are there, or that a digest names."""
        found = self._all("SELECT chain FROM listed UNION SELECT chain FROM sealed ORDER BY 1")
        return [chain for (chain,) in found]

    def sequences(self, chain: str) -> list[int]:
        """Numbers of the commits that are there, rising."""
        found = self._all("SELECT sequence FROM listed WHERE chain = ? ORDER BY 1", chain)
        return [sequence for (sequence,) in found]

    def seal(self, sealed: Sealed, chain: str) -> None:
        """A commit that a digest holds or names."""
        number, sha256, previous, digest, whole = sealed
        values = (chain, number, digest, sha256, previous, whole)
        self._do("INSERT OR IGNORE INTO sealed VALUES (?, ?, ?, ?, ?, ?)", *values)

    def distrust(self, digest: str) -> None:
        """Forget what a digest says."""
        self._do("DELETE FROM sealed WHERE digest = ?", digest)

    def sealed(self, chain: str, sequence: int) -> Sealed | None:
        """What a digest says of a commit; None: no digest holds or names it."""
        found = self._all(
            "SELECT sequence, sha256, previous, digest, whole FROM sealed"
            " WHERE chain = ? AND sequence = ? ORDER BY whole DESC, digest LIMIT 1",
            chain,
            sequence,
        )
        return Sealed(*found[0]) if found else None

    def sealed_numbers(self, chain: str) -> list[int]:
        """Numbers of the commits of a chain that digests hold or name, rising."""
        found = self._all("SELECT DISTINCT sequence FROM sealed WHERE chain = ? ORDER BY 1", chain)
        return [sequence for (sequence,) in found]

    def name(self, file: FileEntry, commit: Commit, incarnation: int) -> bool:
        """A data file that a commit names; whether it is the first that does."""
        before = self._notes.total_changes
        self._do(
            "INSERT OR IGNORE INTO named VALUES (?, ?, ?, ?, ?, ?, ?)",
            file.key,
            file.sha256,
            file.kind,
            layout.partition_prefix(commit.topic_partition),
            incarnation,
            file.first_offset,
            file.last_offset,
        )
        return self._notes.total_changes > before

    def name_other(self, key: str) -> None:
        """An object that is no data file, and has its place."""
        self._do("INSERT OR IGNORE INTO named (key) VALUES (?)", key)

    def holder(self, sha256: str) -> str | None:
        """The data file whose bytes have this sha256, if a commit names one."""
        found = self._all("SELECT key FROM named WHERE sha256 = ? LIMIT 1", sha256)
        return found[0][0] if found else None

    def named_so(self, sha256: str) -> str | None:
        """A data file that is there and whose key says that it has this sha256."""
        found = self._all(
            "SELECT key FROM object WHERE key LIKE ? LIMIT 1", f"%+{sha256[:12]}.avro"
        )
        return found[0][0] if found else None

    def lose(self, chain: str, incarnation: int, first: int, end: int) -> None:
        """Offsets [first, end) of a log whose commits cannot be read: what they name is unknown."""
        self._do("INSERT INTO lost VALUES (?, ?, ?, ?)", chain, incarnation, first, end)

    def is_lost(self, chain: str, first: int, last: int) -> bool:
        """Whether a file of offsets [first, last] may have been named by such a commit.

        Its own offsets, or some that it took out of the quarantine before it.
        """
        sql = "SELECT 1 FROM lost WHERE chain = ? AND first <= ? AND end > ? LIMIT 1"
        if self._all(sql, chain, last, first):
            return True
        later = self._all("SELECT 1 FROM lost WHERE chain = ? AND first > ? LIMIT 1", chain, last)
        recovered = "SELECT 1 FROM named WHERE chain = ? AND first <= ? AND last >= ? AND kind = ?"
        return bool(later and self._all(recovered, chain, last, first, layout.QUARANTINE))

    def covering(self, chain: str, incarnation: int, first: int, last: int) -> list[Named]:
        """Files that may hold offsets [first, last] of a log."""
        found = self._all(
            "SELECT key, kind FROM named"
            " WHERE chain = ? AND incarnation = ? AND last >= ? AND first <= ? ORDER BY first",
            chain,
            incarnation,
            first,
            last,
        )
        return [Named(*row) for row in found]

    def unnamed(self) -> Iterator[str]:
        """Objects that nothing named."""
        rows = self._notes.execute(
            "SELECT key FROM object WHERE key NOT IN (SELECT key FROM named) ORDER BY key"
        )
        return (key for (key,) in rows)

    def _do(self, sql: str, *values: object) -> None:
        self._notes.execute(sql, values)

    def _all(self, sql: str, *values: object) -> list[Any]:
        return self._notes.execute(sql, values).fetchall()
