"""Which published event tells of which change, as both come in: what is due is judged, once.

Matching is that of `reconcile`. A pair in which nobody is due yet, and whose members could still
find better partners, waits; two that agree, alone with each other, do not have to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from cdc_archive.reconcile.expected import Expected
from cdc_archive.reconcile.matching import Pair, match
from cdc_archive.reconcile.published import Published
from cdc_archive.watch import findings
from cdc_archive.watch.findings import Findings
from cdc_archive.watch.items import OPEN, Group, Items, Repeated, Waiting


class Read(NamedTuple):
    """How far both sides were read.

    `published_us`, `changes_us`: the time at which each was last read to its end. `passed_us`: the
    event time up to which all changes that can tell of a type were followed, None: there are none.
    `published_since_us`, `changes_since_us`: event time after which each is whole and compared.
    """

    published_us: int
    changes_us: int
    passed_us: Callable[[str], int | None]
    published_since_us: int = 0
    changes_since_us: int = 0


class Judging:
    """Judges groups of events.

    Args:
        items: what waits.
        found: takes what is found.
        tolerance_us: how far the times of a change and its event may lie apart.
        late_us: how long after it was due a change may come, if nothing shows that it was passed.
        extra: members of a payload that no change proves are differences.
    """

    def __init__(
        self,
        items: Items,
        found: Findings,
        tolerance_us: int,
        late_us: int,
        *,
        extra: bool = False,
    ) -> None:
        self._items = items
        self._found = found
        self._tolerance_us = tolerance_us
        self._late_us = late_us
        self._extra = extra

    def judge(self, group: Group, read: Read, now_us: int) -> None:
        """Judge what can be judged of a group now."""
        proven, told = self._items.waiting(group, 2 * self._tolerance_us)
        expected = {id(one): head for head, one in proven}
        published = {id(one): head for head, one in told}
        matched = match(
            [one for _, one in proven],
            [one for _, one in told],
            self._tolerance_us,
            extra=self._extra,
        )
        alone = len(proven) == len(told) == 1
        for pair in matched.pairs:
            ours, theirs = expected[id(pair.expected)], published[id(pair.published)]
            settled = alone and not pair.differences
            late = ours.state != OPEN or theirs.state != OPEN
            due = self._is_due(ours, read) or self._is_over(pair.published, theirs, read)
            if settled or late or due:
                self._pair(pair, ours, theirs, now_us)
        for one in matched.missing:
            self._miss(one, expected[id(one)], read, now_us)
        for published_one in matched.unexpected:
            self._unexpect(group, published_one, published[id(published_one)], read, now_us)
        for double, of in matched.duplicates:
            theirs, same = published[id(double)], double.id is not None and double.id == of.id
            first = Repeated(of.where, of.service or "", same)
            if theirs.state == OPEN and self._is_double(theirs, first, read):
                self._double(double, theirs, first, now_us)

    def _is_due(self, ours: Waiting, read: Read) -> bool:
        return ours.state == OPEN and ours.due_us <= read.published_us

    def _is_over(self, one: Published, theirs: Waiting, read: Read) -> bool:
        """Whether every change that could tell of a published event was followed."""
        if theirs.seen_us > read.changes_us:
            return False
        passed_us = read.passed_us(one.type) or 0
        passed = passed_us > one.time_us + self._tolerance_us
        return passed or theirs.due_us + self._late_us <= read.changes_us

    def _is_double(self, theirs: Waiting, of: Repeated, read: Read) -> bool:
        """Whether no second change like the first is on its way, of which this one would tell."""
        return of.same_id or max(theirs.seen_us, theirs.due_us) <= read.changes_us

    def _pair(self, pair: Pair, ours: Waiting, theirs: Waiting, now_us: int) -> None:
        one, told, found = pair.expected, pair.published, self._found
        self._items.met(ours.number, theirs.number, told.event)
        found.published(one.type, one.service, one.time_us)
        if theirs.state != OPEN:
            found.take_back(findings.UNEXPECTED, told.where)
        if pair.unattributed:
            found.find(findings.UNATTRIBUTED, one.type, one.service, now_us, told.where)
        rest = [each for each in pair.differences if each.path != "actor" or each.published]
        if rest:
            paths = ", ".join(each.path for each in rest)
            found.find(findings.DIFFERENT, one.type, one.service, now_us, told.where, paths)

    def _miss(self, one: Expected, ours: Waiting, read: Read, now_us: int) -> None:
        if not self._is_due(ours, read):
            return
        if one.time_us <= read.published_since_us:
            self._items.drop_expected([ours.number])
            return
        self._items.miss(ours.number)
        self._found.count(findings.MISSING, one.type, one.service)

    def _unexpect(
        self, group: Group, one: Published, theirs: Waiting, read: Read, now_us: int
    ) -> None:
        if theirs.state != OPEN:
            return
        doubled = self._items.repeated(group, one, self._tolerance_us)
        if doubled is not None:
            if self._is_double(theirs, doubled, read):
                self._double(one, theirs, doubled, now_us)
        elif not self._is_over(one, theirs, read):
            return
        elif self._cannot_be_told(group, one, read):
            self._items.drop_published([theirs.number])
        else:
            self._items.unexpect(theirs.number)
            self._found.find(findings.UNEXPECTED, one.type, one.service or "", now_us, one.where)

    def _cannot_be_told(self, group: Group, one: Published, read: Read) -> bool:
        """Whether there are changes, or may be, that would prove a published event."""
        early = one.time_us <= read.changes_since_us
        unseen = read.passed_us(one.type) is None
        return early or unseen or self._items.is_doubtful(group, one.time_us, self._tolerance_us)

    def _double(self, one: Published, theirs: Waiting, of: Repeated, now_us: int) -> None:
        self._items.drop_published([theirs.number])
        service = one.service or of.service
        told = f"repeats {of.place}"
        self._found.find(findings.DUPLICATE, one.type, service, now_us, one.where, told)
