"""Where the archive is known to lack messages, and which versions may be stale because of it. Pure.

A version that is reconstructed is the last one that was seen. If something is missing between the
message that showed it and the change, a step of the row may have been in it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate
from typing import Final, Literal, NamedTuple

from cdc_archive.history.transition import Doubt, Origin

GAP: Final = "gap"
QUARANTINE: Final = "quarantine"

_Place = tuple[int, int]


class Loss(NamedTuple):
    """Messages of a topic partition that were not folded.

    `begins` and `ends` are incarnation and offset, half open; equal where nothing tells how much is
    missing before that offset.
    """

    kind: Literal["gap", "quarantine"]
    topic: str
    partition: int
    begins: tuple[int, int]
    ends: tuple[int, int]


class _Stretches:
    """The losses of one kind in one partition: `furthest[n]` is the highest end of the first n."""

    def __init__(self, losses: Iterable[Loss]) -> None:
        ordered = sorted(losses, key=lambda one: one.begins)
        self._begins = [one.begins for one in ordered]
        self._furthest = [*accumulate((one.ends for one in ordered), max)]

    def lie_between(self, shown: _Place, at: _Place) -> bool:
        count = bisect_right(self._begins, at)
        return count > 0 and self._furthest[count - 1] > shown

    def come_before(self, at: _Place) -> bool:
        return self._begins[0] <= at

    def come_after(self, shown: _Place) -> bool:
        return self._furthest[-1] > shown


class Missing:
    """Answers what may be missing between two messages.

    Args:
        losses: all that are known, in any order.
    """

    def __init__(self, losses: Iterable[Loss] = ()) -> None:
        found: dict[tuple[str, int, Doubt], list[Loss]] = {}
        for one in losses:
            found.setdefault((one.topic, one.partition, one.kind), []).append(one)
        self._stretches = {where: _Stretches(those) for where, those in found.items()}

    def doubt(self, shown: Iterable[Origin], at: Origin) -> Doubt | None:
        """Why values that these messages showed may not be those that the row had at a change.

        If the two are of different partitions, whatever one lacks afterwards and the other one
        lacks before counts: there is no telling in which of them a step between would have stood.
        """
        if not self._stretches:
            return None
        origins = list(shown)
        kinds: tuple[Doubt, ...] = (GAP, QUARANTINE)
        for kind in kinds:
            if any(self._lacks(kind, one, at) for one in origins):
                return kind
        return None

    def _lacks(self, kind: Doubt, shown: Origin, at: Origin) -> bool:
        before, after = (shown.incarnation, shown.offset), (at.incarnation, at.offset)
        own = self._stretches.get((shown.topic, shown.partition, kind))
        if shown[:2] == at[:2]:
            return own is not None and own.lie_between(before, after)
        other = self._stretches.get((at.topic, at.partition, kind))
        return (own is not None and own.come_after(before)) or (
            other is not None and other.come_before(after)
        )
