"""Pairs published events with proven ones, both known by their numbers in order of time. Pure.

Events are cut into clusters where neither side has anything near the other. Most clusters are one
event on each side. A small one is an assignment problem, and solved as such; of a large one, whose
events are near each other without end, those that agree go together first, and what is then still
large goes together in order of time.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

from cdc_archive.reconcile.assignment import assign
from cdc_archive.reconcile.comparing import (
    Difference,
    content,
    differences,
    payload_content,
    same_payload,
)
from cdc_archive.reconcile.expected import SECOND_US, Expected, apart
from cdc_archive.reconcile.published import Published

_WEIGHED: Final = 48
"""So many on one side are weighed each against each at most."""
_MANY: Final = 99
"""So many differences, or more, are all the same."""

Cluster = tuple[list[int], list[int]]
"""Numbers of expected and of published events that may belong together."""


class Pairing:
    """Pairs of some events.

    Args:
        expected: in order of time.
        published: in order of time.
        tolerance_us: how far the times of a pair may lie apart.
        extra: see `differences`.

    Attributes:
        partner: number of a published event to that of its expected one.
        copies: number of a published event to that of the one that it repeats under another id.
    """

    def __init__(
        self,
        expected: Sequence[Expected],
        published: Sequence[Published],
        tolerance_us: int,
        *,
        extra: bool,
    ) -> None:
        self._expected = expected
        self._published = published
        self._tolerance_us = tolerance_us
        self._extra = extra
        self._times = [one.time_us for one in expected]
        self.partner: dict[int, int] = {}
        self.copies: dict[int, int] = {}

    def by_id(self, columns: Sequence[int]) -> None:
        """Pair those of these published events that have an expected one's id."""
        rows = {one.id: number for number, one in enumerate(self._expected)}
        for column in columns:
            named = self._published[column].id
            if named is not None and named in rows:
                self.partner[column] = rows[named]

    def by_time(self, columns: Sequence[int]) -> None:
        """Pair these published events with expected ones that have no partner yet."""
        taken = set(self.partner.values())
        rows = [one for one in range(len(self._expected)) if one not in taken]
        for cluster in self._clusters(rows, columns):
            if not self._as_they_stand(*cluster):
                self._pair(*cluster)

    def contradictions(self, row: int, column: int) -> tuple[Difference, ...]:
        """The differences of a pair."""
        near = self._near(row, column)
        return contradictions(*self._both(row, column), near=near, extra=self._extra)

    def agrees_with_any(self, column: int) -> bool:
        """Whether a published event says what some expected one says, and when."""
        time_us = self._published[column].time_us
        start = bisect_left(self._times, time_us - self._tolerance_us)
        end = bisect_right(self._times, time_us + self._tolerance_us + SECOND_US)
        return any(self._agree(row, column) for row in range(start, end))

    def _both(self, row: int, column: int) -> tuple[Expected, Published]:
        return self._expected[row], self._published[column]

    def _differences(self, row: int, column: int) -> tuple[Difference, ...]:
        expected, published = self._both(row, column)
        return differences(expected.event, published.event, extra=self._extra)

    def _near(self, row: int, column: int) -> bool:
        return apart(*self._both(row, column)) <= self._tolerance_us

    def _agree(self, row: int, column: int) -> bool:
        return self._near(row, column) and not self._differences(row, column)

    def _clusters(self, rows: Sequence[int], columns: Sequence[int]) -> Iterator[Cluster]:
        of_rows = ((self._expected[number].time_us, 0, number) for number in rows)
        of_columns = ((self._published[number].time_us, 1, number) for number in columns)
        sides: Cluster = ([], [])
        latest: int | None = None
        for time_us, side, number in sorted((*of_rows, *of_columns)):
            if latest is not None and time_us - latest > self._tolerance_us + SECOND_US:
                yield sides
                sides = ([], [])
            sides[side].append(number)
            latest = time_us
        yield sides

    def _as_they_stand(self, rows: list[int], columns: list[int]) -> bool:
        """Pair all in their order, if nothing is to be said against it."""
        if len(rows) != len(columns) or not all(map(self._agree, rows, columns)):
            return False
        self.partner.update(zip(columns, rows, strict=True))
        return True

    def _pair(self, rows: list[int], columns: list[int]) -> None:
        if max(len(rows), len(columns)) <= _WEIGHED:
            self._weigh(rows, columns)
            return
        for cluster in self._clusters(*self._without_equals(rows, columns)):
            if max(map(len, cluster)) <= _WEIGHED:
                self._weigh(*cluster)
            else:
                self._in_order(*cluster)

    def _without_equals(self, rows: list[int], columns: list[int]) -> Cluster:
        """Pair those that agree, each with the earliest that is near; what is left of them."""
        waiting: dict[bytes, list[int]] = defaultdict(list)
        for row in reversed(rows):
            waiting[payload_content(self._expected[row].event)].append(row)
        for column in columns:
            alike = waiting[payload_content(self._published[column].event)]
            earliest = self._published[column].time_us - self._tolerance_us
            while alike and self._expected[alike[-1]].time_us < earliest:
                alike.pop()
            first = islice(reversed(alike), _WEIGHED)
            found = next((one for one in first if self._agree(one, column)), None)
            if found is not None:
                alike.remove(found)
                self.partner[column] = found
        taken = set(self.partner.values())
        return (
            [one for one in rows if one not in taken],
            [one for one in columns if one not in self.partner],
        )

    def _in_order(self, rows: list[int], columns: list[int]) -> None:
        """Pair the earliest with the earliest that is near: no other way gives more pairs."""
        row = column = 0
        while row < len(rows) and column < len(columns):
            expected, published = self._both(rows[row], columns[column])
            if apart(expected, published) <= self._tolerance_us:
                self.partner[columns[column]] = rows[row]
                row, column = row + 1, column + 1
            elif expected.time_us < published.time_us:
                row += 1
            else:
                column += 1

    def _weigh(self, rows: list[int], columns: list[int]) -> None:
        if not (rows and columns):
            return
        scale = _Scale(len(rows), len(columns), self._tolerance_us)
        weights = [
            [self._weight(scale, row, column, abs(i - j)) for j, column in enumerate(columns)]
            for i, row in enumerate(rows)
        ]
        pairs = {columns[j]: rows[i] for i, j in assign(weights)}
        copies = self._copies(pairs)
        if copies:
            self.copies |= copies
            self._weigh(rows, [one for one in columns if one not in copies])
        else:
            self.partner |= pairs

    def _copies(self, pairs: dict[int, int]) -> dict[int, int]:
        """Of events that went with a change that they contradict: those that are, to the second,
        what another event says that agrees with its own. They took the place of a missing one.
        """
        together = {**self.partner, **pairs}
        copies = {}
        for column, row in sorted(pairs.items()):
            if self._differences(row, column):
                repeated = next(self._agreeing(column, together), None)
                if repeated is not None:
                    copies[column] = repeated
        return copies

    def _agreeing(self, column: int, together: Mapping[int, int]) -> Iterator[int]:
        """Published events of the same second and content that agree with their change."""
        published = self._published
        said = content(published[column].event)
        for step in (-1, 1):
            other = column + step
            while 0 <= other < len(published):
                if published[other].time_us != published[column].time_us:
                    break
                row = together.get(other)
                agrees = row is not None and not self._differences(row, other)
                if agrees and content(published[other].event) == said:
                    yield other
                other += step

    def _weight(self, scale: _Scale, row: int, column: int, crossing: int) -> int:
        expected, published = self._both(row, column)
        far = apart(expected, published)
        if far > self._tolerance_us:
            return 0
        found = self._differences(row, column)
        said = not found or same_payload(expected.event, published.event)
        return scale.weight(len(found), said, far, crossing)


