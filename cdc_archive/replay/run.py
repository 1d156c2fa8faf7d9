"""A run: plan what to read, gather what stands beside, let the jobs tell, write it all in order.

Each step leaves its result in the run's folder and is not done twice: a broken run goes on.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import sqlite3
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

from cdc_archive import __version__
from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.audit import mapping
from cdc_archive.audit.build import Builder
from cdc_archive.audit.mapping import Mapping
from cdc_archive.decode.exact_json import exact_json
from cdc_archive.decode.row_reader import Hints, RowReader
from cdc_archive.history.fold import ReadRow
from cdc_archive.replay import beside, job, outcome
from cdc_archive.replay.asked import Asked
from cdc_archive.replay.beside import Beside
from cdc_archive.replay.gather import Gathering
from cdc_archive.replay.job import Job, Reading
from cdc_archive.replay.plan import PlannedFiles
from cdc_archive.replay.planning import Planning
from cdc_archive.replay.report import Report
from cdc_archive.replay.workspace import Workspace, open_database
from cdc_archive.sinks.sink import Sink

OpenReader = Callable[[], ArchiveReader]
"""Opens the archive; called in each process, so it must be one that can be pickled."""


class Order(NamedTuple):
    """What is to be done: the archive, the text of the mapping, and what is asked of it."""

    open_reader: OpenReader
    rules: str
    asked: Asked

    def mapping(self) -> Mapping:
        """The mapping, parsed."""
        return mapping.parse(self.rules, "the mapping")


def replay(
    order: Order, sink: Sink, folder: Path, jobs: int = 1, *, resume: bool = False
) -> Report:
    """Write the audit events that the archived changes prove, in commit order.

    Everything before the window's end is folded, for a version before may lie before it; only
    events within the window are written. The same archive gives the same bytes, whatever `jobs`.

    Args:
        order: what is to be done.
        sink: where events go; not closed here.
        folder: for the run's files; left there, to go on from if this fails.
        jobs: how many processes.
        resume: go on with what an earlier run left in `folder`.

    Raises:
        Stop: `resume`, but what is there is of another order; or another run is at work there.
    """
    workspace = Workspace(folder)
    with ExitStack() as opened:
        opened.enter_context(closing(open_database(workspace.lock, alone=True)))
        if not resume:
            workspace.clear()
        planning = Planning(opened.enter_context(closing(open_database(workspace.plan))))
        _plan(order, planning, jobs)
        _gather(order, workspace, planning)
        count = planning.jobs()
        _run_jobs(order, workspace, count, jobs)
        paths = [workspace.job(number) for number in range(count)]
        databases = [opened.enter_context(closing(open_database(path))) for path in paths]
        report = planning.report()
        for one in databases:
            for counts in job.counts(one):
                report.add(counts)
        for line in outcome.lines(databases):
            sink.write(line)
    return report


def _plan(order: Order, planning: Planning, jobs: int) -> None:
    reader = order.open_reader()
    identity = exact_json([__version__, reader.info.id, order.rules, order.asked])
    fingerprint = hashlib.sha256(identity).hexdigest()
    if not planning.is_of(fingerprint):
        planning.make(fingerprint, reader, Builder(order.mapping()), order.asked, jobs)


def _gather(order: Order, workspace: Workspace, planning: Planning) -> None:
    """Fill what stands beside the changes, unless that is done."""
    with ExitStack() as opened:
        database = opened.enter_context(closing(open_database(workspace.beside)))
        if beside.is_whole(database):
            return
        planned = opened.enter_context(closing(open_database(workspace.plan)))
        rules, files = order.mapping(), PlannedFiles(planned)
        gathering = Gathering(
            order.open_reader(), files, planning.plan(), rules, read_row(rules), database
        )
        with beside.filling(database):
            gathering.testimonies(order.asked.window)
            gathering.lookups(order.asked.window.end_us)


def _run_jobs(order: Order, workspace: Workspace, count: int, processes: int) -> None:
    if processes == 1 or count == 1:
        for number in range(count):
            run_job(order, workspace.folder, number)
        return
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(processes, count), mp_context=spawned) as pool:
        started = [pool.submit(run_job, order, workspace.folder, n) for n in range(count)]
        for one in started:
            one.result()


def run_job(order: Order, folder: Path, number: int) -> None:
    """Do one job of a run, in whatever process: all that it needs lies in the run's folder."""
    workspace, rules = Workspace(folder), order.mapping()
    with ExitStack() as opened:

        def opening(path: Path) -> sqlite3.Connection:
            return opened.enter_context(closing(open_database(path)))

        planned, own = opening(workspace.plan), opening(workspace.job(number))
        own.executescript(job.SCHEMA)
        planning = Planning(planned)
        until_us, restarts = order.asked.window.end_us, planning.plan().restarts
        reading = Reading(planning.share(number), until_us, restarts)
        builder = Builder(rules, Beside(opening(workspace.beside)))
        reader, files = order.open_reader(), PlannedFiles(planned)
        Job(reader, files, reading, own, builder, read_row(rules), order.asked).run()


def read_row(rules: Mapping) -> ReadRow:
    """Reads rows as a mapping says that they are to be read."""
    hints = [Hints(one.tables, one.columns) for one in rules.hints]
    return RowReader(hints, rules.unavailable_value).row
