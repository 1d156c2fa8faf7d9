"""State checkpoints of an archive: which there are, and what they hold."""

from __future__ import annotations

from collections.abc import Iterator

from cdc_archive.archive.format import layout
from cdc_archive.archive.format.checkpoint import MAX_BYTES, WITHOUT, Checkpoint, Part, decode
from cdc_archive.archive.format.codecs import DECOMPRESS
from cdc_archive.archive.format.commit import digest
from cdc_archive.errors import ArchiveDamaged, ObjectMissing, ObjectTooLarge
from cdc_archive.storage.object_store import ObjectStore


class Checkpoints:
    """The checkpoints of an archive.

    Args:
        store: where it lies.
        archive: its id.
    """

    def __init__(self, store: ObjectStore, archive: str) -> None:
        self._store = store
        self._archive = archive

    def manifests(self) -> list[str]:
        """Keys of the manifests, the newest time first."""
        listed = (stat.key for stat in self._store.list(layout.CHECKPOINTS))
        return sorted(key for key in listed if layout.checkpoint_time(key) is not None)[::-1]

    def manifest(self, key: str) -> Checkpoint:
        """A manifest.

        Raises:
            ArchiveDamaged: it is missing, altered, or of another archive.
        """
        try:
            data = self._store.get(key, MAX_BYTES)
        except ObjectMissing:
            raise ArchiveDamaged(f"{key}: missing", WITHOUT) from None
        except ObjectTooLarge as error:
            raise ArchiveDamaged(error.what, WITHOUT) from None
        made = decode(data, key)
        if key != layout.checkpoint_key(made.at_us, digest(data)):
            raise ArchiveDamaged(f"{key}: its bytes are not those that its name says", WITHOUT)
        if made.archive != self._archive:
            raise ArchiveDamaged(f"{key}: belongs to archive {made.archive}", WITHOUT)
        return made

    def rows(self, part: Part) -> Iterator[bytes]:
        """The lines of a part: JSON text of table, key, version.

        Raises:
            ArchiveDamaged: it is missing or altered.
        """
        try:
            data = self._store.get(part.key, part.size)
        except ObjectMissing:
            raise ArchiveDamaged(f"{part.key}: missing", WITHOUT) from None
        except ObjectTooLarge as error:
            raise ArchiveDamaged(error.what, WITHOUT) from None
        if digest(data) != part.sha256:
            raise ArchiveDamaged(f"{part.key}: its bytes are not those that were kept", WITHOUT)
        try:
            yield from DECOMPRESS["zstandard"](data).split(b"\n")
        except ValueError as error:
            raise ArchiveDamaged(f"{part.key}: {error}", WITHOUT) from None
