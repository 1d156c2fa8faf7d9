"""The state checkpoint: the versions of all rows at a time, as a manifest and its parts.

Derived from the archive and kept beside it: it proves nothing, and everything can be replayed
without it. The rules stand in schemas/ARCHIVE_FORMAT.md, section Checkpoints.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec

from cdc_archive.archive.format import strict_json
from cdc_archive.archive.format.commit import Offset, Sha256
from cdc_archive.errors import ArchiveDamaged

FORMAT: Final = 1
MAX_BYTES: Final = 256 << 20
"""The largest manifest."""


class Part(msgspec.Struct, frozen=True):
    """An object of rows: zstd of JSON lines `[table, key, version]`; `size` in bytes."""

    key: str
    size: Offset
    sha256: Sha256
    rows: Annotated[int, msgspec.Meta(ge=1)]
    tables: list[str]


class StreamState(msgspec.Struct, frozen=True):
    """A topic partition: how far its changes are in the state.

    `head` is the number of the last commit when it was made. `sequence` and `sha256` are those of
    the last commit that need not be read again, None if all must be; `at` is incarnation and offset
    of the last change, None if there is none; `latest` and `latest_time_us` are the highest place
    and time among them.
    """

    topic: str
    partition: Offset
    head: Offset
    sequence: Offset | None
    sha256: Sha256 | None
    connector: str | None
    at: tuple[int, int] | None
    latest: tuple[int, int, int]
    latest_time_us: int


class ConnectorState(msgspec.Struct, frozen=True):
    """The rows of a connector, and what a fold knows beside them, as its own JSON text.

    Numbers of streams in `progress` are places in the manifest's list of streams.
    """

    connector: str
    progress: str
    parts: list[Part]


class Checkpoint(msgspec.Struct, frozen=True):
    """A manifest.

    Every change before event time `at_us` (microseconds), of each stream up to its first one that
    is not, is in the state. `reading` tells with which type hints rows were read, `restarts` the
    times from which on a connector counted anew, `account` what of the archive was lost, left out
    or in quarantine.
    """

    format: int
    archive: str
    at_us: Offset
    reading: str
    made_at: str
    streams: list[StreamState]
    connectors: list[ConnectorState]
    restarts: dict[str, list[int]]
    account: dict[str, Any]

    def encode(self) -> bytes:
        """The object's bytes."""
        return msgspec.json.encode(self)


def decode(data: bytes, key: str) -> Checkpoint:
    """Read a manifest.

    Raises:
        ArchiveDamaged: it is none.
        FormatUnknown: of a later version.
    """
    try:
        strict_json.require_version(data, key, FORMAT, FORMAT)
        return msgspec.json.decode(data, type=Checkpoint)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise ArchiveDamaged(f"{key}: not a checkpoint ({error})", WITHOUT) from None


WITHOUT: Final = "It is not needed: replay with --no-checkpoint."
