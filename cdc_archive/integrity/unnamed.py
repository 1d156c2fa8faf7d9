"""Objects that nothing names: what a crash left, or what somebody added.

A worker that dies between its data files and their commit leaves files that nobody names. What is
in them came from the log, so that the archive holds the same at the same offsets, once the next
worker has read them again. A file that says otherwise was not left by a crash.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from cdc_archive.archive.format import layout
from cdc_archive.archive.format.commit import digest as sha256
from cdc_archive.archive.format.container import MAX_METADATA_ENTRIES, read
from cdc_archive.archive.reader.reader import changes_in, quarantined_in
from cdc_archive.archive.writer.root import PROBE_KEY
from cdc_archive.changelog.hour import Hour, hour_of
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.errors import ArchiveDamaged, ObjectMissing, ObjectTooLarge
from cdc_archive.integrity.findings import EXTRA, ORPHAN, Finding
from cdc_archive.integrity.ledger import Ledger
from cdc_archive.storage.object_store import ObjectStore

_MAX_BYTES: Final = 1 << 30
_INCARNATION: Final = "cdc.incarnation"
_DATA_KEY: Final = re.compile(
    r"(changes|quarantine)/(?:table|topic)=[^/]+/date=([^/]+)/hour=([^/]+)/"
    r"([^/]+)\+(\d+)\+(\d{19})-(\d{19})\+([0-9a-f]{12})\.avro",
    re.ASCII,
)
_PART_KEY: Final = re.compile(r"checkpoints/\d{20}/([0-9a-f]{64})\.jsonl\.zst", re.ASCII)
Rows = dict[int, Any]


class _Strange(Exception):
    """No worker makes such a file."""


class Unnamed:
    """Judges the objects that nothing named.

    Args:
        store: where they lie.
        ledger: knows which.
    """

    def __init__(self, store: ObjectStore, ledger: Ledger) -> None:
        self._store = store
        self._ledger = ledger

    def judge(self) -> Iterator[Finding]:
        """A finding for each; none for a data file that a lost commit may have named."""
        for key in (layout.ARCHIVE_KEY, PROBE_KEY):
            self._ledger.name_other(key)
        for key in self._ledger.unnamed():
            match = _DATA_KEY.fullmatch(key)
            if match is None:
                yield self._other(key)
            elif not self._may_be_lost(match):
                yield self._data_file(key, match)

    def _other(self, key: str) -> Finding:
        part = _PART_KEY.fullmatch(key)
        if part is None:
            return Finding(EXTRA, key, "no archive has such an object")
        try:
            whole = sha256(self._bytes(key)) == part[1]
        except _Strange as error:
            return Finding(EXTRA, key, str(error))
        if not whole:
            what = "no checkpoint names it, and its bytes are not those that its name says"
            return Finding(EXTRA, key, what)
        return Finding(ORPHAN, key, "no checkpoint names it, as a crash or a removal leaves it")

    def _may_be_lost(self, match: re.Match[str]) -> bool:
        chain = f"{layout.COMMITS}{match[4]}/{int(match[5])}/"
        return self._ledger.is_lost(chain, int(match[6]), int(match[7]))

    def _data_file(self, key: str, match: re.Match[str]) -> Finding:
        try:
            told = self._compared(key, match)
        except _Strange as error:
            return Finding(EXTRA, key, f"no commit names it, and {error}")
        return Finding(ORPHAN, key, f"no commit names it: {told}, as a crash leaves them")

    def _compared(self, key: str, match: re.Match[str]) -> str:
        """What a crash may have left."""
        kind, chain = match[1], f"{layout.COMMITS}{match[4]}/{int(match[5])}/"
        data = self._bytes(key)
        if sha256(data)[:12] != match[8]:
            raise _Strange("its bytes are not those that its name says")
        rows, home = self._rows(data, key, kind)
        offsets = [*rows]
        if not offsets or (offsets[0], offsets[-1]) != (int(match[6]), int(match[7])):
            raise _Strange("it holds other offsets than its name says")
        if home != key:
            raise _Strange(f"what is in it belongs under {home}")
        known = 0
        log = (chain, self._incarnation(data, kind))
        for named in self._ledger.covering(*log, min(rows), max(rows)):
            if named.kind != kind:
                continue
            for offset, row in self._rows(self._bytes(named.key), named.key, kind)[0].items():
                if offset in rows:
                    known += 1
                    if rows[offset] != row:
                        what = f"offset {offset} in it is not what {named.key} holds there"
                        raise _Strange(what)
        if known == len(rows):
            return f"a copy of {known:,} messages that other files hold"
        return f"{len(rows):,} messages, {known:,} of which other files hold"

    def _bytes(self, key: str) -> bytes:
        try:
            return self._store.get(key, _MAX_BYTES)
        except ObjectMissing:
            raise _Strange("it is not to be had") from None
        except ObjectTooLarge as error:
            raise _Strange(error.what) from None

    def _rows(self, data: bytes, key: str, kind: str) -> tuple[Rows, str]:
        """The messages by offset, and the key of a file that holds just them."""
        try:
            rows: Rows = {}
            places: set[tuple[TopicPartition, str, Hour | None]] = set()
            if kind == layout.QUARANTINE:
                for message, _, _ in quarantined_in(data, key):
                    rows[message.offset] = message
                    where = TopicPartition(message.topic, message.partition)
                    places.add((where, message.topic, None))
            else:
                for archived in changes_in(data, key, 0):
                    record = archived.record
                    rows[record.offset] = (record, archived.value_schema)
                    hour = hour_of(record.event_time_us)
                    places.add((record.topic_partition, record.table, hour))
        except (ArchiveDamaged, ValueError, OverflowError) as error:
            raise _Strange(f"it cannot be read: {error}".splitlines()[0]) from None
        if len(places) != 1 or [*rows] != sorted(rows):
            raise _Strange("it mixes what no worker puts into one file")
        ((where, folder, found),) = places
        if found is None:
            match = _DATA_KEY.fullmatch(key)
            assert match is not None
            found = Hour(match[2], match[3])
        ends = (min(rows), max(rows))
        return rows, layout.data_key(kind, folder, found, where, *ends, sha256(data))

    def _incarnation(self, data: bytes, kind: str) -> int:
        schema = "change_record.avsc" if kind == layout.CHANGES else "quarantine_record.avsc"
        text = read(data, schema, "").metadata.get(_INCARNATION, b"0")
        return int(text) if text.isdigit() and len(text) < MAX_METADATA_ENTRIES else 0
