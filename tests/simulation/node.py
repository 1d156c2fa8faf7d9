"""A worker process: the real parts, put together as cli/wiring.py does, in simulated time.

It watches itself for what no look at the archive would show: bounded memory (I7), batches that
grow old, a commit of its own taken for another writer's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from random import Random

from greenlet import getcurrent

from cdc_archive.archive.format.archive_info import PROGRAM
from cdc_archive.archive.format.commit import Writer
from cdc_archive.archive.reader import chain
from cdc_archive.archive.writer import losses, root
from cdc_archive.archive.writer.batch import Batch, Follows, Taken
from cdc_archive.archive.writer.committer import Committed, Committer
from cdc_archive.archive.writer.open_file import OVERHEAD_BYTES
from cdc_archive.changelog.position import OffsetRange, TopicPartition
from cdc_archive.decode.decoder import Decoder
from cdc_archive.errors import Fenced
from cdc_archive.source.message import Message
from cdc_archive.storage.retry import Patience, RetryingStore
from cdc_archive.worker.assignment import Assignment
from cdc_archive.worker.checkpoint import Checkpoint
from cdc_archive.worker.owned import InFlight
from cdc_archive.worker.topics import Topics
from cdc_archive.worker.worker import Snapshot, Worker
from simulation.broker import Broker
from simulation.bucket import BucketClient
from simulation.consumer import Consumer
from simulation.profile import Profile
from simulation.scheduler import Process, Threads

_LARGEST_MESSAGE = 8_000


class Node:
    """One life of a worker.

    Args:
        process: what it runs in; does not begin before `main`.
        broker: its Kafka.
        client: its way to the bucket.
        profile: its settings.
        counts: what happened how often.
    """

    def __init__(
        self,
        process: Process,
        broker: Broker,
        client: BucketClient,
        profile: Profile,
        counts: Counter[str],
    ) -> None:
        self.process, self._broker, self._client = process, broker, client
        self._profile, self._counts = profile, counts
        self.consumer = Consumer(process, broker)
        self.stopping = False
        self.watched = True
        self.worker: Worker | None = None

    def main(self) -> None:
        """What `cdc-archive worker` does."""
        process, profile = self.process, self._profile
        store, archive, committer = open_archive(process, self._client, profile)
        decode = Decoder().decode

        def open_batch(partition: TopicPartition, start: int, follows: Follows) -> Batch:
            skip = partition.topic == profile.skipped_topic
            return Batch(partition, start, decode, profile.form, skip=skip, follows=follows)

        def first_count(partition: TopicPartition) -> int | None:
            return chain.first_count(store, archive, partition)

        def read_head(partition: TopicPartition) -> chain.Head | None:
            stood = self._client.bucket.lengths[partition]
            head = chain.head(store, archive, partition)
            found = 0 if head is None else head.sequence + 1
            assert found >= stood or not self.watched, (
                f"{partition}: {found} commits were found, {stood} stood there"
            )
            return head

        monotonic = process.monotonic
        topics = Topics(self.consumer, profile.retry_s, monotonic, process.sleep)
        commits = Threads(process, profile.upload_threads)
        checkpoint = Checkpoint(
            self.consumer,
            committer,
            read_head,
            lambda work: commits.submit(lambda: self._own_commit(work)),
            self,
            monotonic,
            topics,
            process.wait_any,
        )
        self._assignment = Assignment(
            self.consumer,
            checkpoint,
            read_head,
            open_batch,
            monotonic,
            profile.stop_deadline_s,
            topics,
            first_count,
        )
        self.worker = Worker(
            self.consumer,
            self._assignment,
            checkpoint,
            profile.limits,
            self,
            monotonic,
            poll_s=profile.poll_s,
            stop_deadline_s=profile.stop_deadline_s,
        )
        self.worker.run(lambda: self.stopping)

    def _own_commit(self, work: Callable[[], Committed]) -> Committed:
        """Does a commit, and looks whether a fence was another's doing."""
        try:
            return work()
        except Fenced as error:
            key = error.what.split(": ")[0]
            sent = self._client.sent.get((getcurrent(), key), set())
            assert self._client.bucket.objects[key] not in sent or not self.watched, (
                f"{key}: a worker took its own commit for another writer's"
            )
            raise

    def committed(self, flight: InFlight, done: Committed, seconds: float) -> None:
        """See `Observer`."""
        self._counts["commits"] += 1
        self._counts[f"commits by {flight.reason}"] += 1

    def fenced(self, partition: TopicPartition, error: Fenced) -> None:
        """See `Observer`."""
        self._counts["fences"] += 1
        self._broker.note(self.process, f"fenced: {error.what}")

    def taken(self, message: Message, taken: Taken) -> None:
        """See `Watcher`."""
        self._counts[f"taken: {taken.kind}"] += 1

    def took(self, partition: TopicPartition, ops: Sequence[str]) -> None:
        """See `Watcher`."""
        self._counts["taken: changes"] += len(ops)

    def stepped(self, snapshot: Snapshot) -> None:
        """See `Watcher`."""
        if not self.watched:
            return
        limits, profile = self._profile.limits, self._profile
        a_poll = profile.poll_records * (_LARGEST_MESSAGE + OVERHEAD_BYTES)
        most = limits.memory_budget_bytes + 3 * a_poll
        assert snapshot.buffered_bytes <= most, (
            f"{snapshot.buffered_bytes} bytes are held, {limits.memory_budget_bytes} are allowed"
        )
        for owned in self._assignment.owned.values():
            age = self.consumer.polled_at - owned.batch.opened_at
            waits = owned.batch.messages > 0 and owned.in_flight is None
            assert not waits or age < limits.commit_age_s, (
                f"{owned.partition}: a batch of {owned.batch.messages} messages waits since "
                f"{age:.0f} s for a commit; {limits.commit_age_s:g} s are allowed"
            )


def open_archive(
    process: Process, client: BucketClient, profile: Profile
) -> tuple[RetryingStore, str, Committer]:
    """The store with patience, the archive's id, and what writes commits to it."""
    rng: Random = process.rng
    patience = Patience(profile.retry_s, process.sleep, process.monotonic, rng.uniform)
    store = RetryingStore(client, patience)
    info = root.open_or_create(store, process.wall, lambda: f"{rng.getrandbits(128):032x}")
    uploads = Threads(process, profile.upload_threads)
    writer = Writer(PROGRAM, "0", process.name)
    committer = Committer(store, info.id, writer, process.wall, uploads.run_all)
    return store, info.id, committer


def accept_gap(
    process: Process, client: BucketClient, profile: Profile, command: Sequence[str]
) -> None:
    """What `cdc-archive gap accept` does (cli/gap_command.py), given the command that was told."""
    topic, partition, *rest = command
    options = dict(zip(rest[::2], rest[1::2], strict=True))
    store, archive, committer = open_archive(process, client, profile)
    losses.of_log(
        store,
        archive,
        committer,
        TopicPartition(topic, int(partition)),
        OffsetRange(int(options["--from"]), int(options["--to"])),
        losses.Accepted(options["--reason"], options["--by"]),
        options.get("--topic-id"),
    )
