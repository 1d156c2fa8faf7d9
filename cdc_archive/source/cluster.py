"""What a Kafka cluster says of topics and of a consumer group, and how it is asked."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple, Protocol

from cdc_archive.changelog.position import TopicPartition

EARLIEST: Final = -2
LATEST: Final = -1
"""In place of a time where an offset is asked for."""


class Replicas(NamedTuple):
    """How many copies of a topic partition there should be, and how many are in sync."""

    wanted: int
    in_sync: int


class GroupFacts(NamedTuple):
    """A consumer group: its state, how many members, and the offsets that it has committed."""

    state: str
    members: int
    offsets: Mapping[TopicPartition, int]


class ClusterAdmin(Protocol):
    """Asks a cluster; changes nothing. Every method raises SourceDenied or SourceBusy."""

    def brokers(self) -> int:
        """How many brokers there are."""
        ...

    def topics(self) -> Mapping[str, tuple[Replicas, ...]]:
        """All topics that we may see, with their partitions in order."""
        ...

    def operations(self, topics: Collection[str]) -> Mapping[str, frozenset[str]]:
        """What we may do with topics (`READ`, `DESCRIBE`, ...); a topic is left out if the broker
        does not tell.
        """
        ...

    def topic_config(self, topics: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        """The effective settings of topics."""
        ...

    def broker_config(self) -> Mapping[str, str]:
        """The effective settings of one broker."""
        ...

    def offsets(self, asked: Mapping[TopicPartition, int]) -> Mapping[TopicPartition, int]:
        """For each partition the first offset of a time (ms) or later, -1 if there is none; or
        EARLIEST or LATEST.
        """
        ...

    def group(self, name: str) -> GroupFacts:
        """A consumer group; one that does not exist has no members and no offsets."""
        ...

    def sizes(self, topics: Collection[str]) -> Mapping[TopicPartition, int] | None:
        """Bytes of each partition's log; None if this client cannot ask."""
        ...

    def close(self) -> None:
        """Free the connection."""
        ...


class PartitionFacts(NamedTuple):
    """A topic partition.

    `next_offset` is where the archive goes on, None if it has nothing of it. `an_hour_ago` is the
    end of the log one hour ago. `waits_since_ms` is the Kafka time (Unix, ms) of the oldest
    message that is not archived, None if there is none.
    """

    partition: int
    replicas: Replicas
    first: int | None = None
    end: int | None = None
    next_offset: int | None = None
    an_hour_ago: int | None = None
    waits_since_ms: int | None = None
    size: int | None = None

    @property
    def lag(self) -> int | None:
        """Messages that the log holds and the archive does not; None: not known."""
        if self.end is None or self.first is None:
            return None
        return max(0, self.end - max(self.first, self.next_offset or 0))


class TopicLook(NamedTuple):
    """A topic: its partitions, its settings, what we may do with it (None: not to be seen)."""

    name: str
    partitions: tuple[PartitionFacts, ...]
    config: Mapping[str, str] | None
    operations: frozenset[str] | None = None


class ClusterFacts(NamedTuple):
    """A cluster as the archive depends on it.

    `names` are all topics that we may see, `topics` those that the archive reads, `missing` those
    that it should read and that are not there. `unseen` says of facts why they are not here.
    """

    now_ms: int
    brokers: int
    names: tuple[str, ...]
    topics: tuple[TopicLook, ...]
    missing: tuple[str, ...] = ()
    broker_config: Mapping[str, str] = {}
    group: GroupFacts | None = None
    unseen: Mapping[str, str] = {}
    servers: str = ""
