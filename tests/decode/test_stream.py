"""How far a stream has come, when transactions overlap: a redelivery is no hole, a hole is one."""

from __future__ import annotations

import json
from functools import reduce

import pytest

from cdc_archive.archive.format.commit import SourceMark
from cdc_archive.archive.writer.stream_watch import advanced, breaks
from cdc_archive.decode.stream import StreamPoint, stream_point


def point(lsn: int, last_commit: int | None, **more: object) -> StreamPoint:
    """Of a change of PostgreSQL's connector."""
    first = None if last_commit is None else str(last_commit)
    source = {"name": "pg", "snapshot": "false", "lsn": lsn} | more
    source["sequence"] = json.dumps([first, str(lsn)], separators=(",", ":"))
    found = stream_point(json.dumps(source).encode())
    assert found is not None
    return found


FIRST = point(677, None)
"""The stream's first change: no commit before it is known."""
OVERLAPPING = [FIRST, point(690, None), point(125, 700), point(130, 700)]
"""The second transaction began before the first, and was committed after it: its LSNs are lower."""


def mark_after(points: list[StreamPoint]) -> SourceMark:
    mark: SourceMark | None = reduce(advanced, points, None)
    assert mark is not None
    return mark


def test_the_position_is_the_last_commit_if_that_is_higher() -> None:
    """LSNs of overlapping transactions go back; the stream has not."""
    assert [one.position for one in OVERLAPPING] == [677, 690, 700, 700]
    assert point(710, 700).position == 710


@pytest.mark.parametrize("again", OVERLAPPING[:2])
def test_a_redelivery_of_the_first_transaction_loses_nothing(again: StreamPoint) -> None:
    """A connector that was killed before it told its first offset sends all again."""
    assert not breaks(mark_after(OVERLAPPING), again)


@pytest.mark.parametrize("anew", [point(701, None), point(9000, None)])
def test_a_stream_that_begins_after_the_last_commit_has_a_hole(anew: StreamPoint) -> None:
    """The slot was lost: what lies between was never sent."""
    assert breaks(mark_after(OVERLAPPING), anew)


@pytest.mark.parametrize("place", [600, 9000])
def test_a_snapshot_in_a_stream_is_a_hole_wherever_it_stands(place: int) -> None:
    """Also that of a restored database, whose positions are lower."""
    assert breaks(mark_after(OVERLAPPING), point(place, None, snapshot="first"))


@pytest.mark.parametrize(
    "sequence", ["", "[]", "x", '["x","1"]', '["-5","1"]', f'["{"9" * 99}","1"]']
)
def test_a_sequence_that_cannot_be_read_leaves_the_lsn(sequence: str) -> None:
    """It moves no stream."""
    source = {"name": "pg", "lsn": 5, "sequence": sequence}
    found = stream_point(json.dumps(source).encode())
    assert found is not None
    assert (found.position, found.begins) == (5, False)
