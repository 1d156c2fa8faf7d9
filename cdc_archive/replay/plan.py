"""What a run reads: every chain walked once, and what it names kept, so that a run that goes on
later reads the same although the archive has grown.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import msgspec

from cdc_archive.archive.format.commit import SOURCE, Commit, FileEntry
from cdc_archive.archive.format.layout import CHANGES, QUARANTINE
from cdc_archive.archive.reader.inventory import gap_row
from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.archive.reader.woven import NamedFile, weave
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.changelog.record import ArchivedRecord
from cdc_archive.history.missing import Loss
from cdc_archive.history.order import ROWS, Reached
from cdc_archive.replay.base import Base
from cdc_archive.replay.report import Report, quarantine_place
from cdc_archive.replay.restarts import Restarts

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS known (name TEXT PRIMARY KEY, value BLOB);
CREATE TABLE IF NOT EXISTS files (
  stream INTEGER, incarnation INTEGER, first_offset INTEGER, key TEXT, sequence INTEGER, file BLOB,
  PRIMARY KEY (stream, incarnation, first_offset, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS accounts (
  stream INTEGER, sequence INTEGER, counts BLOB, PRIMARY KEY (stream, sequence)) WITHOUT ROWID;
"""

_decode_file: Final = msgspec.json.Decoder(FileEntry).decode


class StreamTables(NamedTuple):
    """A topic partition, by number, and the tables in it that are read; `records` in all."""

    stream: int
    tables: tuple[str, ...]
    records: int


@dataclass
class Plan:
    """What a run reads.

    `heads` is, for each stream by number, the topic partition with the number and sha256 of its
    last commit; `restarts` the event times from which on a connector counts its positions anew;
    `base` the key of the checkpoint that it begins with; `losses` what is known to be missing.
    """

    heads: list[tuple[str, int, int, str]] = field(default_factory=list)
    restarts: Mapping[str, Sequence[int]] = field(default_factory=dict)
    base: str | None = None
    losses: list[Loss] = field(default_factory=list)

    @property
    def numbers(self) -> dict[TopicPartition, int]:
        """The numbers of the streams."""
        return {self.partition(number): number for number in range(len(self.heads))}

    def partition(self, stream: int) -> TopicPartition:
        """The topic partition of a stream."""
        return TopicPartition(*self.heads[stream][:2])


class Planner:
    """Walks the chains.

    Args:
        reader: the archive.
        database: where the plan is kept, with `SCHEMA`.
        report: takes the losses, the quarantine and what was skipped.
        keys: whether files are kept with their key statistics.
    """

    def __init__(
        self,
        reader: ArchiveReader,
        database: sqlite3.Connection,
        report: Report,
        *,
        keys: bool = False,
    ) -> None:
        self._keys = keys
        self._reader = reader
        self._database = database
        self._report = report

    def make(self, base: Base | None = None) -> Plan:
        """Walk every chain; what a base has settled is left out.

        Raises:
            BaseOutdated: since the base the archive got something late, of before it, or learned
                that a connector began anew.
            ArchiveDamaged: a chain is damaged, or is not the one that the base was made of.
        """
        plan = Plan()
        heads = {} if base is None else base.heads(self._reader)
        reached = {} if base is None else base.reached()
        known = {} if base is None else base.known()
        restarts = Restarts()
        if base is not None:
            self._report.add(base.account)
        numbers = {one: number for number, one in enumerate(self._reader.partitions())}
        for link in self._reader.every_link(heads, numbers):
            partition = link.commit.topic_partition
            if partition not in numbers:
                continue  # it came while we read
            heads[partition] = link
            if base is not None:
                start = reached.get(partition, Reached())
                _refuse_late(link.commit, start, base.at_us, known.get(partition, -1))
            restarts.add(link.commit)
            self._account(numbers[partition], link.commit)
            self._keep(numbers[partition], link.commit)
        for partition in numbers:
            last = heads[partition]
            plan.heads.append((*partition, last.commit.sequence, last.sha256))
        self._report.sort()
        plan.restarts = restarts.times() if base is None else base.restarts
        plan.losses = self._report.losses()
        return plan

    def _account(self, stream: int, commit: Commit) -> None:
        report = Report()
        report.quarantined += sum(f.records for f in commit.files if f.kind == QUARANTINE)
        report.quarantined -= sum(one.records for one in commit.recovered)
        report.in_quarantine.update(_in_quarantine(commit))
        report.skipped += sum(skipped.count for skipped in commit.skipped)
        report.gaps += [gap_row(commit, gap) for gap in commit.gaps]
        if report != Report():
            self._report.add(report.counts())
            row = (stream, commit.sequence, msgspec.json.encode(report.counts()))
            self._database.execute("INSERT INTO accounts VALUES (?, ?, ?)", row)

    def _keep(self, stream: int, commit: Commit) -> None:
        named = [(commit.log.incarnation, file) for file in commit.files]
        named += [(one.incarnation, file) for one in commit.recovered for file in one.files]
        self._database.executemany(
            "INSERT INTO files VALUES (?, ?, ?, ?, ?, ?)",
            (
                (
                    stream,
                    incarnation,
                    file.first_offset,
                    file.key,
                    commit.sequence,
                    msgspec.json.encode(file if self._keys else file.without_keys()),
                )
                for incarnation, file in named
                if file.kind == CHANGES
            ),
        )


