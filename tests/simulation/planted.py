"""Bugs, planted one at a time into the real code: the simulation must find each of them.

Each function puts one in by `patch(object, attribute, value)`. Most are bugs that other systems
had; the comments of the classes that they break say how ours avoids them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from weakref import WeakKeyDictionary

from cdc_archive.archive.format.commit import Commit, digest
from cdc_archive.archive.format.layout import commit_key, partition_prefix, sequence_of
from cdc_archive.archive.reader import chain
from cdc_archive.archive.reader.chain import Head
from cdc_archive.archive.writer import losses
from cdc_archive.archive.writer.batch import Batch
from cdc_archive.archive.writer.committer import Committed, Committer
from cdc_archive.archive.writer.files import Files
from cdc_archive.archive.writer.losses import Accepted
from cdc_archive.archive.writer.open_file import OpenFile
from cdc_archive.changelog.position import OffsetRange, TopicPartition
from cdc_archive.decode.decoder import Decoded
from cdc_archive.errors import Fenced, GapRefused
from cdc_archive.source.source import TopicFacts
from cdc_archive.storage.retry import RetryingStore
from cdc_archive.worker import assignment, checkpoint
from cdc_archive.worker import worker as worker_module
from cdc_archive.worker.assignment import Assignment
from cdc_archive.worker.checkpoint import Checkpoint
from cdc_archive.worker.limits import AGE, Limits, due
from cdc_archive.worker.owned import Owned
from cdc_archive.worker.pressure import Pressure
from cdc_archive.worker.topics import Topics
from simulation.bucket import Bucket
from simulation.consumer import Consumer, Position

Patch = Callable[[Any, str, Any], None]


def commit_before_upload(patch: Patch) -> None:
    """Steps 3 and 4 the other way round."""
    commit = Committer.commit

    def reversed_order(self: Committer, batch: Batch, head: Head | None, *rest: Any) -> Committed:
        later: list[Callable[[], None]] = []
        hasty = Committer(self._store, self._archive, self._writer, self._clock, later.extend)
        done = commit(hasty, batch, head, *rest)
        self._run_all(later)
        return done

    patch(Committer, "commit", reversed_order)


def overwrite_allowed(patch: Patch) -> None:
    """The store ignores create-only, but for the object that every start tries."""
    create = Bucket.create

    def overwrite(self: Bucket, key: str, data: bytes, by: str) -> bool:
        if not key.startswith(("changes/", "commits/")):
            return create(self, key, data, by)
        self.put(key, data, by)
        return True

    patch(Bucket, "create", overwrite)


def maximum_instead_of_to(patch: Patch) -> None:
    """Kafka is told the highest offset that was read, not what the commit ends with."""
    finish = Checkpoint.finish

    def tell_the_highest(self: Checkpoint, owned: Owned) -> None:
        flight = owned.in_flight
        finish(self, owned)
        if flight is not None and owned.in_flight is None:
            self._source.commit({owned.partition: owned.batch.next_offset})

    patch(Checkpoint, "finish", tell_the_highest)


def maximum_of_many_files(patch: Patch) -> None:
    """Of a partition's open files one is flushed, and the commit ends with its highest offset:
    what stands in the other files before it counts as done.
    """
    commit = Committer.commit

    def flush_one(self: Committer, batch: Batch, head: Head | None, *rest: Any) -> Committed:
        files = [*batch.files()]
        flushed = max(files, key=lambda file: file._last, default=None)
        if flushed is None or len(files) == 1:
            return commit(self, batch, head, *rest)
        return commit(self, _Partly(batch, flushed), head, *rest)  # type: ignore[arg-type]

    patch(Committer, "commit", flush_one)


class _Partly:
    """A batch of which one file counts."""

    def __init__(self, batch: Batch, file: OpenFile) -> None:
        self.partition, self.range, self.source = batch.partition, batch.range, batch.source
        self._file = file

    def files(self) -> list[OpenFile]:
        return [self._file]

    def skipped(self) -> list[Any]:
        return []

    def absent(self) -> list[tuple[int, int]]:
        missing = len(self.range) - self._file._records
        return [(self.range.start, self.range.start + missing)] if missing else []


def fence_removed(patch: Patch) -> None:
    """412 is taken for success."""

    def put(self: Committer, commit: Commit) -> Head:
        data = commit.encode()
        self._store.create(commit_key(commit.topic_partition, commit.sequence), data)
        return Head.of(commit, digest(data))

    patch(Committer, "_put", put)


def age_only_on_new_records(patch: Patch) -> None:
    """The age of a batch is looked at when a message comes, not while none does."""
    seen: WeakKeyDictionary[Batch, int] = WeakKeyDictionary()

    def due_on_news(batch: Batch, limits: Limits, now: float) -> str | None:
        news = seen.get(batch) != batch.messages
        seen[batch] = batch.messages
        reason = due(batch, limits, now)
        return None if reason == AGE and not news else reason

    patch(worker_module, "due", due_on_news)


def buffers_kept_after_a_fence(patch: Patch) -> None:
    """The head moves on, what was read stays."""
    reset = Owned.reset

    def keep(self: Owned, head: Head | None, next_offset: int) -> None:
        if not hasattr(self, "batch"):
            reset(self, head, next_offset)
        self.head, self.in_flight = head, None

    patch(Owned, "reset", keep)


def start_past_the_head(patch: Patch) -> None:
    """One message is jumped over."""
    on_assigned = Assignment.on_assigned

    def skip_one(
        self: Assignment, partitions: Sequence[TopicPartition]
    ) -> Mapping[TopicPartition, int]:
        return {one: start + 1 for one, start in on_assigned(self, partitions).items()}

    patch(Assignment, "on_assigned", skip_one)


def trust_kafkas_offset(patch: Patch) -> None:
    """The group's committed offset, not the archive, says where to begin."""
    on_assigned = Assignment.on_assigned

    def ask_kafka(
        self: Assignment, partitions: Sequence[TopicPartition]
    ) -> Mapping[TopicPartition, int]:
        starts = dict(on_assigned(self, partitions))
        assert isinstance(self._source, Consumer)
        for one in partitions:
            told = self._source.committed(one)
            if told is not None:
                starts[one] = told
                self.owned[one].reset(self.owned[one].head, told)
        return starts

    patch(Assignment, "on_assigned", ask_kafka)


