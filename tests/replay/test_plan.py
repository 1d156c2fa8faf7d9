"""What a run reads: each chain walked once; streams dealt to jobs, none parted from its rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.runs import NOON_US, RULES, Database, archived, one_after_the_other, order, replay

from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.errors import Stop
from cdc_archive.replay import processes
from cdc_archive.replay.plan import StreamTables, shares, tables_of
from cdc_archive.replay.planning import Planning
from cdc_archive.replay.report import Report
from cdc_archive.storage.object_store import ObjectStore

tables = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=3, unique=True)
streams = st.lists(st.tuples(tables, st.integers(1, 99)), max_size=8).map(
    lambda drawn: [
        StreamTables(number, tuple(sorted(names)), records)
        for number, (names, records) in enumerate(drawn)
    ]
)


@given(streams, st.integers(1, 5))
def test_streams_are_dealt_each_once_and_no_table_to_two_jobs(
    dealt: list[StreamTables], jobs: int
) -> None:
    """A TRUNCATE ends the rows of all partitions of its table. Nor one rule's event to two."""

    def grouped(table: str) -> list[str]:
        return ["a rule of c and f"] if table in "cf" else []

    made = shares(dealt, jobs, grouped)
    assert sorted(one for job in made for one in job) == dealt
    assert 1 <= len(made) <= jobs
    bonds = [
        {bond for one in job for table in one.tables for bond in (table, *grouped(table))}
        for job in made
    ]
    assert sum(map(len, bonds)) == len(set().union(*bonds))


def test_the_largest_are_dealt_first() -> None:
    """Each to the job that has least; so the jobs end at nearly the same time."""
    sizes = [5, 90, 40, 50]
    dealt = [StreamTables(n, (str(n),), size) for n, size in enumerate(sizes)]
    made = shares(dealt, 2)
    assert [[one.records for one in job] for job in made] == [[5, 90], [40, 50]]


@pytest.fixture
def store() -> ObjectStore:
    """Six commits of two tables."""
    database = Database()
    for number in range(6):
        database.commit(NOON_US + number, *(("c", name, None, {"id": number}) for name in "tu"))
    return archived(database.log, records=1)


@pytest.fixture
def planning() -> Iterator[Planning]:
    database = sqlite3.connect(":memory:", isolation_level=None)
    yield Planning(database)
    database.close()


def test_a_plan_names_every_file_in_the_order_of_the_log(
    store: ObjectStore, planning: Planning
) -> None:
    """And the heads that it was made at."""
    plan, report = planning.walk(ArchiveReader(store), None)
    assert [head[:3] for head in plan.heads] == [("pg.app.t", 0, 5), ("pg.app.u", 0, 5)]
    for stream in (0, 1):
        offsets = [one.file.first_offset for one in planning.files.of(stream, lambda _: True)]
        assert offsets == list(range(6))
    found = tables_of(planning.files.contents(), lambda file: file.first_offset > 1)
    assert [(one.tables, one.records) for one in found] == [
        (("lab.app.t",), 4),
        (("lab.app.u",), 4),
    ]
    assert report == Report()


def test_a_plan_is_there_when_it_is_whole(store: ObjectStore, planning: Planning) -> None:
    """Walking again begins anew; what is kept is of one run only."""
    for _ in range(2):
        plan, report = planning.walk(ArchiveReader(store), None)
        assert len(list(planning.files.contents())) == 12
        assert not planning.is_of("mine")
    dealt = shares(tables_of(planning.files.contents(), lambda _: True), 2)
    report.skipped = 3
    planning.keep("mine", plan, dealt, report)
    assert planning.is_of("mine")
    assert planning.plan() == plan
    assert [planning.share(job) for job in range(planning.jobs())] == dealt
    assert planning.report() == report
    with pytest.raises(Stop, match="leave out --resume"):
        planning.is_of("another")


def test_a_rule_over_two_tables_makes_one_event_by_any_jobs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its parts stand in two topics, and are told by one job."""
    monkeypatch.setattr(processes, "run_all", one_after_the_other)
    database = Database()
    rows = [("c", name, None, {"id": number}) for number, name in enumerate(("one", "two"))]
    database.commit(NOON_US, *rows)
    database.commit(NOON_US + 1, ("c", "user", None, {"id": 5}))
    store = archived(database.log)
    rules = RULES + (
        '[[rule]]\ntype = "all.made"\ntables = ["one", "two"]\non = "create"\n'
        'group = "transaction"\nitem = "row.id"\npayload = "{ids: items}"\n'
    )
    for jobs in (1, 3):
        assert replay(order(store, rules=rules), jobs=jobs).payloads[0] == {"ids": [0, 1]}
