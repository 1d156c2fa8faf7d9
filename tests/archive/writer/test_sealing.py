"""Hours are sealed one after the other, and every commit stands in just one digest."""

from __future__ import annotations

import contextlib
import itertools
import json
import random
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.faulty_store import FaultyStore
from support.sealed import BEGUN, GRACE, HOUR, Keeper, key

from cdc_archive.archive.format import digest as digests
from cdc_archive.archive.format.layout import commit_key
from cdc_archive.archive.reader.digests import Digests
from cdc_archive.archive.reader.keyring import Keyring
from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.archive.writer import signing_keys
from cdc_archive.archive.writer.sealing import Sealer
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.errors import ArchiveDamaged, KeyRefused, Retry, StateUnknown
from cdc_archive.storage.memory import MemoryStore

API_KEY = TopicPartition("pg.app.api_key", 0)


@pytest.fixture
def keeper() -> Keeper:
    return Keeper(MemoryStore(), key())


def sealed(keeper: Keeper) -> list[digests.Digest]:
    found = ArchiveReader(keeper.store).digests
    return [found.read(one).digest for one in found.listed()]


def seal(keeper: Keeper, sealer: Sealer | None = None) -> list[str]:
    return [one.key for one in (sealer or keeper.sealer()).due()]


def test_an_hour_is_sealed_when_its_grace_is_over(keeper: Keeper) -> None:
    keeper.now = BEGUN + HOUR + GRACE - 1
    assert seal(keeper) == []
    keeper.now += 1
    assert seal(keeper) == ["digests/2026/02/19/16.json"]
    assert seal(keeper) == []


def test_hours_without_a_commit_are_sealed_too(keeper: Keeper) -> None:
    keeper.commit()
    keeper.now = BEGUN + 30 * HOUR
    assert len(seal(keeper)) == 29
    found = sealed(keeper)
    assert [len(chain.commits) for one in found for chain in one.chains] == [1] + 28 * [0]
    assert [one.sequence for one in found] == [*range(29)]
    assert all(a.end == b.start for a, b in itertools.pairwise(found))


def test_each_digest_names_the_bytes_of_the_one_before(keeper: Keeper) -> None:
    keeper.now = BEGUN + 4 * HOUR
    seal(keeper)
    reader = ArchiveReader(keeper.store).digests
    found = [reader.read(one) for one in reader.listed()]
    assert [one.digest.previous for one in found] == [None, *(one.sha256 for one in found[:-1])]


def test_a_digest_holds_the_commits_to_the_byte(keeper: Keeper) -> None:
    keeper.commit()
    keeper.commit("pg.app.user", 2)
    keeper.now = BEGUN + 2 * HOUR
    seal(keeper)
    (digest, *_) = sealed(keeper)
    for chain in digest.chains:
        (one,) = chain.commits
        stored = keeper.store.get(commit_key(chain.topic_partition, 0))
        assert bytes(one.commit) == stored
        assert digests.opened(one, "x").topic_partition == chain.topic_partition
    assert digest.counts == {"lab.app.t": {"c": 6}}


def test_a_commit_that_shows_up_late_is_in_the_next_digest(keeper: Keeper) -> None:
    keeper.now = BEGUN + 2 * HOUR
    seal(keeper)
    keeper.now = BEGUN + HOUR / 2  # a writer whose clock lags
    keeper.commit()
    keeper.now = BEGUN + 3 * HOUR
    seal(keeper)
    assert [len(one.chains) for one in sealed(keeper)] == [0, 1]


def test_a_commit_of_the_next_hour_waits_for_its_digest(keeper: Keeper) -> None:
    keeper.commit()
    keeper.now = BEGUN + HOUR + 60
    keeper.commit()
    keeper.now = BEGUN + HOUR + GRACE
    seal(keeper)
    keeper.now = BEGUN + 2 * HOUR + GRACE
    seal(keeper)
    assert [len(one.chains[0].commits) for one in sealed(keeper)] == [1, 1]


def test_a_commit_from_the_future_does_not_hold_up_those_after_it(keeper: Keeper) -> None:
    keeper.now = BEGUN + 500 * HOUR
    keeper.commit()
    keeper.now = BEGUN + 60
    keeper.commit()
    keeper.now = BEGUN + 2 * HOUR
    seal(keeper)
    assert len(sealed(keeper)[0].chains[0].commits) == 2


def test_a_digest_that_is_full_leaves_the_rest_to_the_next(keeper: Keeper) -> None:
    for _ in range(5):
        keeper.commit()
    keeper.now = BEGUN + 7 * HOUR
    seal(keeper, keeper.sealer(soft_bytes=1000))
    counts = [len(one.chains[0].commits) for one in sealed(keeper)]
    assert sum(counts) == 5
    assert max(counts) < 5


