"""The plan of a run as it is kept: made once, read by every job and by a run that goes on."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec

from cdc_archive.archive.format.commit import FileEntry
from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.archive.reader.woven import NamedFile
from cdc_archive.audit.build import Builder
from cdc_archive.errors import Stop
from cdc_archive.history.order import ROWS
from cdc_archive.replay.asked import Asked
from cdc_archive.replay.base import Base
from cdc_archive.replay.plan import (
    SCHEMA,
    BaseOutdated,
    Plan,
    PlannedFiles,
    Planner,
    StreamTables,
    holds_rows,
)
from cdc_archive.replay.report import Report

_T = TypeVar("_T")
_FINGERPRINT: Final = "fingerprint"


class Planning:
    """A kept plan.

    Args:
        database: where it is kept.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        database.executescript(SCHEMA)

    def is_of(self, fingerprint: str) -> bool:
        """Whether a whole plan of this run is there.

        Raises:
            Stop: there is one of another run.
        """
        kept = self._find(_FINGERPRINT, str)
        if kept is not None and kept != fingerprint:
            raise Stop(
                "the broken run was of another archive, mapping, window or version of the program",
                "Give the same options as then, or leave out --resume to begin anew.",
            )
        return kept is not None

    def walk(
        self, reader: ArchiveReader, base: Base | None, *, keys: bool = False
    ) -> tuple[Plan, Report]:
        """Walk the chains, from a base on if it is given and still holds; and what they tell.

        `keys`: see `Planner`.
        """
        self._database.executescript("DELETE FROM known; DELETE FROM files; DELETE FROM accounts;")
        report = Report()
        self._database.execute("BEGIN")
        try:
            plan = Planner(reader, self._database, report, keys=keys).make(base)
        except BaseOutdated:
            self._database.execute("ROLLBACK")
            return self.walk(reader, None, keys=keys)
        if base is not None:
            plan.base = report.checkpoint = base.key
        self._database.execute("COMMIT")
        return plan, report

    def keep(
        self, fingerprint: str, plan: Plan, dealt: list[list[StreamTables]], report: Report
    ) -> None:
        """Keep the plan: from now on it is whole."""
        self._database.execute("BEGIN")
        self._put("plan", plan)
        self._put("shares", dealt)
        self._put("report", report.counts())
        self._put(_FINGERPRINT, fingerprint)
        self._database.execute("COMMIT")

    @property
    def files(self) -> PlannedFiles:
        """The files of the plan."""
        return PlannedFiles(self._database)

    def plan(self) -> Plan:
        """What the run reads."""
        return self._get("plan", Plan)

    def share(self, job: int) -> list[StreamTables]:
        """The streams of a job."""
        return self._get("shares", list[list[StreamTables]])[job]

    def jobs(self) -> int:
        """How many jobs there are."""
        return len(self._get("shares", list[Any]))

    def report(self) -> Report:
        """A report of what the plan itself tells."""
        report = Report()
        report.add(self._get("report", dict[str, Any]))
        return report

    def _put(self, name: str, value: Any) -> None:
        row = (name, msgspec.json.encode(value))
        self._database.execute("INSERT OR REPLACE INTO known VALUES (?, ?)", row)

    def _get(self, name: str, kind: type[_T]) -> _T:
        found = self._find(name, kind)
        assert found is not None
        return found

    def _find(self, name: str, kind: type[_T]) -> _T | None:
        found = self._database.execute("SELECT value FROM known WHERE name = ?", (name,)).fetchone()
        return None if found is None else msgspec.json.decode(found[0], type=kind)


def is_mapped(builder: Builder, asked: Asked, file: FileEntry) -> bool:
    """Whether a file holds changes of a table that has a rule for an event that is asked for."""
    table = file.table or ""
    return (
        holds_rows(file)
        and asked.wants_table(table)
        and any(asked.wants_type(rule.type) for rule in builder.rules_for(table))
    )


def count_the_unmapped(
    reader: ArchiveReader, files: PlannedFiles, builder: Builder, asked: Asked, report: Report
) -> None:
    """Count the changes of tables without a rule; only files that the window cuts are read."""
    window = asked.window
    for _, file in files.contents():
        table = file.table or ""
        rows = holds_rows(file) and asked.wants_table(table)
        if not rows or builder.knows(table) or not window.may_hold(file):
            continue
        counts = file.counts
        if not (window.holds(file.min_event_time_us) and window.holds(file.max_event_time_us)):
            counts = _counts_within(reader, file, window.holds)
        changes = {op: count for op, count in counts.items() if op in ROWS}
        report.records += sum(changes.values())
        report.snapshot_rows += changes.pop("r", 0)
        if changes:
            report.unmapped[table] += sum(changes.values())


def _counts_within(
    reader: ArchiveReader, file: FileEntry, holds: Callable[[int | None], bool]
) -> dict[str, int]:
    counts: dict[str, int] = {}
    for archived in reader.named(NamedFile(0, file, 0)):
        if holds(archived.record.event_time_us):
            counts[archived.record.op] = counts.get(archived.record.op, 0) + 1
    return counts
