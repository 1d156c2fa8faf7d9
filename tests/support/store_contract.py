"""What every object store does. Run by each implementation with its own `store` fixture."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from cdc_archive.errors import ObjectMissing, ObjectTooLarge
from cdc_archive.storage.object_store import ObjectStore

ODD_KEYS = [
    "changes/table=a%2Fb/date=2026-02-19/hour=16/t+0+1-2+abc.avro",
    "a b",
    "a+b=c",
    "ü/名.json",
    "x/~",
    "x/%",
    "q?a=b&c#d",
]


class StoreContract:
    """Subclass it and give a fixture `store`: an empty store."""

    @pytest.mark.parametrize("size", [0, 1, 5_000_000])
    def test_what_was_created_is_got(self, store: ObjectStore, size: int) -> None:
        """Bytes come back equal, from nothing to megabytes."""
        data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
        assert store.create("k", data) is True
        assert store.get("k") == data

    def test_more_than_the_limit_is_not_read(self, store: ObjectStore) -> None:
        """Object, size and limit are named; an object of just the limit is given."""
        store.create("a/k", b"12345")
        assert store.get("a/k", 5) == b"12345"
        with pytest.raises(ObjectTooLarge, match=r"a/k: has 5 bytes, more than the 4 "):
            store.get("a/k", 4)

    def test_nothing_is_overwritten(self, store: ObjectStore) -> None:
        """A second create is told so and changes nothing."""
        store.create("a/k", b"first")
        assert store.create("a/k", b"second") is False
        assert store.get("a/k") == b"first"

    def test_of_many_creators_one_wins(self, store: ObjectStore) -> None:
        """Eight threads, one True, and the winner's bytes stand."""
        with ThreadPoolExecutor(8) as pool:
            won = list(pool.map(lambda n: store.create("k", bytes([n])), range(8)))
        assert won.count(True) == 1
        assert store.get("k") == bytes([won.index(True)])

    def test_stat_tells_size_and_time(self, store: ObjectStore) -> None:
        """Key, bytes, seconds since 1970."""
        store.create("a/k", b"12345")
        stat = store.stat("a/k")
        assert stat is not None
        assert (stat.key, stat.size) == ("a/k", 5)
        assert stat.modified > 1_600_000_000

    def test_what_is_not_there_is_missing(self, store: ObjectStore) -> None:
        """get raises, stat gives None, list is empty."""
        store.create("a/k", b"")
        for key in ("a", "a/k/x", "b", "a/kk"):
            assert store.stat(key) is None
            with pytest.raises(ObjectMissing, match=key):
                store.get(key)
        assert list(store.list("b")) == []

    def test_what_stands_there_is_compared_whole(self, store: ObjectStore) -> None:
        """A byte that differs, lacks or is too many tells; an object that is not there raises."""
        data = random.Random(3).randbytes((2 << 20) + 5)
        store.create("k", data)
        assert store.holds("k", data)
        assert store.holds("k", bytearray(data))
        assert not store.holds("k", data[:-1])
        assert not store.holds("k", data + b"x")
        assert not store.holds("k", data[:-1] + bytes([data[-1] ^ 1]))
        with pytest.raises(ObjectMissing):
            store.holds("other", data)

    @pytest.mark.parametrize("key", ODD_KEYS)
    def test_keys_are_taken_literally(self, store: ObjectStore, key: str) -> None:
        """No character means anything to the store."""
        store.create(key, b"1")
        assert store.get(key) == b"1"
        assert [stat.key for stat in store.list("")] == [key]

    def test_listing_is_in_byte_order_of_the_whole_key(self, store: ObjectStore) -> None:
        """Folders do not come first."""
        keys = ["a/b/c", "a.b", "a/b.c", "a0", "a/b0", "B", "é", "a/~"]
        for key in keys:
            store.create(key, b"")
        listed = [stat.key for stat in store.list("")]
        assert listed == sorted(keys, key=str.encode)

    def test_a_prefix_need_not_be_a_folder(self, store: ObjectStore) -> None:
        """It is the beginning of a key."""
        for key in ("t/1", "t/10/x", "t/2", "tt"):
            store.create(key, b"")
        assert [stat.key for stat in store.list("t/1")] == ["t/1", "t/10/x"]

    @pytest.mark.parametrize("after", ["", "c/0/000", "c/0/001", "c/0/~", "c/1/", "c/9", "d"])
    def test_listing_starts_after_a_key(self, store: ObjectStore, after: str) -> None:
        """Whether or not that key exists."""
        keys = [f"c/{part}/{number:03d}" for part in (0, 1, 10) for number in range(3)]
        for key in keys:
            store.create(key, b"")
        expected = [key for key in sorted(keys) if key > after]
        assert [stat.key for stat in store.list("c/", start_after=after)] == expected

    def test_listing_goes_on_past_a_thousand(self, store: ObjectStore) -> None:
        """Pages are the store's affair."""
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: store.create(f"n/{n:05d}", b""), range(1_050)))
        assert len(list(store.list("n/"))) == 1_050

    def test_it_can_be_checked_and_closed_twice(self, store: ObjectStore) -> None:
        """Neither creates anything."""
        store.check()
        assert list(store.list("")) == []
        store.close()
        store.close()
