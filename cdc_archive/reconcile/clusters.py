"""From events in order of type, resource and time to what became of them, a few at a time. Pure.

Events of one type and resource are cut where neither side has anything near the other. Where they
follow each other without end, what found no partner yet is carried into the next part as long as
one may still come.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from cdc_archive.reconcile.expected import SECOND_US, Expected
from cdc_archive.reconcile.ledger import Entry
from cdc_archive.reconcile.matching import Matched, Pair, match
from cdc_archive.reconcile.published import Published

MOST: Final = 20_000
"""So many events are held at once, about."""


def matched(
    entries: Iterable[Entry], tolerance_us: int, *, extra: bool = False, most: int = MOST
) -> Iterator[Matched]:
    """What became of all events.

    Args:
        entries: in order of type, resource and time.
        tolerance_us: how far the times of a pair may lie apart.
        extra: see `match`.
        most: how many events may wait for those that are near them.
    """
    waiting, last = _Waiting(tolerance_us, extra), None
    for entry in entries:
        if last is not None:
            near_us = entry.near_us - last.near_us
            same = entry.type == last.type and entry.resource == last.resource
            if not same or near_us > waiting.reach_us:
                yield waiting.all()
            elif waiting.since >= most:
                yield waiting.those_before(entry.near_us - waiting.reach_us)
        waiting.add(entry)
        last = entry
    yield waiting.all()


class _Waiting:
    """Events of one type and resource that wait to be matched."""

    def __init__(self, tolerance_us: int, extra: bool) -> None:
        self._tolerance_us = tolerance_us
        self._extra = extra
        self._expected: list[Expected] = []
        self._published: list[Published] = []
        self.reach_us = tolerance_us + SECOND_US
        self.since = 0
        """How many came since some were matched last."""

    def add(self, entry: Entry) -> None:
        self.since += 1
        if entry.side == 0:
            self._expected.append(entry.expected())
        else:
            self._published.append(entry.published())

    def all(self) -> Matched:
        found = match(self._expected, self._published, self._tolerance_us, extra=self._extra)
        self._expected, self._published, self.since = [], [], 0
        return found

    def those_before(self, time_us: int) -> Matched:
        """All, but those not before a time that have no partner, or one that they contradict: they
        go on waiting for a better one.
        """
        found = self.all()
        poor = [one for one in found.pairs if one.differences and _end(one) >= time_us]
        self._expected = [one for one in found.missing if one.time_us >= time_us]
        self._published = [one for one in found.unexpected if one.time_us >= time_us]
        self._expected += [one.expected for one in poor]
        self._published += [one.published for one in poor]
        return found._replace(
            pairs=[one for one in found.pairs if not one.differences or _end(one) < time_us],
            missing=[one for one in found.missing if one.time_us < time_us],
            unexpected=[one for one in found.unexpected if one.time_us < time_us],
        )


def _end(pair: Pair) -> int:
    return max(pair.expected.time_us, pair.published.time_us)
