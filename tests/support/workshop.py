"""A worker put together from its real parts over a simulated source and any store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future

from cdc_archive.archive.format.commit import Commit, Writer
from cdc_archive.archive.reader import chain
from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.archive.writer import root
from cdc_archive.archive.writer.batch import Batch, Follows, Taken
from cdc_archive.archive.writer.committer import Committed, Committer
from cdc_archive.archive.writer.open_file import FileFormat
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.changelog.record import ArchivedRecord
from cdc_archive.decode.decoder import Decoder
from cdc_archive.errors import Fenced
from cdc_archive.source.message import Message
from cdc_archive.storage.object_store import ObjectStore
from cdc_archive.worker.assignment import Assignment
from cdc_archive.worker.checkpoint import Checkpoint
from cdc_archive.worker.limits import Limits
from cdc_archive.worker.owned import InFlight
from cdc_archive.worker.topics import Topics
from cdc_archive.worker.worker import Snapshot, Worker
from support.simulated_source import SimulatedSource


class Clock:
    """Time that moves only when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def at_once(work: Callable[[], Committed]) -> Future[Committed]:
    """Runs the work before it returns."""
    future: Future[Committed] = Future()
    try:
        future.set_result(work())
    except Exception as error:
        future.set_exception(error)
    return future


class Later:
    """Runs the work when told to, as a slow store would."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Callable[[], Committed], Future[Committed]]] = []

    def __call__(self, work: Callable[[], Committed]) -> Future[Committed]:
        future: Future[Committed] = Future()
        self.waiting.append((work, future))
        return future

    def run(self) -> None:
        """Do all that waits."""
        waiting, self.waiting = self.waiting, []
        for work, future in waiting:
            try:
                future.set_result(work())
            except Exception as error:
                future.set_exception(error)


class Notes:
    """Observer and watcher that remember what they were told."""

    def __init__(self) -> None:
        self.commits: list[tuple[str, Commit]] = []
        self.fences: list[TopicPartition] = []
        self.taken_by_kind: dict[str, int] = {}
        self.last: Snapshot | None = None

    def committed(self, flight: InFlight, done: Committed, seconds: float) -> None:
        self.commits.append((flight.reason, done.commit))

    def fenced(self, partition: TopicPartition, error: Fenced) -> None:
        self.fences.append(partition)

    def taken(self, message: Message, taken: Taken) -> None:
        self.taken_by_kind[taken.kind] = self.taken_by_kind.get(taken.kind, 0) + 1

    def took(self, partition: TopicPartition, ops: Sequence[str]) -> None:
        self.taken_by_kind["changes"] = self.taken_by_kind.get("changes", 0) + len(ops)

    def stepped(self, snapshot: Snapshot) -> None:
        self.last = snapshot


class Workshop:
    """One worker, its parts in reach."""

    def __init__(
        self,
        source: SimulatedSource,
        store: ObjectStore,
        limits: Limits = Limits(),  # noqa: B008  # a frozen value
        submit: Callable[[Callable[[], Committed]], Future[Committed]] = at_once,
        skip: Callable[[str], bool] = lambda topic: False,
        form: FileFormat = FileFormat(),  # noqa: B008  # a frozen value
        wall: Callable[[], float] = lambda: 1771516800.0,
    ) -> None:
        self.source, self.store, self.notes, self.clock = source, store, Notes(), Clock()
        info = root.open_or_create(store, wall, lambda: "archive-1")
        decode = Decoder().decode

        def open_batch(partition: TopicPartition, start: int, after: Follows) -> Batch:
            return Batch(partition, start, decode, form, skip=skip(partition.topic), follows=after)

        def first_count(partition: TopicPartition) -> int | None:
            return chain.first_count(store, info.id, partition)

        def read_head(partition: TopicPartition) -> chain.Head | None:
            return chain.head(store, info.id, partition)

        committer = Committer(store, info.id, Writer("test", "0", "w"), wall)
        topics = Topics(source, 0.0, self.clock, lambda _: None)
        self.checkpoint = Checkpoint(
            source, committer, read_head, submit, self.notes, self.clock, topics
        )
        self.assignment = Assignment(
            source, self.checkpoint, read_head, open_batch, self.clock, 0.2, topics, first_count
        )
        self.worker = Worker(
            source,
            self.assignment,
            self.checkpoint,
            limits,
            self.notes,
            self.clock,
            poll_s=0.0,
            stop_deadline_s=0.2,
        )

    def run(self) -> None:
        """Work until the source is exhausted."""
        self.worker.run(lambda: False)

    def start(self) -> None:
        """Open the source, for tests that take single steps."""
        self.source.open(self.assignment)


def archived(store: ObjectStore) -> list[ArchivedRecord]:
    """Everything that the archive holds, by topic partition and offset."""
    reader = ArchiveReader(store)
    return [record for partition in reader.partitions() for record in reader.scan(partition)]


def ranges(store: ObjectStore, partition: TopicPartition) -> list[tuple[int, int]]:
    """The offset ranges of a partition's commits."""
    return [tuple(commit.range) for commit in ArchiveReader(store).commits(partition)]