def batch_kept_over_a_loss(patch: Patch) -> None:
    """A lost partition comes back: its old batch is still there and goes on under the new head."""
    on_assigned = Assignment.on_assigned

    def keep(
        self: Assignment, partitions: Sequence[TopicPartition]
    ) -> Mapping[TopicPartition, int]:
        before = {one: self.owned[one].batch for one in partitions if one in self.owned}
        starts = on_assigned(self, partitions)
        for one, batch in before.items():
            self.owned[one].batch = batch
        return starts

    patch(Assignment, "on_lost", lambda self, partitions: None)
    patch(Assignment, "on_assigned", keep)


def head_by_listing(patch: Patch) -> None:
    """The highest sequence number of a listing, which may be old or break off."""

    def last_listed(store: RetryingStore, partition: TopicPartition) -> int | None:
        listed = (sequence_of(one.key) for one in store.list(partition_prefix(partition)))
        return max((one for one in listed if one is not None), default=None)

    patch(chain, "last_sequence", last_listed)


def lost_answer_taken_for_another_writer(patch: Patch) -> None:
    """412 after a lost answer is not looked into."""

    def create(self: RetryingStore, key: str, data: bytes) -> bool:
        return self._insist(lambda: self._inner.create(key, data))

    def put(self: Committer, commit: Commit) -> Head:
        data = commit.encode()
        key = commit_key(commit.topic_partition, commit.sequence)
        if not self._store.create(key, data):
            raise Fenced(f"{key}: another writer has made this commit")
        return Head.of(commit, digest(data))

    patch(RetryingStore, "create", create)
    patch(Committer, "_put", put)


