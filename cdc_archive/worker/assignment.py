"""What this worker owns: taken up at the chain's head, given up with a commit or with nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import structlog

from cdc_archive.changelog.position import TopicPartition
from cdc_archive.errors import Fenced
from cdc_archive.source.source import Source
from cdc_archive.worker.checkpoint import Checkpoint, ReadHead
from cdc_archive.worker.limits import REVOKED
from cdc_archive.worker.owned import OpenBatch, Owned

_log = structlog.get_logger(__name__)


class Assignment:
    """The listener that the source tells of changes of ownership.

    Args:
        source: asked for the log's range where there is no chain yet.
        checkpoint: commits on revoke.
        read_head: finds a chain's head: the archive is the offset store (I3).
        open_batch: opens a partition's first batch.
        monotonic: seconds.
        revoke_deadline_s: how long a revoke may take to commit what was read.
    """

    def __init__(
        self,
        source: Source,
        checkpoint: Checkpoint,
        read_head: ReadHead,
        open_batch: OpenBatch,
        monotonic: Callable[[], float],
        revoke_deadline_s: float,
    ) -> None:
        self._source = source
        self._checkpoint = checkpoint
        self._read_head = read_head
        self._open_batch = open_batch
        self._monotonic = monotonic
        self._revoke_deadline_s = revoke_deadline_s
        self.owned: dict[TopicPartition, Owned] = {}

    def on_assigned(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Find each partition's head and begin there; a new chain begins where the log does."""
        starts: dict[TopicPartition, int] = {}
        for partition in partitions:
            head = self._read_head(partition)
            start = self._source.log_range(partition).start if head is None else head.next_offset
            self.owned[partition] = Owned(
                partition, head, start, self._open_batch, self._monotonic()
            )
            starts[partition] = start
            sequence = None if head is None else head.sequence
            _log.info("partition assigned", partition=str(partition), start=start, head=sequence)
        return starts

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
