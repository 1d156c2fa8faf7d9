"""A seeded world: workers that come, go, crash, sleep and wake; a store that fails; one log.

It drives the real worker over the real encoding. The same seed gives the same run. The checker
(tests/support/independent style) reads only what the store holds, not by the archive's reader.
"""

from __future__ import annotations

import hashlib
import io
import json
import random
from collections import defaultdict

import fastavro
from support.build import change, message
from support.faulty_store import FaultyStore
from support.simulated_source import SimulatedSource
from support.workshop import Later, Workshop

from cdc_archive.changelog.position import TopicPartition
from cdc_archive.errors import StateUnknown, StoreUnreachable
from cdc_archive.source.message import Message
from cdc_archive.storage.memory import MemoryStore
from cdc_archive.storage.object_store import ObjectStore
from cdc_archive.storage.retry import Patience, RetryingStore
from cdc_archive.worker.limits import Limits

TOPIC = "pg.app.t"


def produced(rng: random.Random, partition: int, offset: int) -> Message:
    """A change of some table and hour; now and then poison or a tombstone."""
    kind = rng.random()
    hour = rng.randrange(4) * 3_600_000
    value = change(
        ts_ms=1_771_516_800_000 + hour, table=f"t{rng.randrange(3)}", after={"n": offset}
    )
    if kind < 0.05:
        value = b"poison %d" % offset
    elif kind < 0.1:
        return message(None, topic=TOPIC, partition=partition, offset=offset)
    return message(value, topic=TOPIC, partition=partition, offset=offset)


class World:
    """One run.

    Args:
        seed: decides everything.
        limits: of every worker's batches.
    """

    def __init__(self, seed: int, limits: Limits | None = None) -> None:
        self.rng = random.Random(seed)
        self.store = MemoryStore()
        self.limits = limits or Limits(
            commit_records=7, commit_age_s=5, hour_grace_s=3, memory_budget_bytes=60_000
        )
        self.log: dict[TopicPartition, list[Message]] = defaultdict(list)
        self.owners: dict[TopicPartition, Workshop | None] = {}
        self.workers: list[Workshop] = []
        self.sleepers: list[Workshop] = []
        self.everyone: list[Workshop] = []
        for number in range(3):
            self.owners[TopicPartition(TOPIC, number)] = None

    def run(self, steps: int) -> None:
        """Random events, then calm: one worker finishes the rest."""
        often = (self.produce, self.step, self.upload)
        events = (*often, *often, self.step, *often, self.join, self.move, self.crash)
        events += (self.sleep, self.wake) * 2
        for _ in range(steps):
            self.rng.choice(events)()
        self.sleepers += self.workers
        self.workers = []
        for partition in self.owners:
            self.owners[partition] = None
        last = self._worker(faults=0.0, slow=False)
        last.run()
        for sleeper in self.sleepers:  # whoever slept wakes after all is done
            self._quietly(sleeper, sleeper.submit.run)
            for _ in range(3):
                self._quietly(sleeper, sleeper.worker.step)

    def produce(self) -> None:
        """Some messages, with holes where a transaction marker stands."""
        partition = self.rng.choice([*self.owners])
        log = self.log[partition]
        offset = log[-1].offset + 1 if log else 0
        for _ in range(self.rng.randrange(1, 9)):
            offset += self.rng.random() < 0.1
            log.append(produced(self.rng, partition.partition, offset))
            offset += 1
        for worker in self.workers + self.sleepers:
            worker.source.log = self.log

    def _worker(self, faults: float = 0.15, *, slow: bool = True) -> Workshop:
        source = SimulatedSource([], batch=self.rng.randrange(1, 12))
        source.log = self.log
        faulty = FaultyStore(self.store, random.Random(self.rng.random()), faults)
        patience = Patience(2, lambda _: None, _Ticks(), lambda low, high: high)
        submit = Later()
        if slow:
            shop = Workshop(source, RetryingStore(faulty, patience), self.limits, submit)
            shop.submit = submit
        else:
            shop = Workshop(source, self.store, self.limits)
            shop.submit = submit
        self.everyone.append(shop)
        return shop

    @property
    def joined(self) -> int:
        """How many workers there were."""
        return len(self.everyone)

    @property
    def fences(self) -> int:
        """How often a worker was too late."""
        return sum(len(shop.notes.fences) for shop in self.everyone)

    def named_files(self) -> int:
        """How many data files commits name."""
        commits = [json.loads(self.store.get(stat.key)) for stat in self.store.list("commits/")]
        return sum(f["kind"] == "changes" for commit in commits for f in commit["files"])

    def join(self) -> None:
        """A new worker takes some partitions over."""
        try:
            shop = self._worker()
        except (StoreUnreachable, StateUnknown):
            return
        shop.source.open = lambda listener: setattr(shop.source, "listener", listener)
        shop.source.open(shop.assignment)
        self.workers.append(shop)
        for partition in self.owners:
            if self.rng.random() < 0.5:
                self._give(partition, shop)

    def move(self) -> None:
        """A partition goes from one worker to another, announced or not."""
        if self.workers:
            self._give(self.rng.choice([*self.owners]), self.rng.choice(self.workers))

    def _give(self, partition: TopicPartition, to: Workshop) -> None:
        owner = self.owners[partition]
        if owner is to or not self.log[partition]:
            return
        if owner in self.workers:
            (owner.source.revoke if self.rng.random() < 0.6 else owner.source.lose)(partition)
            self._quietly(owner, owner.worker.step)
        to.source.assign(partition)
        self.owners[partition] = to

    def step(self) -> None:
        """One turn of a worker's loop; time passes."""
        if self.workers:
            worker = self.rng.choice(self.workers)
            worker.clock.now += self.rng.choice([0, 0.5, 2, 30])
            self._quietly(worker, worker.worker.step)

    def upload(self) -> None:
        """What a worker handed to the store is done."""
        if self.workers:
            worker = self.rng.choice(self.workers)
            self._quietly(worker, worker.submit.run)

    def crash(self) -> None:
        """Gone without a word."""
        if self.workers and self.rng.random() < 0.5:
            self.workers.remove(self.rng.choice(self.workers))

    def sleep(self) -> None:
        """Stops in the middle, and does not know that others take over."""
        if self.workers and self.rng.random() < 0.5:
            worker = self.rng.choice(self.workers)
            self.workers.remove(worker)
            self.sleepers.append(worker)

    def wake(self) -> None:
        """Goes on where it stopped: a zombie."""
        if self.sleepers:
            worker = self.sleepers.pop(self.rng.randrange(len(self.sleepers)))
            self._quietly(worker, worker.submit.run)
            self.workers.append(worker)

    def _quietly(self, worker: Workshop, act: object) -> None:
        """A worker whose store stays away ends, as a process would."""
        try:
            act()
        except (StoreUnreachable, StateUnknown):
            if worker in self.workers:
                self.workers.remove(worker)


