"""What the worker does, told to metrics and logs, and kept for health and the progress line."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from cdc_archive.archive.format.layout import CHANGES, QUARANTINE
from cdc_archive.archive.writer.batch import Taken
from cdc_archive.archive.writer.committer import Committed
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.errors import Fenced
from cdc_archive.source.message import Message
from cdc_archive.telemetry.metrics import Metrics
from cdc_archive.worker.health import stuck
from cdc_archive.worker.owned import InFlight
from cdc_archive.worker.worker import Snapshot

_log = structlog.get_logger(__name__)


class Observed:
    """Observer of commits and watcher of the loop.

    Args:
        metrics: what Prometheus reads.
        stale_s: after this long without a commit, waiting messages mean something is wrong.
        on_step: called after each turn of the loop that is told, for a progress line.
        monotonic: seconds.
    """

    def __init__(
        self,
        metrics: Metrics,
        stale_s: float,
        on_step: Callable[[], None] = lambda: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._metrics = metrics
        self._stale_s = stale_s
        self.on_step = on_step
        self._monotonic = monotonic
        self._stepped_at = 0.0
        self.snapshot: Snapshot | None = None
        self.taken_count = 0
        self.quarantined_count = 0
        self.commit_count = 0
        self.committed_messages = 0

    def taken(self, message: Message, taken: Taken) -> None:
        """See `Watcher`."""
        self.taken_count += 1
        if taken.kind == CHANGES:
            self._metrics.messages.labels(message.topic, taken.label).inc()
        elif taken.kind == QUARANTINE:
            self.quarantined_count += 1
            self._metrics.quarantined.labels(message.topic, taken.label).inc()
            _log.warning(
                "message quarantined",
                topic=message.topic,
                partition=message.partition,
                offset=message.offset,
                reason=taken.label,
            )
        else:
            self._metrics.skipped.labels(message.topic).inc()

    def took(self, partition: TopicPartition, ops: Sequence[str]) -> None:
        """See `Watcher`."""
        self.taken_count += len(ops)
        for op, count in Counter(ops).items():
            self._metrics.messages.labels(partition.topic, op).inc(count)

    def committed(self, flight: InFlight, done: Committed, seconds: float) -> None:
        """See `Observer`."""
        commit, metrics = done.commit, self._metrics
        place = (commit.topic, str(commit.partition))
        self.commit_count += 1
        self.committed_messages += len(commit.range)
        metrics.commits.labels(commit.topic, flight.reason).inc()
        metrics.committed_messages.labels(commit.topic).inc(len(commit.range))
        metrics.committed_bytes.labels(commit.topic).inc(done.bytes)
        metrics.files.labels(commit.topic).inc(len(commit.files))
        metrics.commit_seconds.observe(seconds)
        metrics.committed_offset.labels(*place).set(commit.end)
        committed_at = datetime.fromisoformat(commit.committed_at).timestamp()
        metrics.last_commit.labels(*place).set(committed_at)
        newest = flight.batch.newest_event_us
        if newest is not None:
            metrics.event_delay.labels(*place).set(max(0.0, committed_at - newest / 1e6))
        _log.info(
            "committed",
            partition=str(commit.topic_partition),
            sequence=commit.sequence,
            start=commit.start,
            end=commit.end,
            files=len(commit.files),
            bytes=done.bytes,
            reason=flight.reason,
            seconds=round(seconds, 3),
        )

    def fenced(self, partition: TopicPartition, error: Fenced) -> None:
        """See `Observer`."""
        self._metrics.fenced.labels(partition.topic).inc()
        _log.warning("fenced: buffers dropped", partition=str(partition), error=error.what)

    def stepped(self, snapshot: Snapshot) -> None:
        """See `Watcher`."""
        before = () if self.snapshot is None else self.snapshot.partitions
        self.snapshot = snapshot
        metrics = self._metrics
        metrics.last_step.set_to_current_time()
        self._stepped_at = self._monotonic()
        metrics.buffered_bytes.set(snapshot.buffered_bytes)
        metrics.open_files.set(snapshot.open_files)
        metrics.paused.set(snapshot.paused)
        metrics.assigned.set(len(snapshot.partitions))
        owned = {one.partition for one in snapshot.partitions}
        for lost in (one.partition for one in before if one.partition not in owned):
            metrics.forget(lost.topic, str(lost.partition))
        for one in snapshot.partitions:
            place = (one.partition.topic, str(one.partition.partition))
            metrics.waited.labels(*place).set(one.waited_s)
            if one.lag is not None:
                metrics.lag.labels(*place).set(one.lag)
        self.on_step()

    def unhealthy(self) -> list[str]:
        """What /healthz tells: partitions with work that is not done, or a loop that hangs."""
        if self.snapshot is None:
            return []
        still_s = self._monotonic() - self._stepped_at
        if still_s > self._stale_s:
            return [f"the worker's loop has not turned for {still_s:.0f} s"]
        return stuck(self.snapshot.partitions, self._stale_s)

    def not_ready(self) -> list[str]:
        """What /readyz tells: nothing is assigned yet."""
        if self.snapshot is None or not self.snapshot.partitions:
            return ["no topic partition is assigned yet"]
        return []
