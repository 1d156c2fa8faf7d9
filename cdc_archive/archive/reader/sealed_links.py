"""The commits of all chains out of the digests: an hour is one request instead of hundreds.

The digests are an index here, not a proof: a commit is believed because its chain joins, just as if
it had been read from its own object.
"""

from __future__ import annotations

import bisect
import logging
from collections.abc import Iterator, Mapping

from cdc_archive.archive.format import digest as digests
from cdc_archive.archive.format.digest import ChainState
from cdc_archive.archive.reader import chain
from cdc_archive.archive.reader.ahead import ahead
from cdc_archive.archive.reader.chain import Link
from cdc_archive.archive.reader.digests import Digests, SealedDigest
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.errors import ArchiveDamaged, FormatUnknown, ObjectMissing

_log = logging.getLogger(__name__)


def sealed_links(found: Digests, known: Mapping[TopicPartition, Link]) -> Iterator[Link]:
    """All sealed commits after the known ones, each compared with its predecessor.

    Where a digest is damaged it ends, and says so: the chains themselves tell what comes after.

    Args:
        found: the digests of an archive.
        known: the last commit of each chain that need not be read again.
    """
    keys, last = [*found.listed()], dict(known)
    before: SealedDigest | None = None
    try:
        for sealed in ahead(found.read, keys[_first(found, keys, known) :]):
            before = _after(before, sealed)
            for state in before.digest.chains:
                yield from _of_chain(state, before.key, last)
    except (ArchiveDamaged, FormatUnknown, ObjectMissing) as error:
        _log.warning("reading commit by commit, for a digest is damaged: %s", error.what)


def _after(before: SealedDigest | None, sealed: SealedDigest) -> SealedDigest:
    if before is not None and sealed.digest.previous != before.sha256:
        raise ArchiveDamaged(f"{sealed.key}: does not follow {before.key}")
    return sealed


def _of_chain(state: ChainState, key: str, last: dict[TopicPartition, Link]) -> Iterator[Link]:
    partition = state.topic_partition
    for one in state.commits:
        before = last.get(partition)
        commit = digests.opened(one, key)
        due = 0 if before is None else before.commit.sequence + 1
        if commit.topic_partition != partition or commit.sequence > due:
            raise ArchiveDamaged(f"{key}: commit {due} of {partition} is not where it is due")
        if commit.sequence < due:
            continue  # known before
        link = Link(commit, one.sha256, bytes(one.commit))
        chain.join(before, link, key)
        last[partition] = link
        yield link


def _first(found: Digests, keys: list[str], known: Mapping[TopicPartition, Link]) -> int:
    """Which digest is the first that holds a commit that is not known, by halving."""
    if not known:
        return 0

    def tells_more(key: str) -> bool:
        for state in found.read(key).digest.chains:
            link = known.get(state.topic_partition)
            if link is None or link.commit.sequence < state.sequence:
                return True
        return False

    return bisect.bisect_left(keys, True, key=tells_more)
