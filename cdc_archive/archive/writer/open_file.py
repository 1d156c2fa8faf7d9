"""A data file while it grows in memory: its bytes so far, and the block that is being filled.

A full block is compressed beside the thread that fills the next one; blocks stand in the file in
the order in which they were filled. The finished file is the very buffer that grew, from header to
last block: nothing is copied to close it, so that a batch holds no more when it is committed than
it did while it was open.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, NamedTuple

from msgspec import UNSET

from cdc_archive.archive.format import container, layout
from cdc_archive.archive.format.commit import FileEntry, digest
from cdc_archive.archive.writer import keys_seen
from cdc_archive.archive.writer.keys_seen import KEY_BYTES, KeysSeen
from cdc_archive.changelog.hour import Hour
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.changelog.record import ChangeRecord, JsonText
from cdc_archive.storage.object_store import Content

OVERHEAD_BYTES: Final = 1536
"""What an open file costs beside header and records: objects, growth of its buffer (measured)."""
RECORD_BYTES: Final = 104 + KEY_BYTES
"""What a record costs beside its bytes until its block is closed: object, label, time, key."""

_SHARE: Final = 8
"""A block is full at an eighth of what the file's blocks hold: a file of few records holds few
bytes uncompressed, one of many is compressed well."""
_FIRST: Final = 16
"""To begin with, at a sixteenth of the largest block."""

Beside = Callable[[Callable[[], tuple[bytes, ...]]], "Future[tuple[bytes, ...]]"]
"""Starts the making of a block's bytes, here or in another thread."""


def at_once(work: Callable[[], tuple[bytes, ...]]) -> Future[tuple[bytes, ...]]:
    """The simplest `Beside`: it is done when this returns."""
    future: Future[tuple[bytes, ...]] = Future()
    future.set_result(work())
    return future


_SCHEMAS: Final = {
    layout.CHANGES: "change_record.avsc",
    layout.QUARANTINE: "quarantine_record.avsc",
}


class FileFormat(NamedTuple):
    """How files are written: codec (codecs.COMPRESS), raw bytes after which a file's largest blocks
    end, and whether their commit tells which keys they may hold.
    """

    codec: str = "zstandard"
    block_bytes: int = 524_288
    keys: bool = True


class FileIdentity(NamedTuple):
    """What a file is about; records that differ in any of these go to different files."""

    kind: str
    folder: str
    hour: Hour
    value_schema: str | None


class DataFile(NamedTuple):
    """A finished file: its entry for the commit, and its bytes (the open file's own: read only)."""

    entry: FileEntry
    data: Content


