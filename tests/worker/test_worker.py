"""The worker archives everything once, whatever happens around it."""

from __future__ import annotations

import pytest
from support.build import HOUR_16_MS, change, changes, message
from support.captures import ALL_CAPTURES, messages
from support.simulated_source import SimulatedSource
from support.workshop import Later, Workshop, archived, ranges

from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.decode.decoder import value_of
from cdc_archive.errors import DeadlineExceeded, OffsetGap, StoreBusy
from cdc_archive.storage.memory import MemoryStore
from cdc_archive.worker.limits import Limits

P0 = TopicPartition("pg.app.t", 0)


def offsets(store: MemoryStore) -> list[int]:
    return [one.record.offset for one in archived(store)]


@pytest.mark.parametrize("name", ALL_CAPTURES)
def test_a_recorded_stream_is_archived_whole(name: str) -> None:
    """Every message is in the archive or its quarantine, with key, value and headers as it came."""
    store = MemoryStore()
    Workshop(SimulatedSource(messages(name)), store, Limits(commit_records=100)).run()
    reader = ArchiveReader(store)
    kept = {}
    for one in archived(store):
        value = value_of(one.record, one.value_schema)
        kept[one.record[:3]] = (one.record.key, value, one.record.headers)
    for partition in reader.partitions():
        for commit in reader.commits(partition):
            for file in commit.files:
                if file.kind == "quarantine":
                    for found, _, _ in reader.quarantined(file):
                        kept[found[:3]] = (found.key, found.value, found.headers)
    assert kept == {m[:3]: (m.key, m.value, m.headers) for m in messages(name)}


def test_each_record_lies_in_the_folder_of_its_table_and_hour() -> None:
    """Routing is per record, not per batch."""
    store = MemoryStore()
    log = [
        message(change(ts_ms=HOUR_16_MS + shift, table=table), offset=offset)
        for offset, (shift, table) in enumerate(
            [(-1, "a"), (0, "a"), (0, "b"), (3_599_999, "b"), (3_600_000, "a")]
        )
    ]
    Workshop(SimulatedSource(log), store).run()
    places = {(one.record.offset, "/".join(one.file.split("/")[1:4])) for one in archived(store)}
    assert places == {
        (0, "table=lab.app.a/date=2026-02-19/hour=15"),
        (1, "table=lab.app.a/date=2026-02-19/hour=16"),
        (2, "table=lab.app.b/date=2026-02-19/hour=16"),
        (3, "table=lab.app.b/date=2026-02-19/hour=16"),
        (4, "table=lab.app.a/date=2026-02-19/hour=17"),
    }


def test_a_second_worker_goes_on_where_the_archive_ends() -> None:
    """The archive is the offset store: Kafka's committed offset is not asked."""
    store = MemoryStore()
    source = SimulatedSource(changes(10))
    Workshop(source, store).run()
    for one in changes(5, start=10):
        source.append(one)
    Workshop(SimulatedSource([*source.log[P0]]), store).run()
    assert offsets(store) == list(range(15))
    assert ranges(store, P0) == [(0, 10), (10, 15)]


def test_the_offset_is_told_to_kafka_after_the_commit_only() -> None:
    """Step 5 comes after step 4, with the offset after the last one."""
    source, later = SimulatedSource(changes(3)), Later()
    shop = Workshop(source, MemoryStore(), Limits(commit_records=3), later)
    shop.start()
    shop.worker.step()
    assert source.committed == []
    later.run()
    shop.worker.step()
    assert source.committed == [(P0, 3)]


def test_messages_keep_coming_while_a_commit_is_on_its_way() -> None:
    """A slow store does not stop the polling."""
    source, later = SimulatedSource(changes(9), batch=3), Later()
    shop = Workshop(source, MemoryStore(), Limits(commit_records=3), later)
    shop.start()
    for _ in range(3):
        shop.worker.step()
    assert len(later.waiting) == 1
    later.run()
    shop.worker.step()
    later.run()
    shop.worker.step()
    assert ranges(shop.store, P0) == [(0, 3), (3, 9)]


def test_age_commits_without_new_records() -> None:
    """The timer runs though nothing comes any more."""
    shop = Workshop(SimulatedSource(changes(2)), MemoryStore(), Limits(commit_age_s=60))
    shop.start()
    shop.worker.step()
    shop.clock.now += 59
    shop.worker.step()
    assert shop.notes.commits == []
    shop.clock.now += 1
    shop.worker.step()
    shop.worker.step()
    assert [reason for reason, _ in shop.notes.commits] == ["age"]


