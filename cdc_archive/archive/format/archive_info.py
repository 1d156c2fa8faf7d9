"""`archive.json`: what this archive is. Created once, read at every start."""

from __future__ import annotations

from typing import Final

import msgspec

from cdc_archive.archive.format import strict_json
from cdc_archive.archive.format.commit import FORMAT, MIN_READABLE
from cdc_archive.archive.format.layout import ARCHIVE_KEY
from cdc_archive.errors import ArchiveDamaged

PROGRAM: Final = "cdc-archive"
MAX_BYTES: Final = 64 << 10
"""The largest `archive.json`."""


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
        _require_ours(data)
        strict_json.require_version(data, ARCHIVE_KEY, MIN_READABLE, FORMAT)
        info = msgspec.json.decode(data, type=ArchiveInfo)
        strict_json.refuse_repeated_members(data)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise ArchiveDamaged(f"{ARCHIVE_KEY}: not an archive's description ({error})") from None
    return info


class _Program(msgspec.Struct):
    archive: str


def _require_ours(data: bytes) -> None:
    program = msgspec.json.decode(data, type=_Program).archive
    if program != PROGRAM:
        raise ArchiveDamaged(f"{ARCHIVE_KEY}: this is not a cdc-archive, but {program[:40]!a}")