def _in_quarantine(commit: Commit) -> Mapping[str, int]:
    """How many messages a commit adds to each quarantine file, or takes out of it."""
    partition = commit.topic_partition
    added = {
        quarantine_place(partition, commit.log.incarnation, file.key): file.records
        for file in commit.files
        if file.kind == QUARANTINE
    }
    taken: Counter[str] = Counter()
    for one in commit.recovered:
        taken[quarantine_place(partition, one.incarnation, one.origin)] -= one.records
    return {**added, **taken}


class BaseOutdated(Exception):
    """The archive learned something of before a checkpoint: its rows are no longer the last."""


def _refuse_late(commit: Commit, reached: Reached, at_us: int, known: int) -> None:
    """Refuse what was archived after a base, commit `known`, and would have changed its rows.

    What is recovered from quarantine; and a TRUNCATE, that ends rows of other partitions.
    """
    if any(gap.kind == SOURCE for gap in commit.gaps):
        raise BaseOutdated
    if commit.sequence <= known:
        return
    for one in commit.recovered:
        if any(reached.passed(one.incarnation, file.first_offset) for file in one.files):
            raise BaseOutdated
    if any("t" in one.counts and (one.min_event_time_us or 0) < at_us for one in commit.files):
        raise BaseOutdated


class PlannedFiles:
    """The files of a plan.

    Args:
        database: the plan's.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def of(self, stream: int, wanted: Callable[[NamedFile], bool]) -> Iterator[NamedFile]:
        """The wanted files of a stream, in the order of the log."""
        rows = self._database.execute(
            "SELECT incarnation, file, sequence FROM files WHERE stream = ?"
            " ORDER BY stream, incarnation, first_offset, key",
            (stream,),
        )
        for incarnation, data, sequence in rows:
            named = NamedFile(incarnation, _decode_file(data), sequence)
            if wanted(named):
                yield named

    def records(
        self, reader: ArchiveReader, stream: int, wanted: Callable[[NamedFile], bool]
    ) -> Iterator[ArchivedRecord]:
        """The records of the wanted files of a stream, in the order of the log."""
        return weave(self.of(stream, wanted), reader.named)

    def first_not(self, stream: int, is_so: Callable[[NamedFile], bool]) -> int | None:
        """The first commit that names a file of a stream of which this does not hold."""
        others = self.of(stream, lambda named: not is_so(named))
        return min((named.sequence for named in others), default=None)

    def account(self, stream: int, up_to: int) -> Iterator[Mapping[str, Any]]:
        """What the commits of a stream up to a number lost, left out or could not decode."""
        rows = self._database.execute(
            "SELECT counts FROM accounts WHERE stream = ? AND sequence <= ?", (stream, up_to)
        )
        for (data,) in rows:
            yield msgspec.json.decode(data)

    def begins_anew(self, stream: int) -> bool:
        """Whether a stream ends where its connector began anew: what follows is not there yet."""
        (newest,) = self._database.execute(
            "SELECT max(sequence) FROM files WHERE stream = ?", (stream,)
        ).fetchone()
        rows = self._database.execute(
            "SELECT counts FROM accounts WHERE stream = ? AND sequence >= ?", (stream, newest or 0)
        )
        told = (gap for (data,) in rows for gap in msgspec.json.decode(data)["gaps"])
        return any(gap["kind"] == SOURCE for gap in told)

    def contents(self) -> Iterator[tuple[int, FileEntry]]:
        """Every file, with the number of its stream."""
        for stream, data in self._database.execute("SELECT stream, file FROM files"):
            yield stream, _decode_file(data)


def holds_rows(file: FileEntry) -> bool:
    """Whether a file holds records that tell of rows."""
    return not ROWS.isdisjoint(file.counts)


def shares(
    streams: Sequence[StreamTables],
    jobs: int,
    joins: Callable[[str], Iterable[object]] = lambda _: (),
) -> list[list[StreamTables]]:
    """Streams dealt out to jobs, the largest first, each to the job that has least.

    Those that share a table stay together, for rows move between them and a TRUNCATE ends them all.

    Args:
        streams: what is read.
        jobs: how many jobs at most.
        joins: for a table, what it must not be parted from: tables that have one of them in common.
    """
    together = sorted(_together(streams, joins), key=lambda one: (-_records(one), one[0].stream))
    loads: list[list[StreamTables]] = [[] for _ in range(max(1, min(jobs, len(together))))]
    for group in together:
        min(loads, key=_records).extend(group)
    return [sorted(load) for load in loads]


def _records(streams: Sequence[StreamTables]) -> int:
    return sum(one.records for one in streams)


def _together(
    streams: Sequence[StreamTables], joins: Callable[[str], Iterable[object]]
) -> list[list[StreamTables]]:
    group_of: dict[object, list[StreamTables]] = {}
    for stream in streams:
        joined = [stream]
        bonds = {*stream.tables, *(bond for table in stream.tables for bond in joins(table))}
        for group in {id(g): g for bond in bonds if (g := group_of.get(bond))}.values():
            joined += group
            bonds |= {bond for bond, other in group_of.items() if other is group}
        group_of |= dict.fromkeys(bonds, joined)
    return [*{id(group): group for group in group_of.values()}.values()]


def tables_of(
    contents: Iterator[tuple[int, FileEntry]], wanted: Callable[[FileEntry], bool]
) -> list[StreamTables]:
    """Which wanted tables each stream holds."""
    records: dict[int, Counter[str]] = {}
    for stream, file in contents:
        if wanted(file):
            records.setdefault(stream, Counter())[file.table or ""] += file.records
    return [
        StreamTables(stream, tuple(sorted(counts)), counts.total())
        for stream, counts in sorted(records.items())
    ]
