"""The port to a stream of messages. Implemented by kafka, librdkafka and recorded.

The archive is the offset store (I3): a source never decides where to start. Whoever owns a
partition seeks it to the archive's head before the first message of it may be polled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from cdc_archive.changelog.position import OffsetRange, TopicPartition
from cdc_archive.source.message import Message


class TopicFacts(NamedTuple):
    """What the cluster says of a topic: its id (as Kafka's tools show it), its count of partitions.

    None: untold, by a broker before 2.8 or of a topic that is not there. A topic that was deleted
    and made again has the name of the old one, and another id (KIP-516).
    """

    id: str | None = None
    partitions: int | None = None


NO_FACTS: Final = TopicFacts()


class AssignmentListener(Protocol):
    """Told of every change of ownership, on the polling thread, inside `poll`."""

    def on_assigned(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """These partitions are ours *in addition to* those held (eager and cooperative alike).

        Returns:
            for each of them the offset at which to start; the source seeks there before any
            message of the partition is handed out. A partition that is left out starts at the
            first offset that its log still holds.
        """
        ...

    def on_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """These partitions are about to go to another member: last chance to commit."""
        ...

    def on_lost(self, partitions: Sequence[TopicPartition]) -> None:
        """These partitions belong to another member already: drop, never commit."""
        ...


class Source(Protocol):
    """A member of a consumer group, or something that plays one."""

    def open(self, listener: AssignmentListener) -> None:
        """Connect, check that every configured topic exists, and join the group.

        Raises:
            SourceUnreachable: no broker answers within the configured time.
            SourceDenied: credentials, certificate or access refused.
            TopicMissing: a topic named in the settings does not exist.
        """
        ...

    def poll(self, timeout_s: float) -> Sequence[Message]:
        """The next messages of all partitions that are not paused; empty after `timeout_s` seconds.

        Messages of one partition come in offset order, each offset once unless it was sought again.

        Raises:
            OffsetGap: the log does not hold the offset that a partition is to read next. The
                message names topic partition, the offset wanted and the range that the log holds.
            SourceUnreachable, SourceDenied: as for `open`, when a running consumer loses access
                for good. Passing disconnections are retried by the client and not raised.
        """
        ...

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Let the next poll of an owned partition begin at `offset`."""
        ...

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        """Hand out no message of these owned partitions until `resume`; membership goes on."""
        ...

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        """Undo `pause`."""
        ...

    def log_range(self, partition: TopicPartition) -> OffsetRange:
        """The offsets that the log holds now: [first still held, next to be written).

        With read_committed the end is the last stable offset. Blocks for at most some seconds.
        """
        ...

    def topic_facts(self, topic: str) -> TopicFacts:
        """What the cluster says of a topic now, asked anew. May be called from any thread.

        Raises:
            SourceBusy: no broker answers now; the same question may be answered later.
        """
        ...

    def position(self, partition: TopicPartition) -> int | None:
        """The offset after all that was handed out of an owned partition, and after what is no
        message (transaction markers, aborted messages) up to there; None if unknown.
        """
        ...

    def lag(self, partition: TopicPartition) -> int | None:
        """Messages between our position and the end as the client last heard; None if unknown."""
        ...

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Tell the group the next offset to read, as a hint for lag displays only (I3).

        Failure is not an error: it is logged by the source and forgotten.
        """
        ...

    @property
    def exhausted(self) -> bool:
        """True when no message can ever come again (a recorded file at its end)."""
        ...

    def close(self) -> None:
        """Leave the group at once and free all connections; may be called twice."""
        ...
