"""Changes of a connector leave in the order of its commits, wherever they stand in the log."""

from __future__ import annotations

import json
import random

from hypothesis import given
from hypothesis import strategies as st
from support.build import message
from support.replayed import in_order, streams
from support.row_changes import row_change
from support.runs import NOON_US, Database

from cdc_archive.changelog.record import ArchivedRecord
from cdc_archive.history.order import ChangeStream, Reached, in_commit_order
from cdc_archive.history.position import Change, Place
from cdc_archive.source.message import Message


def ids(changes: list[Change]) -> list[int]:
    """Of the rows after."""
    return [json.loads(one.archived.record.after or b"{}")["id"] for one in changes]


def spread(times: list[int]) -> Database:
    """A commit at each time, with rows in two tables: numbered as they were made."""
    database = Database()
    for number, at in enumerate(times):
        rows = ({"id": 2 * number + n} for n in (0, 1))
        first, second = rows
        database.commit(NOON_US + at, ("c", "b", None, first), ("c", "a", None, second))
    return database


@given(st.lists(st.integers(0, 10**9), max_size=8), st.randoms())
def test_commits_stand_in_their_order_whatever_the_clock_says(
    times: list[int], chance: random.Random
) -> None:
    """And in whatever order the partitions are given."""
    given_streams = streams(spread(times).log)
    chance.shuffle(given_streams)
    assert ids(in_order(given_streams)) == list(range(2 * len(times)))


def test_rows_without_a_position_are_ordered_by_time() -> None:
    """Flattened rows, across topics; within one their order always holds."""

    def flat(topic: str, offset: int, at: int, number: int) -> Message:
        value = {"id": number, "__op": "c", "__table": topic}
        value["__source_ts_ms"] = NOON_US // 1000 + at
        return message(json.dumps(value).encode(), topic=topic, offset=offset)

    log = [flat("a", 0, 10, 1), flat("a", 1, 40, 5), flat("a", 2, 30, 6)]
    log += [flat("b", 0, 20, 2), flat("b", 1, 25, 3), flat("b", 2, 30, 4), flat("b", 3, 50, 7)]
    changes = in_order(streams(log))
    assert ids(changes) == [1, 2, 3, 4, 5, 6, 7]


def test_the_two_halves_of_a_moved_key_stand_together() -> None:
    """Delete before create, at one LSN, in two partitions, although nothing counts within it."""
    log = [
        row_change(0, "d", {"id": 1}, None, newkey=5)._replace(partition=1),
        row_change(0, "c", None, {"id": 5}, key=5, oldkey=1),
    ]
    changes = in_order(streams(log))
    assert [one.archived.record.op for one in changes] == ["d", "c"]


def test_a_snapshot_row_stays_where_it_stands() -> None:
    """It is no commit: its LSN is that of the snapshot, before or after."""
    database = spread([1, 2])
    log = [one for one in database.log if one.topic.endswith("a")]
    value = json.loads(log[1].value)
    value["source"] |= {"snapshot": "incremental", "sequence": '[null,"1"]', "lsn": 1}
    value["op"] = "r"
    log[1] = log[1]._replace(value=json.dumps(value).encode())
    assert ids(in_order(streams(log))) == [1, 3]


def records(database: Database, topic: str) -> list[ArchivedRecord]:
    (found,) = (one for one in streams(database.log) if one[0].record.topic == f"pg.app.{topic}")
    return found


def test_positions_that_begin_anew_sort_after_the_old_ones() -> None:
    """From the time on that the chains tell, in every stream."""
    database = spread([1, 2])
    database.begin_anew()
    later = [("c", table, None, {"id": n}) for n, table in ((4, "b"), (5, "a"))]
    database.commit(NOON_US + 10, *later)
    restarts = {"pg": [NOON_US + 10]}
    made = [ChangeStream(n, records(database, name), restarts) for n, name in enumerate("ab")]
    assert ids([*in_commit_order(made)]) == [0, 1, 2, 3, 4, 5]
    untold = [ChangeStream(n, records(database, name)) for n, name in enumerate("ab")]
    assert ids([*in_commit_order(untold)]) != [0, 1, 2, 3, 4, 5]


def test_a_stream_goes_on_where_it_was_left() -> None:
    """At each of its changes; the place of the next is as if it had never stopped."""
    log = records(spread([5, 1, 9, 3]), "a")
    whole = [*ChangeStream(0, log)]
    for count in range(len(log) + 1):
        first = ChangeStream(0, log[:count])
        assert [*first] == whole[:count]
        rest = ChangeStream(0, log, reached=first.reached)
        assert rest.connector() == "pg"
        assert [*rest] == whole[count:]


def test_a_stream_without_a_change_has_no_connector() -> None:
    """Tombstones and messages are none."""
    assert ChangeStream(0, []).connector() is None
    assert ChangeStream(0, []).reached == Reached()


places = st.builds(
    Place,
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**127),
    st.integers(0, 2**127),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**63 - 1),
    st.integers(0, 2**63 - 1),
)


@given(places, places)
def test_packed_places_sort_as_places_do(one: Place, other: Place) -> None:
    """And come back as they were."""
    assert (one.packed() < other.packed()) == (one < other)
    assert Place.unpacked(one.packed()) == one
