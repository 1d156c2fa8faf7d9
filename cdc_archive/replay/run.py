"""A run: plan what to read, gather what stands beside, let the jobs tell, write it all in order.

Each step leaves its result in the run's folder and is not done twice: a broken run goes on.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import NamedTuple

from cdc_archive import __version__
from cdc_archive.archive.format.commit import FileEntry
from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.archive.reader.window import Window, widened
from cdc_archive.audit import mapping
from cdc_archive.audit.build import Builder
from cdc_archive.audit.context import NoContext
from cdc_archive.audit.mapping import Mapping
from cdc_archive.decode.exact_json import exact_json
from cdc_archive.decode.row_reader import Hints, RowReader
from cdc_archive.history.fold import ReadRow
from cdc_archive.history.missing import Missing
from cdc_archive.replay import beside, job, outcome, processes
from cdc_archive.replay.asked import Asked
from cdc_archive.replay.base import newest, of_key
from cdc_archive.replay.beside import Beside
from cdc_archive.replay.gather import Gathering
from cdc_archive.replay.job import LATE_US, Doubt, Job, Reading
from cdc_archive.replay.plan import shares, tables_of
from cdc_archive.replay.planning import Planning, count_the_unmapped, is_mapped
from cdc_archive.replay.report import Report
from cdc_archive.replay.workspace import (
    STATES_CACHE_KIB,
    Workspace,
    open_database,
)
from cdc_archive.sinks.sink import Sink

OpenReader = Callable[[], ArchiveReader]
"""Opens the archive; called in each process, so it must be one that can be pickled."""


class Order(NamedTuple):
    """What is to be done: the archive, the text of the mapping, what is asked of it, whether it may
    begin with a checkpoint, and whether what cannot be proven is written down (see `doubts`).
    """

    open_reader: OpenReader
    rules: str
    asked: Asked
    checkpoints: bool = True
    doubts: bool = False

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
        opened.enter_context(workspace.held())
        if not resume:
            workspace.clear()
        planning = Planning(opened.enter_context(closing(open_database(workspace.plan))))
        _plan(order, planning, jobs)
        _gather(order, workspace, planning)
        count = planning.jobs()
        processes.run_all(partial(run_job, order, folder), count, jobs)
        paths = [workspace.job(number) for number in range(count)]
        databases = [opened.enter_context(closing(open_database(path))) for path in paths]
        report = planning.report()
        for one in databases:
            for counts in job.counts(one):
                report.add(counts)
        for line in outcome.lines(databases):
            sink.write(line)
    return report


def doubts(folder: Path) -> Iterator[Doubt]:
    """What a run that is over could not prove, out of the files that it left."""
    workspace = Workspace(folder)
    with closing(open_database(workspace.plan)) as planned:
        count = Planning(planned).jobs()
    for number in range(count):
        with closing(open_database(workspace.job(number))) as database:
            yield from job.doubts(database)


def _plan(order: Order, planning: Planning, jobs: int) -> None:
    reader, rules, asked = order.open_reader(), order.mapping(), order.asked
    identity = exact_json([__version__, reader.info.id, order.rules, asked, order.checkpoints])
    fingerprint = hashlib.sha256(identity).hexdigest()
    if planning.is_of(fingerprint):
        return
    base = None
    if order.checkpoints and asked.window.start_us is not None:
        base = newest(reader, asked.window.start_us, reading_of(rules))
    plan, report = planning.walk(reader, base)
    builder, before_end = Builder(rules), widened(Window(None, asked.window.end_us), LATE_US)

    def is_read(file: FileEntry) -> bool:
        return is_mapped(builder, asked, file) and before_end.may_hold(file)

    def grouped(table: str) -> list[int]:
        return [id(rule) for rule in builder.rules_for(table) if rule.group is not None]

    dealt = shares(tables_of(planning.files.contents(), is_read), jobs, grouped)
    count_the_unmapped(reader, planning.files, builder, asked, report)
    planning.keep(fingerprint, plan, dealt, report)


def _gather(order: Order, workspace: Workspace, planning: Planning) -> None:
    """Fill what stands beside the changes, unless that is done."""
    with ExitStack() as opened:
        database = opened.enter_context(closing(open_database(workspace.beside)))
        if beside.is_whole(database):
            return
        rules, reader, plan = order.mapping(), order.open_reader(), planning.plan()
        gathering = Gathering(reader, planning.files, plan, rules, read_row(rules), database)
        base = None if plan.base is None else of_key(reader, plan.base)
        with beside.filling(database):
            gathering.testimonies(order.asked.window)
            gathering.lookups(order.asked.window.end_us, base)


def run_job(order: Order, folder: Path, number: int, *, cut: bool = False) -> None:
    """Do one job of a run, in whatever process: all that it needs lies in the run's folder.

    `cut`: see `Reading`.
    """
    workspace, rules = Workspace(folder), order.mapping()
    with ExitStack() as opened:

        def opening(path: Path) -> sqlite3.Connection:
            return opened.enter_context(closing(open_database(path)))

        planned, path = opening(workspace.plan), workspace.job(number)
        own = open_database(path, alone=True, cache_kib=STATES_CACHE_KIB)
        opened.enter_context(closing(own))
        own.executescript(job.SCHEMA)
        planning, reader = Planning(planned), order.open_reader()
        plan, until_us = planning.plan(), order.asked.window.end_us
        base = None if plan.base is None else of_key(reader, plan.base)
        reading = Reading(
            planning.share(number),
            until_us,
            plan.restarts,
            base,
            plan.numbers,
            cut,
            Missing(plan.losses),
            order.doubts,
        )
        context = NoContext() if cut else Beside(opening(workspace.beside))
        builder = Builder(rules, context)
        Job(reader, planning.files, reading, own, builder, read_row(rules), order.asked).run()


def read_row(rules: Mapping) -> ReadRow:
    """Reads rows as a mapping says that they are to be read."""
    hints = [Hints(one.tables, one.columns) for one in rules.hints]
    return RowReader(hints, rules.unavailable_value).row


def reading_of(rules: Mapping) -> str:
    """How a mapping reads rows, as a sha256: versions that were read otherwise do not fit."""
    hints = [one.model_dump() for one in rules.hints]
    return hashlib.sha256(exact_json([hints, rules.unavailable_value])).hexdigest()
