"""Steps 2 to 4 of the commit order: from a sealed batch to a new link of the chain.

The whole order stands in worker/checkpoint.py. Each step may be cut off by a crash; what is left
then is told in docs/operations.md and tested in tests/archive/writer/test_crash_at_each_step.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from cdc_archive.archive.format.commit import (
    FORMAT,
    MAX_BYTES,
    RESTARTED,
    SOURCE,
    Commit,
    FileEntry,
    Gap,
    Log,
    Recovered,
    Skipped,
    SourceMark,
    Writer,
    digest,
)
from cdc_archive.archive.format.layout import commit_key
from cdc_archive.archive.reader.chain import Head
from cdc_archive.archive.writer.batch import Batch
from cdc_archive.archive.writer.open_file import DataFile
from cdc_archive.changelog.position import OffsetRange, TopicPartition
from cdc_archive.errors import ArchiveDamaged, Fenced
from cdc_archive.source.source import NO_FACTS, TopicFacts
from cdc_archive.storage.object_store import ObjectStore

RunAll = Callable[[Sequence[Callable[[], None]]], None]
"""Runs independent pieces of work, one after the other or side by side; raises if one raised."""


def one_by_one(work: Sequence[Callable[[], None]]) -> None:
    """The simplest `RunAll`."""
    for piece in work:
        piece()


class Committed(NamedTuple):
    """A commit that stands: the chain's new head, the commit, and the bytes of its files."""

    head: Head
    commit: Commit
    bytes: int


