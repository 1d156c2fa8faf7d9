"""The chain is found without listings, and a broken link is seen."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.build import changes
from support.simulated_source import SimulatedSource
from support.workshop import Workshop, archived

from cdc_archive.archive.format.layout import commit_key
from cdc_archive.archive.reader import chain
from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.archive.writer import root
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.errors import ArchiveDamaged, ArchiveMissing, FormatUnknown, StoreUnsafe
from cdc_archive.storage.memory import MemoryStore
from cdc_archive.worker.limits import Limits

P0 = TopicPartition("pg.app.t", 0)


def an_archive() -> MemoryStore:
    """Three commits of ten records."""
    store = MemoryStore()
    Workshop(SimulatedSource(changes(30), batch=10), store, Limits(commit_records=10)).run()
    return store


def altered(store: MemoryStore, key: str, change: Callable[[bytes], bytes | None]) -> MemoryStore:
    """A copy of the store with one object changed, or without it."""
    copy = MemoryStore()
    for stat in store.list(""):
        data = change(store.get(stat.key)) if stat.key == key else store.get(stat.key)
        if data is not None:
            copy.create(stat.key, data)
    return copy


@given(st.integers(0, 300))
def test_the_head_is_the_last_of_any_number_of_commits(count: int) -> None:
    """Exponential and binary search agree with counting, in few requests."""
    asked: list[str] = []

    class Counting(MemoryStore):
        def stat(self, key: str):  # noqa: ANN202
            asked.append(key)
            return super().stat(key)

    store = Counting()
    for sequence in range(count):
        store.create(commit_key(P0, sequence), b"x")
    assert chain.last_sequence(store, P0) == (count - 1 if count else None)
    assert len(asked) <= 2 * max(count, 1).bit_length() + 2


def test_the_head_tells_the_next_offset() -> None:
    """Sequence, hash and `to` of the last commit."""
    store = an_archive()
    found = chain.head(store, "archive-1", P0)
    assert found is not None
    assert (found.sequence, found.next_offset) == (2, 30)


@pytest.mark.parametrize("missing", [0, 1])
def test_a_chain_with_a_hole_has_no_head(missing: int) -> None:
    """A worker that went on from before the hole would fork it."""
    whole = an_archive()
    holed = altered(whole, commit_key(P0, missing), lambda _: None)
    with pytest.raises(ArchiveDamaged, match=f"{missing:012d}.json: is missing, though there is"):
        chain.head(holed, "archive-1", P0)
    with pytest.raises(ArchiveDamaged):
        Workshop(SimulatedSource(changes(40)), holed).run()
    assert holed.stat(commit_key(P0, missing)) is None


def test_partitions_are_found_without_listing_their_commits() -> None:
    """Names with every kind of character, numbers in order."""
    store = MemoryStore()
    log = [
        one._replace(topic=topic, partition=partition)
        for topic in ("a/b", "a", "ü+1", "a.b")
        for partition in (0, 2, 11)
        for one in changes(3)
    ]
    Workshop(SimulatedSource(log), store).run()
    assert ArchiveReader(store).partitions() == sorted(
        {TopicPartition(m.topic, m.partition) for m in log}
    )


def test_an_altered_commit_breaks_the_chain() -> None:
    """Its successor holds another hash."""
    key = commit_key(P0, 1)
    store = altered(
        an_archive(), key, lambda data: data.replace(b'"name":"test"', b'"name":"tesT"')
    )
    with pytest.raises(ArchiveDamaged, match=r"000000000002\.json: its predecessor"):
        archived(store)


def test_a_commit_in_the_place_of_another_is_refused() -> None:
    """The object says which link it is."""
    store = an_archive()
    first = store.get(commit_key(P0, 0))
    moved = altered(store, commit_key(P0, 1), lambda _: first)
    with pytest.raises(ArchiveDamaged, match="holds commit 0"):
        archived(moved)


def test_a_commit_of_another_archive_is_refused() -> None:
    """Archives cannot be mixed up."""

    def other(data: bytes) -> bytes:
        return json.dumps(json.loads(data) | {"archive": "archive-2"}).encode()

    with pytest.raises(ArchiveDamaged, match="archive-2"):
        archived(altered(an_archive(), commit_key(P0, 2), other))


def test_an_altered_data_file_is_refused() -> None:
    """One byte is enough."""
    store = an_archive()
    key = next(store.list("changes/")).key
    bad = altered(store, key, lambda data: data[:-20] + bytes([data[-20] ^ 1]) + data[-19:])
    with pytest.raises(ArchiveDamaged, match="not those that were committed"):
        archived(bad)


def test_a_missing_data_file_is_named() -> None:
    """The reader does not go on without it."""
    store = an_archive()
    key = next(store.list("changes/")).key
    with pytest.raises(ArchiveDamaged, match="missing"):
        archived(altered(store, key, lambda _: None))


def test_files_that_no_commit_names_are_not_seen() -> None:
    """Orphans of a crash do not double a record (I5)."""
    store = an_archive()
    stat = next(store.list("changes/"))
    store.create(stat.key.replace("+0+", "+0+9"), store.get(stat.key))
    assert len(archived(store)) == 30


def test_no_archive_is_no_empty_archive() -> None:
    """A wrong prefix must not look like nothing happened."""
    with pytest.raises(ArchiveMissing):
        ArchiveReader(MemoryStore())


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"rubbish", ArchiveDamaged),
        (b'{"archive":"other","format":1,"id":"x","created_at":"t"}', ArchiveDamaged),
        (b'{"archive":"cdc-archive","format":9,"id":"x","created_at":"t"}', FormatUnknown),
    ],
)
def test_another_description_is_refused(data: bytes, error: type[Exception]) -> None:
    """archive.json of something else, or of a later version."""
    with pytest.raises(error, match=r"archive\.json"):
        ArchiveReader(altered(an_archive(), "archive.json", lambda _: data))


def test_a_store_that_overwrites_is_refused() -> None:
    """I1 rests on conditional creates."""

    class Overwriting(MemoryStore):
        def create(self, key: str, data: bytes) -> bool:
            self._objects[key] = (data, 0.0)
            return True

    with pytest.raises(StoreUnsafe):
        root.open_or_create(Overwriting(), lambda: 0.0, lambda: "x")


def test_an_archive_keeps_its_identity() -> None:
    """The second start finds what the first one made."""
    store = MemoryStore()
    first = root.open_or_create(store, lambda: 0.0, lambda: "first")
    assert root.open_or_create(store, lambda: 9.0, lambda: "second") == first
