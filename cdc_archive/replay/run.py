"""Replay: archived changes in commit order, folded into row histories, mapped to audit events."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import NamedTuple

from cdc_archive.archive.format.layout import QUARANTINE
from cdc_archive.archive.reader.inventory import gap_row
from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.archive.reader.window import Window
from cdc_archive.audit.build import AuditEvent, Builder, Part
from cdc_archive.audit.mapping import Mapping
from cdc_archive.changelog.record import ROW_OPS, ArchivedRecord
from cdc_archive.history.fold import Fold, RowStates
from cdc_archive.history.position import in_commit_order
from cdc_archive.history.redelivery import Redeliveries
from cdc_archive.history.transition import Transition
from cdc_archive.replay.report import Report
from cdc_archive.sinks.sink import Sink


class Asked(NamedTuple):
    """Which events are asked for: time window, tables (wildcards), event types; empty: all."""

    window: Window = Window()
    tables: tuple[str, ...] = ()
    types: tuple[str, ...] = ()

    def wants_table(self, table: str) -> bool:
        """Whether events of this table are asked for."""
        return not self.tables or any(fnmatchcase(table, pattern) for pattern in self.tables)


def replay(
    streams: Iterable[Iterable[ArchivedRecord]],
    mapping: Mapping,
    states: RowStates,
    asked: Asked,
    sink: Sink,
) -> Report:
    """Write the audit events that the records prove, in commit order.

    Everything up to the end of the window is folded, for a version before may lie before it; only
    events within the window are written.

    Args:
        streams: for each topic partition, its records in offset order.
        mapping: which transitions are events.
        states: the last version of each row; empty.
        asked: which events are written.
        sink: where they go; not closed here.
    """
    report, builder, fold, redeliveries = Report(), Builder(mapping), Fold(states), Redeliveries()
    for change in in_commit_order(streams):
        record = change.archived.record
        inside = asked.window.holds(record.event_time_us)
        report.records += inside
        if not redeliveries.is_new(change):
            report.redeliveries += inside
            continue
        report.snapshot_rows += inside and record.op == "r"
        for transition in fold.apply(change):
            if inside and asked.wants_table(transition.table):
                _write(transition, builder, asked, sink, report)
    report.rows_of_untold_operation = fold.untold
    report.unreadable_rows = fold.unreadable
    return report


def _write(
    transition: Transition, builder: Builder, asked: Asked, sink: Sink, report: Report
) -> None:
    if not builder.rules_for(transition.table):
        report.unmapped[transition.table] += 1
        return
    for one in builder.build(transition):
        made = builder.together([one]) if isinstance(one, Part) else one
        if isinstance(made, AuditEvent):
            kind = made.event["type"]
            if asked.types and kind not in asked.types:
                continue
            sink.write(made)
            report.events[kind] += 1
            report.before[made.evidence["before"]] += 1
            report.actor[made.evidence["actor"]] += 1
            if made.event["actor"] is None:
                report.actor_reasons[made.evidence["actor_reason"]] += 1
        elif not asked.types or made.type in asked.types:
            report.unproven[f"{made.type}: {made.reason}"] += 1


def of_archive(
    reader: ArchiveReader, mapping: Mapping, states: RowStates, asked: Asked, sink: Sink
) -> Report:
    """`replay` over a whole archive; the report tells its gaps and what it could not decode."""
    partitions = reader.partitions()
    before_end = Window(None, asked.window.end_us)
    streams = [
        (
            archived
            for archived in reader.scan(
                partition, lambda file: not ROW_OPS.isdisjoint(file.counts) or "row" in file.counts
            )
            if before_end.end_us is None or before_end.holds(archived.record.event_time_us)
        )
        for partition in partitions
    ]
    report = replay(streams, mapping, states, asked, sink)
    for partition in partitions:
        for commit in reader.commits(partition):
            report.quarantined += sum(f.records for f in commit.files if f.kind == QUARANTINE)
            report.quarantined -= sum(one.records for one in commit.recovered)
            report.skipped += sum(skipped.count for skipped in commit.skipped)
            report.gaps += [gap_row(commit, gap) for gap in commit.gaps]
    return report
