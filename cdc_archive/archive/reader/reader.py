"""Reads an archive: only what a commit names (I5), each file checked against its hash.

Files that no commit names are invisible here; `verify` lists them.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import islice, repeat
from typing import Final

from cdc_archive.archive.format import archive_info, change_block, container, layout
from cdc_archive.archive.format.commit import Commit, FileEntry, Recovered, digest
from cdc_archive.archive.format.pattern_block import Glance
from cdc_archive.archive.reader import chain
from cdc_archive.archive.reader.ahead import ahead
from cdc_archive.archive.reader.checkpoints import Checkpoints
from cdc_archive.archive.reader.digests import Digests
from cdc_archive.archive.reader.sealed_links import sealed_links
from cdc_archive.archive.reader.woven import NamedFile, in_log_order, place, weave
from cdc_archive.changelog import header_names
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.changelog.record import ArchivedRecord
from cdc_archive.errors import ArchiveDamaged, ArchiveMissing, ObjectMissing
from cdc_archive.source.message import Message
from cdc_archive.storage.object_store import ObjectStore

FileFilter = Callable[[FileEntry], bool]
"""Whether a file is to be read at all, by what its commit says of it."""

VALUE_SCHEMA: Final = "cdc.value_schema"
"""Metadata entry of a data file: the Connect schema that its messages carried."""


def every_file(_: FileEntry) -> bool:
    """The filter that lets every file through."""
    return True


class ArchiveReader:
    """An archive, open for reading.

    Args:
        store: where the archive lies; its keys are relative to the archive's root.

    Raises:
        ArchiveMissing: there is no `archive.json`.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        try:
            self.info = archive_info.decode(store.get(layout.ARCHIVE_KEY, archive_info.MAX_BYTES))
        except ObjectMissing:
            raise ArchiveMissing(f"no archive here: {layout.ARCHIVE_KEY} is missing") from None

    def partitions(self, topic: str | None = None) -> list[TopicPartition]:
        """All topic partitions of the archive, or those of one topic."""
        return chain.partitions(self._store, self.info.id, topic)

    def last_sequence(self, partition: TopicPartition) -> int | None:
        """The number of the last commit of a chain; None: it has none."""
        return chain.last_sequence(self._store, partition)

    def links(
        self, partition: TopicPartition, after: chain.Link | None = None
    ) -> Iterator[chain.Link]:
        """The chain of a partition from its first commit, or after a known one, links checked."""
        return chain.walk(self._store, self.info.id, partition, after)

    def every_link(
        self,
        known: Mapping[TopicPartition, chain.Link] | None = None,
        partitions: Iterable[TopicPartition] | None = None,
    ) -> Iterator[chain.Link]:
        """The commits of all chains, each chain in its order; of sealed hours from their digests.

        Args:
            known: the last commit of each chain that need not be read again.
            partitions: those of the archive, if they are known.
        """
        last = dict(known or {})
        for link in sealed_links(self.digests, last):
            last[link.commit.topic_partition] = link
            yield link
        yield from self._unsealed(self.partitions() if partitions is None else partitions, last)

    def _unsealed(
        self, partitions: Iterable[TopicPartition], last: Mapping[TopicPartition, chain.Link]
    ) -> Iterator[chain.Link]:
        """The commits of all chains after the last known of each; most have none or one."""

        def first(partition: TopicPartition) -> tuple[TopicPartition, chain.Link | None]:
            return partition, next(self.links(partition, last.get(partition)), None)

        for partition, link in ahead(first, partitions):
            if link is not None:
                yield link
                yield from self.links(partition, link)

    def link(self, partition: TopicPartition, sequence: int) -> chain.Link:
        """One commit of a chain.

        Raises:
            ObjectMissing: there is none of this number.
        """
        return chain.read_link(self._store, self.info.id, partition, sequence)

    @property
    def checkpoints(self) -> Checkpoints:
        """The archive's state checkpoints."""
        return Checkpoints(self._store, self.info.id)

    @property
    def digests(self) -> Digests:
        """The archive's digests."""
        return Digests(self._store, self.info.id)

    def commits(self, partition: TopicPartition) -> Iterator[Commit]:
        """The commits of `links`."""
        for link in self.links(partition):
            yield link.commit

    def scan(
        self,
        partition: TopicPartition,
        wanted: FileFilter = every_file,
        glance: Glance | None = None,
    ) -> Iterator[ArchivedRecord]:
        """The change records of a partition in the order of its log (incarnation, offset), those
        only that a glance takes for wanted.

        What was recovered from quarantine stands where it belongs. Memory: the
        files of one commit that overlap.

        Raises:
            ArchiveDamaged: a file is missing, altered or unreadable.
        """
        read, late = partial(self.named, glance=glance), self._late(partition, wanted)
        committed = itertools.chain.from_iterable(
            weave(_files_of(commit, wanted), read) for commit in self.commits(partition)
        )
        if not late:
            return committed
        return heapq.merge(committed, weave(late, read), key=place)

    def files(
        self, partition: TopicPartition, wanted: FileFilter = every_file
    ) -> Iterator[NamedFile]:
        """The files that `scan` reads, in the order of the log."""
        commits = self.commits(partition)
        committed = (named for commit in commits for named in _files_of(commit, wanted))
        return heapq.merge(committed, self._late(partition, wanted), key=in_log_order)

    def _late(self, partition: TopicPartition, wanted: FileFilter) -> list[NamedFile]:
        late = (
            NamedFile(one.incarnation, file, commit.sequence)
            for commit, one in self.recovered(partition)
            for file in one.files
            if wanted(file)
        )
        return sorted(late, key=in_log_order)

    def recovered(self, partition: TopicPartition) -> Iterator[tuple[Commit, Recovered]]:
        """What was taken out of quarantine, with the commit that did so; the newest first."""
        return chain.recovered(self._store, self.info.id, partition)

    def named(self, named: NamedFile, glance: Glance | None = None) -> Iterator[ArchivedRecord]:
        """The change records of a file in offset order, or those that a glance takes for wanted."""
        return self.file(named.file, named.sequence, named.incarnation, glance)

    def file(
        self, file: FileEntry, sequence: int, incarnation: int = 0, glance: Glance | None = None
    ) -> Iterator[ArchivedRecord]:
        """The change records of one file that commit `sequence` names, in offset order."""
        found = changes_in(self._bytes(file), file.key, sequence, incarnation, glance)
        first = [*islice(found, 1)]
        if glance is None and not first:
            raise ArchiveDamaged(f"{file.key}: holds no record, but its commit counts some")
        return itertools.chain(first, found)

    def quarantined(self, file: FileEntry) -> Iterator[tuple[Message, str, str]]:
        """The messages of a quarantine file, each with reason and detail."""
        yield from quarantined_in(self._bytes(file), file.key)

    def _bytes(self, file: FileEntry) -> bytes:
        try:
            data = self._store.get(file.key, file.size)
        except ObjectMissing:
            raise ArchiveDamaged(f"{file.key}: named by a commit, but missing") from None
        if digest(data) != file.sha256:
            raise ArchiveDamaged(f"{file.key}: its bytes are not those that were committed")
        return data


