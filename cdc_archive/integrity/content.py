"""Whether a data file holds what its commit says of it. Every record is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from typing import Final, NamedTuple

from cdc_archive.archive.format.commit import Commit, FileEntry
from cdc_archive.archive.format.commit import digest as sha256
from cdc_archive.archive.format.key_filter import KeyFilter
from cdc_archive.archive.format.layout import QUARANTINE, commit_key
from cdc_archive.archive.reader.reader import changes_in, quarantined_in
from cdc_archive.archive.writer.keys_seen import KeysSeen
from cdc_archive.changelog.hour import hour_of
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.changelog.record import ArchivedRecord
from cdc_archive.errors import ArchiveDamaged, ObjectMissing, ObjectTooLarge
from cdc_archive.integrity.findings import ALTERED, BROKEN, MISSING, MOVED, UNREADABLE, Finding
from cdc_archive.integrity.ledger import Ledger
from cdc_archive.storage.object_store import ObjectStore

Tell = Callable[[ArchivedRecord], None]
"""Is told of every change record that is read."""
_MOST_BYTES: Final = 256 << 20
"""A file that is larger than it should be is read up to here, to see whose bytes it holds."""


class _Seen(NamedTuple):
    place: TopicPartition
    offset: int
    label: str
    event_time_us: int | None
    home: tuple[str | None, str, str] | None


class Contents:
    """Looks into data files.

    Args:
        store: where they lie.
        ledger: tells whose bytes stand in a file, if they are another's.
        tell: is told of every change record of a sound file.
    """

    def __init__(self, store: ObjectStore, ledger: Ledger, tell: Tell) -> None:
        self._store = store
        self._ledger = ledger
        self._tell = tell

    def offsets(
        self, file: FileEntry, commit: Commit, incarnation: int, *, confirmed: bool
    ) -> Generator[Finding, None, list[int] | None]:
        """The offsets of a file that is sound; None: it is not, and a finding says why.

        Args:
            file: as its commit names it.
            commit: that commit.
            incarnation: of the log that its offsets belong to.
            confirmed: another object names the bytes of the commit; else it may be the commit that
                was altered, if the two do not agree.
        """
        try:
            data = self._store.get(file.key, file.size)
        except ObjectMissing:
            what = f"commit {commit.sequence} of {commit.topic_partition} names it, but it is not"
            yield Finding(MISSING, file.key, f"{what} there")
            return None
        except ObjectTooLarge as error:
            yield self._too_large(file, commit, error, confirmed=confirmed)
            return None
        if sha256(data) != file.sha256:
            if not confirmed and _is_named_so(file, data):
                what = f"names another sha256 of {file.key} than that file and its name have"
                yield Finding(ALTERED, _key_of(commit), what)
            else:
                yield self._altered(file, data)
            return None
        try:
            keys = KeysSeen()
            seen = [*self._records(data, file, commit, incarnation, keys)]
            _require_agreement(seen, file, commit)
            told = file.keys
            _require(not isinstance(told, KeyFilter) or keys.are_in(told), "key statistics")
        except ArchiveDamaged as error:
            yield Finding(UNREADABLE, file.key, error.what.removeprefix(f"{file.key}: "))
            return None
        except (ValueError, OverflowError) as error:
            key = file.key if confirmed else _key_of(commit)
            yield Finding(BROKEN, key, str(error) if confirmed else f"{file.key}: {error}")
            return None
        return [one.offset for one in seen]

    def _too_large(
        self, file: FileEntry, commit: Commit, error: ObjectTooLarge, *, confirmed: bool
    ) -> Finding:
        with suppress(ObjectMissing, ObjectTooLarge):
            data = self._store.get(file.key, _MOST_BYTES)
            if sha256(data) != file.sha256:
                return self._altered(file, data)
            if not confirmed:
                what = f"names another size of {file.key} than that file has"
                return Finding(ALTERED, _key_of(commit), what)
        return Finding(ALTERED, file.key, error.what.rpartition(f"{file.key}: ")[2])

    def is_there(self, file: FileEntry) -> Iterator[Finding]:
        """A look at the bytes alone, of a file that a commit names which was itself altered."""
        try:
            data = self._store.get(file.key, max(file.size, 1))
        except ObjectMissing:
            yield Finding(MISSING, file.key, "an altered commit names it, but it is not there")
        except ObjectTooLarge:
            return  # it may be the size in the commit that was altered
        else:
            if sha256(data) != file.sha256 and not _is_named_so(file, data):
                yield self._altered(file, data)

    def _altered(self, file: FileEntry, data: bytes) -> Finding:
        sha = sha256(data)
        other = self._ledger.holder(sha) or self._ledger.named_so(sha)
        if other is not None and other != file.key:
            return Finding(MOVED, file.key, f"holds the bytes of {other}")
        size = "" if len(data) == file.size else f": {len(data):,} instead of {file.size:,}"
        return Finding(ALTERED, file.key, f"its bytes are not those that were committed{size}")

    def _records(
        self,
        data: bytes,
        file: FileEntry,
        commit: Commit,
        incarnation: int,
        keys: KeysSeen,
    ) -> Iterator[_Seen]:
        if file.kind == QUARANTINE:
            for message, reason, _ in quarantined_in(data, file.key):
                place = TopicPartition(message.topic, message.partition)
                yield _Seen(place, message.offset, reason, None, None)
            return
        for archived in changes_in(data, file.key, commit.sequence, incarnation):
            record = archived.record
            home = (record.table, *hour_of(record.event_time_us))
            place, time = record.topic_partition, record.event_time_us
            yield _Seen(place, record.offset, record.op, time, home)
            keys.add(record)
            self._tell(archived)


def _is_named_so(file: FileEntry, data: bytes) -> bool:
    """Whether a file's bytes are those that its key tells: then it is as it was written."""
    return file.key.endswith(f"+{sha256(data)[:12]}.avro")


def _key_of(commit: Commit) -> str:
    return commit_key(commit.topic_partition, commit.sequence)


def _require_agreement(seen: list[_Seen], file: FileEntry, commit: Commit) -> None:
    found = [one.offset for one in seen]
    _require(all(one.place == commit.topic_partition for one in seen), "another topic partition")
    _require(found == sorted(set(found)), "offsets that do not rise")
    _require(len(found) == file.records, f"{len(found)} records instead of {file.records}")
    ends = [found[0], found[-1]] if found else []
    _require(ends == [file.first_offset, file.last_offset], f"offsets {ends}")
    counts = Counter(one.label for one in seen)
    _require(dict(counts) == file.counts, f"counts {dict(counts)} instead of {file.counts}")
    times = [one.event_time_us for one in seen if one.event_time_us is not None]
    span = (min(times, default=None), max(times, default=None))
    _require(span == (file.min_event_time_us, file.max_event_time_us), f"event times {span}")
    homes = {one.home for one in seen} - {None}
    _require(homes <= {(file.table, file.date, file.hour)}, f"records of {sorted(map(str, homes))}")


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(f"its content disagrees with its commit: {what}")