@given(
    st.lists(
        st.tuples(st.sampled_from(["commit", "hour", "back", "seal", "now"]), st.integers(0, 2)),
        max_size=25,
    )
)
@settings(max_examples=60, deadline=None)
def test_every_commit_stands_in_one_digest_whoever_seals(steps: list[tuple[str, int]]) -> None:
    """Three workers, clocks that lag, hours sealed late or early."""
    keeper = Keeper(MemoryStore(), key())
    sealers, hours = [keeper.sealer() for _ in range(3)], 0.0
    for step, which in steps:
        keeper.now = BEGUN + hours * HOUR
        if step == "commit":
            keeper.commit("pg.app.t", which, 1)
        elif step == "hour":
            hours += (1 + which) / 2
        elif step == "back":
            keeper.now -= 2000
            keeper.commit("pg.app.t", which, 1)
        elif step == "seal":
            seal(keeper, sealers[which])
        else:
            sealers[which].now()
    keeper.now = BEGUN + (hours + 2) * HOUR
    sealers[0].now()
    found = sealed(keeper)
    in_digests = Counter(
        (chain.topic_partition, one.sha256)
        for digest in found
        for chain in digest.chains
        for one in chain.commits
    )
    reader = ArchiveReader(keeper.store)
    links = [(one, link.sha256) for one in reader.partitions() for link in reader.links(one)]
    assert in_digests == Counter(links)
    assert all(a.end == b.start for a, b in itertools.pairwise(found))


def test_the_ledger_of_losses_goes_on_from_digest_to_digest(keeper: Keeper) -> None:
    from cdc_archive.archive.format.commit import Writer
    from cdc_archive.archive.reader import chain
    from cdc_archive.archive.writer.committer import Committer
    from cdc_archive.changelog.position import OffsetRange

    keeper.commit()
    archive = ArchiveReader(keeper.store).info.id
    committer = Committer(keeper.store, archive, Writer("t", "0", "w"), lambda: keeper.now)
    head = chain.head(keeper.store, archive, API_KEY)
    committer.accept_gap(API_KEY, head, OffsetRange(3, 9), "retention", "somebody")
    keeper.now = BEGUN + 3 * HOUR
    seal(keeper)
    for digest in sealed(keeper):
        (one,) = digest.gaps
        assert (one.topic, one.sequence, one.gap.start, one.gap.end) == (API_KEY.topic, 1, 3, 9)


def test_one_of_two_sealers_wins_and_the_other_goes_on_from_it(keeper: Keeper) -> None:
    one, other = keeper.sealer(), keeper.sealer()
    keeper.commit()
    keeper.now = BEGUN + HOUR + GRACE
    assert seal(keeper, one)
    keeper.now = BEGUN + 2 * HOUR + GRACE
    assert len(seal(keeper, other)) == 1
    assert len(seal(keeper, one)) == 0
    assert [one.sequence for one in sealed(keeper)] == [0, 1]


class _LosesOneAnswer(FaultyStore):
    """The first digest is stored, but that is not told."""

    def __init__(self, inner: MemoryStore) -> None:
        super().__init__(inner, random.Random(1), 0)
        self._lost = False

    def create(self, key: str, data: bytes) -> bool:
        created = self.inner.create(key, data)
        if key.startswith("digests/") and not self._lost:
            self._lost = True
            raise StateUnknown(f"{key}: cut off after it was done")
        return created


def test_a_lost_answer_seals_once() -> None:
    store = MemoryStore()
    keeper = Keeper(_LosesOneAnswer(store), key())
    keeper.commit()
    keeper.now = BEGUN + HOUR + GRACE
    with pytest.raises(StateUnknown):
        seal(keeper)
    keeper.now += HOUR
    assert len(seal(keeper)) == 1
    assert [one.sequence for one in sealed(keeper)] == [0, 1]


def test_up_to_now_seals_within_the_hour_and_the_next_goes_on_from_there(keeper: Keeper) -> None:
    keeper.commit()
    keeper.now = BEGUN + 1425
    sealed_now = keeper.sealer().now()
    assert sealed_now is not None
    assert sealed_now.key == "digests/2026/02/19/16+2345.json"
    keeper.commit()
    keeper.now = BEGUN + HOUR + GRACE
    assert seal(keeper) == ["digests/2026/02/19/16.json"]
    found = sealed(keeper)
    assert [len(one.chains[0].commits) for one in found] == [1, 1]
    assert found[1].start == found[0].end == "2026-02-19T16:23:45+00:00"


def test_the_last_digest_is_found_after_idle_months(keeper: Keeper) -> None:
    keeper.now = BEGUN + 2 * HOUR
    seal(keeper)
    later = datetime.fromtimestamp(BEGUN, UTC) + timedelta(days=400)
    archive = ArchiveReader(keeper.store).info.id
    last = Digests(keeper.store, archive).newest(datetime.fromtimestamp(BEGUN, UTC), later)
    assert last is not None
    assert last.key == "digests/2026/02/19/16.json"


