"""Walking the commit chain of a topic partition: to its head, or from its beginning.

Nothing is trusted to be there because a listing says so: the head is found by asking for single
sequence numbers (I3), and each link's hash is compared with what its successor says (I2).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final, NamedTuple

from cdc_archive.archive.format.commit import (
    MAX_BYTES,
    RESTARTED,
    Commit,
    Log,
    Recovered,
    SourceMark,
    decode,
    digest,
)
from cdc_archive.archive.format.layout import (
    COMMITS,
    chain_prefix_of,
    commit_key,
    partition_prefix,
    sequence_of,
    topic_prefix,
)
from cdc_archive.archive.reader.ahead import ahead
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.errors import ArchiveDamaged, ObjectMissing
from cdc_archive.storage.object_store import ObjectStore

_STRIDE: Final = 4
"""How the search for a head grows: few steps out in a long chain, no more in a short one."""


class Head(NamedTuple):
    """The last commit of a chain, and what the next one carries on.

    Its number, the sha256 of its bytes, the next offset to read, the log that offset belongs to,
    how far the change stream has come, and the newest commit that recovered from quarantine.
    """

    sequence: int
    sha256: str
    next_offset: int
    log: Log = Log()
    source: SourceMark | None = None
    last_retry: int | None = None

    @classmethod
    def of(cls, commit: Commit, sha256: str) -> Head:
        """The head that a commit makes."""
        last_retry = commit.sequence if commit.recovered else commit.last_retry
        return cls(commit.sequence, sha256, commit.end, commit.log, commit.source, last_retry)


class Link(NamedTuple):
    """A commit, the sha256 of its bytes, and these."""

    commit: Commit
    sha256: str
    data: bytes


def head(store: ObjectStore, archive: str, partition: TopicPartition) -> Head | None:
    """The head of a chain, None if it has no commit yet.

    About 1.5 * log2(n) requests for n commits; a listing only shows whether the chain has a hole.

    Raises:
        ArchiveDamaged: the head is of another archive or partition, or no commit at all, or there
            are commits after a missing one: to go on from there would fork the chain.
    """
    last = last_sequence(store, partition)
    _require_no_more(store, partition, last)
    if last is None:
        return None
    link = read_link(store, archive, partition, last)
    return Head.of(link.commit, link.sha256)


def _require_no_more(store: ObjectStore, partition: TopicPartition, last: int | None) -> None:
    following = commit_key(partition, 0 if last is None else last + 1)
    after = commit_key(partition, last) if last is not None else partition_prefix(partition)
    stat = next(store.list(partition_prefix(partition), start_after=after), None)
    if stat is None or sequence_of(stat.key) is None or store.stat(following) is not None:
        return  # the end, or commits that were made meanwhile
    raise ArchiveDamaged(f"{following}: is missing, though there is {stat.key}")


def last_sequence(store: ObjectStore, partition: TopicPartition) -> int | None:
    """The highest sequence number in use, by an exponential and a binary search."""

    def exists(sequence: int) -> bool:
        return store.stat(commit_key(partition, sequence)) is not None

    if not exists(0):
        return None
    there, not_there = 0, 1
    while exists(not_there):
        there, not_there = not_there, not_there * _STRIDE
    while not_there - there > 1:
        middle = (there + not_there) // 2
        there, not_there = (middle, not_there) if exists(middle) else (there, middle)
    return there


def read_link(store: ObjectStore, archive: str, partition: TopicPartition, sequence: int) -> Link:
    """One commit, checked to be the one that its key says.

    Raises:
        ObjectMissing: there is no commit of this number.
        ArchiveDamaged: it belongs elsewhere, or is no commit.
    """
    return read_at(store, archive, commit_key(partition, sequence))


def read_at(store: ObjectStore, archive: str, key: str) -> Link:
    """As `read_link`, for the commit that stands under a key."""
    data = store.get(key, MAX_BYTES)
    commit = decode(data, key)
    if commit.archive != archive:
        raise ArchiveDamaged(f"{key}: belongs to archive {commit.archive}, not to {archive}")
    if commit_key(commit.topic_partition, commit.sequence) != key:
        raise ArchiveDamaged(
            f"{key}: holds commit {commit.sequence} of {commit.topic_partition} instead"
        )
    return Link(commit, digest(data), data)


def first_count(store: ObjectStore, archive: str, partition: TopicPartition) -> int | None:
    """How many partitions the topic had when its chain began; None: no chain, or untold."""
    try:
        return read_link(store, archive, partition, 0).commit.log.partitions
    except ObjectMissing:
        return None


def walk(
    store: ObjectStore, archive: str, partition: TopicPartition, after: Link | None = None
) -> Iterator[Link]:
    """All commits from number 0, or those after a known one, each compared with its predecessor.

    Raises:
        ArchiveDamaged: a hash or an offset does not join.
    """
    previous = after
    sequence = 0 if after is None else after.commit.sequence + 1
    while True:
        try:
            link = read_link(store, archive, partition, sequence)
        except ObjectMissing:
            return
        join(previous, link, commit_key(partition, sequence))
        yield link
        previous, sequence = link, sequence + 1


def join(previous: Link | None, link: Link, key: str) -> None:
    """Compare a commit with its predecessor; None: it is not known.

    Raises:
        ArchiveDamaged: a hash, an offset or the incarnation does not join.
    """
    if previous is None:
        return
    last_retry = Head.of(previous.commit, previous.sha256).last_retry
    if link.commit.last_retry != last_retry:
        raise ArchiveDamaged(
            f"{key}: names commit {link.commit.last_retry} as the last that recovered from "
            f"quarantine, but that is {last_retry}"
        )
    if link.commit.previous != previous.sha256:
        raise ArchiveDamaged(
            f"{key}: its predecessor's sha256 is {previous.sha256}, not {link.commit.previous}: "
            "one of the two was altered"
        )
    expected = previous.commit.log.incarnation + restarts(link.commit)
    if link.commit.log.incarnation != expected:
        raise ArchiveDamaged(
            f"{key}: belongs to incarnation {link.commit.log.incarnation} of the log, "
            f"but {expected} is due"
        )
    ids = {previous.commit.log.topic_id, link.commit.log.topic_id} - {None}
    if len(ids) > 1 and not restarts(link.commit):
        raise ArchiveDamaged(f"{key}: is of another topic than its predecessor, in one incarnation")
    if link.commit.start != previous.commit.end and not restarts(link.commit):
        raise ArchiveDamaged(
            f"{key}: begins at offset {link.commit.start}, "
            f"but its predecessor ends at {previous.commit.end}"
        )


def restarts(commit: Commit) -> bool:
    """Whether the log begins anew with this commit, so that its offsets do not go on."""
    return any(gap.kind == RESTARTED for gap in commit.gaps)


def recovered(
    store: ObjectStore, archive: str, partition: TopicPartition
) -> Iterator[tuple[Commit, Recovered]]:
    """What was taken out of quarantine, the newest first; each commit names the one before."""
    last = head(store, archive, partition)
    sequence = None if last is None else last.last_retry
    while sequence is not None:
        commit = read_link(store, archive, partition, sequence).commit
        for one in commit.recovered:
            yield commit, one
        sequence = commit.last_retry


def partitions(store: ObjectStore, archive: str, topic: str | None = None) -> list[TopicPartition]:
    """All topic partitions that have a chain, by topic and number; about two requests each.

    Args:
        store: where the archive lies.
        archive: its id.
        topic: only those of this topic.
    """
    firsts = _first_commits(store, COMMITS if topic is None else topic_prefix(topic))
    return sorted(ahead(partial(_partition_of, store, archive), firsts))


def _first_commits(store: ObjectStore, prefix: str) -> Iterator[str]:
    """The key of the first commit of each chain, a listing each."""
    after = ""
    while (stat := next(store.list(prefix, start_after=after), None)) is not None:
        chain = chain_prefix_of(stat.key)
        after = stat.key if chain is None else chain + "~"
        if chain is not None:
            yield stat.key


def _partition_of(store: ObjectStore, archive: str, key: str) -> TopicPartition:
    """Whose chain begins with this commit, the first of a listing.

    A copy of a commit under another name would make its partition's records come twice.
    """
    commit = read_at(store, archive, key).commit
    if commit.sequence != 0:
        raise ArchiveDamaged(
            f"{commit_key(commit.topic_partition, 0)}: missing, but {key} is there"
        )
    return commit.topic_partition
