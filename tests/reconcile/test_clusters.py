"""Events that follow each other without end are matched in parts, with the same outcome."""

from __future__ import annotations

import random

from support.published import SECOND, proven, published

from cdc_archive.decode.exact_json import exact_json
from cdc_archive.reconcile.clusters import matched
from cdc_archive.reconcile.ledger import Entry

TOLERANCE = 5 * SECOND


def entries(count: int, lost: set[int], late: set[int]) -> list[Entry]:
    """One event in each half second, all of one resource; some lost, some a few seconds late."""
    made = []
    for number in range(count):
        one = proven(at=number / 2, id=f"t{number}", n=number)
        told = (b"t%d" % number, b"svc", exact_json(one.event))
        made.append(Entry(b"api_key.updated", b"key_1", one.time_us, 0, number, told))
        if number in lost:
            continue
        other = published(at=number / 2 + (4 if number in late else 0), id=f"p{number}", n=number)
        row = (b"", exact_json(other.event), b"log:%d" % number, other.time_us)
        made.append(Entry(b"api_key.updated", b"key_1", other.time_us, 1, number, row))
    return sorted(made, key=lambda entry: entry[:5])


def test_parts_give_what_the_whole_gives() -> None:
    """However small they are: who has no partner yet is carried over the cut."""
    chance = random.Random(5)
    lost, late = set(chance.sample(range(600), 60)), set(chance.sample(range(600), 90))
    given = entries(600, lost, late)
    for most in (40, 100, 10_000):
        found = list(matched(given, TOLERANCE, most=most))
        assert (len(found) > 1) == (most < 10_000)
        assert sorted(e.id for one in found for e in one.missing) == sorted(f"t{n}" for n in lost)
        assert not [one for one in found if one.unexpected or one.duplicates]
        pairs = [pair for one in found for pair in one.pairs]
        assert len(pairs) == 600 - len(lost)
        assert all(pair.differences == () for pair in pairs)


def test_types_and_resources_are_kept_apart() -> None:
    """And so are events with nothing near them."""
    first, *others = entries(2, {0, 1}, set())
    apart = [first, first._replace(resource=b"key_2"), others[0]._replace(type=b"z")]
    assert [len(one.missing) for one in matched(apart, TOLERANCE)] == [1, 1, 1]