def test_an_altered_chain_is_not_sealed(keeper: Keeper) -> None:
    keeper.commit()
    keeper.now = BEGUN + HOUR + GRACE
    seal(keeper)
    stored, other = json.loads(keeper.store.get(commit_key(API_KEY, 0))), MemoryStore()
    stored["committed_at"] = "2026-02-19T16:00:01.000+00:00"
    for one in keeper.store.list(""):
        data = keeper.store.get(one.key)
        other.create(one.key, json.dumps(stored).encode() if "commits/" in one.key else data)
    forged = Keeper(other, keeper.signer)
    forged.now = keeper.now + HOUR
    with pytest.raises(ArchiveDamaged, match="is not the one that the last digest names"):
        seal(forged)


class TestKeys:
    def test_the_first_key_makes_itself_known_and_signs(self, keeper: Keeper) -> None:
        keeper.now = BEGUN + HOUR + GRACE
        seal(keeper)
        found = ArchiveReader(keeper.store).digests
        ring = Keyring(found.key_records())
        last = found.read("digests/2026/02/19/16.json")
        assert last.digest.signature is not None
        assert ring.signed(last.digest.signature, last.signed)
        assert not Keyring(found.key_records(), [key().public_key]).signed(
            last.digest.signature, last.signed
        )

    def test_another_key_may_not_sign_unless_the_first_vouches_for_it(self, keeper: Keeper) -> None:
        keeper.now = BEGUN + HOUR + GRACE
        seal(keeper)
        keeper.now += HOUR
        other = key()
        with pytest.raises(KeyRefused, match="may not sign"):
            seal(keeper, keeper.sealer(other))
        assert keeper.signer is not None
        archive = ArchiveReader(keeper.store).info.id
        signing_keys.rotate(keeper.store, archive, keeper.signer, other, lambda: keeper.now)
        assert seal(keeper, keeper.sealer(other))

    def test_a_key_that_was_replaced_signs_no_more(self, keeper: Keeper) -> None:
        keeper.now = BEGUN + HOUR + GRACE
        seal(keeper)
        archive = ArchiveReader(keeper.store).info.id
        assert keeper.signer is not None
        signing_keys.rotate(keeper.store, archive, keeper.signer, key(), lambda: keeper.now)
        keeper.now += HOUR
        with pytest.raises(KeyRefused, match="sign no more"):
            seal(keeper)

    def test_a_signed_archive_is_not_sealed_without_a_key(self, keeper: Keeper) -> None:
        keeper.now = BEGUN + HOUR + GRACE
        seal(keeper)
        keeper.signer, keeper.now = None, keeper.now + HOUR
        with pytest.raises(KeyRefused, match="are signed"):
            seal(keeper)

    def test_a_key_may_come_later_to_an_archive_that_was_not_signed(self) -> None:
        keeper = Keeper(MemoryStore())
        keeper.now = BEGUN + HOUR + GRACE
        seal(keeper)
        keeper.signer, keeper.now = key(), keeper.now + HOUR
        assert seal(keeper)
        assert [one.signature is None for one in sealed(keeper)] == [True, False]

    def test_nothing_is_built_on_a_digest_that_no_key_signed(self, keeper: Keeper) -> None:
        keeper.now = BEGUN + HOUR + GRACE
        seal(keeper)
        forger = Keeper(MemoryStore())
        for one in keeper.store.list(""):
            if "keys/" not in one.key:
                forger.store.create(one.key, keeper.store.get(one.key))
        forger.now = keeper.now + HOUR
        seal(forger)
        forged = "digests/2026/02/19/17.json"
        keeper.store.create(forged, forger.store.get(forged))
        keeper.now += 2 * HOUR
        with pytest.raises(ArchiveDamaged, match="not signed by a key"):
            seal(keeper)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=30, deadline=None)
def test_a_store_that_fails_at_any_call_leaves_a_whole_chain_of_digests(seed: int) -> None:
    """Answers are lost, listings break off; each worker tries again, or another does."""
    keeper, rng = Keeper(MemoryStore(), key()), random.Random(seed)
    whole = keeper.store
    for hour in range(4):
        keeper.now = BEGUN + hour * HOUR
        keeper.commit("pg.app.t", hour % 2, 1)
        keeper.now += HOUR + GRACE
        keeper.store = FaultyStore(whole, rng, 0.1)
        for _ in range(200):
            with contextlib.suppress(Retry):
                seal(keeper)
                break
        keeper.store = whole
    found = sealed(keeper)
    assert [one.sequence for one in found] == [0, 1, 2, 3]
    assert [sum(len(c.commits) for c in one.chains) for one in found] == [1, 1, 1, 1]
