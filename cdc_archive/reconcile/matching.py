"""Which published event tells of which proven change. Pure; of one type and resource at a time.

The same id goes together, whatever the times. All others only if their times differ by no more than
the tolerance, and so that, in this order: as many as can be agree in all that is proven; as many as
can be agree in the payload; as many as can be are paired at all; they differ in as few members as
can be; they are as near in time as can be; they keep their order. (`pairing` tells how.) An event
that says, to the second, what another says that agrees with its change, is that one's copy.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from cdc_archive.reconcile.comparing import Difference, content
from cdc_archive.reconcile.expected import Expected, apart
from cdc_archive.reconcile.pairing import Pairing, contradictions
from cdc_archive.reconcile.published import Published

__all__ = ["Difference", "Expected", "Matched", "Pair", "Published", "match"]


class Pair(NamedTuple):
    """A published event, and the proven one that it tells of. No differences: they agree."""

    expected: Expected
    published: Published
    differences: tuple[Difference, ...]

    @property
    def unattributed(self) -> bool:
        """Whether the actor is proven, and the published event names none."""
        return any(one.path == "actor" and one.published is None for one in self.differences)


class Matched(NamedTuple):
    """What became of all events, each list in order of time.

    Of a doubled event the first that agrees with a change counts; the others are duplicates, each
    with the one that it repeats.
    """

    pairs: list[Pair]
    missing: list[Expected]
    unexpected: list[Published]
    duplicates: list[tuple[Published, Published]]


def match(
    expected: Sequence[Expected],
    published: Sequence[Published],
    tolerance_us: int,
    *,
    extra: bool = False,
) -> Matched:
    """Match the events of one type and resource.

    Args:
        expected: what the changes prove.
        published: what was published, in the order in which it stands there.
        tolerance_us: how far the times of a pair may lie apart.
        extra: members of a payload that no change proves are differences too.
    """
    if len(expected) == 1 and len(published) <= 1:  # nearly always
        return _match_one(expected[0], published, tolerance_us, extra=extra)
    expected = sorted(expected, key=lambda one: one.time_us)
    published = sorted(published, key=lambda one: one.time_us)
    pairing = Pairing(expected, published, tolerance_us, extra=extra)
    repeats = _same_ids(published, pairing)
    once = [one for one in range(len(published)) if one not in repeats]
    pairing.by_id(once)
    pairing.by_time([one for one in once if one not in pairing.partner])
    partner = pairing.partner
    repeats |= pairing.copies
    unpaired = [one for one in once if one not in partner and one not in repeats]
    repeats |= _same_contents(published, partner, unpaired, tolerance_us)
    paired = set(partner.values())
    return Matched(
        [
            Pair(expected[row], published[column], pairing.contradictions(row, column))
            for column, row in sorted(partner.items(), key=lambda one: one[1])
        ],
        [one for number, one in enumerate(expected) if number not in paired],
        [published[one] for one in unpaired if one not in repeats],
        [(published[one], published[of]) for one, of in sorted(repeats.items())],
    )


def _match_one(
    expected: Expected, published: Sequence[Published], tolerance_us: int, *, extra: bool
) -> Matched:
    for one in published:
        near = apart(expected, one) <= tolerance_us
        if near or one.id == expected.id:
            found = contradictions(expected, one, near=near, extra=extra)
            return Matched([Pair(expected, one, found)], [], [], [])
    return Matched([], [expected], list(published), [])


def _same_ids(published: Sequence[Published], pairing: Pairing) -> dict[int, int]:
    """Of several with one id that which agrees with a change counts, else the first."""
    numbers: dict[str, list[int]] = defaultdict(list)
    for number, one in enumerate(published):
        if one.id is not None:
            numbers[one.id].append(number)
    repeats: dict[int, int] = {}
    for same in numbers.values():
        if len(same) > 1:
            kept = next(filter(pairing.agrees_with_any, same), same[0])
            repeats.update((one, kept) for one in same if one != kept)
    return repeats


def _same_contents(
    published: Sequence[Published],
    paired: Iterable[int],
    unpaired: Sequence[int],
    tolerance_us: int,
) -> dict[int, int]:
    """Those that say what another says at about the same time, under another id."""
    if not unpaired:
        return {}
    known: dict[bytes, list[int]] = defaultdict(list)
    for number in paired:
        known[content(published[number].event)].append(number)
    repeats = {}
    for number in unpaired:
        alike, time_us = known[content(published[number].event)], published[number].time_us
        near = (one for one in alike if abs(published[one].time_us - time_us) <= tolerance_us)
        first = next(near, None)
        if first is None:
            alike.append(number)
        else:
            repeats[number] = first
    return repeats