def test_age_counts_from_the_first_record_of_the_batch() -> None:
    """A long silence before it does not make a file of one record."""
    source = SimulatedSource(changes(1))
    shop = Workshop(source, MemoryStore(), Limits(commit_age_s=60))
    shop.start()
    shop.worker.step()
    shop.clock.now += 60
    shop.worker.step()
    shop.clock.now += 1000
    source.append(changes(1, start=1)[0])
    shop.worker.step()
    assert ranges(shop.store, P0) == [(0, 1)]


def test_bytes_commit() -> None:
    """A batch that holds commit_bytes is due."""
    shop = Workshop(
        SimulatedSource(changes(50), batch=10), MemoryStore(), Limits(commit_bytes=6000)
    )
    shop.run()
    assert [(reason, len(commit.range)) for reason, commit in shop.notes.commits] == [
        ("bytes", 10),
        ("bytes", 10),
        ("bytes", 10),
        ("bytes", 10),
        ("bytes", 10),
    ]


def test_an_hour_that_event_time_has_passed_is_committed() -> None:
    """Once the grace is over, in event time and in the age of the batch."""
    source = SimulatedSource([message(change(ts_ms=HOUR_16_MS), offset=0)])
    shop = Workshop(source, MemoryStore(), Limits(commit_age_s=999, hour_grace_s=120))
    shop.start()
    shop.worker.step()
    shop.clock.now += 120
    source.append(message(change(ts_ms=HOUR_16_MS + 3_719_999), offset=1))
    shop.worker.step()
    assert shop.notes.commits == []
    source.append(message(change(ts_ms=HOUR_16_MS + 3_720_000), offset=2))
    shop.worker.step()
    shop.worker.step()
    assert [reason for reason, _ in shop.notes.commits] == ["hour"]


def test_late_data_does_not_make_a_storm_of_small_files() -> None:
    """Records that jump between old hours share a few commits, not one each."""
    log = [
        message(change(ts_ms=HOUR_16_MS + (offset % 7) * 3_600_000), offset=offset)
        for offset in range(500)
    ]
    shop = Workshop(SimulatedSource(log, batch=5), MemoryStore())
    shop.run()
    assert len(shop.notes.commits) == 1


def test_memory_over_budget_commits_the_largest_partition() -> None:
    """The budget is over all partitions together."""
    big, small = changes(400), changes(4, partition=1)
    limits = Limits(memory_budget_bytes=40_000)
    shop = Workshop(SimulatedSource([*big, *small], batch=404), MemoryStore(), limits)
    shop.start()
    shop.worker.step()
    shop.worker.step()
    assert [(reason, commit.partition) for reason, commit in shop.notes.commits] == [
        ("pressure", 0)
    ]


def test_past_the_budget_the_source_is_paused_and_later_resumed() -> None:
    """While commits are on their way and memory is full, nothing more is read."""
    source, later = SimulatedSource(changes(400), batch=100), Later()
    limits = Limits(memory_budget_bytes=20_000)
    shop = Workshop(source, MemoryStore(), limits, later)
    shop.start()
    shop.worker.step()
    shop.worker.step()
    assert source.paused == {P0}
    read = source.positions[P0]
    shop.worker.step()
    assert source.positions[P0] == read
    later.run()
    shop.worker.step()
    shop.worker.step()
    later.run()
    shop.worker.step()
    assert source.paused == set()


def test_offsets_that_the_log_does_not_hold_are_accounted_for() -> None:
    """Holes left by transaction markers or compaction stand in the commit."""
    log = [one for one in changes(10) if one.offset not in (3, 4, 7)]
    shop = Workshop(SimulatedSource(log), MemoryStore())
    shop.run()
    assert shop.notes.commits[0][1].absent == [(3, 5), (7, 8)]
    assert ranges(shop.store, P0) == [(0, 10)]


def test_a_new_chain_begins_where_the_log_begins() -> None:
    """What was gone before the first start is not claimed, nor is it a gap."""
    shop = Workshop(SimulatedSource(changes(5, start=40)), MemoryStore())
    shop.run()
    assert ranges(shop.store, P0) == [(40, 45)]


def test_a_gap_stops_the_worker() -> None:
    """Retention was faster: going on would hide a loss."""
    store = MemoryStore()
    Workshop(SimulatedSource(changes(5)), store).run()
    with pytest.raises(
        OffsetGap, match=r"offset 5 is to be read next, but the log holds \[20, 25\)"
    ):
        Workshop(SimulatedSource(changes(5, start=20)), store).run()
    assert ranges(store, P0) == [(0, 5)]


