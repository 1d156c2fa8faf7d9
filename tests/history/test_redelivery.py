"""What comes again is dropped once it was seen, and never because its position is lower."""

from __future__ import annotations

import json

from support.replayed import in_order, streams
from support.runs import NOON_US, Database

from cdc_archive.history.position import Change
from cdc_archive.history.redelivery import MemorySeen, Redeliveries, Settled
from cdc_archive.source.message import Message


def new_of(log: list[Message], redeliveries: Redeliveries | None = None) -> list[int]:
    """The ids of the changes that are seen for the first time."""
    found = redeliveries or Redeliveries(MemorySeen())
    return [number(one) for one in in_order(streams(log)) if found.is_new(one)]


def number(change: Change) -> int:
    record = change.archived.record
    return json.loads(record.after or record.before or b"{}")["id"]


def made(*numbers: int) -> tuple:
    return tuple(("c", "t", None, {"id": n}) for n in numbers)


def test_a_transaction_that_comes_again_is_dropped() -> None:
    """Whole or from its middle on; what is new after it is not."""
    database = Database()
    first, second = database.commit(NOON_US, *made(1, 2))
    database.again([second])
    database.again([first, second])
    database.commit(NOON_US + 1, *made(3))
    assert new_of(database.log) == [1, 2, 3]


def test_rows_that_share_a_position_are_told_apart() -> None:
    """The rows of one statement have one LSN; so have the halves of a change of key."""
    database = Database()
    sent = database.commit(NOON_US, *made(1, 2, 3))
    same = [json.loads(one.value) for one in sent]
    for value in same:
        value["source"] |= {"lsn": 1008, "sequence": '["1000","1008"]'}
        value["transaction"] = None
    log = [one._replace(value=json.dumps(v).encode()) for one, v in zip(sent, same, strict=True)]
    assert new_of(log) == [1, 2, 3]
    database.log = list(log)
    database.again(log)
    assert new_of(database.log) == [1, 2, 3]


def test_equal_rows_of_a_table_without_a_key_are_two_unless_they_come_again() -> None:
    """One statement may insert them; the connector's run tells that from a redelivery."""
    database = Database()
    (one,) = database.commit(NOON_US, *made(1))
    value = json.loads(one.value)
    value["transaction"] = None
    database.log[0] = one._replace(key=None, value=json.dumps(value).encode())
    twin = database.log[0]._replace(offset=1)
    again = [(b"run-2", 2), (b"run-2", 3)]
    later = [
        twin._replace(offset=offset, headers=(("__debezium.context.runId", run),))
        for run, offset in again
    ]
    assert new_of([database.log[0], twin, *later]) == [1, 1]


def test_a_lower_position_that_was_never_there_is_new() -> None:
    """Transactions overlap: the LSN of a change goes back."""
    database = Database()
    sent = database.commit(NOON_US, *made(1, 2, 3))
    database.log = [sent[2], sent[0], sent[1]]
    database.log = [one._replace(offset=n) for n, one in enumerate(database.log)]
    assert sorted(new_of(database.log)) == [1, 2, 3]


def test_a_row_of_a_snapshot_is_never_a_redelivery() -> None:
    """It is a state: the same one twice is the newest sight of it, with a checkpoint or without."""
    database = Database()
    (one,) = database.commit(NOON_US, *made(1))
    value = json.loads(one.value)
    value["source"]["snapshot"], value["op"] = "incremental", "r"
    again = one._replace(value=json.dumps(value).encode(), offset=1)
    log = [again._replace(offset=offset) for offset in (0, 1)]
    assert new_of(log) == [1, 1]
    before = Redeliveries(MemorySeen())
    assert new_of([one], before) == [1]
    settled = Settled(before.highest, NOON_US + 1)
    assert new_of([again], Redeliveries(MemorySeen(), before.highest, settled)) == [1]


def test_what_was_settled_is_known_by_time_and_position_together() -> None:
    """Beyond the highest mark, or from the checkpoint's time on, a change is new."""
    database = Database()
    sent = database.commit(NOON_US, *made(1, 2))
    before = Redeliveries(MemorySeen())
    assert new_of(database.log, before) == [1, 2]
    database.log = []
    database.again(sent)
    database.commit(NOON_US + 1, *made(3))
    for before_us, new in ((NOON_US + 1, [3]), (NOON_US, [1, 2, 3])):
        settled = Settled(before.highest, before_us)
        assert new_of(database.log, Redeliveries(MemorySeen(), before.highest, settled)) == new
