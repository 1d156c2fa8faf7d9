"""Digests of an archive: which there are, and what each says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from cdc_archive.archive.format import digest as digests
from cdc_archive.archive.format import key_record, layout
from cdc_archive.archive.format.commit import digest as sha256
from cdc_archive.archive.format.digest import MAX_BYTES, Digest
from cdc_archive.archive.format.key_record import KeyRecord
from cdc_archive.archive.format.signed import DIGEST, KEY, signed_text
from cdc_archive.errors import ArchiveDamaged, ObjectMissing
from cdc_archive.storage.object_store import ObjectStore


class SealedDigest(NamedTuple):
    """A digest, the sha256 of its object's bytes, its key, and the text that it is signed over."""

    digest: Digest
    sha256: str
    key: str
    signed: bytes


class SignedKey(NamedTuple):
    """A key record, its object's key, and the text that it is signed over."""

    record: KeyRecord
    key: str
    signed: bytes


class Digests:
    """The digests of an archive.

    Args:
        store: where it lies.
        archive: its id.
    """

    def __init__(self, store: ObjectStore, archive: str) -> None:
        self._store = store
        self._archive = archive

    def listed(self, prefix: str = layout.DIGESTS) -> Iterator[str]:
        """Keys of all digests, in the order of their windows."""
        for stat in self._store.list(prefix):
            if layout.is_digest_key(stat.key):
                yield stat.key

    def read(self, key: str) -> SealedDigest:
        """One digest.

        Raises:
            ObjectMissing: none stands there.
            ArchiveDamaged: it is none, or belongs elsewhere.
            FormatUnknown: of a later version.
        """
        data = self._store.get(key, MAX_BYTES)
        found = digests.decode(data, key)
        if found.archive != self._archive:
            raise ArchiveDamaged(f"{key}: belongs to archive {found.archive}")
        if found.key != key:
            raise ArchiveDamaged(f"{key}: holds the digest of {found.start} to {found.end} instead")
        return SealedDigest(found, sha256(data), key, signed_text(DIGEST, data))

    def newest(self, begun: datetime, now: datetime) -> SealedDigest | None:
        """The last digest, None if there is none; a month is listed at once, from the last back.

        Args:
            begun: when the archive was made.
            now: where to begin the search; a writer's clock may have been a month ahead.
        """
        month = (now.astimezone(UTC) + timedelta(days=31)).replace(day=1)
        while month >= (begun.astimezone(UTC) - timedelta(days=31)).replace(day=1):
            last = max(self.listed(f"{layout.DIGESTS}{month:%Y/%m}/"), default=None)
            if last is not None:
                return self.read(last)
            month = (month - timedelta(days=1)).replace(day=1)
        return None

    def after(self, key: str) -> str | None:
        """Key of the digest that comes after one, None if there is none yet."""
        listed = (stat.key for stat in self._store.list(layout.DIGESTS, start_after=key))
        return next((one for one in listed if layout.is_digest_key(one)), None)

    def key_records(self) -> list[SignedKey]:
        """The records of all signing keys, by key.

        Raises:
            ArchiveDamaged: one is none, or belongs elsewhere.
        """
        listed = [stat.key for stat in self._store.list(layout.KEYS)]
        return [self.key_record(key) for key in listed if layout.key_id_of(key) is not None]

    def key_record(self, key: str) -> SignedKey:
        """One of them. Raises as `key_records`."""
        try:
            data = self._store.get(key, key_record.MAX_BYTES)
        except ObjectMissing:
            raise ArchiveDamaged(f"{key}: listed, but not to be had") from None
        record = key_record.decode(data, key)
        if record.archive != self._archive:
            raise ArchiveDamaged(f"{key}: belongs to archive {record.archive}")
        return SignedKey(record, key, signed_text(KEY, data))
