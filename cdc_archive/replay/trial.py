"""A mapping tried on an archive: the steps of its rows, as a replay would see them, without events.

In one process, with what stands beside the changes gathered first; state lies in a folder.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from cdc_archive.archive.format.commit import FileEntry
from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.archive.reader.window import Window, widened
from cdc_archive.audit.beside import Witnesses
from cdc_archive.audit.build import Builder
from cdc_archive.audit.mapping import Mapping
from cdc_archive.history.fold import Fold, ReadRow
from cdc_archive.history.missing import Missing
from cdc_archive.history.order import ChangeStream, by_connector, in_commit_order
from cdc_archive.history.position import Change
from cdc_archive.history.redelivery import Redeliveries
from cdc_archive.history.transition import Transition
from cdc_archive.replay import beside, disk_states
from cdc_archive.replay.beside import Beside
from cdc_archive.replay.disk_states import DiskSeen, DiskStates
from cdc_archive.replay.gather import Gathering
from cdc_archive.replay.job import LATE_US
from cdc_archive.replay.plan import Plan, PlannedFiles, holds_rows, tables_of
from cdc_archive.replay.planning import Planning
from cdc_archive.replay.workspace import Workspace, open_database

WantsTable = Callable[[str], bool]


class Step(NamedTuple):
    """A change, and the transitions that it makes; a redelivery makes none.

    `transitions` are made while they are asked for: a TRUNCATE makes one for every row.
    """

    change: Change
    redelivered: bool
    transitions: Iterator[Transition]


class Trial:
    """An archive, open for trying a mapping; use `opened`.

    Args:
        reader: the archive.
        rules: the mapping.
        read: reads row images.
        files: what the archive holds.
        plan: the plan that these are of.
        database: for the rows' states, in a transaction.
        builder: applies the mapping.
    """

    def __init__(
        self,
        reader: ArchiveReader,
        rules: Mapping,
        read: ReadRow,
        files: PlannedFiles,
        plan: Plan,
        database: sqlite3.Connection,
        builder: Builder,
    ) -> None:
        self.rules = rules
        self.builder = builder
        self._reader = reader
        self._read = read
        self._files = files
        self._plan = plan
        self._database = database

    def tables(self) -> list[str]:
        """The tables whose rows the archive holds."""
        contents = self._files.contents()
        return sorted({file.table or "" for _, file in contents if holds_rows(file)})

    def steps(self, wants: WantsTable, until_us: int | None = None) -> Iterator[Step]:
        """The changes of some tables in commit order, connector by connector.

        Args:
            wants: which tables.
            until_us: event time before which the changes lie that are looked at; some after it
                come as well.
        """
        before_end = widened(Window(None, until_us), LATE_US)

        def wanted(file: FileEntry) -> bool:
            return holds_rows(file) and wants(file.table or "") and before_end.may_hold(file)

        streams = (
            ChangeStream(
                planned.stream,
                self._files.records(self._reader, planned.stream, lambda one: wanted(one.file)),
                self._plan.restarts,
            )
            for planned in tables_of(self._files.contents(), wanted)
        )
        for connector, of_it in by_connector(streams).items():
            yield from self._of_connector(connector, of_it)

    def _of_connector(self, connector: str, streams: list[ChangeStream]) -> Iterator[Step]:
        states, missing = DiskStates(self._database, connector), Missing(self._plan.losses)
        fold = Fold(states, self._read, missing=missing)
        redeliveries = Redeliveries(DiskSeen(self._database))
        for change in in_commit_order(streams):
            if not redeliveries.is_new(change):
                yield Step(change, True, iter(()))
                continue
            transitions = fold.apply(change)
            yield Step(change, False, transitions)
            for _ in transitions:  # the versions of rows that were not looked at change as well
                pass


@contextmanager
def opened(
    reader: ArchiveReader, rules: Mapping, read: ReadRow, folder: Path, window: Window
) -> Iterator[Trial]:
    """Plan what is read, and gather what stands beside the changes of a window.

    Args:
        reader: the archive.
        rules: the mapping.
        read: reads row images.
        folder: for the trial's files; empty.
        window: event times of the changes that are looked at.
    """
    workspace = Workspace(folder)
    with (
        closing(open_database(workspace.plan)) as planned,
        closing(open_database(workspace.beside)) as aside,
        closing(open_database(workspace.job(0))) as states,
    ):
        planning = Planning(planned)
        (plan, _), files = planning.walk(reader, None), planning.files
        with beside.filling(aside):
            if Witnesses(rules).wants_anything:
                gathering = Gathering(reader, files, plan, rules, read, aside)
                gathering.testimonies(window)
                gathering.lookups(window.end_us)
        states.executescript(disk_states.SCHEMA)
        states.execute("BEGIN")
        builder = Builder(rules, Beside(aside))
        yield Trial(reader, rules, read, files, plan, states, builder)
