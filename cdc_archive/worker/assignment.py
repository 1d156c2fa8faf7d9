"""What this worker owns: taken up at the chain's head, given up with a commit or with nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter

import structlog

from cdc_archive.archive.reader.chain import Head
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.errors import Fenced
from cdc_archive.source.out_of_range import out_of_range
from cdc_archive.source.source import Source, TopicFacts
from cdc_archive.worker.checkpoint import Checkpoint, ReadHead
from cdc_archive.worker.limits import REVOKED
from cdc_archive.worker.owned import OpenBatch, Owned
from cdc_archive.worker.topics import Topics, require_same_topic

_log = structlog.get_logger(__name__)

FirstCount = Callable[[TopicPartition], int | None]
"""Partitions of the topic as the first commit of a chain tells; None: no chain, or untold."""


class Assignment:
    """The listener that the source tells of changes of ownership.

    Args:
        source: asked for the log's range where there is no chain yet.
        checkpoint: commits on revoke.
        read_head: finds a chain's head: the archive is the offset store (I3).
        open_batch: opens a partition's first batch.
        monotonic: seconds.
        revoke_deadline_s: how long a revoke may take to commit what was read.
        topics: whether a topic is still the same.
        first_count: how many partitions the topic had at a chain's first commit.
    """

    def __init__(
        self,
        source: Source,
        checkpoint: Checkpoint,
        read_head: ReadHead,
        open_batch: OpenBatch,
        monotonic: Callable[[], float],
        revoke_deadline_s: float,
        topics: Topics,
        first_count: FirstCount = lambda _: None,
    ) -> None:
        self._source = source
        self._checkpoint = checkpoint
        self._read_head = read_head
        self._open_batch = open_batch
        self._monotonic = monotonic
        self._revoke_deadline_s = revoke_deadline_s
        self._topics = topics
        self._first_count = first_count
        self.owned: dict[TopicPartition, Owned] = {}

    def on_assigned(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Find each partition's head and begin there; a new chain begins where the log does.

        Raises:
            OffsetGap: a topic is not the one that its chains belong to, or a partition that was
                added to an archived topic has lost its first messages already.
        """
        starts: dict[TopicPartition, int] = {}
        for topic, numbers in groupby(sorted(partitions), key=attrgetter("topic")):
            heads = {partition: self._read_head(partition) for partition in numbers}
            facts = self._topics.facts(topic)  # newer than the heads, or they would seem foreign
            require_same_topic(self._source, heads, facts)
            for partition, head in heads.items():
                starts[partition] = self._take_up(partition, head, facts)
        return starts

    def _take_up(self, partition: TopicPartition, head: Head | None, facts: TopicFacts) -> int:
        start = head.next_offset if head is not None else self._first_offset(partition, facts)
        self.owned[partition] = Owned(
            partition, head, start, self._open_batch, self._monotonic(), facts
        )
        sequence = None if head is None else head.sequence
        _log.info("partition assigned", partition=str(partition), start=start, head=sequence)
        return start

    def _first_offset(self, partition: TopicPartition, facts: TopicFacts) -> int:
        """Where a new chain begins. A partition that came later must be whole from offset 0."""
        held = self._source.log_range(partition)
        if held.start > 0 and self._was_added(partition):
            raise out_of_range(partition, 0, held, facts.id)
        return held.start

    def _was_added(self, partition: TopicPartition) -> bool:
        """Whether a sibling's first commit knows of fewer partitions than this one's number."""
        for number in range(partition.partition):
            count = self._first_count(TopicPartition(partition.topic, number))
            if count is not None:
                return partition.partition >= count
        return False

    def on_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Commit what was read until the deadline; what is not committed is the next owner's."""
        leaving = [self.owned.pop(partition) for partition in partitions if partition in self.owned]
        deadline = self._monotonic() + self._revoke_deadline_s
        try:
            complete = self._checkpoint.drain(leaving, REVOKED, deadline)
        except Fenced as error:
            complete = False
            _log.warning("fenced while giving partitions up", error=error.what)
        _log.info(
            "partitions revoked",
            partitions=[str(owned.partition) for owned in leaving],
            committed=complete,
        )

    def on_lost(self, partitions: Sequence[TopicPartition]) -> None:
        """They are another's already: drop what was read, commit nothing."""
        for partition in partitions:
            if self.owned.pop(partition, None) is not None:
                _log.warning("partition lost: its buffers are dropped", partition=str(partition))