def test_poison_goes_to_quarantine_in_the_same_commit() -> None:
    """It neither blocks nor vanishes."""
    log = changes(3)
    log[1] = message(b"poison", offset=1, key=None, headers=(("h", None),))
    shop = Workshop(SimulatedSource(log), MemoryStore())
    shop.run()
    (commit,) = [commit for _, commit in shop.notes.commits]
    (file,) = [file for file in commit.files if file.kind == "quarantine"]
    assert file.counts == {"not_json": 1}
    found = list(ArchiveReader(shop.store).quarantined(file))
    assert [one[:2] for one in found] == [(log[1], "not_json")]
    assert offsets(shop.store) == [0, 2]


def test_skipped_topics_are_counted() -> None:
    """What the settings leave out is told by the commit."""
    shop = Workshop(SimulatedSource(changes(4)), MemoryStore(), skip=lambda topic: True)
    shop.run()
    (skipped,) = shop.notes.commits[0][1].skipped
    assert (skipped.count, skipped.first_offset, skipped.last_offset) == (4, 0, 3)


def test_a_revoked_partition_is_committed_before_it_goes() -> None:
    """Its next owner finds the head where we stopped."""
    source = SimulatedSource([*changes(4), *changes(4, partition=1)])
    shop = Workshop(source, MemoryStore())
    shop.start()
    shop.worker.step()
    source.revoke(P0)
    shop.worker.step()
    assert ranges(shop.store, P0) == [(0, 4)]
    assert list(shop.assignment.owned) == [TopicPartition("pg.app.t", 1)]


def test_a_revoke_that_runs_out_of_time_drops_the_buffers() -> None:
    """The next owner reads the records again; nothing is written twice."""
    source, later, store = SimulatedSource(changes(4)), Later(), MemoryStore()
    shop = Workshop(source, store, submit=later)
    shop.start()
    shop.worker.step()
    source.revoke(P0)
    source.finite = False
    shop.assignment._revoke_deadline_s = -1
    shop.worker.step()
    assert shop.assignment.owned == {}
    assert source.committed == []
    Workshop(SimulatedSource(changes(4)), store).run()
    later.run()
    assert offsets(store) == [0, 1, 2, 3]


def test_a_lost_partition_is_dropped() -> None:
    """It belongs to another already: nothing is committed."""
    source = SimulatedSource(changes(4))
    shop = Workshop(source, MemoryStore())
    shop.start()
    shop.worker.step()
    source.lose(P0)
    shop.worker.step()
    assert ArchiveReader(shop.store).partitions() == []


def test_a_zombie_is_fenced_and_starts_over_at_the_head() -> None:
    """A worker that slept while another took over cannot overwrite or double anything."""
    store, later = MemoryStore(), Later()
    zombie = Workshop(SimulatedSource(changes(6), batch=4), store, Limits(commit_records=4), later)
    zombie.start()
    zombie.worker.step()
    Workshop(SimulatedSource(changes(6)), store).run()
    later.run()
    zombie.worker.step()
    assert zombie.notes.fences == [P0]
    assert zombie.source.positions[P0] == 6
    assert offsets(store) == [0, 1, 2, 3, 4, 5]


def test_a_store_that_stays_away_stops_the_worker() -> None:
    """The error comes out; nothing is committed to Kafka."""

    class Away(MemoryStore):
        def create(self, key: str, data: bytes) -> bool:
            if key.startswith("changes/"):
                raise StoreBusy("503 Slow Down")
            return super().create(key, data)

    source = SimulatedSource(changes(3))
    with pytest.raises(StoreBusy):
        Workshop(source, Away()).run()
    assert source.committed == []
    assert source.closed


def test_a_graceful_stop_has_a_deadline() -> None:
    """What does not make it is named, and is read again at the next start."""
    shop = Workshop(SimulatedSource(changes(3)), MemoryStore(), submit=Later())
    with pytest.raises(DeadlineExceeded, match=r"pg\.app\.t\[0\]"):
        shop.run()


def test_an_idle_partition_is_not_taken_for_a_stuck_one() -> None:
    """Waiting is counted from the first message that waits, not from the last commit."""
    source, later = SimulatedSource(changes(1)), Later()
    shop = Workshop(source, MemoryStore(), Limits(commit_age_s=1), later)
    shop.start()
    shop.worker.step()
    shop.clock.now += 10_000
    shop.worker.step()
    later.run()
    shop.clock.now += 10_000
    shop.worker.step()
    source.append(changes(1, start=1)[0])
    shop.worker.step()
    assert shop.notes.last is not None
    assert shop.notes.last.partitions[0].waited_s == 0
    shop.clock.now += 70
    shop.worker.step()
    assert shop.notes.last.partitions[0].waited_s == 70
