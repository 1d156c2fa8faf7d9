"""The archive's root: described once, and refused where two writers could overwrite each other."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from cdc_archive.archive.format import archive_info
from cdc_archive.archive.format.archive_info import PROGRAM, ArchiveInfo
from cdc_archive.archive.format.commit import FORMAT
from cdc_archive.archive.format.layout import ARCHIVE_KEY
from cdc_archive.errors import StoreUnsafe
from cdc_archive.storage.object_store import ObjectStore

PROBE_KEY: Final = "archive.probe"
"""An object that is created once, and that every start tries in vain to create anew."""


def open_or_create(
    store: ObjectStore, clock: Callable[[], float], new_id: Callable[[], str]
) -> ArchiveInfo:
    """The archive's description, created if this is its first start.

    Args:
        store: where the archive lies.
        clock: Unix seconds.
        new_id: makes an id that no other archive has.

    Raises:
        StoreUnsafe: the store overwrites although it was told not to (I1).
        ArchiveDamaged, FormatUnknown: what stands there is no archive that we can write to.
    """
    store.check()
    _require_create_only(store)
    now = datetime.fromtimestamp(clock(), UTC).isoformat(timespec="milliseconds")
    info = ArchiveInfo(archive=PROGRAM, format=FORMAT, id=new_id(), created_at=now)
    if store.create(ARCHIVE_KEY, info.encode()):
        return info
    return archive_info.decode(store.get(ARCHIVE_KEY, archive_info.MAX_BYTES))


def _require_create_only(store: ObjectStore) -> None:
    first, second = b"created once\n", b"overwritten: this store is not safe for an archive\n"
    store.create(PROBE_KEY, first)
    if store.create(PROBE_KEY, second) or store.get(PROBE_KEY, len(second)) != first:
        raise StoreUnsafe("the store overwrites an object although it was told `If-None-Match: *`")
