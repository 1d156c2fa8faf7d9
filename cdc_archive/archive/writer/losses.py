"""Losses that a person accepts: checked against the chain as it is, and recorded in it (I4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from cdc_archive.archive.reader import chain
from cdc_archive.archive.writer.committer import Committed, Committer
from cdc_archive.changelog.position import OffsetRange, TopicPartition
from cdc_archive.errors import GapRefused, NothingFound
from cdc_archive.storage.object_store import ObjectStore


class Accepted(NamedTuple):
    """Why a loss is accepted, and who does."""

    reason: str
    by: str


class Stream(NamedTuple):
    """Where the change stream of a connector begins anew (LSN)."""

    connector: str
    position: int


def of_log(
    store: ObjectStore,
    archive: str,
    committer: Committer,
    place: TopicPartition,
    lost: OffsetRange,
    accepted: Accepted,
    topic_id: str | None = None,
    held: OffsetRange | None = None,
) -> Committed:
    """Record that a log no longer holds `lost`, or that it began anew at `lost.end`.

    What the log still `held` (None: not asked) is not lost.

    It began anew if its topic has another id than the chain's, or goes on at or below the offset
    where the chain ends.

    Raises:
        GapRefused: the chain does not end where the loss is said to begin, or is that of the new
            topic already, or the log holds what is said to be lost.
        Fenced: a worker was faster; look again where the chain ends.
    """
    head = chain.head(store, archive, place)
    expected = lost.start if head is None else head.next_offset
    if lost.start != expected:
        raise GapRefused(f"the chain of {place} ends at {expected}: --from must be {expected}")
    known = None if head is None else head.log.topic_id
    if topic_id is not None and topic_id == known:
        raise GapRefused(f"the chain of {place} goes on with topic id {topic_id} already")
    other_topic = topic_id is not None and topic_id != known
    restarts = head is not None and (other_topic or lost.end <= lost.start)
    if held is not None:
        _require_lost(place, lost.end, held, within=restarts and not other_topic)
    if head is not None and restarts:
        return committer.accept_restart(place, head, lost.end, *accepted, topic_id)
    if lost.end <= lost.start:
        raise GapRefused(f"{place} has no chain yet: --to must be above --from")
    return committer.accept_gap(place, head, lost, *accepted, topic_id)


def _require_lost(place: TopicPartition, end: int, held: OffsetRange, *, within: bool) -> None:
    """Only a log that was cut back goes on in its middle: what comes before is archived."""
    last = held.end if within else held.start
    if end > last:
        raise GapRefused(
            f"the log of {place} holds {held}: offsets before {end} are not lost, "
            f"--to must be {last} at most"
        )


def of_stream(
    store: ObjectStore, archive: str, committer: Committer, stream: Stream, accepted: Accepted
) -> Iterator[Committed]:
    """Record in each chain of a connector that its stream begins anew; once in each.

    Raises:
        NothingFound: no chain holds a change of this connector.
    """
    known = False
    for place in chain.partitions(store, archive):
        head = chain.head(store, archive, place)
        if head is None or head.source is None or head.source.connector != stream.connector:
            continue
        known = True
        if head.source.restart != stream.position:
            yield committer.accept_stream_gap(place, head, stream.position, *accepted)
    if not known:
        raise NothingFound(
            f"no chain holds a change of connector {stream.connector}",
            "Check --connector: it is `topic.prefix` of Debezium's settings.",
        )
