"""A look at one object: what stands under its key, and whether that belongs there.

Nothing is believed of it but its bytes; whether these are the true ones is told by other objects.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Generic, NamedTuple, TypeVar

import msgspec

from cdc_archive.archive.format import commit as commits
from cdc_archive.archive.format import digest as digests
from cdc_archive.archive.format import key_record, layout
from cdc_archive.archive.format.commit import Commit
from cdc_archive.archive.format.commit import digest as sha256
from cdc_archive.archive.format.digest import Digest
from cdc_archive.archive.format.key_record import KeyRecord
from cdc_archive.errors import ArchiveDamaged, FormatUnknown, ObjectMissing, ObjectTooLarge
from cdc_archive.integrity.findings import ALTERED, MISSING, MOVED, UNREADABLE
from cdc_archive.storage.object_store import ObjectStore

T = TypeVar("T")
_SHOWN: Final = 60


class Look(NamedTuple, Generic[T]):
    """What stands under a key.

    `value` is None if it is nothing that belongs there; then `kind` and `what` tell why; they are
    also set if it is what belongs there, but not in the form in which it was written. `belongs` is
    the key that the object itself says it has, if it is sound. `sha256` is None if it was not read.
    """

    key: str
    value: T | None
    sha256: str | None = None
    data: bytes = b""
    kind: str = ""
    what: str = ""
    belongs: str | None = None


class Looks:
    """Looks at objects of one archive.

    Args:
        store: where it lies.
        archive: its id.
    """

    def __init__(self, store: ObjectStore, archive: str) -> None:
        self._store = store
        self._archive = archive

    def commit(self, key: str) -> Look[Commit]:
        """The commit under a key."""
        return self._look(key, commits.MAX_BYTES, commits.decode, _key_of_commit)

    def digest(self, key: str) -> Look[Digest]:
        """The digest under a key."""
        return self._look(key, digests.MAX_BYTES, digests.decode, _key_of_digest)

    def key_record(self, key: str) -> Look[KeyRecord]:
        """The record of a signing key under a key."""
        return self._look(key, key_record.MAX_BYTES, _decoded_record, _key_of_record)

    def _look(
        self,
        key: str,
        limit: int,
        decode: Callable[[bytes, str], T],
        key_of: Callable[[T], str],
    ) -> Look[T]:
        try:
            data = self._store.get(key, limit)
        except ObjectMissing:
            return Look(key, None, kind=MISSING, what="is not there")
        except ObjectTooLarge as error:
            return Look(key, None, kind=UNREADABLE, what=_short(error, key))
        sha = sha256(data)
        try:
            value: Any = decode(data, key)
            belongs = key_of(value)
        except (ArchiveDamaged, FormatUnknown) as error:
            return Look(key, None, sha, data, UNREADABLE, error.what.removeprefix(f"{key}: "))
        except (ValueError, OverflowError) as error:
            return Look(key, None, sha, data, UNREADABLE, f"its key cannot be told ({error})")
        if value.archive != self._archive:
            what = f"belongs to archive {value.archive[:_SHOWN]!a}"
            return Look(key, None, sha, data, MOVED, what)
        if belongs != key:
            what = f"holds what belongs under {belongs}"
            return Look(key, None, sha, data, MOVED, what, belongs)
        if not _is_canonical(value, data):
            what = "is not in the form in which a worker writes it"
            return Look(key, value, sha, data, ALTERED, what, belongs)
        return Look(key, value, sha, data, belongs=belongs)


def _short(error: ObjectTooLarge, key: str) -> str:
    """Without where the object stands, which the finding tells."""
    return error.what.rpartition(f"{key}: ")[2]


def _is_canonical(value: Any, data: bytes) -> bool:
    """A writer writes no spaces, and a signature last: what stands after it would not be signed."""
    signature = getattr(value, "signature", None)
    end = b"" if signature is None else b',"signature":' + msgspec.json.encode(signature) + b"}"
    return data.endswith(end) and msgspec.json.format(data, indent=-1) == data


def _key_of_commit(commit: Commit) -> str:
    return layout.commit_key(commit.topic_partition, commit.sequence)


def _key_of_digest(digest: Digest) -> str:
    return digest.key


def _key_of_record(record: KeyRecord) -> str:
    return layout.key_record_key(record.key)


def _decoded_record(data: bytes, key: str) -> KeyRecord:
    """A record by its own key, so that one under another key is told apart."""
    try:
        own = layout.key_record_key(msgspec.json.decode(data, type=_Named).key)
    except (msgspec.DecodeError, ValueError, RecursionError):
        own = key
    return key_record.decode(data, own if layout.key_id_of(own) is not None else key)


class _Named(msgspec.Struct):
    key: str
