"""The digest: one hour of an archive, with every chain's head and the commits made since the last.

Each names the one before by its sha256, so that the newest one stands for the whole archive. They
hold every commit a second time, byte for byte: an index, and a copy to restore a commit from.
The rules stand in schemas/ARCHIVE_FORMAT.md, section Digests.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from cdc_archive.archive.format import commit as commits
from cdc_archive.archive.format import layout, strict_json
from cdc_archive.archive.format.commit import Commit, FileEntry, Gap, Offset, Sha256, Writer
from cdc_archive.archive.format.signed import Signature, ends_in
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.errors import ArchiveDamaged

FORMAT: Final = 1
MAX_BYTES: Final = 512 << 20
"""The largest digest."""
HOUR: Final = timedelta(hours=1)


class SealedCommit(msgspec.Struct, frozen=True):
    """A commit as its object holds it, and the sha256 of these bytes."""

    sha256: Sha256
    commit: msgspec.Raw


class ChainState(msgspec.Struct, frozen=True, omit_defaults=True):
    """A chain at the end of a digest: its head, and the commits since the digest before."""

    topic: str
    partition: Offset
    sequence: Offset
    sha256: Sha256
    next_offset: Offset
    incarnation: Offset = 0
    commits: list[SealedCommit] = []

    @property
    def topic_partition(self) -> TopicPartition:
        """Whose chain it is."""
        return TopicPartition(self.topic, self.partition)


class RecordedGap(msgspec.Struct, frozen=True):
    """A loss that commit `sequence` of a chain records."""

    topic: str
    partition: Offset
    sequence: Offset
    gap: Gap


class Digest(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was committed in [start, end), by the writers' clocks, and what came in late.

    `counts` (by table and op) and `quarantined` (by topic and reason) are of the commits in it;
    `gaps` is the whole ledger up to here. Times are ISO 8601, UTC.
    """

    format: int
    archive: str
    sequence: Offset
    start: str
    end: str
    previous: Sha256 | None
    chains: list[ChainState]
    counts: dict[str, dict[str, int]]
    quarantined: dict[str, dict[str, int]]
    gaps: list[RecordedGap]
    sealed_at: str
    writer: Writer
    signature: Signature | None = None

    @property
    def key(self) -> str:
        """Where it stands."""
        return layout.digest_key(moment(self.end))

    @property
    def heads(self) -> dict[TopicPartition, ChainState]:
        """The chains by topic partition."""
        return {chain.topic_partition: chain for chain in self.chains}

    def encode(self) -> bytes:
        """Canonical bytes: fields in the order of this class, no white space."""
        return msgspec.json.encode(self)


def moment(text: str) -> datetime:
    """A time of a digest or commit.

    Raises:
        ValueError: it is none.
    """
    found = datetime.fromisoformat(text)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def shown(at: datetime) -> str:
    """A time as digests write it."""
    return at.astimezone(UTC).isoformat(timespec="seconds")


def opened(sealed: SealedCommit, key: str) -> Commit:
    """The commit in a digest.

    Args:
        sealed: with the bytes.
        key: of the digest, for messages.

    Raises:
        ArchiveDamaged: the bytes are not those that its sha256 says, or no commit.
    """
    data = bytes(sealed.commit)
    if commits.digest(data) != sealed.sha256:
        raise ArchiveDamaged(f"{key}: a commit in it is not the one that its sha256 says")
    return commits.decode(data, key)


def counted(
    files: Iterable[tuple[str, FileEntry]],
) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, int]]]:
    """Records by table and op, and messages in quarantine by topic and reason.

    Args:
        files: each with the topic that it is of.
    """
    tables: dict[str, Counter[str]] = {}
    quarantined: dict[str, Counter[str]] = {}
    for topic, file in files:
        of = tables if file.kind == layout.CHANGES else quarantined
        name = file.table or "" if file.kind == layout.CHANGES else topic
        of.setdefault(name, Counter()).update(file.counts)
    return _sorted(tables), _sorted(quarantined)


def _sorted(found: dict[str, Counter[str]]) -> dict[str, dict[str, int]]:
    return {name: dict(sorted(counts.items())) for name, counts in sorted(found.items())}


def files_of(commit: Commit) -> Iterator[tuple[str, FileEntry]]:
    """The files that a commit names, each with its topic; those of recovered records too."""
    for file in commit.files:
        yield commit.topic, file
    for one in commit.recovered:
        for file in one.files:
            yield commit.topic, file


def decode(data: bytes, key: str) -> Digest:
    """Read a digest; the commits in it are looked at by `opened`.

    Args:
        data: the object's bytes.
        key: its key, for messages.

    Raises:
        FormatUnknown: written by a later version of the format.
        ArchiveDamaged: not a digest, or one that cannot be.
    """
    try:
        strict_json.require_version(data, key, FORMAT, FORMAT)
        digest = msgspec.json.decode(data, type=Digest)
        if digest.encode() != data:  # then it has members that we do not know, or spaces
            strict_json.refuse_repeated_members(data)
        problem = _problem(digest)
        if not ends_in(data, digest.signature):
            problem = "it does not end in its signature"
    except (msgspec.DecodeError, ValueError, RecursionError, OverflowError) as error:
        raise ArchiveDamaged(f"{key}: not a digest ({error})") from None
    if problem is not None:
        raise ArchiveDamaged(f"{key}: {problem}")
    return digest


def _problem(digest: Digest) -> str | None:
    if (digest.sequence == 0) != (digest.previous is None):
        return "only the first digest has no previous one"
    if not moment(digest.start) < moment(digest.end) <= moment(digest.start) + HOUR:
        return f"its window {digest.start} to {digest.end} is no hour, nor part of one"
    places = [chain.topic_partition for chain in digest.chains]
    if places != sorted(set(places)):
        return "its chains are not in order, or one stands twice"
    return None
