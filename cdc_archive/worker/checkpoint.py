"""The commit order. The numbers are the same here, in the tests and in docs/operations.md.

    1 stop taking records of the partition into the batch
    2 close its files
    3 PUT the data files
    4 PUT the commit, create only: from here on the batch is archived
    5 commit the offset to Kafka, as a hint
    6 release the buffers

Steps 2 to 4 (archive/writer/committer.py) run beside the polling thread, one commit of a partition
at a time; 1, 5 and 6 run on the polling thread. A crash before 4 leaves files that no commit names;
the records are read again. A crash after 4 leaves a stale hint, which is never believed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, wait
from typing import Protocol

from cdc_archive.archive.reader.chain import Head
from cdc_archive.archive.writer.committer import Committed, Committer
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.errors import CdcArchiveError, Fenced
from cdc_archive.source.source import Source
from cdc_archive.worker.owned import InFlight, Owned
from cdc_archive.worker.topics import Topics, require_same_topic

Submit = Callable[[Callable[[], Committed]], "Future[Committed]"]
"""Starts work beside the polling thread."""
ReadHead = Callable[[TopicPartition], Head | None]
"""Finds the head of a partition's chain in the store."""
Wait = Callable[[Sequence["Future[Committed]"], float], bool]
"""Waits until one of them is done, for so many seconds at most; whether one is."""


def first_done(futures: Sequence[Future[Committed]], timeout_s: float) -> bool:
    """`Wait` in real time."""
    return bool(wait(futures, timeout=timeout_s, return_when="FIRST_COMPLETED").done)


class Observer(Protocol):
    """Told of what happens to batches, for logs and metrics."""

    def committed(self, flight: InFlight, done: Committed, seconds: float) -> None:
        """A commit stands; `seconds` since it was sealed."""
        ...

    def fenced(self, partition: TopicPartition, error: Fenced) -> None:
        """Another writer was faster; the buffers are dropped and read again."""
        ...


class Checkpoint:
    """Carries batches through the commit order.

    Args:
        source: told of committed offsets, and sought back when fenced.
        committer: writes files and commits.
        read_head: asks the store for a chain's head.
        submit: runs steps 2 to 4 elsewhere.
        observer: told of the outcome.
        monotonic: seconds.
        topics: asked before each commit whether the topic is still the same.
        wait: waits for commits on their way.
    """

    def __init__(
        self,
        source: Source,
        committer: Committer,
        read_head: ReadHead,
        submit: Submit,
        observer: Observer,
        monotonic: Callable[[], float],
        topics: Topics,
        wait: Wait = first_done,
    ) -> None:
        self._source = source
        self._wait = wait
        self._committer = committer
        self._read_head = read_head
        self._submit = submit
        self._observer = observer
        self._monotonic = monotonic
        self._topics = topics

    def start(self, owned: Owned, reason: str) -> bool:
        """Seal the open batch and send it on its way; False if one is on its way already."""
        if owned.in_flight is not None or owned.batch.messages == 0:
            return False
        batch, head, topic = owned.seal(), owned.head, owned.topic  # 1 stop taking records

        def confirm() -> None:
            self._topics.confirm(batch.partition, topic, batch.next_offset)

        future = self._submit(lambda: self._committer.commit(batch, head, topic, confirm))  # 2 to 4
        owned.in_flight = InFlight(batch, future, reason, self._monotonic())
        return True

    def finish(self, owned: Owned) -> None:
        """If the commit on its way has arrived, take note of it; else do nothing.

        Raises:
            CdcArchiveError: what kept the commit from being made, but for `Fenced`.
        """
        flight = owned.in_flight
        if flight is None or not flight.future.done():
            return
        try:
            done = flight.future.result()
        except Fenced as error:
            self._start_over(owned, error)
            return
        except CdcArchiveError:
            owned.reset(owned.head, flight.batch.start)  # nothing after it may be committed either
            raise
        owned.head = done.head
        owned.progress_at = self._monotonic()
        self._source.commit({owned.partition: done.head.next_offset})  # 5 the hint
        owned.in_flight = None  # 6 release
        self._observer.committed(flight, done, self._monotonic() - flight.since)

    def _start_over(self, owned: Owned, error: Fenced) -> None:
        self._observer.fenced(owned.partition, error)
        head = self._read_head(owned.partition)
        assert head is not None, "fenced by a commit that is not there"
        owned.reset(head, head.next_offset)
        owned.topic = self._topics.facts(owned.partition.topic)  # ours may be older than the chain
        require_same_topic(self._source, {owned.partition: head}, owned.topic)
        self._source.seek(owned.partition, head.next_offset)

    def drain(self, partitions: Iterable[Owned], reason: str, deadline: float) -> bool:
        """Commit everything that was read, until `deadline` (monotonic seconds).

        Returns:
            whether all of it was committed. What was not is read again by the next owner.
        """
        partitions = list(partitions)
        while True:
            for owned in partitions:
                self.finish(owned)
                self.start(owned, reason)
            futures = [owned.in_flight.future for owned in partitions if owned.in_flight]
            if not futures:
                return all(owned.idle for owned in partitions)
            left = deadline - self._monotonic()
            if left <= 0 or not self._wait(futures, left):
                return False
