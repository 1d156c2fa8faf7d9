"""How an archive stands: how far it is, what it lost, what lies in quarantine, whether it is
sealed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from cdc_archive.archive.format.commit import Commit, Gap
from cdc_archive.archive.format.digest import moment
from cdc_archive.archive.format.layout import QUARANTINE
from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.changelog.position import TopicPartition


class ChainStanding(NamedTuple):
    """The end of a chain: where it goes on, when it was committed, and the newest event in it
    (us).
    """

    next_offset: int
    committed_at: datetime
    newest_event_us: int | None
    connector: str | None = None


class Sealed(NamedTuple):
    """The newest digest: the end of its window, and by which key it is signed (None: not
    signed).
    """

    end: datetime
    key: str | None


class Standing(NamedTuple):
    """An archive, told by its commits and digests.

    `gaps` are the recorded losses with their topic partition; `quarantined` counts messages by
    topic and reason, `recovered` those taken out again by topic.
    """

    archive: str
    begun: datetime
    chains: Mapping[TopicPartition, ChainStanding]
    gaps: tuple[tuple[TopicPartition, Gap], ...]
    quarantined: Mapping[str, Mapping[str, int]]
    recovered: Mapping[str, int]
    sealed: Sealed | None


def take(reader: ArchiveReader, now: datetime) -> Standing:
    """Walk all chains; of sealed hours by their digests.

    Raises:
        ArchiveDamaged, FormatUnknown: the archive is not what it should be.
    """
    chains: dict[TopicPartition, ChainStanding] = {}
    gaps: list[tuple[TopicPartition, Gap]] = []
    quarantined: dict[str, Counter[str]] = {}
    recovered: Counter[str] = Counter()
    for link in reader.every_link():
        commit, partition = link.commit, link.commit.topic_partition
        chains[partition] = _standing(commit, chains.get(partition))
        gaps += [(partition, gap) for gap in commit.gaps]
        for file in commit.files:
            if file.kind == QUARANTINE:
                quarantined.setdefault(commit.topic, Counter()).update(file.counts)
        recovered[commit.topic] += sum(one.records for one in commit.recovered)
    begun = moment(reader.info.created_at)
    newest = reader.digests.newest(begun, now)
    sealed = None
    if newest is not None:
        signature = newest.digest.signature
        sealed = Sealed(moment(newest.digest.end), signature.key if signature else None)
    return Standing(reader.info.id, begun, chains, tuple(gaps), quarantined, recovered, sealed)


def _standing(commit: Commit, before: ChainStanding | None) -> ChainStanding:
    events = [file.max_event_time_us for file in commit.files]
    events.append(before.newest_event_us if before else None)
    known = [one for one in events if one is not None]
    mark = commit.source.connector if commit.source else None
    return ChainStanding(
        commit.end,
        moment(commit.committed_at),
        max(known, default=None),
        mark or (before.connector if before else None),
    )
