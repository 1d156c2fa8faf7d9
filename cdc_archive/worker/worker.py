"""The worker: polls, puts each message where it belongs, and commits when it is time.

One thread polls and decides. Files and commits are written beside it. It never commits what it did
not read, never reads past what memory allows, and drops its buffers rather than overwrite.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, NamedTuple, Protocol

from cdc_archive.archive.writer.batch import Taken
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.errors import (
    CdcArchiveError,
    DeadlineExceeded,
    OffsetGap,
    SourceDamaged,
    StreamBroken,
)
from cdc_archive.source.damaged_batch import how_to_accept
from cdc_archive.source.message import Message
from cdc_archive.source.source import Source
from cdc_archive.worker.assignment import Assignment
from cdc_archive.worker.checkpoint import Checkpoint
from cdc_archive.worker.health import PartitionProgress
from cdc_archive.worker.limits import STOP, Limits, due
from cdc_archive.worker.pressure import Pressure

_PAUSED_POLL_S: Final = 0.05
"""Wait while everything is paused: a commit that arrives is what is waited for."""


class Snapshot(NamedTuple):
    """The worker at one moment, for metrics, health and the progress line."""

    partitions: list[PartitionProgress]
    buffered_bytes: int
    open_files: int
    paused: bool


class Watcher(Protocol):
    """Told what the worker does."""

    def taken(self, message: Message, taken: Taken) -> None:
        """A message was accounted for."""
        ...

    def took(self, partition: TopicPartition, ops: Sequence[str]) -> None:
        """Changes with these ops were accounted for."""
        ...

    def stepped(self, snapshot: Snapshot) -> None:
        """One turn of the loop is done."""
        ...


class Worker:
    """Runs until told to stop, or until the source is exhausted.

    Args:
        source: where messages come from; opened and closed here.
        assignment: what we own.
        checkpoint: the commit order.
        limits: when to commit.
        watcher: told what happens.
        monotonic: seconds.
        poll_s: longest wait for messages, seconds.
        stop_deadline_s: how long a graceful stop may take, seconds.
        tell_every_s: how often the watcher is told how things stand, seconds.
    """

    def __init__(
        self,
        source: Source,
        assignment: Assignment,
        checkpoint: Checkpoint,
        limits: Limits,
        watcher: Watcher,
        monotonic: Callable[[], float],
        *,
        poll_s: float,
        stop_deadline_s: float,
        tell_every_s: float = 0.0,
    ) -> None:
        self._source = source
        self._assignment = assignment
        self._checkpoint = checkpoint
        self._limits = limits
        self._watcher = watcher
        self._monotonic = monotonic
        self._poll_s = poll_s
        self._stop_deadline_s = stop_deadline_s
        self._tell_every_s = tell_every_s
        self._told_at = -tell_every_s
        self._pressure = Pressure(source, checkpoint, limits.memory_budget_bytes)

    def run(self, stop: Callable[[], bool]) -> None:
        """Work until `stop()` is true or nothing can come any more, then commit and leave.

        Raises:
            DeadlineExceeded: the last commits did not make it in time; nothing is lost.
            OffsetGap, SourceDamaged, StreamBroken: going on would hide a loss; all that came before
                is committed.
            CdcArchiveError: whatever a person must act upon.
        """
        try:
            self._source.open(self._assignment)
            self._work(stop)
            self._finish()
        finally:
            self._source.close()

    def _work(self, stop: Callable[[], bool]) -> None:
        """Step by step; what was read before a gap is committed before the gap is told."""
        try:
            while not (stop() or self._source.exhausted):
                self.step()
        except (OffsetGap, SourceDamaged, StreamBroken) as error:
            with suppress(CdcArchiveError):
                self._drain()
            if isinstance(error, SourceDamaged):
                self._tell_how_to_accept(error)
            raise

    def _tell_how_to_accept(self, damage: SourceDamaged) -> None:
        """Its source does not know where the chain ends."""
        owned = self._assignment.owned.get(TopicPartition(damage.topic, damage.partition))
        if damage.may_be_lost and owned is not None:
            damage.action += how_to_accept(owned.partition, owned.batch.next_offset)

    def step(self) -> None:
        """One turn: poll, take, commit what is due."""
        self._take(self._source.poll(self._patience_s))
        for owned in self._assignment.owned.values():
            self._checkpoint.finish(owned)
            owned.batch.settle()
            reason = due(owned.batch, self._limits, self._monotonic())
            if reason is not None:
                self._checkpoint.start(owned, reason)
        self._pressure.relieve(self._assignment.owned)
        if self._monotonic() - self._told_at >= self._tell_every_s:
            self._told_at = self._monotonic()
            self._watcher.stepped(self.snapshot())

    @property
    def _patience_s(self) -> float:
        if self._pressure.holds_all(self._assignment.owned):
            return min(self._poll_s, _PAUSED_POLL_S)
        return self._poll_s

    def _take(self, messages: Sequence[Message]) -> None:
        now, at = self._monotonic(), 0
        while at < len(messages):
            message = messages[at]
            owned = self._assignment.owned.get(message.topic_partition)
            if owned is None:
                at += 1  # given up inside this very poll: its next owner reads it
                continue
            if ops := owned.batch.take_quickly(messages, at, now):
                self._watcher.took(owned.partition, ops)
                at += len(ops)
                continue
            taken = owned.batch.take(message, now)
            at += 1
            if taken is not None:
                self._watcher.taken(message, taken)

    def _drain(self) -> bool:
        deadline = self._monotonic() + self._stop_deadline_s
        return self._checkpoint.drain(self._assignment.owned.values(), STOP, deadline)

    def _finish(self) -> None:
        if not self._drain():
            left = [str(one.partition) for one in self._assignment.owned.values() if not one.idle]
            raise DeadlineExceeded(
                f"{len(left)} topic partitions were not committed within "
                f"{self._stop_deadline_s:g} s: {', '.join(left[:5])}"
            )
        self._watcher.stepped(self.snapshot())

    @property
    def buffered_bytes(self) -> int:
        """Bytes held in memory for all partitions, those on their way to the store included."""
        return sum(one.buffered_bytes for one in self._assignment.owned.values())

    def snapshot(self) -> Snapshot:
        """How things stand now."""
        now = self._monotonic()
        owned = self._assignment.owned.values()
        progress = []
        for one in owned:
            lag = self._source.lag(one.partition)
            waited = one.waited_s(lag, now)
            progress.append(PartitionProgress(one.partition, lag, one.uncommitted, waited))
        open_files = sum(one.open_files for one in owned)
        return Snapshot(progress, self.buffered_bytes, open_files, self._pressure.holds_back)