def contradictions(
    expected: Expected, published: Published, *, near: bool, extra: bool
) -> tuple[Difference, ...]:
    """The differences of a pair, and that of its times if it goes together by its id alone."""
    found = differences(expected.event, published.event, extra=extra)
    if near:
        return found
    times = (one.event.get("effective_at") for one in (expected, published))
    return (*found, Difference("effective_at", *times))


class _Scale:
    """Weights of pairs such that the sum of what counts less never makes up for what counts more.

    Args:
        rows: how many on one side.
        columns: how many on the other.
        farthest: how far the times of a pair may lie apart.
    """

    def __init__(self, rows: int, columns: int, farthest: int) -> None:
        pairs = min(rows, columns)
        self._highest = (max(rows, columns), farthest, _MANY, 1, 1, 1)
        self._units = [1]
        for highest in self._highest[:-1]:
            self._units.append(self._units[-1] * (1 + pairs * highest))

    def weight(self, count: int, said: bool, far: int, crossing: int) -> int:
        """The weight of a pair with so many differences, in the payload or not, so far apart."""
        order, farthest = self._highest[:2]
        counted = (order - crossing, farthest - far, _MANY - min(count, _MANY), 1, said, not count)
        return sum(unit * value for unit, value in zip(self._units, counted, strict=True))
