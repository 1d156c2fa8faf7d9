"""Takes out of quarantine what decodes now: as a new commit that names where it comes from.

The quarantine keeps its files: what was recovered is left out by readers, never deleted. Each
message is recovered once, whoever else writes to the chain meanwhile.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from cdc_archive.archive.format.commit import Recovered
from cdc_archive.archive.reader import chain, quarantine
from cdc_archive.archive.reader.quarantine import Asked, Held
from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.archive.writer.batch import Decode
from cdc_archive.archive.writer.committer import Committer
from cdc_archive.archive.writer.files import Files
from cdc_archive.archive.writer.open_file import DataFile, FileFormat
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.errors import Fenced, Undecodable
from cdc_archive.storage.object_store import ObjectStore

COMMIT_BYTES = 64 * 1024 * 1024
"""Bytes held in memory after which a commit is made."""


class Outcome(NamedTuple):
    """Of one partition: messages recovered, by the reason for which they were in quarantine, and
    messages that still do not decode, by the reason of now.
    """

    partition: TopicPartition
    recovered: Counter[str]
    still: Counter[str]


class Recovery:
    """Decodes quarantined messages again.

    Args:
        store: where the archive lies.
        committer: writes to it.
        decode: what reads a message now.
        form: how files are written.
        commit_bytes: held in memory after which a commit is made.
    """

    def __init__(
        self,
        store: ObjectStore,
        committer: Committer,
        decode: Decode,
        form: FileFormat,
        commit_bytes: int = COMMIT_BYTES,
    ) -> None:
        self._store = store
        self._committer = committer
        self._decode = decode
        self._form = form
        self._commit_bytes = commit_bytes

    def run(self, reader: ArchiveReader, partition: TopicPartition, asked: Asked) -> Outcome:
        """Recover what decodes now of what is asked for.

        Raises:
            ArchiveDamaged: a quarantine file is missing, altered or unreadable.
        """
        outcome = Outcome(partition, Counter(), Counter())
        while True:
            try:
                self._pass(reader, partition, asked, outcome)
            except Fenced:  # a worker was faster: what is recovered by now is seen in the new chain
                outcome.still.clear()
                continue
            return outcome

    def _pass(
        self, reader: ArchiveReader, partition: TopicPartition, asked: Asked, outcome: Outcome
    ) -> None:
        head = chain.head(self._store, reader.info.id, partition)
        waiting: list[tuple[Recovered, list[DataFile]]] = []
        told: Counter[str] = Counter()
        size = 0
        for held in _by_file(reader, partition, asked):
            found, files = self._of_file(held, told, outcome.still)
            if not found.offsets:
                continue
            waiting.append((found, files))
            size += sum(len(file.data) for file in files)
            if size >= self._commit_bytes:
                head = self._committer.recover(partition, head, waiting).head
                outcome.recovered.update(told)
                waiting, told, size = [], Counter(), 0
        if waiting:
            self._committer.recover(partition, head, waiting)
            outcome.recovered.update(told)

    def _of_file(
        self, held: list[Held], told: Counter[str], still: Counter[str]
    ) -> tuple[Recovered, list[DataFile]]:
        first = held[0]
        message = first.message
        partition = TopicPartition(message.topic, message.partition)
        files = Files(partition, self._form, first.incarnation)
        offsets: list[int] = []
        for one in held:
            try:
                files.add(self._decode(one.message))
            except Undecodable as error:
                still[error.reason] += 1
                continue
            told[one.reason] += 1
            offsets.append(one.message.offset)
        done = [file.finish() for file in files.in_order()]
        entries = [file.entry for file in done]
        return Recovered(first.file, ranges(offsets), entries, first.incarnation), done


def _by_file(
    reader: ArchiveReader, partition: TopicPartition, asked: Asked
) -> Iterator[list[Held]]:
    held = quarantine.of_partition(reader, partition, asked)
    for _, group in groupby(held, key=attrgetter("file")):
        waiting = [one for one in group if one.recovered_by is None]
        if waiting:
            yield waiting


def ranges(offsets: list[int]) -> list[tuple[int, int]]:
    """Rising offsets as half-open ranges."""
    out: list[tuple[int, int]] = []
    for offset in offsets:
        if out and out[-1][1] == offset:
            out[-1] = (out[-1][0], offset + 1)
        else:
            out.append((offset, offset + 1))
    return out
