"""A topic partition that this worker owns: chain head, open batch, commit on its way."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import NamedTuple

from cdc_archive.archive.reader.chain import Head
from cdc_archive.archive.writer.batch import AT_THE_BEGINNING, Batch, Follows
from cdc_archive.archive.writer.committer import Committed
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.source.source import NO_FACTS, TopicFacts

OpenBatch = Callable[[TopicPartition, int, Follows], Batch]
"""Opens a batch of a partition that begins at an offset, after what came before."""


class InFlight(NamedTuple):
    """A sealed batch whose files and commit are being written."""

    batch: Batch
    future: Future[Committed]
    reason: str
    since: float


class Owned:
    """State of one owned partition.

    Args:
        partition: which.
        head: the chain's head, None if nothing was ever committed.
        next_offset: where the first batch begins.
        open_batch: makes batches.
        now: monotonic seconds, when it became ours.
        topic: what the cluster said of the topic then.
    """

    def __init__(
        self,
        partition: TopicPartition,
        head: Head | None,
        next_offset: int,
        open_batch: OpenBatch,
        now: float,
        topic: TopicFacts = NO_FACTS,
    ) -> None:
        self.partition = partition
        self.topic = topic
        self.in_flight: InFlight | None = None
        self.progress_at = now
        self._waiting = False
        self._open_batch = open_batch
        self.reset(head, next_offset)

    def reset(self, head: Head | None, next_offset: int) -> None:
        """Drop all buffers and stand at `head` again."""
        self.head = head
        self.in_flight = None
        follows = AT_THE_BEGINNING if head is None else Follows(head.log.incarnation, head.source)
        self.batch = self._open_batch(self.partition, next_offset, follows)

    def seal(self) -> Batch:
        """Step 1: no record goes into the batch any more; the next ones go into a new one."""
        sealed = self.batch
        incarnation = 0 if self.head is None else self.head.log.incarnation
        follows = Follows(incarnation, sealed.source)
        self.batch = self._open_batch(self.partition, sealed.next_offset, follows)
        return sealed

    def waited_s(self, lag: int | None, now: float) -> float:
        """Seconds that messages have been waiting without a commit; 0 if none wait.

        Args:
            lag: messages behind the log's end, None if unknown.
            now: monotonic seconds.
        """
        waiting = (lag or 0) + self.uncommitted > 0
        if not waiting or not self._waiting:
            self.progress_at = max(self.progress_at, now)
        self._waiting = waiting
        return now - self.progress_at

    @property
    def uncommitted(self) -> int:
        """Messages that were read and are not committed."""
        return self.batch.messages + (self.in_flight.batch.messages if self.in_flight else 0)

    @property
    def buffered_bytes(self) -> int:
        """Bytes held for this partition, those on their way to the store included."""
        on_the_way = self.in_flight.batch.buffered_bytes if self.in_flight else 0
        return self.batch.buffered_bytes + on_the_way

    @property
    def open_files(self) -> int:
        """Files held in memory."""
        return self.batch.open_files + (self.in_flight.batch.open_files if self.in_flight else 0)

    @property
    def idle(self) -> bool:
        """Whether everything that was read is committed."""
        return self.batch.messages == 0 and self.in_flight is None
