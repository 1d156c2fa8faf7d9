"""The cluster: topics and their logs, one consumer group, and what is done to them from outside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random

from cdc_archive.changelog.position import TopicPartition
from simulation.group import Group
from simulation.log import DATA, OPEN, Log
from simulation.produced import Producer
from simulation.profile import Profile
from simulation.scheduler import Process, Scheduler

Note = Callable[[Process | None, str], None]


class Broker:
    """All of Kafka that a worker sees.

    Args:
        scheduler: time.
        rng: decides.
        profile: sizes and rates.
        archived: how far the archive's chain of a partition reaches at this moment, None: no chain.
        counts: what happened how often.
        note: writes the trace.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        rng: Random,
        profile: Profile,
        archived: Callable[[TopicPartition], int | None],
        counts: Counter[str],
        note: Note,
    ) -> None:
        self.scheduler, self.profile, self.counts, self.note = scheduler, profile, counts, note
        self._rng, self._archived = rng, archived
        self.source_fails = profile.source_fails
        self.watched = True
        self.producer = Producer(rng, profile.late_hours, profile.poison, profile.wide)
        self.logs: dict[TopicPartition, Log] = {}
        self.group = Group(
            scheduler, rng, profile, lambda: sorted(self.logs), self._hinted, counts
        )
        self._hints: dict[TopicPartition, int] = {}
        self._transactions = 0
        for topic, count in profile.partitions.items():
            for partition in range(count):
                self.create(TopicPartition(topic, partition))

    def create(self, place: TopicPartition) -> None:
        """A new, empty partition; its log may begin later than at 0."""
        first = self._rng.choice([0, 0, self._rng.randrange(20_000)])
        self.logs[place] = Log(first, self.scheduler.now)

    def produce(self) -> None:
        """A burst of messages on one partition, or on several in one transaction."""
        rng = self._rng
        places = sorted(self.logs)
        if rng.random() >= self.profile.transactions:
            self._append(rng.choice(places), DATA, None)
            return
        self._transactions += 1
        number = self._transactions
        touched = rng.sample(places, rng.randrange(1, min(3, len(places)) + 1))
        for place in touched:
            self._append(place, f"{OPEN}{number}", number)
        commit = rng.random() < 0.6
        self.counts["transactions aborted"] += not commit
        end = self.scheduler.now + rng.choice([0.0, rng.uniform(0, 60)])
        self.scheduler.at(end, lambda: self.end_transaction(number, commit=commit))

    def _append(self, place: TopicPartition, state: str, transaction: int | None) -> None:
        log, now = self.logs[place], self.scheduler.now
        for _ in range(self._rng.randrange(1, self.profile.burst + 1)):
            self.counts["messages"] += 1
            made = self.producer.message(place.topic, place.partition, log.end, now)
            log.append(state, made, transaction)

    def end_transaction(self, number: int, *, commit: bool) -> None:
        """Write its markers."""
        for log in self.logs.values():
            log.finish(number, commit=commit)

    def end_all_transactions(self) -> None:
        """Nothing stays open."""
        for number in range(1, self._transactions + 1):
            self.end_transaction(number, commit=True)

    def retain(self) -> None:
        """Retention deletes from the front, at times more than was read."""
        place = self._rng.choice(sorted(self.logs))
        log = self.logs[place]
        if log.start < log.stable_end:
            start = self._rng.randrange(log.start, log.stable_end) + 1
            log.retain_from(start, self.scheduler.now)
            self.counts["retentions"] += 1
            self.note(None, f"retention: {place} begins at {start}")

    def compact(self) -> None:
        """Compaction takes some messages out of the middle."""
        place = self._rng.choice(sorted(self.logs))
        removed = self.logs[place].compact(self._rng, self.scheduler.now, self._rng.random())
        self.counts["compacted messages"] += removed
        self.note(None, f"compaction: {removed} of {place}")

    def reset_offset(self) -> None:
        """Somebody sets the group's offset to whatever he likes."""
        place = self._rng.choice(sorted(self.logs))
        self.group.offsets[place] = self._rng.randrange(self.logs[place].end + 50)
        self.counts["offsets reset"] += 1

    def add_partition(self) -> None:
        """A topic grows."""
        topic = self._rng.choice(sorted({place.topic for place in self.logs}))
        place = TopicPartition(topic, sum(one.topic == topic for one in self.logs))
        self.create(place)
        self.counts["partitions added"] += 1
        self.note(None, f"new partition {place}")
        self.group.rebalance()

    def _hinted(self, place: TopicPartition, to: int) -> None:
        """Kafka's offset follows the archive, and no worker sets it back (I3)."""
        self.counts["offsets committed"] += 1
        if not self.watched:
            return
        archived = self._archived(place)
        assert archived is not None and to <= archived, (
            f"{place}: offset {to} was told to Kafka, but the archive ends at {archived}"
        )
        before = self._hints.get(place, 0)
        assert to >= before, f"{place}: Kafka's offset was set back from {before} to {to}"
        self._hints[place] = to
