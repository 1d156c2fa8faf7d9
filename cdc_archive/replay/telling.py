"""From the changes of one connector, in commit order, to audit events, each at its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from cdc_archive.audit.build import AuditEvent, Builder, Part, Unproven
from cdc_archive.history.fold import Fold
from cdc_archive.history.position import Change, Place
from cdc_archive.history.redelivery import Redeliveries
from cdc_archive.history.transition import Transition
from cdc_archive.replay.asked import Asked
from cdc_archive.replay.report import Report


class Told(NamedTuple):
    """An event, the place of the change that it tells of, and its number among that change's."""

    place: Place
    number: int
    event: AuditEvent


@dataclass
class _Group:
    """The parts of one event: rows that one transaction changed alike."""

    place: Place
    number: int
    parts: list[Part] = field(default_factory=list)


TakeDoubt = Callable[[Unproven, int | None], None]
"""Told of an event that may or may not have happened, and of its time."""


class Telling:
    """Follows the changes and tells their events.

    An event of a whole transaction stands where its first row stands, and is told when the
    transaction is over: events come in any order of their places within one.

    Args:
        fold: makes transitions of changes.
        redeliveries: knows what was there.
        builder: makes events of transitions.
        asked: which events are wanted.
        report: where they are counted.
        doubt: told of what cannot be proven.
    """

    def __init__(
        self,
        fold: Fold,
        redeliveries: Redeliveries,
        builder: Builder,
        asked: Asked,
        report: Report,
        doubt: TakeDoubt | None = None,
    ) -> None:
        self._fold = fold
        self._redeliveries = redeliveries
        self._builder = builder
        self._asked = asked
        self._report = report
        self._doubt = doubt
        self._open: dict[int, _Group] = {}
        self._transaction: str | None = None

    @property
    def between_transactions(self) -> bool:
        """Whether no event waits for the end of its transaction."""
        return not self._open

    def take(self, change: Change) -> Iterator[Told]:
        """The events that are told now that this change has come."""
        record, report = change.archived.record, self._report
        inside = self._asked.window.holds(record.event_time_us)
        report.records += inside
        if not self._redeliveries.is_new(change):
            report.redeliveries += inside
            return
        report.snapshot_rows += inside and record.op == "r"
        if self._open and self._goes_on(change):
            yield from self.close()
        number = 0
        untold, unreadable = self._fold.untold, self._fold.unreadable
        for transition in self._fold.apply(change):
            if not (inside and self._asked.wants_table(transition.table)):
                continue
            for made in self._made(transition):
                if isinstance(made, AuditEvent):
                    yield self._told(change.place, number, made)
                else:
                    self._join(made, number)
                number += 1
        report.rows_of_untold_operation += self._fold.untold - untold
        report.unreadable_rows += self._fold.unreadable - unreadable
        if self._open and self._transaction is None:
            yield from self.close()

    def close(self) -> Iterator[Told]:
        """The transaction is over, or there are no more changes."""
        for group in self._open.values():
            made = self._builder.together(group.parts)
            if isinstance(made, Unproven):
                self._unproven(made, group.parts[0].transition)
            else:
                yield self._told(group.place, group.number, made)
        self._open.clear()

    def _told(self, place: Place, number: int, made: AuditEvent) -> Told:
        self._report.tell(made)
        return Told(place, number, made)

    def _goes_on(self, change: Change) -> bool:
        """Whether this change is of another transaction than the open groups."""
        where = change.position
        return not where.snapshot and where.transaction != self._transaction

    def _made(self, transition: Transition) -> Iterator[AuditEvent | Part]:
        if not self._builder.knows(transition.table):
            self._report.unmapped[transition.table] += 1
            return
        for made in self._builder.build(transition):
            if isinstance(made, Unproven):
                self._unproven(made, transition)
            elif self._asked.wants_type(_type(made)):
                yield made

    def _join(self, part: Part, number: int) -> None:
        change = part.transition.change
        if not self._open:
            self._transaction = change.position.transaction
        self._open.setdefault(part.rule, _Group(change.place, number)).parts.append(part)

    def _unproven(self, made: Unproven, transition: Transition) -> None:
        if self._asked.wants_type(made.type):
            if self._doubt is not None:
                self._doubt(made, transition.change.archived.record.event_time_us)
            self._report.unproven[f"{made.type}: {made.reason}"] += 1


def _type(made: AuditEvent | Part) -> str:
    kind: str = made.event["type"] if isinstance(made, AuditEvent) else made.type
    return kind
