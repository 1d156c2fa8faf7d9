"""What each digest says, and whether it agrees with itself and with the one before it.

Digests are read once, one at a time; what is kept of each is small. The commits in them go into the
ledger, where the chains are held against them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from cdc_archive.archive.format import digest as digests
from cdc_archive.archive.format import layout
from cdc_archive.archive.format.commit import Commit
from cdc_archive.archive.format.digest import ChainState, Digest, RecordedGap, moment
from cdc_archive.archive.format.signed import DIGEST, Signature, signed_text
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.errors import ArchiveDamaged, FormatUnknown
from cdc_archive.integrity.findings import ALTERED, BROKEN
from cdc_archive.integrity.ledger import Ledger, Sealed
from cdc_archive.integrity.looks import Look


class Hour(NamedTuple):
    """A digest that can be read. `problem` is what it contradicts: kind and sentence."""

    key: str
    sha256: str
    sequence: int
    previous: str | None
    start: datetime
    end: datetime
    sealed_at: datetime
    signature: Signature | None
    signed: bytes
    commits: int
    size: int
    problem: tuple[str, str] | None


class _Before(NamedTuple):
    """What the digest before said, to go on from."""

    sequence: int
    sha256: str
    end: str
    heads: dict[TopicPartition, ChainState]
    gaps: list[RecordedGap]


class _Disagrees(Exception):
    """A digest contradicts itself."""


class Hours:
    """Reads digests, each with what the one before said.

    Attributes:
        heads: the chains, as the last digest read has them; empty at the beginning.

    Args:
        ledger: takes the commits in them.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._before: _Before | None = None

    def take(self, look: Look[Digest]) -> Hour:
        """One digest; in the order of their windows."""
        digest = look.value
        assert digest is not None
        assert look.sha256 is not None
        problem = self._problem(look.key, digest)
        if problem is None and look.kind:
            problem = (look.kind, look.what)
        self._before = _Before(digest.sequence, look.sha256, digest.end, digest.heads, digest.gaps)
        return Hour(
            look.key,
            look.sha256,
            digest.sequence,
            digest.previous,
            moment(digest.start),
            moment(digest.end),
            _moment_or(digest.sealed_at, moment(digest.end)),
            digest.signature,
            signed_text(DIGEST, look.data),
            sum(len(chain.commits) for chain in digest.chains),
            sum(len(bytes(one.commit)) for chain in digest.chains for one in chain.commits),
            problem,
        )

    def lost(self) -> None:
        """A digest cannot be read: the next one is looked at by itself."""
        self._before = None

    def _problem(self, key: str, digest: Digest) -> tuple[str, str] | None:
        try:
            opened = {one.topic_partition: [*self._opened(one, key)] for one in digest.chains}
        except (ArchiveDamaged, FormatUnknown) as error:
            return ALTERED, error.what.removeprefix(f"{key}: ")
        before = self._before
        if before is not None and before.sha256 != digest.previous:
            before = None
        try:
            for chain in digest.chains:
                _compare_chain(chain, opened[chain.topic_partition], digest, before)
            _compare_content(digest, [c for found in opened.values() for c in found], before)
        except _Disagrees as error:
            return BROKEN, str(error)
        return None

    def _opened(self, chain: ChainState, key: str) -> Iterator[Commit]:
        prefix = layout.partition_prefix(chain.topic_partition)
        for sealed in chain.commits:
            commit = digests.opened(sealed, key)
            note = Sealed(commit.sequence, sealed.sha256, commit.previous, key)
            self._ledger.seal(note, prefix)
            yield commit


def _compare_chain(
    chain: ChainState, opened: list[Commit], digest: Digest, before: _Before | None
) -> None:
    """The commits go on where the digest before left the chain, and end where this one says."""
    name = chain.topic_partition
    at = None if before is None else before.heads.get(name)
    sequence = None if at is None else at.sequence
    sha = None if at is None else at.sha256
    if sequence is None and (before is not None or digest.sequence == 0):
        sequence = -1
    for commit, sealed in zip(opened, chain.commits, strict=True):
        if commit.archive != digest.archive or commit.topic_partition != name:
            raise _Disagrees(f"a commit among those of {name} is of {commit.topic_partition}")
        if sequence is not None and commit.sequence != sequence + 1:
            raise _Disagrees(f"{name}: commit {commit.sequence} follows number {sequence}")
        if sha is not None and commit.previous != sha:
            raise _Disagrees(f"{name}: commit {commit.sequence} does not name the one before it")
        sequence, sha = commit.sequence, sealed.sha256
    if opened:
        last = opened[-1]
        reached = (last.sequence, sha, last.end, last.log.incarnation)
    elif at is not None:
        reached = (at.sequence, at.sha256, at.next_offset, at.incarnation)
    elif before is not None or digest.sequence == 0:
        raise _Disagrees(f"it tells of a chain {name} without any of its commits")
    else:
        return
    if reached != (chain.sequence, chain.sha256, chain.next_offset, chain.incarnation):
        raise _Disagrees(f"{name}: its head is not the last of the commits in it")


def _compare_content(digest: Digest, opened: list[Commit], before: _Before | None) -> None:
    files = (named for commit in opened for named in digests.files_of(commit))
    if digests.counted(files) != (digest.counts, digest.quarantined):
        raise _Disagrees("its counts are not those of the commits in it")
    new = [RecordedGap(c.topic, c.partition, c.sequence, gap) for c in opened for gap in c.gaps]
    if before is None and digest.sequence > 0:
        if any(gap not in digest.gaps for gap in new):
            raise _Disagrees("a loss that a commit in it records is not in its ledger")
        return
    if digest.gaps != [*([] if before is None else before.gaps), *new]:
        raise _Disagrees("its ledger of losses is not that of the one before and of its commits")
    if before is None:
        return
    if before.heads.keys() - digest.heads.keys():
        raise _Disagrees("a chain that the one before tells of is not in it")
    if before.sequence + 1 != digest.sequence:
        raise _Disagrees(f"it is number {digest.sequence}, after number {before.sequence}")
    if moment(before.end) != moment(digest.start):
        what = f"its window begins at {digest.start}, but the one before ends at {before.end}"
        raise _Disagrees(what)


def _moment_or(text: str, otherwise: datetime) -> datetime:
    try:
        return moment(text)
    except ValueError:
        return otherwise


def named(hours: Iterable[Hour]) -> frozenset[str]:
    """The sha256 of all digests that one of these names as the one before it."""
    return frozenset(hour.previous for hour in hours if hour.previous is not None)
