"""The cluster: topics and their logs, one consumer group, and what is done to them from outside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random

from cdc_archive.changelog.position import TopicPartition
from cdc_archive.source.source import TopicFacts
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
        self.topic_ids: dict[str, str] = {}
        self.logs: dict[TopicPartition, Log] = {}
        self.history: dict[TopicPartition, list[Log]] = {}
        self.group = Group(scheduler, rng, profile, lambda: sorted(self.logs), self._hinted, counts)
        self._hints: dict[TopicPartition, int] = {}
        self._transactions = 0
        for topic, count in profile.partitions.items():
            self._make(topic, count, old=True)

    def _make(self, topic: str, count: int, *, old: bool) -> None:
        """A topic; the log of an old one may begin later than at 0."""
        self.topic_ids[topic] = f"{self._rng.getrandbits(64):016x}"
        for number in range(count):
            first = self._rng.choice([0, 0, self._rng.randrange(20_000)]) if old else 0
            self._make_log(TopicPartition(topic, number), first)

    def _make_log(self, place: TopicPartition, first: int) -> None:
        log = Log(first, self.scheduler.now, self.topic_ids[place.topic])
        self.logs[place] = log
        self.history.setdefault(place, []).append(log)

    def facts(self, topic: str) -> TopicFacts:
        """What a broker tells of a topic; an old one knows of no ids."""
        count = sum(place.topic == topic for place in self.logs)
        return TopicFacts(self.topic_ids[topic] if self.profile.topic_ids else None, count)

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
        self._make_log(place, 0)
        self.counts["partitions added"] += 1
        self.note(None, f"new partition {place}")
        self.group.rebalance()

    def make_again(self) -> None:
        """A topic is deleted and made again: the same name, another id, offsets from 0 on."""
        topic = self._rng.choice(sorted(self.topic_ids))
        if not self.profile.topic_ids:
            return
        for place in [place for place in self.logs if place.topic == topic]:
            self.logs.pop(place).deleted_at = self.scheduler.now
            self.group.offsets.pop(place, None)
            self._hints.pop(place, None)
        self._make(topic, self._rng.randrange(1, 4), old=False)
        self.counts["topics made again"] += 1
        self.note(None, f"{topic} is made again, id {self.topic_ids[topic]}")
        self.group.rebalance()

    def _hinted(self, place: TopicPartition, to: int) -> None:
        """Kafka's offset follows the archive, and no worker sets it back (I3)."""
        self.counts["offsets committed"] += 1
        if not self.watched:
            return
        if len(self.history[place]) > 1:  # offsets of the old log and of the new one
            return
        archived = self._archived(place)
        assert archived is not None, f"{place}: Kafka was told of {to} before any commit"
        assert to <= archived, (
            f"{place}: offset {to} was told to Kafka, but the archive ends at {archived}"
        )
        before = self._hints.get(place, 0)
        assert to >= before, f"{place}: Kafka's offset was set back from {before} to {to}"
        self._hints[place] = to