def _files_of(commit: Commit, wanted: FileFilter) -> list[NamedFile]:
    """The wanted files of changes that a commit names, in the order of the log."""
    files = (
        NamedFile(commit.log.incarnation, file, commit.sequence)
        for file in commit.files
        if file.kind == layout.CHANGES and wanted(file)
    )
    return sorted(files, key=in_log_order)


def changes_in(
    data: bytes, key: str, sequence: int, incarnation: int = 0, wanted: Glance | None = None
) -> Iterator[ArchivedRecord]:
    """The change records in the bytes of a file, or those that are wanted, in offset order.

    Args:
        data: the whole file.
        key: its key.
        sequence: number of the commit that names it.
        incarnation: of the log that its offsets belong to.
        wanted: tells which records are; None: all.
    """
    read_block = partial(change_block.records, wanted=wanted)
    opened = container.read(data, "change_record.avsc", key, read_block)
    rest = (key, sequence, opened.metadata.get(VALUE_SCHEMA), incarnation)
    fields = zip(opened.records, *map(repeat, rest), strict=False)
    return map(tuple.__new__, repeat(ArchivedRecord), fields)  # no step in Python for a record


def quarantined_in(data: bytes, key: str) -> Iterator[tuple[Message, str, str]]:
    """The messages in the bytes of a quarantine file, each with reason and detail."""
    opened = container.read(data, "quarantine_record.avsc", key)
    for fields in opened.records:
        reason, detail = fields.pop("reason"), fields.pop("detail")
        message = Message(**change_block.message_fields(fields))
        headers = header_names.restored(message.headers, detail)
        yield message._replace(headers=headers), reason, detail
