"""What is in quarantine and decodes now comes back where it belongs, once."""

from __future__ import annotations

import json
import secrets
from collections import Counter

import pytest
from support.build import change, message
from support.captures import messages
from support.independent import read_chains
from support.simulated_source import SimulatedSource
from support.workshop import Workshop, archived

from cdc_archive.archive.format.commit import Writer
from cdc_archive.archive.reader import inventory, quarantine
from cdc_archive.archive.reader.quarantine import Asked
from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.archive.writer.committer import Committer
from cdc_archive.archive.writer.open_file import FileFormat
from cdc_archive.archive.writer.recovery import Outcome, Recovery, ranges
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.decode.decoder import Decoder, value_of
from cdc_archive.source.message import Message
from cdc_archive.storage.memory import MemoryStore
from cdc_archive.worker.limits import Limits

P0 = TopicPartition("pg.app.t", 0)
FLAT = b'{"id":%d,"name":"x"}'
EVERYTHING = Asked()


def mixed(count: int = 20) -> list[Message]:
    """Changes; flattened rows without a mark (each third); poison (offset 5)."""
    log = []
    for n in range(count):
        value = FLAT % n if n % 3 == 0 else change(after={"id": n})
        log.append(message(b"poison" if n == 5 else value, offset=n))
    return log


def archive_of(log: list[Message], limits: Limits = Limits(commit_records=6)) -> MemoryStore:  # noqa: B008
    store = MemoryStore()
    Workshop(SimulatedSource(log, batch=3), store, limits).run()
    return store


def recovery(store: MemoryStore, pattern: str = ".*", **how: int) -> Recovery:
    writer = Writer("test", "0", secrets.token_hex(4))
    committer = Committer(store, "archive-1", writer, lambda: 1771516800.0)
    return Recovery(store, committer, Decoder([pattern]).decode, FileFormat(), **how)


def run(store: MemoryStore, asked: Asked = EVERYTHING, **how: int) -> Outcome:
    return recovery(store, **how).run(ArchiveReader(store), P0, asked)


def offsets(store: MemoryStore) -> list[int]:
    return [one.record.offset for one in archived(store)]


def test_what_decodes_now_stands_where_it_belongs() -> None:
    """In offset order among what was decoded at once, with the bytes that came."""
    log = mixed()
    store = archive_of(log)
    assert offsets(store) == [n for n in range(20) if n % 3 and n != 5]
    outcome = run(store)
    assert outcome == Outcome(P0, Counter(not_debezium=7), Counter(not_json=1))
    assert offsets(store) == [n for n in range(20) if n != 5]
    values = {one.record.offset: value_of(one.record, None) for one in archived(store)}
    assert values == {one.offset: one.value for one in log if one.offset != 5}


def test_the_commit_names_its_origin() -> None:
    """Quarantine file and offsets; an independent reader of the format agrees."""
    store = archive_of(mixed())
    run(store)
    commit = list(ArchiveReader(store).commits(P0))[-1]
    assert (commit.start, commit.end, commit.files) == (20, 20, [])
    taken = [offset for one in commit.recovered for pair in one.offsets for offset in range(*pair)]
    assert taken == [0, 3, 6, 9, 12, 15, 18]
    assert {one.origin for one in commit.recovered} == {
        file.key
        for commit in ArchiveReader(store).commits(P0)
        for file in commit.files
        if file.kind == "quarantine"
    }
    found = read_chains(store.get, [stat.key for stat in store.list("")])
    assert sorted(record["offset"] for record in found["pg.app.t", 0]) == list(range(20))


def test_nothing_is_recovered_twice() -> None:
    """A second run finds only what still does not decode."""
    store = archive_of(mixed())
    run(store)
    before = [stat.key for stat in store.list("")]
    assert run(store) == Outcome(P0, Counter(), Counter(not_json=1))
    assert [stat.key for stat in store.list("")] == before


def test_a_chain_with_several_recoveries_is_read_whole() -> None:
    """Each commit names the one before; what comes later is recovered later."""
    store = archive_of(mixed(9))
    assert run(store, commit_bytes=1).recovered == Counter(not_debezium=3)
    Workshop(SimulatedSource(mixed(20), batch=3), store, Limits(commit_records=6)).run()
    assert run(store).recovered == Counter(not_debezium=4)
    assert offsets(store) == [n for n in range(20) if n != 5]
    kinds = [bool(commit.recovered) for commit in ArchiveReader(store).commits(P0)]
    assert kinds.count(True) > 2


