"""Proves an archive against its chains: links and contents, object by object.

It goes on after each finding, so that one damaged object does not hide another.

What it cannot see without a copy of the heads kept elsewhere: that the end of a chain was cut off.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator
from itertools import groupby

from cdc_archive.archive.format import layout
from cdc_archive.archive.format.commit import Commit, FileEntry, Recovered
from cdc_archive.archive.reader import chain
from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.archive.writer.root import PROBE_KEY
from cdc_archive.changelog.position import OffsetRange
from cdc_archive.errors import ArchiveDamaged, FormatUnknown, ObjectMissing
from cdc_archive.integrity import content
from cdc_archive.integrity.findings import (
    ALTERED,
    BROKEN,
    GAP,
    MISSING,
    ORPHAN,
    STRANGER,
    UNREADABLE,
    Finding,
)
from cdc_archive.storage.object_store import ObjectStore

_ROOT = frozenset({layout.ARCHIVE_KEY, PROBE_KEY})
_DATA = (f"{layout.CHANGES}/", f"{layout.QUARANTINE}/", layout.CHECKPOINTS)


class Verification:
    """One look at a whole archive; the counts are of what was looked at.

    Args:
        store: where the archive lies.
        reader: the same, open.
    """

    def __init__(self, store: ObjectStore, reader: ArchiveReader) -> None:
        self._store = store
        self._reader = reader
        self._named: set[str] = set()
        self.counts: Counter[str] = Counter(chains=0, commits=0, files=0, records=0)

    def run(self) -> Iterator[Finding]:
        """All findings, chain by chain, then the objects that no commit names."""
        listed = (stat.key for stat in self._store.list(layout.COMMITS))
        for prefix, keys in groupby(listed, layout.chain_prefix_of):
            if prefix is None:
                yield from (Finding(STRANGER, key, "no commit has such a key") for key in keys)
            else:
                self.counts["chains"] += 1
                yield from self._chain(list(keys))
        for key in self._reader.checkpoints.manifests():
            yield from self._checkpoint(key)
        for stat in self._store.list(""):
            yield from self._unnamed(stat.key)

    def _chain(self, keys: list[str]) -> Iterator[Finding]:
        previous: chain.Link | None = None
        waiting: dict[str, set[int]] = {}
        expected = 0
        for key in keys:
            sequence = layout.sequence_of(key)
            assert sequence is not None
            if sequence > expected:
                what = f"commits {expected} to {sequence - 1} are missing before this one"
                yield Finding(MISSING, key, what)
                previous = None
            expected = sequence + 1
            try:
                link = chain.read_at(self._store, self._reader.info.id, key)
                chain.join(previous, link, key)
            except ObjectMissing:
                yield Finding(MISSING, key, "listed, but not to be had")
                continue
            except (ArchiveDamaged, FormatUnknown) as error:
                yield Finding(UNREADABLE if previous is None else BROKEN, key, error.what)
                previous = None
                continue
            self.counts["commits"] += 1
            yield from self._commit(key, link.commit, waiting)
            previous = link

    def _commit(self, key: str, commit: Commit, waiting: dict[str, set[int]]) -> Iterator[Finding]:
        for gap in commit.gaps:
            lost = OffsetRange(gap.start, gap.end)
            what = f"{gap.kind}: {lost} {gap.reason} (accepted by {gap.accepted_by}) {gap.detail}"
            yield Finding(GAP, key, f"{commit.topic_partition} {what}".rstrip())
        found: list[int] = []
        whole = True
        for file in commit.files:
            offsets = yield from self._file(file, commit)
            whole = whole and offsets is not None
            found += offsets or ()
            if file.kind == layout.QUARANTINE:
                waiting[file.key] = set(offsets or ())
        if whole and len(found) != len(set(found)):
            yield Finding(BROKEN, key, "an offset stands in two of its files")
        for one in commit.recovered:
            yield from self._recovered(key, commit, one, waiting)

    def _recovered(
        self, key: str, commit: Commit, one: Recovered, waiting: dict[str, set[int]]
    ) -> Iterator[Finding]:
        claimed = {offset for start, end in one.offsets for offset in range(start, end)}
        left = waiting.get(one.origin)
        if left is None or not claimed <= left:
            yield Finding(BROKEN, key, f"recovers what does not wait in {one.origin}")
        else:
            left -= claimed
        found: set[int] = set()
        whole = True
        for file in one.files:
            offsets = yield from self._file(file, commit)
            whole = whole and offsets is not None
            found |= set(offsets or ())
        if whole and found != claimed:
            yield Finding(BROKEN, key, f"recovered other offsets than it says of {one.origin}")

    def _file(self, file: FileEntry, commit: Commit) -> Generator[Finding, None, list[int] | None]:
        self._named.add(file.key)
        self.counts["files"] += 1
        try:
            offsets = content.offsets(self._reader, file, commit)
        except ArchiveDamaged as error:
            there = self._store.stat(file.key) is not None
            yield Finding(ALTERED if there else MISSING, file.key, error.what)
            return None
        except ValueError as error:
            yield Finding(BROKEN, file.key, str(error))
            return None
        self.counts["records"] += len(offsets)
        return offsets

    def _checkpoint(self, key: str) -> Iterator[Finding]:
        """It proves nothing, but a later replay may begin with it."""
        self._named.add(key)
        try:
            manifest = self._reader.checkpoints.manifest(key)
        except (ArchiveDamaged, FormatUnknown) as error:
            yield Finding(UNREADABLE, key, error.what)
            return
        for part in (part for one in manifest.connectors for part in one.parts):
            self._named.add(part.key)
            try:
                for _ in self._reader.checkpoints.rows(part):
                    pass
            except ArchiveDamaged as error:
                there = self._store.stat(part.key) is not None
                yield Finding(ALTERED if there else MISSING, part.key, error.what)

    def _unnamed(self, key: str) -> Iterator[Finding]:
        if key in self._named or key in _ROOT or key.startswith(layout.COMMITS):
            return
        if key.startswith(_DATA):
            yield Finding(ORPHAN, key, "nothing names it: left by a crash, or added")
        else:
            yield Finding(STRANGER, key, "no archive has such an object")
