"""Seals hours: writes the digest of each that is over. Any worker may; one wins, without a leader.

A digest takes up every chain where the one before left it, so that no commit is left out, and none
stands in two. A commit that shows up late, by its own clock, is in the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from cdc_archive.archive.format import digest as digests
from cdc_archive.archive.format.archive_info import ArchiveInfo
from cdc_archive.archive.format.commit import Commit, Writer
from cdc_archive.archive.format.commit import digest as sha256
from cdc_archive.archive.format.digest import (
    FORMAT,
    HOUR,
    ChainState,
    Digest,
    RecordedGap,
    SealedCommit,
    moment,
)
from cdc_archive.archive.reader import chain
from cdc_archive.archive.reader.chain import Link
from cdc_archive.archive.reader.digests import Digests, SealedDigest
from cdc_archive.archive.reader.keyring import Keyring
from cdc_archive.archive.writer import signing_keys
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.errors import ArchiveDamaged, KeyRefused, ObjectMissing
from cdc_archive.signing.signer import Signer
from cdc_archive.storage.object_store import ObjectStore

SOFT_BYTES: Final = 128 << 20
"""With so many bytes of commits a digest is full: the rest goes into the next one."""
_AHEAD: Final = timedelta(minutes=5)
"""A commit that is dated later than this from now was dated by a clock that is wrong."""


class Sealer:
    """Seals the hours of one archive.

    Args:
        store: where it lies.
        info: what it is.
        writer: who we are, for the record.
        clock: Unix seconds.
        signer: signs; None: digests are chained, but not signed.
        grace_s: how long after its end an hour is sealed, for commits that are on their way.
        soft_bytes: of the commits in one digest.
    """

    def __init__(
        self,
        store: ObjectStore,
        info: ArchiveInfo,
        writer: Writer,
        clock: Callable[[], float],
        signer: Signer | None,
        grace_s: float,
        soft_bytes: int = SOFT_BYTES,
    ) -> None:
        self._store = store
        self._info = info
        self._writer = writer
        self._clock = clock
        self._signer = signer
        self._grace = timedelta(seconds=grace_s)
        self._soft_bytes = soft_bytes
        self._digests = Digests(store, info.id)
        self._last: SealedDigest | None = None

    @property
    def last(self) -> SealedDigest | None:
        """The newest digest that is known here."""
        return self._last

    def due(self) -> Iterator[SealedDigest]:
        """Seal every hour that is over, the oldest first; each as it stands, whoever wrote it.

        Raises:
            ArchiveDamaged: a chain is not what the last digest says of it; nothing is sealed.
            KeyRefused, SigningFailed: the key may not or cannot sign.
        """
        self._look()
        chains: _Chains | None = None
        while (end := _hour_after(self._start)) + self._grace <= self._now:
            chains = chains or self._chains()
            if not self._seal(end, chains):
                chains = None  # another worker's may have taken up other commits
            assert self._last is not None
            yield self._last

    def now(self) -> SealedDigest | None:
        """Seal up to now, within the hour: all that is committed is in it; the last digest, if any.

        Raises as `due`.
        """
        for _ in self.due():
            pass
        end = self._now.replace(microsecond=0)
        while self._start < end:
            hour = min(_hour_after(self._start), end)
            self._seal(hour, self._chains(), everything=hour == end)
        return self._last

    def _look(self) -> None:
        """Take up what others sealed meanwhile."""
        if self._last is None:
            self._last = self._digests.newest(moment(self._info.created_at), self._now)
        while self._last is not None and (key := self._digests.after(self._last.key)) is not None:
            before, self._last = self._last, self._digests.read(key)
            _require_follows(before, self._last)

    @property
    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    @property
    def _start(self) -> datetime:
        if self._last is not None:
            return moment(self._last.digest.end)
        begun = moment(self._info.created_at)
        return begun.replace(minute=0, second=0, microsecond=0)

    def _chains(self) -> _Chains:
        self.admit()
        states = {} if self._last is None else self._last.digest.heads
        return _Chains(self._store, self._info.id, states, self._now)

    def admit(self) -> None:
        """See that the key may sign, and that the digest before is one that it may build on.

        Raises:
            KeyRefused: it may not; or there is none, and the archive's digests are signed.
            ArchiveDamaged: that digest is not signed by a key of the archive.
            SigningFailed: it cannot sign now.
        """
        if self._signer is None:
            self._require_never_signed()
            return
        ring = signing_keys.admit(self._store, self._info.id, self._signer, self._clock)
        last = self._last
        if last is not None and not _may_build_on(last, ring):
            raise ArchiveDamaged(f"{last.key}: not signed by a key of this archive")

    def _require_never_signed(self) -> None:
        records = self._digests.key_records()
        if records:
            raise KeyRefused(
                f"the digests of this archive are signed, last by key {records[-1].record.key}",
                "Configure digest.key_file or digest.kms_key_id, or let others seal: digest.seal.",
            )

    def _seal(self, end: datetime, chains: _Chains, *, everything: bool = False) -> bool:
        """Seal up to a time; whether the digest that stands there now is ours."""
        digest = self._made(end, chains, everything=everything)
        data = digest.encode()
        if self._signer is not None:
            data = signing_keys.signed_digest(self._signer, data)
        self._store.create(digest.key, data)  # or another worker's stands there: as good as ours
        before, self._last = self._last, self._digests.read(digest.key)
        _require_follows(before, self._last)
        return self._last.sha256 == sha256(data)

    def _made(self, end: datetime, chains: _Chains, *, everything: bool) -> Digest:
        last = self._last
        states, commits = chains.take(None if everything else end, self._soft_bytes)
        files = (named for commit in commits for named in digests.files_of(commit))
        counts, quarantined = digests.counted(files)
        return Digest(
            format=FORMAT,
            archive=self._info.id,
            sequence=0 if last is None else last.digest.sequence + 1,
            start=digests.shown(self._start),
            end=digests.shown(end),
            previous=None if last is None else last.sha256,
            chains=states,
            counts=counts,
            quarantined=quarantined,
            gaps=[*([] if last is None else last.digest.gaps), *_gaps(commits)],
            sealed_at=self._now.isoformat(timespec="milliseconds"),
            writer=self._writer,
        )


class _Chains:
    """All chains, each from where the last digest left it."""

    def __init__(
        self,
        store: ObjectStore,
        archive: str,
        states: dict[TopicPartition, ChainState],
        now: datetime,
    ) -> None:
        self._states = {one: _idle(state) for one, state in states.items()}
        self._now = now
        self._links: dict[TopicPartition, Iterator[Link]] = {}
        self._next: dict[TopicPartition, Link | None] = {}
        for partition in chain.partitions(store, archive):
            known = _known(store, archive, self._states.get(partition))
            self._links[partition] = chain.walk(store, archive, partition, known)
            self._next[partition] = next(self._links[partition], None)

    def take(self, end: datetime | None, soft_bytes: int) -> tuple[list[ChainState], list[Commit]]:
        """The chains with the commits that were made before a time, up to so many bytes."""
        states, commits = dict(self._states), []
        for partition in sorted(self._next):
            taken = [*self._before(partition, end, soft_bytes)]
            if taken:
                soft_bytes -= sum(len(link.data) for link in taken)
                states[partition] = _reached(taken)
                commits += [link.commit for link in taken]
        self._states = {one: _idle(state) for one, state in states.items()}
        return [states[one] for one in sorted(states)], commits

    def _before(
        self, partition: TopicPartition, end: datetime | None, soft_bytes: int
    ) -> Iterator[Link]:
        while soft_bytes > 0 and (link := self._next[partition]) is not None:
            made = moment(link.commit.committed_at)
            if end is not None and end <= made <= self._now + _AHEAD:
                break
            yield link
            soft_bytes -= len(link.data)
            self._next[partition] = next(self._links[partition], None)


def _known(store: ObjectStore, archive: str, state: ChainState | None) -> Link | None:
    """The commit that a digest left a chain at, as it stands now."""
    if state is None:
        return None
    try:
        link = chain.read_link(store, archive, state.topic_partition, state.sequence)
    except ObjectMissing as error:
        raise ArchiveDamaged(f"{error.what}, though the last digest names it") from None
    if link.sha256 != state.sha256:
        raise ArchiveDamaged(
            f"commit {state.sequence} of {state.topic_partition} is not the one that the last "
            "digest names"
        )
    return link


def _may_build_on(last: SealedDigest, ring: Keyring) -> bool:
    """Whether a digest is signed, or was sealed before the archive had a key."""
    signature = last.digest.signature
    if signature is not None:
        return ring.signed(signature, last.signed)
    first = min(moment(one.record.created_at) for one in ring.records.values())
    return moment(last.digest.sealed_at) <= first


def _idle(state: ChainState) -> ChainState:
    return msgspec.structs.replace(state, commits=[])


def _reached(links: list[Link]) -> ChainState:
    commit = links[-1].commit
    return ChainState(
        topic=commit.topic,
        partition=commit.partition,
        sequence=commit.sequence,
        sha256=links[-1].sha256,
        next_offset=commit.end,
        incarnation=commit.log.incarnation,
        commits=[SealedCommit(link.sha256, msgspec.Raw(link.data)) for link in links],
    )


def _gaps(commits: list[Commit]) -> Iterator[RecordedGap]:
    for commit in commits:
        for gap in commit.gaps:
            yield RecordedGap(commit.topic, commit.partition, commit.sequence, gap)


def _require_follows(before: SealedDigest | None, after: SealedDigest) -> None:
    if after.digest.previous != (None if before is None else before.sha256):
        raise ArchiveDamaged(f"{after.key}: does not follow the digest before it")


def _hour_after(at: datetime) -> datetime:
    """The next full hour after a time."""
    return at.replace(minute=0, second=0, microsecond=0) + HOUR
