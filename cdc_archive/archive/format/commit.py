"""The commit: one link of a topic partition's chain, as a value and as canonical JSON bytes.

The rules stand in schemas/ARCHIVE_FORMAT.md, section Commit, and schemas/commit.schema.json.
A commit that does not account for every offset of its range cannot be made or read (I4).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Annotated, Final

import msgspec

from cdc_archive.archive.format import sound, strict_json
from cdc_archive.archive.format.key_filter import KeyFilter
from cdc_archive.changelog.position import OffsetRange, TopicPartition
from cdc_archive.errors import ArchiveDamaged, Stop

FORMAT: Final = 1
"""The format version that this program writes."""
MIN_READABLE: Final = 1
MAX_BYTES: Final = 64 << 20
"""The largest commit object: some 100,000 files, or 2,000,000 ranges of absent offsets."""

Offset = Annotated[int, msgspec.Meta(ge=0)]
Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class FileEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=False):
    """A data file as its commit names it.

    `size` is in bytes; `counts` is by op for changes, by reason for quarantine; event times are in
    microseconds since 1970 UTC, None if no record of the file tells one; `value_schema` is the
    sha256 of the Connect schema that stands in the file's metadata; `keys` its key statistics.
    """

    key: str
    kind: str
    size: Offset
    sha256: Sha256
    records: Annotated[int, msgspec.Meta(ge=1)]
    first_offset: Offset
    last_offset: Offset
    date: str
    hour: str
    counts: dict[str, int]
    table: str | None = None
    value_schema: Sha256 | None = None
    min_event_time_us: int | None = None
    max_event_time_us: int | None = None
    keys: KeyFilter | msgspec.UnsetType = msgspec.UNSET

    def may_hold(self, key_hashes: Collection[int] | None) -> bool:
        """Whether a record under one of these keys can be in it; None: under any."""
        if key_hashes is None or self.keys is msgspec.UNSET:
            return True
        return self.keys.may_hold(key_hashes)

    def without_keys(self) -> FileEntry:
        """The entry without its key statistics, which are most of its bytes."""
        return msgspec.structs.replace(self, keys=msgspec.UNSET)


class Skipped(msgspec.Struct, frozen=True):
    """Messages that the settings told the worker not to keep: how many, where, and why."""

    reason: str
    count: Annotated[int, msgspec.Meta(ge=1)]
    first_offset: Offset
    last_offset: Offset


DELETED: Final = "deleted"
"""A gap of offsets that the log no longer held when they were to be read."""
RESTARTED: Final = "restarted"
"""A gap of unknown size: the log began anew (the topic was made again, or cut back)."""
SOURCE: Final = "source"
"""A gap of unknown size: the connector began anew and knows nothing of what came before."""


class Gap(msgspec.Struct, frozen=True, omit_defaults=True):
    """A known loss, accepted by a person.

    `kind` `deleted`: offsets [start, end). `restarted` and `source`: how many messages were lost
    cannot be known, and start = end is the offset where the loss lies; `detail` says between what.
    """

    start: Offset
    end: Offset
    reason: str
    accepted_by: str
    accepted_at: str
    kind: str = DELETED
    detail: str = ""


class Log(msgspec.Struct, frozen=True, omit_defaults=True):
    """The log that the offsets of a commit belong to.

    `incarnation` counts how often the log began anew under this topic partition: an offset is
    unique within an incarnation. `topic_id` is as Kafka's tools show it, `partitions` the topic's
    count of partitions then; None where the broker does not tell.
    """

    incarnation: Offset = 0
    topic_id: str | None = None
    partitions: Annotated[int, msgspec.Meta(ge=1)] | None = None


class SourceMark(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far the change stream had come in its database at the end of a commit.

    `position` is the LSN of the last change (binlog: file number << 48 | position); `streaming` is
    false while only a snapshot was seen; `restart` is the position at which a person accepted that
    the connector begins anew.
    """

    connector: str
    position: Offset
    streaming: bool = False
    restart: Offset | None = None


class Recovered(msgspec.Struct, frozen=True):
    """Records that were in quarantine and decode now: where they come from, and their files.

    `origin` is the key of the quarantine file, `offsets` half-open ranges of offsets taken from it,
    `incarnation` that of the log they belong to.
    """

    origin: str
    offsets: list[tuple[int, int]]
    files: list[FileEntry]
    incarnation: Offset = 0

    @property
    def records(self) -> int:
        """How many records came out of that quarantine file."""
        return sum(end - start for start, end in self.offsets)


