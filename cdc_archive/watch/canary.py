"""The canary: a row that the database writes every few seconds, and how far it comes.

Two stages: `kafka` is the database, its slot and the connector; `archive` is the worker and the
store. A row that does not come is an alarm however quiet all else is.
"""

from __future__ import annotations

from typing import Final

from cdc_archive.archive.format.commit import Commit
from cdc_archive.archive.format.layout import CHANGES
from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.audit.table_names import fits_any
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.errors import ArchiveMissing, CdcArchiveError, ObjectMissing
from cdc_archive.storage.object_store import ObjectStore
from cdc_archive.telemetry.masking import masked
from cdc_archive.watch.condition import Condition
from cdc_archive.watch.spans import moment, span

KAFKA: Final = "kafka"
ARCHIVE: Final = "archive"
_WHERE: Final = {
    KAFKA: "look at the database's heartbeat, its replication slot and the connector's task",
    ARCHIVE: "look at the workers' log and the store",
}
_BACK: Final = 50
"""Commits that a first look goes back from the end of a chain."""
_ON: Final = 500
"""Commits that any other look goes on."""


class ArchivedCanary:
    """How far the canary is in the archive, by the event times that commits tell of their files.

    Args:
        store: where the archive lies; used by the thread that looks only.
        topic: the canary's.
        table: the end of its table's name, as in a service's rules; None: any of the topic.
    """

    def __init__(self, store: ObjectStore, topic: str, table: str | None = None) -> None:
        self.newest_us: int | None = None
        self.trouble = ""
        self._store = store
        self._topic = topic
        self._table = table
        self._next: dict[TopicPartition, int] = {}

    def look(self) -> None:
        """Read the commits that are new."""
        try:
            reader = ArchiveReader(self._store)
            for partition in reader.partitions(self._topic):
                self._read(reader, partition)
        except ArchiveMissing:
            self.trouble = "there is no archive yet"
        except CdcArchiveError as error:
            self.trouble = masked(str(error))
        else:
            self.trouble = "" if self._next else f"it holds nothing of topic {self._topic}"

    def _read(self, reader: ArchiveReader, partition: TopicPartition) -> None:
        if partition not in self._next:
            self._read_back(reader, partition)
            return
        for sequence in range(self._next[partition], self._next[partition] + _ON):
            try:
                commit = reader.link(partition, sequence).commit
            except ObjectMissing:
                return
            self._note(commit)
            self._next[partition] = sequence + 1

    def _read_back(self, reader: ArchiveReader, partition: TopicPartition) -> None:
        last = reader.last_sequence(partition)
        if last is None:
            return
        for sequence in range(last, max(-1, last - _BACK), -1):
            if self._note(reader.link(partition, sequence).commit):
                break
        self._next[partition] = last + 1

    def _note(self, commit: Commit) -> bool:
        times = [
            file.max_event_time_us
            for file in commit.files
            if file.kind == CHANGES and file.max_event_time_us is not None and self._is(file.table)
        ]
        self.newest_us = max(
            [*times, *([] if self.newest_us is None else [self.newest_us])], default=None
        )
        return bool(times)

    def _is(self, table: str | None) -> bool:
        return self._table is None or (table is not None and fits_any(table, [self._table]))


class Canary:
    """Both stages.

    Args:
        started_us: when the watch began; before that nobody looked, so ages begin here.
        kafka_late_us: age of the newest row in Kafka that is an alarm.
        archive_late_us: the same of the archive, which commits seldom.
        archived: looks at the archive; None: nobody does.
    """

    def __init__(
        self,
        started_us: int,
        kafka_late_us: int,
        archive_late_us: int,
        archived: ArchivedCanary | None = None,
    ) -> None:
        self._started_us = started_us
        self._late_us = {KAFKA: kafka_late_us, ARCHIVE: archive_late_us}
        self._newest_us: int | None = None
        self._archived = archived

    def seen(self, time_us: int) -> None:
        """A row of the canary came out of Kafka; its event time."""
        self._newest_us = max(time_us, self._newest_us or time_us)

    def ages(self, now_us: int) -> dict[str, float]:
        """By stage, seconds since the newest row that came so far, or since the start."""
        return {stage: (now_us - at) / 1e6 for stage, at in self._since(now_us).items()}

    def conditions(self, now_us: int) -> list[Condition]:
        """Kind `canary`, critical: the first stage where the canary is late."""
        for stage, since_us in self._since(now_us).items():
            if now_us - since_us > self._late_us[stage]:
                return [self._late(stage, now_us - since_us)]
        return []

    def _since(self, now_us: int) -> dict[str, int]:
        self._newest_us = _by_now(self._newest_us, now_us)
        since = {KAFKA: max(self._started_us, self._newest_us or 0)}
        if self._archived is not None:
            self._archived.newest_us = _by_now(self._archived.newest_us, now_us)
            since[ARCHIVE] = max(self._started_us, self._archived.newest_us or 0)
        return since

    def _late(self, stage: str, age_us: int) -> Condition:
        newest_us = self._newest_us
        trouble = ""
        if stage == ARCHIVE and self._archived is not None:
            newest_us, trouble = self._archived.newest_us, self._archived.trouble
        place = "Kafka" if stage == KAFKA else "the archive"
        last = f"the newest is of {moment(newest_us)}" if newest_us else "none was ever seen"
        why = f" ({trouble})" if trouble else ""
        summary = (
            f"the canary does not come through to {place}: no row for {span(age_us)}, {last}{why}; "
            f"{_WHERE[stage]}"
        )
        return Condition("canary", "", "", "critical", summary, age_us // 1_000_000, (stage,))


def _by_now(newest_us: int | None, now_us: int) -> int | None:
    """A row of tomorrow, by a clock that is wrong, must not count until tomorrow."""
    return None if newest_us is None else min(newest_us, now_us)