class _Ticks:
    """A clock that moves a little each time it is read."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 0.1
        return self.now


def check(store: ObjectStore, log: dict[TopicPartition, list[Message]]) -> None:
    """Every message once, as it was produced, and a chain without a break."""
    for partition, messages in log.items():
        expected = {one.offset: one for one in messages}
        found: dict[int, object] = {}
        previous, sequence, end = None, 0, messages[0].offset
        while stat := store.stat(
            f"commits/{partition.topic}/{partition.partition}/{sequence:012d}.json"
        ):
            data = store.get(stat.key)
            commit = json.loads(data)
            assert (commit["previous"], commit["sequence"], commit["from"]) == (
                previous,
                sequence,
                end,
            )
            previous, sequence, end = hashlib.sha256(data).hexdigest(), sequence + 1, commit["to"]
            for low, high in commit["absent"]:
                for offset in range(low, high):
                    assert offset not in expected, (
                        f"{partition}: offset {offset} is said to be absent"
                    )
                    found[offset] = None
            for file in commit["files"]:
                content = store.get(file["key"])
                assert hashlib.sha256(content).hexdigest() == file["sha256"]
                for record in fastavro.reader(io.BytesIO(content)):
                    offset = record["offset"]
                    assert offset not in found, f"{partition}: offset {offset} stands twice"
                    found[offset] = record
                    _same(record, expected[offset])
        missing = expected.keys() - found.keys()
        assert not missing, f"{partition}: offsets {sorted(missing)[:5]} are not archived"
        assert end == messages[-1].offset + 1


def _same(record: dict, sent: Message) -> None:
    assert (record["topic"], record["partition"], record["key"]) == (
        sent.topic,
        sent.partition,
        sent.key,
    )
    if "reason" in record:
        assert record["value"] == sent.value
    elif sent.value is not None:
        assert json.loads(record["after"]) == json.loads(sent.value)["after"]