class Writer(msgspec.Struct, frozen=True):
    """Who made a commit: program, version, and one name a process."""

    name: str
    version: str
    instance: str


class Commit(
    msgspec.Struct, frozen=True, omit_defaults=True, rename={"start": "from", "end": "to"}
):
    """Offsets [start, end) of a topic partition, and where each of them went.

    `absent` lists half-open ranges of offsets that the log did not hand out although it went on
    after them: transaction markers, aborted transactions, compaction. `last_retry` is the number of
    the newest commit before this one that has `recovered`.
    """

    format: int
    archive: str
    topic: str
    partition: Offset
    sequence: Offset
    previous: Sha256 | None
    start: Offset
    end: Offset
    files: list[FileEntry]
    skipped: list[Skipped]
    absent: list[tuple[int, int]]
    gaps: list[Gap]
    writer: Writer
    committed_at: str
    log: Log = Log()
    source: SourceMark | None = None
    recovered: list[Recovered] = []
    last_retry: Offset | None = None

    @property
    def topic_partition(self) -> TopicPartition:
        """The topic partition whose chain this commit belongs to."""
        return TopicPartition(self.topic, self.partition)

    @property
    def range(self) -> OffsetRange:
        """The offsets that this commit covers."""
        return OffsetRange(self.start, self.end)

    @property
    def accounted(self) -> int:
        """How many offsets the commit says something of: must be the size of its range (I4)."""
        return (
            sum(file.records for file in self.files)
            + sum(skipped.count for skipped in self.skipped)
            + sum(end - start for start, end in self.absent)
            + sum(gap.end - gap.start for gap in self.gaps)
        )

    def encode(self) -> bytes:
        """Canonical bytes: fields in the order of this class, no white space.

        Raises:
            ArchiveDamaged: the commit would not account for each offset of its range once.
        """
        problem = _problem(self)
        if problem is not None:
            raise ArchiveDamaged(f"refusing to write a commit of {self.topic_partition}: {problem}")
        data = msgspec.json.encode(self)
        if len(data) > MAX_BYTES:
            raise Stop(
                f"a commit of {self.topic_partition} would have {len(data):,} bytes, more than the "
                f"{MAX_BYTES:,} that readers take",
                "Lower archive.commit_records and archive.commit_bytes.",
            )
        return data


def digest(data: bytes | bytearray) -> str:
    """Hex sha256, the only hash of the format."""
    return hashlib.sha256(data).hexdigest()


_decoder: Final = msgspec.json.Decoder(Commit)


def decode(data: bytes, key: str) -> Commit:
    """Read a commit object.

    Args:
        data: the object's bytes.
        key: its key, for messages.

    Raises:
        FormatUnknown: written by a later version of the format.
        ArchiveDamaged: not a commit, or one that does not account for its range.
    """
    try:
        strict_json.require_version(data, key, MIN_READABLE, FORMAT)
        commit = _decoder.decode(data)
        if msgspec.json.encode(commit) != data:  # then it has members that we do not know
            strict_json.refuse_repeated_members(data)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise ArchiveDamaged(f"{key}: not a commit object ({error})") from None
    problem = _problem(commit)
    if problem is not None:
        raise ArchiveDamaged(f"{key}: {problem}")
    return commit


def _problem(commit: Commit) -> str | None:
    if commit.start > commit.end:
        return "its range ends before it begins"
    if commit.start == commit.end and not (commit.gaps or commit.recovered):
        return "its range is empty and it records nothing else"
    size = commit.end - commit.start  # a damaged one may be more than a len() can tell
    if commit.accounted != size:
        told = strict_json.shown(commit.accounted)
        return f"it accounts for {told} of the {strict_json.shown(size)} offsets of its range"
    if (commit.sequence == 0) != (commit.previous is None):
        return "only the first commit has no previous one"
    for file in commit.files:
        if not commit.start <= file.first_offset <= file.last_offset < commit.end:
            return f"file {file.key} reaches out of its range"
    for one in commit.recovered:
        if one.records != sum(file.records for file in one.files):
            return f"its files do not hold what was recovered from {one.origin}"
    return sound.problem(commit)