def gap_crossed_in_silence(patch: Patch) -> None:
    """`auto.offset.reset=earliest`: where the log has lost messages, reading goes on after them."""
    fetch = Consumer._fetch

    def reset(self: Consumer, place: TopicPartition, position: Position) -> None:
        begins = self._broker.logs[place].start
        if not position.buffer and position.fetch < begins:
            position.seek(begins)
        fetch(self, place, position)

    patch(Consumer, "_fetch", reset)


def offset_told_before_the_commit(patch: Patch) -> None:
    """Step 5 before step 4."""
    start = Checkpoint.start

    def tell_first(self: Checkpoint, owned: Owned, reason: str) -> bool:
        end = owned.batch.next_offset
        started = start(self, owned, reason)
        if started:
            self._source.commit({owned.partition: end})
        return started

    patch(Checkpoint, "start", tell_first)


def hour_of_the_first_record(patch: Patch) -> None:
    """The path is found once for a batch, not for each record."""
    add = Files.add
    hours: WeakKeyDictionary[Files, int | None] = WeakKeyDictionary()

    def add_to_the_first(self: Files, decoded: Decoded) -> None:
        us = hours.setdefault(self, decoded.record.event_time_us)
        add(self, decoded._replace(record=decoded.record._replace(event_time_us=us)))

    patch(Files, "add", add_to_the_first)


def memory_without_a_limit(patch: Patch) -> None:
    """Nothing is committed or paused for memory."""
    patch(Pressure, "relieve", lambda self, owned: None)


def stale_facts_of_the_topic(patch: Patch) -> None:
    """A topic that was made again is taken for the one before: its id is not asked again."""
    patch(Topics, "confirm", lambda self, partition, known, end: None)
    for module in (assignment, checkpoint):
        patch(module, "require_same_topic", lambda source, heads, facts: None)


def topic_asked_before_its_chains(patch: Patch) -> None:
    """What the cluster says is older than what the chain says (a bug that ours had)."""
    on_assigned = Assignment.on_assigned

    def ask_first(
        self: Assignment, partitions: Sequence[TopicPartition]
    ) -> Mapping[TopicPartition, int]:
        told = {topic: self._topics.facts(topic) for topic in sorted({p.topic for p in partitions})}
        asked, self._topics = self._topics, _Asked(told)  # type: ignore[assignment]
        try:
            return on_assigned(self, partitions)
        finally:
            self._topics = asked

    patch(Assignment, "on_assigned", ask_first)


def topic_accepted_twice(patch: Patch) -> None:
    """An old command is done if its offset happens to match (a bug that ours had)."""

    def of_log(
        store: RetryingStore,
        archive: str,
        committer: Committer,
        place: TopicPartition,
        lost: OffsetRange,
        accepted: Accepted,
        topic_id: str | None = None,
    ) -> Committed:
        head = chain.head(store, archive, place)
        if topic_id is None or head is None or head.log.topic_id != topic_id:
            return right(store, archive, committer, place, lost, accepted, topic_id)
        if lost.start != head.next_offset:
            raise GapRefused("the chain ends elsewhere")
        return committer.accept_restart(place, head, lost.end, *accepted, topic_id)

    right = losses.of_log
    patch(losses, "of_log", of_log)


class _Asked:
    """Knows what was told before."""

    def __init__(self, told: Mapping[str, TopicFacts]) -> None:
        self.facts = told.__getitem__


PLANTED: Final[dict[str, Callable[[Patch], None]]] = {
    plant.__name__: plant
    for plant in (
        commit_before_upload,
        overwrite_allowed,
        maximum_instead_of_to,
        maximum_of_many_files,
        fence_removed,
        age_only_on_new_records,
        buffers_kept_after_a_fence,
        start_past_the_head,
        trust_kafkas_offset,
        batch_kept_over_a_loss,
        head_by_listing,
        lost_answer_taken_for_another_writer,
        gap_crossed_in_silence,
        offset_told_before_the_commit,
        hour_of_the_first_record,
        memory_without_a_limit,
        stale_facts_of_the_topic,
        topic_asked_before_its_chains,
        topic_accepted_twice,
    )
}
