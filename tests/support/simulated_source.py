"""A topic in memory that plays a consumer group's broker: assignment, seek, pause, redelivery."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from cdc_archive.changelog.position import OffsetRange, TopicPartition
from cdc_archive.source.message import Message
from cdc_archive.source.out_of_range import out_of_range
from cdc_archive.source.source import NO_FACTS, AssignmentListener, TopicFacts


class SimulatedSource:
    """Implements the source's port over lists of messages.

    Args:
        messages: the log; offsets of a partition rise, holes are offsets absent from the log.
        batch: most messages of one poll.
        log_start: first offset that the log still holds, by partition.
    """

    def __init__(
        self,
        messages: Iterable[Message],
        batch: int = 100,
        log_start: Mapping[TopicPartition, int] | None = None,
    ) -> None:
        self.log: dict[TopicPartition, list[Message]] = {}
        for message in messages:
            self.append(message)
        self.batch = batch
        self.log_start = dict(log_start or {})
        self.positions: dict[TopicPartition, int] = {}
        self.paused: set[TopicPartition] = set()
        self.committed: list[tuple[TopicPartition, int]] = []
        self.finite = True
        self.closed = False
        self.topics: dict[str, TopicFacts] = {}
        self._pending: list[tuple[str, list[TopicPartition]]] = []

    def append(self, message: Message) -> None:
        """Produce one more message."""
        self.log.setdefault(TopicPartition(message.topic, message.partition), []).append(message)

    def open(self, listener: AssignmentListener) -> None:
        self.listener = listener
        self.assign(*self.log)

    def assign(self, *partitions: TopicPartition) -> None:
        """At the next poll these partitions are ours."""
        self._pending.append(("assigned", list(partitions)))

    def revoke(self, *partitions: TopicPartition) -> None:
        """At the next poll these partitions are asked back."""
        self._pending.append(("revoked", list(partitions)))

    def lose(self, *partitions: TopicPartition) -> None:
        """At the next poll these partitions turn out to be another's."""
        self._pending.append(("lost", list(partitions)))

    def _rebalance(self) -> None:
        pending, self._pending = self._pending, []
        for what, partitions in pending:
            if what == "assigned":
                starts = self.listener.on_assigned(partitions)
                for partition in partitions:
                    self.positions[partition] = starts.get(partition, 0)
                    self.paused.discard(partition)
                continue
            getattr(self.listener, f"on_{what}")(partitions)
            for partition in partitions:
                self.positions.pop(partition, None)

    def poll(self, timeout_s: float) -> Sequence[Message]:
        self._rebalance()
        out: list[Message] = []
        for partition, position in self.positions.items():
            if partition in self.paused:
                continue
            start = self.log_range(partition).start
            if position < start:
                raise out_of_range(partition, position, self.log_range(partition))
            new = [m for m in self.log[partition] if m.offset >= position]
            new = new[: self.batch - len(out)]
            out += new
            if new:
                self.positions[partition] = new[-1].offset + 1
        return out

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.positions[partition] = offset

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        self.paused |= set(partitions)

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        self.paused -= set(partitions)

    def log_range(self, partition: TopicPartition) -> OffsetRange:
        log = self.log[partition]
        start = self.log_start.get(partition, log[0].offset if log else 0)
        return OffsetRange(start, log[-1].offset + 1 if log else start)

    def topic_facts(self, topic: str) -> TopicFacts:
        return self.topics.get(topic, NO_FACTS)

    def position(self, partition: TopicPartition) -> int | None:
        return self.positions.get(partition)

    def lag(self, partition: TopicPartition) -> int | None:
        return self.log_range(partition).end - (self.position(partition) or 0)

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        self.committed += offsets.items()

    @property
    def exhausted(self) -> bool:
        return (
            self.finite
            and not self._pending
            and all(self.lag(partition) == 0 for partition in self.positions)
        )

    def close(self) -> None:
        self.closed = True
