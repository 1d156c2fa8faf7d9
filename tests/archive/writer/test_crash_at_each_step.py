"""A crash at each numbered step of the commit order loses nothing and doubles nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.build import change, message
from support.simulated_source import SimulatedSource
from support.workshop import Workshop, archived, ranges

from cdc_archive.changelog.position import TopicPartition
from cdc_archive.source.message import Message
from cdc_archive.storage.memory import MemoryStore
from cdc_archive.storage.object_store import ObjectStat
from cdc_archive.worker.limits import Limits

P0 = TopicPartition("pg.app.t", 0)


class Crash(BaseException):
    """kill -9: no handler of the program sees it coming."""


class CrashingStore:
    """Crashes before or after the n-th create of an object whose key begins with a prefix."""

    def __init__(self, inner: MemoryStore, prefix: str, nth: int, *, after: bool) -> None:
        self.inner, self.prefix, self.left, self.after = inner, prefix, nth, after

    def create(self, key: str, data: bytes) -> bool:
        if key.startswith(self.prefix):
            self.left -= 1
            if self.left == 0 and not self.after:
                raise Crash
        created = self.inner.create(key, data)
        if key.startswith(self.prefix) and self.left == 0:
            raise Crash
        return created

    def get(self, key: str, limit: int | None = None) -> bytes:
        return self.inner.get(key, limit)

    def holds(self, key: str, data: bytes) -> bool:
        return self.inner.holds(key, data)

    def stat(self, key: str) -> ObjectStat | None:
        return self.inner.stat(key)

    def list(self, prefix: str, start_after: str = "") -> Iterator[ObjectStat]:
        return self.inner.list(prefix, start_after)

    def check(self) -> None:
        self.inner.check()

    def close(self) -> None:
        self.inner.close()


class CrashingSource(SimulatedSource):
    """Crashes when the offset is to be told to Kafka."""

    def commit(self, offsets: object) -> None:
        raise Crash


def log() -> list[Message]:
    """12 changes of three tables."""
    return [message(change(table=f"t{offset % 3}"), offset=offset) for offset in range(12)]


LIMITS = Limits(commit_records=5)


def recovered(store: MemoryStore) -> list[int]:
    """What the archive holds after a second worker ran to the end."""
    Workshop(SimulatedSource(log(), batch=5), store, LIMITS).run()
    joined = ranges(store, P0)
    assert [start for start, _ in joined[1:]] == [end for _, end in joined[:-1]]
    return [one.record.offset for one in archived(store)]


STEPS = [
    ("3 before the first data file", "changes/", 1, False),
    ("3 after the first data file", "changes/", 1, True),
    ("3 between data files", "changes/", 2, True),
    ("3 after all data files", "changes/", 3, True),
    ("4 before the commit", "commits/", 1, False),
    ("4 after the commit", "commits/", 1, True),
    ("3 of the second commit", "changes/", 5, True),
    ("4 before the second commit", "commits/", 2, False),
    ("4 after the second commit", "commits/", 2, True),
]


@pytest.mark.parametrize(
    ("prefix", "nth", "after"), [s[1:] for s in STEPS], ids=[s[0] for s in STEPS]
)
def test_a_crash_at_this_step_leaves_each_offset_once(prefix: str, nth: int, after: bool) -> None:
    """The next worker finds the head and goes on; orphans are not seen."""
    store = MemoryStore()
    with pytest.raises(Crash):
        Workshop(
            SimulatedSource(log(), batch=5), CrashingStore(store, prefix, nth, after=after), LIMITS
        ).run()
    assert recovered(store) == list(range(12))


def test_a_crash_before_the_hint_leaves_each_offset_once() -> None:
    """Step 5: Kafka never learns of the commit, and is not asked."""
    store = MemoryStore()
    with pytest.raises(Crash):
        Workshop(CrashingSource(log(), batch=5), store, LIMITS).run()
    assert recovered(store) == list(range(12))


def test_a_crash_before_anything_is_sealed_leaves_each_offset_once() -> None:
    """Steps 1 and 2 touch memory only."""
    store = MemoryStore()
    shop = Workshop(SimulatedSource(log(), batch=4), store, LIMITS)
    shop.start()
    shop.worker.step()
    assert recovered(store) == list(range(12))


def test_the_same_range_makes_the_same_files() -> None:
    """A worker that repeats a range after a crash finds its data files there already (I6)."""
    store = MemoryStore()
    with pytest.raises(Crash):
        Workshop(
            SimulatedSource(log(), batch=5),
            CrashingStore(store, "commits/", 1, after=False),
            LIMITS,
        ).run()
    before = {stat.key for stat in store.list("changes/")}
    Workshop(SimulatedSource(log(), batch=5), store, LIMITS).run()
    named = {one.file for one in archived(store)}
    assert before <= named