class Committer:
    """Writes commits of one archive.

    Args:
        store: where the archive lies.
        archive: its id.
        writer: who we are, for the record.
        clock: Unix seconds, for `committed_at` only.
        run_all: how the files of one commit are uploaded.
    """

    def __init__(
        self,
        store: ObjectStore,
        archive: str,
        writer: Writer,
        clock: Callable[[], float],
        run_all: RunAll = one_by_one,
    ) -> None:
        self._store = store
        self._archive = archive
        self._writer = writer
        self._clock = clock
        self._run_all = run_all

    def commit(
        self,
        batch: Batch,
        head: Head | None,
        topic: TopicFacts = NO_FACTS,
        confirm: Callable[[], None] = lambda: None,
    ) -> Committed:
        """Make `batch` the commit after `head`.

        Args:
            batch: sealed.
            head: the chain's head; None: it has no commit yet.
            topic: the topic that the batch was read from.
            confirm: asked last thing before the commit; raises if the batch must not count.

        Raises:
            Fenced: another writer has made that commit. Nothing of the batch counts.
            StateUnknown, StoreUnreachable, StoreDenied, BucketMissing: as the store raises them.
            ArchiveDamaged: an object of another content stands under a data file's key.
        """
        files = [file.finish() for file in batch.files()]  # 2 close its files
        self._run_all([self._putting(file) for file in files])  # 3 PUT data files
        log = Log() if head is None else head.log
        if len({topic.id, log.topic_id} - {None}) > 1:
            raise ArchiveDamaged(f"{batch.partition}: refusing to mix two topics in one chain")
        commit = self._link(
            batch.partition,
            head,
            batch.range,
            files=[file.entry for file in files],
            skipped=batch.skipped(),
            absent=batch.absent(),
            log=Log(log.incarnation, topic.id or log.topic_id, topic.partitions),
            source=batch.source,
        )
        confirm()
        return Committed(self._put(commit), commit, sum(len(file.data) for file in files))

    def accept_gap(
        self,
        partition: TopicPartition,
        head: Head | None,
        lost: OffsetRange,
        reason: str,
        by: str,
        topic_id: str | None = None,
    ) -> Committed:
        """Record offsets that the log no longer holds as a known loss, and go on after them.

        A chain that begins so belongs to the topic with that id.
        """
        gap = Gap(lost.start, lost.end, reason, by, self._now())
        log = Log(topic_id=topic_id) if head is None else head.log
        return self._recorded(self._link(partition, head, lost, gaps=[gap], log=log))

    def accept_restart(
        self,
        partition: TopicPartition,
        head: Head,
        start: int,
        reason: str,
        by: str,
        topic_id: str | None = None,
    ) -> Committed:
        """Record that the log began anew: the chain goes on at `start`, in a new incarnation.

        How many messages were lost after the chain's last offset cannot be known.
        """
        detail = f"archived up to offset {head.next_offset} of topic id {head.log.topic_id}"
        detail += f", goes on at offset {start} of topic id {topic_id}"
        gap = Gap(start, start, reason, by, self._now(), RESTARTED, detail)
        log = Log(head.log.incarnation + 1, topic_id)
        at = OffsetRange(start, start)
        return self._recorded(self._link(partition, head, at, gaps=[gap], log=log))

    def accept_stream_gap(
        self, partition: TopicPartition, head: Head, position: int, reason: str, by: str
    ) -> Committed:
        """Record that the connector begins anew at `position`: changes before it may be lost.

        Raises:
            ValueError: the chain holds no change of a connector.
        """
        if head.source is None:
            raise ValueError(f"the chain of {partition} holds no change of a connector")
        known = head.source
        detail = f"connector {known.connector}: archived up to position {known.position}, "
        detail += f"begins anew at {position}"
        at = OffsetRange(head.next_offset, head.next_offset)
        gap = Gap(at.start, at.end, reason, by, self._now(), SOURCE, detail)
        mark = SourceMark(known.connector, known.position, streaming=False, restart=position)
        return self._recorded(self._link(partition, head, at, gaps=[gap], source=mark))

    def recover(
        self,
        partition: TopicPartition,
        head: Head | None,
        found: Sequence[tuple[Recovered, Sequence[DataFile]]],
    ) -> Committed:
        """Record what was in quarantine and decodes now; files first, as in every commit.

        Raises:
            Fenced: another writer has made that commit; look again what is left to recover.
        """
        files = [file for _, written in found for file in written]
        self._run_all([self._putting(file) for file in files])
        next_offset = 0 if head is None else head.next_offset
        at = OffsetRange(next_offset, next_offset)
        commit = self._link(partition, head, at, recovered=[one for one, _ in found])
        return Committed(self._put(commit), commit, sum(len(file.data) for file in files))

    def _recorded(self, commit: Commit) -> Committed:
        return Committed(self._put(commit), commit, 0)

    def _link(
        self,
        partition: TopicPartition,
        head: Head | None,
        covered: OffsetRange,
        *,
        files: Sequence[FileEntry] = (),
        skipped: Sequence[Skipped] = (),
        absent: Sequence[tuple[int, int]] = (),
        gaps: Sequence[Gap] = (),
        recovered: Sequence[Recovered] = (),
        log: Log | None = None,
        source: SourceMark | None = None,
    ) -> Commit:
        before = Head(-1, "", 0) if head is None else head
        return Commit(
            format=FORMAT,
            archive=self._archive,
            topic=partition.topic,
            partition=partition.partition,
            sequence=before.sequence + 1,
            previous=None if head is None else head.sha256,
            start=covered.start,
            end=covered.end,
            files=[*files],
            skipped=[*skipped],
            absent=[*absent],
            gaps=[*gaps],
            writer=self._writer,
            committed_at=self._now(),
            log=log or before.log,
            source=source or before.source,
            recovered=[*recovered],
            last_retry=before.last_retry,
        )

    def _putting(self, file: DataFile) -> Callable[[], None]:
        def put() -> None:
            if self._store.create(file.entry.key, file.data):
                return
            if not self._store.holds(file.entry.key, file.data):
                raise ArchiveDamaged(f"{file.entry.key}: other bytes stand under this name")

        return put

    def _put(self, commit: Commit) -> Head:
        data = commit.encode()
        key = commit_key(commit.topic_partition, commit.sequence)
        if (
            not self._store.create(key, data) and self._store.get(key, MAX_BYTES) != data
        ):  # 4 PUT the commit
            raise Fenced(f"{key}: another writer has made this commit")
        return Head.of(commit, digest(data))

    def _now(self) -> str:
        return datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="milliseconds")