def test_only_what_is_asked_for_is_tried() -> None:
    """By reason."""
    store = archive_of(mixed())
    assert run(store, Asked(reason="not_json")) == Outcome(P0, Counter(), Counter(not_json=1))
    assert run(store, Asked(reason="not_deb*")).recovered == Counter(not_debezium=7)


def test_a_worker_that_is_faster_fences_the_recovery_and_nothing_doubles() -> None:
    """The recovery looks again; so does the worker whose number it took."""
    store = archive_of(mixed(9))
    create, raced = store.create, []

    def slower(key: str, data: bytes) -> bool:
        if key.startswith("commits/") and not raced:
            raced.append(key)
            Workshop(SimulatedSource(mixed(12)), store).run()
        return create(key, data)

    store.create = slower
    assert run(store).recovered == Counter(not_debezium=4)
    assert offsets(store) == [n for n in range(12) if n != 5]


def test_two_recoveries_at_once_recover_each_message_once() -> None:
    """The slower one finds nothing left."""
    store = archive_of(mixed())
    create, raced = store.create, []

    def slower(key: str, data: bytes) -> bool:
        if key.startswith("commits/") and not raced:
            raced.append(key)
            run(store)
        return create(key, data)

    store.create = slower
    assert run(store).recovered == Counter()
    assert offsets(store) == [n for n in range(20) if n != 5]


def test_a_worker_whose_number_a_recovery_took_goes_on_after_it() -> None:
    """It is fenced, reads again, and neither loses nor doubles."""
    store = archive_of(mixed(9))
    shop = Workshop(SimulatedSource(mixed(15)), store)
    shop.start()
    shop.worker.step()
    run(store)
    for _ in range(6):
        shop.clock.now += 61
        shop.worker.step()
    assert len(shop.notes.fences) == 1
    assert offsets(store) == [0, 1, 2, 3, 4, 6, 7, 8, 10, 11, 13, 14]


def test_the_quarantine_is_told_message_by_message_and_by_reason() -> None:
    """What was recovered is marked, and left out of the sums when asked."""
    store = archive_of(mixed())
    run(store, Asked(reason="not_debezium"))
    found = list(quarantine.held(ArchiveReader(store), EVERYTHING))
    assert [one.message.offset for one in found if one.recovered_by is None] == [5]
    assert found[0].message == mixed()[0]
    (row,) = quarantine.summary(one for one in found if one.recovered_by is None)
    assert row == {
        "topic": "pg.app.t",
        "partition": 0,
        "reason": "not_json",
        "messages": 1,
        "first_offset": 5,
        "last_offset": 5,
    }
    (row,) = inventory.take(ArchiveReader(store), "partition")
    assert (row["records"], row["quarantined"], row["recovered"]) == (12, 8, 7)


def test_a_recorded_stream_of_flattened_rows_comes_back_whole() -> None:
    """Marked or not: those that had no mark come back once the settings name their topic."""
    log = [
        one._replace(headers=(), value=one.value and one.value.replace(b'"__', b'"x_'))
        for one in messages("pg_fl")
    ]
    store = archive_of(log, Limits())
    reader = ArchiveReader(store)
    tried = recovery(store, "fl\\.app\\..*")
    outcomes = [tried.run(reader, place, EVERYTHING) for place in reader.partitions()]
    assert sum(one.recovered["not_debezium"] for one in outcomes) > 100
    kept = {one.record[:3]: value_of(one.record, one.value_schema) for one in archived(store)}
    for held in quarantine.held(reader, EVERYTHING):
        if held.recovered_by is None:
            kept[held.message[:3]] = held.message.value
    assert kept == {one[:3]: one.value for one in log}


@pytest.mark.parametrize(
    ("given", "expected"),
    [([], []), ([3], [(3, 4)]), ([1, 2, 3, 7, 9, 10], [(1, 4), (7, 8), (9, 11)])],
)
def test_rising_offsets_as_ranges(given: list[int], expected: list[tuple[int, int]]) -> None:
    """Half open."""
    assert ranges(given) == expected
    assert json.loads(json.dumps(ranges(given))) == [list(pair) for pair in expected]
