"""Where a change stands, for the connectors that we know, and the order that follows."""

from __future__ import annotations

import json

from support.build import message
from support.replayed import in_order, streams

from cdc_archive.history.position import position
from cdc_archive.history.redelivery import MemorySeen, Redeliveries
from cdc_archive.source.message import Message


def mariadb(offset: int, file: str, pos: int, row: int, topic: str = "my.shop.t") -> Message:
    """A change as MariaDB's connector writes it: whole seconds, no LSN."""
    source = {"name": "my", "ts_ms": 1_771_516_800_000, "db": "shop", "table": "t"}
    source |= {"gtid": "0-1-9", "file": file, "pos": pos, "row": row, "snapshot": "false"}
    value = {"before": None, "after": {"id": pos}, "source": source, "transaction": None, "op": "c"}
    return message(json.dumps(value).encode(), offset=offset, topic=topic)


def test_mariadb_is_ordered_by_file_position_and_row() -> None:
    """Across topics, although all of it happened in one second."""
    log = [
        mariadb(0, "bin.000009", 900, 0, "my.shop.a"),
        mariadb(1, "bin.000010", 4, 1, "my.shop.a"),
        mariadb(0, "bin.000009", 950, 0, "my.shop.b"),
        mariadb(1, "bin.000010", 4, 0, "my.shop.b"),
    ]
    ordered = [c.archived.record for c in in_order(streams(log))]
    assert [(one.topic[-1], one.offset) for one in ordered] == [
        ("a", 0),
        ("b", 0),
        ("b", 1),
        ("a", 1),
    ]


def test_mariadbs_redeliveries_are_recognised() -> None:
    """Rows of one statement share a position, and are told apart by `row`."""
    log = [mariadb(n, "bin.000001", 4, row) for n, row in enumerate([0, 1, 0, 1, 2])]
    seen = Redeliveries(MemorySeen())
    new = [c.archived.record.offset for c in in_order(streams(log)) if seen.is_new(c)]
    assert new == [0, 1, 4]


def test_overlapping_transactions_are_ordered_by_their_commits() -> None:
    """LSN and transaction id go back; the last commit and the order within do not."""

    def change(offset: int, topic: str, last: int, lsn: int, order: int) -> Message:
        source = {"name": "pg", "ts_us": 1_771_516_800_000_000 + last, "ts_ms": 1_771_516_800_000}
        source |= {"table": "t", "sequence": json.dumps([str(last), str(lsn)]), "lsn": lsn}
        value = {"before": None, "after": {}, "source": source, "op": "c"}
        value["transaction"] = {"id": f"{lsn}:1", "total_order": order}
        return message(json.dumps(value).encode(), offset=offset, topic=topic)

    log = [change(0, "a", 10, 7, 1), change(1, "a", 10, 9, 3), change(2, "a", 20, 5, 2)]
    log += [change(0, "b", 10, 8, 2), change(1, "b", 20, 4, 1)]
    ordered = [c.archived.record for c in in_order(streams(log))]
    assert [one.topic + str(one.offset) for one in ordered] == ["a0", "b0", "a1", "b1", "a2"]


def test_what_says_nothing_of_its_place_has_none() -> None:
    """It is never taken for a redelivery."""
    log = [message(b'{"op":"c","after":{"id":1},"source":{}}', offset=n) for n in range(2)]
    changes = [*in_order(streams(log))]
    assert position(changes[0].archived.record).last_commit is None
    assert all(map(Redeliveries(MemorySeen()).is_new, changes))


def test_a_connectors_name_is_text_that_can_be_written() -> None:
    """JSON can hold half a surrogate pair; UTF-8, and so every file of a run, cannot."""
    (change,) = in_order(streams([_named("a\ud800\u00e9")]))
    assert change.position.name == "a\\ud800\u00e9"


def _named(name: str) -> Message:
    sent = mariadb(0, "bin.000009", 900, 0)
    value = json.loads(sent.value or b"{}")
    value["source"]["name"] = name
    return sent._replace(value=json.dumps(value).encode())