class OpenFile:
    """Records of one topic partition, of one table and hour and schema.

    Args:
        identity: what the records have in common.
        partition: where they come from.
        value_schema: text of the Connect schema whose sha256 the identity names.
        form: how the file is written.
        incarnation: of the log; equal records of two incarnations are not the same file.
        beside: where blocks are compressed.
    """

    def __init__(
        self,
        identity: FileIdentity,
        partition: TopicPartition,
        value_schema: JsonText | None,
        form: FileFormat,
        incarnation: int = 0,
        beside: Beside = at_once,
    ) -> None:
        self._identity = identity
        self._partition = partition
        self._value_schema = value_schema
        self._form = form
        self._incarnation = incarnation
        self._beside = beside
        self._data = bytearray()
        self._block: list[bytes] = []
        self._block_size = 0
        self._raw_size = 0
        self._full_at = form.block_bytes // _FIRST
        self._labels: list[str] = []
        self._event_times: list[int] = []
        self._closed: deque[tuple[int, Future[tuple[bytes, ...]]]] = deque()
        self._sync = b""
        self._counts: Counter[str] = Counter()
        self._first = self._last = -1
        self._times: tuple[int, int] | None = None
        keeps = form.keys and identity.kind == layout.CHANGES
        self.keys = KeysSeen() if keeps else None

    def note_keys(self, record: ChangeRecord) -> None:
        """Take the keys of a record, which is appended next, into the file's key statistics."""
        if self.keys is not None:
            self.keys.add(record)

    def append(self, encoded: bytes, offset: int, event_time_us: int | None, label: str) -> bool:
        """Take one more record, which costs its bytes and `RECORD_BYTES`.

        Args:
            encoded: its Avro bytes.
            offset: its Kafka offset, higher than all before.
            event_time_us: its event time, None if it tells none.
            label: what to count it as, its op or its reason.

        Returns:
            whether it filled a block; see `settle`.
        """
        if self._first < 0:
            self._begin(offset)
        self._last = offset
        self._block.append(encoded)
        self._labels.append(label)
        if event_time_us is not None:
            self._event_times.append(event_time_us)
        self._block_size += len(encoded)
        return self._closed_if_full()

    def extend(self, encoded: bytes, labels: list[str], last_offset: int, *times: int) -> bool:
        """Take several more, of which none before the last fills the block's `room`.

        Args:
            encoded: their Avro bytes, one after the other.
            labels: what to count each as.
            last_offset: the highest of their offsets.
            times: the earliest and the latest of their event times.

        Returns:
            as `append`.
        """
        self._last = last_offset
        self._block.append(encoded)
        self._labels += labels
        self._event_times += times
        self._block_size += len(encoded)
        return self._closed_if_full()

    @property
    def room(self) -> int:
        """The bytes that fill the block."""
        return self._full_at - self._block_size

    def _closed_if_full(self) -> bool:
        if self._block_size < self._full_at:
            return False
        self._close_block()
        return True

    def _begin(self, offset: int) -> None:
        self._first = offset
        log = (*self._partition, self._incarnation)[: 3 if self._incarnation else 2]
        self._sync = container.sync_marker((*self._identity, *log, offset))
        self._data += container.header(
            container.schema_text(_SCHEMAS[self._identity.kind]),
            self._form.codec,
            self._metadata(),
            self._sync,
        )

    @property
    def head_bytes(self) -> int:
        """What it costs beside its records, once it has one."""
        of_keys = 0 if self.keys is None else keys_seen.OVERHEAD_BYTES
        return OVERHEAD_BYTES + of_keys + len(self._data)

    def _close_block(self) -> None:
        container.require_openable(self._block_size)
        records, codec, sync = self._block, self._form.codec, self._sync
        count = len(self._labels)
        held = self._block_size + RECORD_BYTES * count
        if self.keys is not None:
            self.keys.hash()
            held -= keys_seen.HASH_BYTES * count
        self._count()
        self._raw_size += self._block_size
        self._block, self._block_size = [], 0
        self._full_at = min(max(self._full_at, self._raw_size // _SHARE), self._form.block_bytes)
        making = self._beside(lambda: container.block(b"".join(records), count, codec, sync))
        self._closed.append((held, making))

    def _count(self) -> None:
        self._counts.update(self._labels)
        self._labels.clear()
        if times := self._event_times:
            low, high = self._times or (times[0], times[0])
            self._times = (min(low, *times), max(high, *times))
            times.clear()

    def settle(self) -> int | None:
        """Put the next block in its place if it is made; how many bytes less are held then."""
        if not self._closed or not self._closed[0][1].done():
            return None
        held, making = self._closed.popleft()
        before = len(self._data)
        for piece in making.result():
            self._data += piece
        return held - (len(self._data) - before)

    def finish(self) -> DataFile:
        """Close the file, when its blocks are made. The same records give the same bytes (I6)."""
        if self._block:
            self._close_block()
        while self._closed:
            self._closed[0][1].result()
            self.settle()
        return DataFile(self._entry(self._data), self._data)

    def _metadata(self) -> dict[str, bytes]:
        entries = {
            "cdc.format": b"1",
            "cdc.topic": self._partition.topic.encode(),
            "cdc.partition": str(self._partition.partition).encode(),
            "cdc.folder": self._identity.folder.encode(),
            "cdc.hour": str(self._identity.hour).encode(),
        }
        if self._incarnation:
            entries["cdc.incarnation"] = str(self._incarnation).encode()
        if self._value_schema is not None:
            entries["cdc.value_schema"] = self._value_schema
        return entries

    def _entry(self, data: Content) -> FileEntry:
        kind, folder, hour, value_schema = self._identity
        sha = digest(data)
        low, high = self._times or (None, None)
        return FileEntry(
            key=layout.data_key(kind, folder, hour, self._partition, self._first, self._last, sha),
            kind=kind,
            size=len(data),
            sha256=sha,
            records=self._counts.total(),
            first_offset=self._first,
            last_offset=self._last,
            date=hour.date,
            hour=hour.hour,
            counts=dict(sorted(self._counts.items())),
            table=folder if kind == layout.CHANGES else None,
            value_schema=value_schema,
            min_event_time_us=low,
            max_event_time_us=high,
            keys=UNSET if self.keys is None else self.keys.filter(),
        )
