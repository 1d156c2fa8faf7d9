"""Which archive this is, and whether its two root objects are what they were made as."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from typing import Final

import msgspec

from cdc_archive.archive.format import archive_info, layout
from cdc_archive.archive.format import commit as commits
from cdc_archive.archive.format import digest as digests
from cdc_archive.archive.format.archive_info import ArchiveInfo
from cdc_archive.archive.writer.root import PROBE_KEY
from cdc_archive.errors import ArchiveDamaged, ArchiveMissing, FormatUnknown, ObjectMissing
from cdc_archive.integrity.findings import ALTERED, MISSING, UNREADABLE, Finding
from cdc_archive.integrity.ledger import Ledger
from cdc_archive.storage.object_store import ObjectStore

PROBE: Final = b"created once\n"
_ASKED: Final = 3


class Identity:
    """What the archive says that it is, and what its other objects say.

    Attributes:
        archive: the id by which all objects are judged: that of an anchor, else that of
            `archive.json`, unless digests and commits all bear another one.
        findings: about the root objects.
        info: what `archive.json` says; None if it cannot be read.
        sha256: of its bytes.

    Args:
        store: where it lies.
        ledger: its objects.
        anchored: the id in an anchor, None if there is none.

    Raises:
        ArchiveMissing: nothing there is of an archive.
        ArchiveDamaged: there is only an `archive.json`, and it cannot be read.
    """

    def __init__(self, store: ObjectStore, ledger: Ledger, anchored: str | None = None) -> None:
        self._store = store
        self._ledger = ledger
        self.sha256: str | None = None
        self.info, described = self._info()
        self.findings = [*described, *self._probe()]
        own = None if self.info is None else self.info.id
        told = anchored or self._told_by_others(own)
        if told is None:
            raise self._nothing()
        self.archive = told
        if own is not None and told != own:
            what = f"says that this is archive {own}, but its objects are of archive {told}"
            self.findings.append(Finding(ALTERED, layout.ARCHIVE_KEY, what))

    def _info(self) -> tuple[ArchiveInfo | None, list[Finding]]:
        key = layout.ARCHIVE_KEY
        try:
            data = self._store.get(key, archive_info.MAX_BYTES)
            self.sha256 = commits.digest(data)
            info = archive_info.decode(data)
        except ObjectMissing:
            return None, [Finding(MISSING, key, "the archive's description is not there")]
        except (ArchiveDamaged, FormatUnknown) as error:
            return None, [Finding(UNREADABLE, key, error.what.removeprefix(f"{key}: "))]
        if info.encode() != data:
            what = "describes an archive, but not in the form in which a worker writes it"
            return info, [Finding(ALTERED, key, what)]
        try:
            digests.moment(info.created_at)
        except ValueError:
            return info, [Finding(ALTERED, key, "its time of creation is no time")]
        return info, []

    def _probe(self) -> Iterator[Finding]:
        try:
            data = self._store.get(PROBE_KEY, 1024)
        except ObjectMissing:
            if self._ledger.holds(layout.ARCHIVE_KEY) or self._ledger.chains():
                yield Finding(MISSING, PROBE_KEY, "the worker made it, and never removes anything")
        except ArchiveDamaged as error:
            yield Finding(ALTERED, PROBE_KEY, error.what)
        else:
            if data != PROBE:
                what = "its bytes are not those that it was created with: the store overwrote it"
                yield Finding(ALTERED, PROBE_KEY, what)

    def _nothing(self) -> Exception:
        for finding in self.findings:
            if finding.key == layout.ARCHIVE_KEY and finding.kind != MISSING:
                return ArchiveDamaged(f"{finding.key}: {finding.what}")
        return ArchiveMissing(f"no archive here: {layout.ARCHIVE_KEY} is missing")

    def _told_by_others(self, own: str | None) -> str | None:
        """The id that most of the newest digests and first commits bear; its own if one does."""
        found = Counter(told for told in self._ids() if told is not None)
        if own is not None and (own in found or not found):
            return own
        return next((told for told, _ in found.most_common(1)), None)

    def _ids(self) -> Iterator[str | None]:
        keys = (key for key in self._ledger.keys(layout.DIGESTS) if layout.is_digest_key(key))
        for key in deque(keys, maxlen=_ASKED):
            yield self._id_in(key, digests.MAX_BYTES)
        for chain in self._ledger.chains()[:_ASKED]:
            for sequence in self._ledger.sequences(chain)[:_ASKED]:
                yield self._id_in(f"{chain}{sequence:012d}.json", commits.MAX_BYTES)

    def _id_in(self, key: str, limit: int) -> str | None:
        try:
            return msgspec.json.decode(self._store.get(key, limit), type=_OfArchive).archive
        except (msgspec.DecodeError, ValueError, RecursionError, ArchiveDamaged, ObjectMissing):
            return None


class _OfArchive(msgspec.Struct):
    archive: str
