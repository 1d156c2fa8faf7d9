"""The loop: reads both sides, follows the changes, judges what is due, and says what is the matter.

Everything that a step learnt is committed at once, with the offsets that it came from: a watch that
was killed goes on from its last commit, and nothing counts twice.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

import structlog

from cdc_archive.reconcile.expected import SECOND_US
from cdc_archive.watch import standing
from cdc_archive.watch.changes import Changes
from cdc_archive.watch.condition import CRITICAL, Condition
from cdc_archive.watch.findings import Findings
from cdc_archive.watch.intake import Intake
from cdc_archive.watch.items import Group, Items
from cdc_archive.watch.judging import Judging, Read
from cdc_archive.watch.reading import Reading
from cdc_archive.watch.side import Side

_log = structlog.get_logger(__name__)
HOUR_US: Final = 3_600 * SECOND_US
MISSING_KEPT: Final = 1_000_000
"""So many missing events are remembered at most."""
_PRUNE_S: Final = 60.0
_COMMIT_S: Final = 5.0


class Times(NamedTuple):
    """How long what takes, seconds, and how far back what goes, hours.

    `evaluate`: from one evaluation to the next; `behind`: how long a side may not be read to its
    end; `window`: for which a finding counts; `remember_hours`: published events, for their
    doubles; `missing_hours`: missing ones, for their late publication; `since_us`: event time from
    which on anything is compared.
    """

    evaluate: float
    behind: float
    window: float
    remember_hours: float
    missing_hours: float
    since_us: int


class Parts(NamedTuple):
    """What a watch is made of.

    `database` is the state: committed by the watch alone. `others` gives the conditions that are
    not of the comparison; it is told the time, and when the published log (if there is none: the
    change topics) was last read to its end, both in microseconds; None: not yet.
    """

    database: sqlite3.Connection
    reading: Reading
    changes: Changes
    intake: Intake
    items: Items
    found: Findings
    judging: Judging
    others: Callable[[int, int | None], Iterable[Condition]]


class Watch:
    """One watch.

    Args:
        parts: what it is made of.
        times: how long what takes.
        silence: how many changes without an event make a silence.
        clock: seconds since 1970.
        monotonic: seconds.

    Attributes:
        evaluated_s: when the last whole evaluation ended, seconds since 1970.
        saved_s: when the state was last committed.
    """

    def __init__(
        self,
        parts: Parts,
        times: Times,
        silence: int,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self._parts = parts
        self._times = times
        self._silence = silence
        self._clock = clock
        self._monotonic = monotonic
        self._touched: set[Group] = set()
        self._sides = {
            one: Side(parts.reading, published=one)
            for one in (True, False)
            if parts.reading.has(published=one)
        }
        self._begun_s = monotonic()
        self._pruned_s = -math.inf  # at once: a watch that evaluates once must forget, too
        self._evaluated_at_s = self._saved_at_s = monotonic()
        self.evaluated_s = self.saved_s = clock()

    def step(self, poll_s: float) -> bool:
        """Read and follow, for `poll_s` seconds at most if nothing comes; whether anything came."""
        messages, now_s, now_us = self._parts.reading.poll(poll_s), self._monotonic(), self.now_us
        for message, stream in messages:
            self._touched |= self._parts.intake.take(message, stream, now_s, now_us)
        for proven in self._parts.changes.release(now_s):
            self._touched |= self._parts.intake.prove(proven, now_us)
            if now_s - self._saved_at_s >= _COMMIT_S and self._parts.changes.between_transactions:
                self._save()
        return bool(messages)

    @property
    def now_us(self) -> int:
        """The time, microseconds since 1970."""
        return int(self._clock() * SECOND_US)

    @property
    def is_due(self) -> bool:
        """Whether it is time to evaluate."""
        return self._monotonic() - self._evaluated_at_s >= self._times.evaluate

    def evaluate(self) -> list[Condition]:
        """Judge what is due; everything that is the matter now."""
        now_us = self.now_us
        read = self._read(now_us)
        due = self._parts.items.groups_due(read.published_us, read.changes_us)
        for group in self._touched | due:
            self._parts.judging.judge(group, read, now_us)
        self._touched.clear()
        self._prune(now_us)
        held = [
            *standing.conditions(self._parts.items, self._parts.found, self._silence),
            *self._of_itself(now_us),
            *self._parts.others(now_us, next(iter(self._sides.values())).read_us or None),
        ]
        self._evaluated_at_s, self.evaluated_s = self._monotonic(), self._clock()
        return held

    def commit(self) -> bool:
        """Commit what a step and an evaluation changed, unless a transaction is still coming in."""
        whole = self._parts.changes.between_transactions
        if whole:
            self._save()
        return whole

    def drain(self) -> None:
        """Nothing more will come: follow all that is held."""
        for proven in self._parts.changes.release(self._monotonic(), all_of_it=True):
            self._touched |= self._parts.intake.prove(proven, self.now_us)

    @property
    def read_us(self) -> int:
        """Up to when all that both logs held is read and followed; 0: to no end since it began."""
        return min(one.read_us for one in self._sides.values())

    @property
    def waits_until_us(self) -> int | None:
        """When the last open event is due; None: none is open."""
        return self._parts.items.last_due_us()

    def look(self, now_us: int) -> None:
        """See how far both sides are read; of the published one the broker is asked before any
        verdict.
        """
        changes, waits = self._parts.changes, self._parts.items.due_before(now_us)
        if (published := self._sides.get(True)) is not None:
            published.look(now_us, {}, confirm=waits)
        if (changed := self._sides.get(False)) is not None and changes.between_transactions:
            changed.look(now_us, changes.first_held(), confirm=False)

    def _read(self, now_us: int) -> Read:
        self.look(now_us)
        reading = self._parts.reading
        published_us, changes_us = (
            self._sides[one].read_us if one in self._sides else 0 for one in (True, False)
        )
        return Read(
            published_us,
            changes_us,
            self._parts.changes.passed_us,
            max(self._times.since_us, reading.whole_since_us(published=True)),
            max(self._times.since_us, reading.whole_since_us(published=False)),
        )

    def _of_itself(self, now_us: int) -> Iterator[Condition]:
        """What keeps the watch from seeing."""
        behind_s, names = self._times.behind, {True: "published log", False: "change topics"}
        if self._monotonic() - self._begun_s < behind_s:
            return
        unread = self._parts.reading.unread()
        if unread:
            told = tuple(map(str, unread[:5]))
            summary = (
                f"{len(unread)} topic partitions are not read by this watch: another member of its "
                "group has them"
            )
            yield Condition("assignment", "", "", CRITICAL, summary, len(unread), told)
        if gone := self._parts.reading.gone:
            summary = f"{len(gone)} topics that were read are gone"
            yield Condition("topic_gone", "", "", CRITICAL, summary, len(gone), tuple(gone[:5]))
        for published, side in self._sides.items():
            late_s = (now_us - side.read_us) // SECOND_US
            if late_s > behind_s and not unread:
                since = f"for {late_s} s" if side.read_us else "since it began"
                summary = f"the watch has not read the {names[published]} to the end {since}"
                yield Condition("lag", "", "", CRITICAL, f"{summary}: its alarms come late", late_s)

    def _save(self) -> None:
        parts = self._parts
        parts.changes.save()
        parts.reading.save(parts.changes.first_held())
        parts.database.execute("COMMIT")
        parts.database.execute("BEGIN")
        self._saved_at_s, self.saved_s = self._monotonic(), self._clock()

    def _prune(self, now_us: int) -> None:
        if self._monotonic() - self._pruned_s < _PRUNE_S:
            return
        self._pruned_s = self._monotonic()
        parts, times = self._parts, self._times
        parts.changes.prune()
        parts.found.prune(now_us - round(times.window * SECOND_US))
        parts.reading.hint()
        parts.reading.refresh()
        forgotten = parts.items.prune(
            now_us - round(times.remember_hours * HOUR_US),
            now_us - round(times.missing_hours * HOUR_US),
            MISSING_KEPT,
        )
        if forgotten:
            _log.warning("missing events are no longer waited for", count=forgotten)
