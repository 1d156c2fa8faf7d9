"""`archive.json`: what this archive is. Created once, read at every start."""

from __future__ import annotations

from typing import Final

import msgspec

from cdc_archive.archive.format.commit import FORMAT, MIN_READABLE
from cdc_archive.archive.format.layout import ARCHIVE_KEY
from cdc_archive.errors import ArchiveDamaged, FormatUnknown

PROGRAM: Final = "cdc-archive"


class ArchiveInfo(msgspec.Struct, frozen=True):
    """Identity of an archive: every commit repeats `id`, so archives cannot be mixed up."""

    archive: str
    format: int
    id: str
    created_at: str

    def encode(self) -> bytes:
        """The object's bytes."""
        return msgspec.json.encode(self)


def decode(data: bytes) -> ArchiveInfo:
    """Read `archive.json`.

    Raises:
        ArchiveDamaged: not such an object.
        FormatUnknown: of a later version.
    """
    try:
        info = msgspec.json.decode(data, type=ArchiveInfo)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ArchiveDamaged(f"{ARCHIVE_KEY}: not an archive's description ({error})") from None
    if info.archive != PROGRAM:
        raise ArchiveDamaged(f"{ARCHIVE_KEY}: this is not a cdc-archive, but {info.archive!r}")
    if not MIN_READABLE <= info.format <= FORMAT:
        raise FormatUnknown(
            f"{ARCHIVE_KEY}: format version {info.format}; this program knows {FORMAT}"
        )
    return info
