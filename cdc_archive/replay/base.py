"""The checkpoint that a run begins with, in the numbers of the run's own plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from cdc_archive.archive.format.checkpoint import WITHOUT, Checkpoint
from cdc_archive.archive.format.layout import checkpoint_time
from cdc_archive.archive.reader.chain import Link
from cdc_archive.archive.reader.checkpoints import Checkpoints
from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.decode.images import parsed
from cdc_archive.errors import ArchiveDamaged, ObjectMissing
from cdc_archive.history.order import Reached
from cdc_archive.history.redelivery import Settled
from cdc_archive.history.states import Version
from cdc_archive.replay.progress import Progress


class KnownRow(NamedTuple):
    """A row that was known at the checkpoint's time."""

    table: str
    key: str
    version: Version


class Base:
    """A checkpoint.

    Args:
        key: its manifest's.
        checkpoint: the manifest.
        checkpoints: to read its parts.
    """

    def __init__(self, key: str, checkpoint: Checkpoint, checkpoints: Checkpoints) -> None:
        self.key = key
        self.at_us = checkpoint.at_us
        self.restarts: Mapping[str, Sequence[int]] = checkpoint.restarts
        self.account = checkpoint.account
        self._checkpoint = checkpoint
        self._checkpoints = checkpoints

    def reached(self) -> dict[TopicPartition, Reached]:
        """How far each stream's changes are in the state."""
        return {
            TopicPartition(one.topic, one.partition): Reached(
                one.connector, one.at, one.latest, one.latest_time_us
            )
            for one in self._checkpoint.streams
        }

    def known(self) -> dict[TopicPartition, int]:
        """The number of each chain's last commit when the checkpoint was made."""
        return {
            TopicPartition(one.topic, one.partition): one.head for one in self._checkpoint.streams
        }

    def heads(self, reader: ArchiveReader) -> dict[TopicPartition, Link]:
        """The commits that were read last.

        Raises:
            ArchiveDamaged: the archive does not have them, or has others.
        """
        found = {}
        for one in self._checkpoint.streams:
            partition = TopicPartition(one.topic, one.partition)
            if one.sequence is None:
                continue
            try:
                link = reader.link(partition, one.sequence)
            except ObjectMissing:
                raise ArchiveDamaged(f"{self.key}: knows a commit that is gone", WITHOUT) from None
            if link.sha256 != one.sha256:
                raise ArchiveDamaged(
                    f"{self.key}: commit {one.sequence} of {partition} was another one", WITHOUT
                )
            found[partition] = link
        return found

    def connectors(self) -> list[str]:
        """The connectors whose rows it holds."""
        return [one.connector for one in self._checkpoint.connectors]

    def progress(self, connector: str, numbers: Mapping[TopicPartition, int]) -> Progress:
        """What a fold of this connector knows beside the rows; `numbers` are the plan's."""
        for one in self._checkpoint.connectors:
            if one.connector == connector:
                told = Progress.decode(one.progress.encode())
                highest = {numbers[self._place(n)]: mark for n, mark in told.highest.items()}
                return Progress(fold=told.fold, highest=highest)
        return Progress()

    def settled(self, connector: str, numbers: Mapping[TopicPartition, int]) -> Settled:
        """The changes of a connector that are in the state; `numbers` are the plan's."""
        return Settled(self.progress(connector, numbers).highest, self.at_us)

    def _place(self, stream: int) -> TopicPartition:
        one = self._checkpoint.streams[stream]
        return TopicPartition(one.topic, one.partition)

    def rows(self, connector: str, tables: Iterable[str]) -> Iterator[KnownRow]:
        """The rows of some tables of a connector."""
        wanted = frozenset(tables)
        for one in self._checkpoint.connectors:
            if one.connector != connector:
                continue
            for part in one.parts:
                if wanted.isdisjoint(part.tables):
                    continue
                for line in self._checkpoints.rows(part):
                    table, key, version = parsed(line)
                    if table in wanted:
                        yield KnownRow(table, key, Version.decode(version))

    def tables(self, connector: str) -> set[str]:
        """The tables of a connector that hold rows."""
        return {
            table
            for one in self._checkpoint.connectors
            if one.connector == connector
            for part in one.parts
            for table in part.tables
        }


def newest(reader: ArchiveReader, before_us: int, reading: str) -> Base | None:
    """The newest checkpoint of a time not after `before_us` whose rows were read alike.

    Raises:
        ArchiveDamaged: a checkpoint is damaged.
    """
    for key in reader.checkpoints.manifests():
        at_us = checkpoint_time(key)
        if at_us is None or at_us > before_us:
            continue
        made = reader.checkpoints.manifest(key)
        if made.reading == reading:
            return Base(key, made, reader.checkpoints)
    return None


def of_key(reader: ArchiveReader, key: str) -> Base:
    """The checkpoint of a manifest's key."""
    return Base(key, reader.checkpoints.manifest(key), reader.checkpoints)
