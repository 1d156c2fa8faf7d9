"""A run reads sealed hours from their digests: the same, in fewer requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from support.runs import HOUR_US, NOON_US, Database, archived, checkpoint, order, replay
from support.sealed import BEGUN, HOUR

from cdc_archive.archive.format.commit import Writer
from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.archive.writer.sealing import Sealer
from cdc_archive.storage.memory import MemoryStore
from cdc_archive.storage.object_store import ObjectStat

HOURS = 6


class Counted(MemoryStore):
    """Counts what is read, by the first part of the key."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: Counter[str] = Counter()

    def get(self, key: str, limit: int | None = None) -> bytes:
        self.reads[key.split("/", maxsplit=1)[0]] += 1
        return super().get(key, limit)

    def list(self, prefix: str, start_after: str = "") -> Iterator[ObjectStat]:
        self.reads["list"] += 1
        return super().list(prefix, start_after)


@pytest.fixture
def store() -> Counted:
    """Six hours, each with a hundred commits in two chains, the last one not sealed."""
    made, database = Counted(), Database()
    for hour in range(HOURS):
        for number in range(100):
            at_us, row = NOON_US + hour * HOUR_US + number, {"id": number % 7, "name": f"{number}"}
            database.commit(at_us, ("u" if number > 6 else "c", "user", None, row))
            database.commit(at_us, ("u", "note", None, {"id": number, "text": f"{hour}"}))
        archived(database.log, made, 2, BEGUN + hour * HOUR)
    return made


def seal(store: Counted, hours: int) -> None:
    info = ArchiveReader(store).info
    now = BEGUN + hours * HOUR
    sealer = Sealer(store, info, Writer("t", "0", "w"), lambda: now, None, 0)
    assert len([*sealer.due()]) == hours


def test_sealed_hours_give_the_same_bytes_in_fewer_requests(store: Counted) -> None:
    plain = replay(order(store))
    unsealed, store.reads = store.reads, Counter()
    seal(store, HOURS - 1)
    store.reads.clear()
    assert replay(order(store)) == plain
    assert store.reads["digests"] == HOURS - 1
    assert store.reads["commits"] < unsealed["commits"] / 4


def test_a_damaged_digest_is_done_without(store: Counted, caplog: pytest.LogCaptureFixture) -> None:
    plain = replay(order(store))
    seal(store, HOURS - 1)
    damaged, key = Counted(), "digests/2026/02/19/18.json"
    for one in store.list(""):
        data = store.get(one.key)
        damaged.create(one.key, data.replace(b'"from":', b'"form":', 9) if one.key == key else data)
    assert replay(order(damaged)) == plain
    assert f"for a digest is damaged: {key}" in caplog.text


def test_with_a_checkpoint_the_digests_before_it_are_not_read(store: Counted) -> None:
    start = NOON_US + (HOURS - 1) * HOUR_US
    seal(store, HOURS - 1)
    plain = replay(order(store, start, checkpoints=False))
    checkpoint(store, start)
    store.reads.clear()
    found = replay(order(store, start))
    assert found.written == plain.written
    assert found.report.checkpoint is not None
    assert store.reads["commits"] < 300
