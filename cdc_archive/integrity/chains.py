"""Proves a chain: every commit, how each joins the one before, and all files that they name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cdc_archive.archive.format import layout
from cdc_archive.archive.format.commit import Commit
from cdc_archive.archive.format.digest import moment
from cdc_archive.archive.reader import chain as chains
from cdc_archive.archive.reader.chain import Link
from cdc_archive.errors import ArchiveDamaged
from cdc_archive.integrity.anchor import AnchoredHead
from cdc_archive.integrity.commit_files import CommitFiles
from cdc_archive.integrity.findings import (
    BROKEN,
    CUT,
    EXTRA,
    MISSING,
    OVERLAPPING,
    UNSEALED,
    Finding,
)
from cdc_archive.integrity.scene import Scene
from cdc_archive.integrity.true_commits import TrueCommit, TrueCommits

_EVER: Final = (1 << 63) - 1
FULL_BYTES: Final = 64 << 20
"""A digest with so many bytes of commits may have left some of its hour to the next one."""


def judge(scene: Scene, chain: str) -> Iterator[Finding]:
    """Findings about one chain and its files.

    Args:
        scene: what it takes; what is found there beside is left in it.
        chain: prefix of its keys.
    """
    scene.counts["chains"] += 1
    walk = _Walk(scene, chain)
    for finding in walk.findings():
        if finding.is_damage:
            scene.topics.damage(walk.topic)
        yield finding


class _Walk:
    """Along one chain, from its first commit to its last."""

    def __init__(self, scene: Scene, chain: str) -> None:
        self._scene = scene
        self._chain = chain
        self._anchored = scene.anchored.get(chain)
        self._files = CommitFiles(scene)
        self._before: Link | None = None
        self.topic = layout.decode_part(chain.split("/")[1])
        self._unknown = False
        self._end: tuple[int, int] = (0, 0)
        self._open_since: tuple[int, int] | None = None

    def findings(self) -> Iterator[Finding]:
        """See `Chains.judge`."""
        true = TrueCommits(self._scene.looks, self._scene.ledger, self._chain, self._anchored)
        tail: list[TrueCommit] = []
        expected = 0
        for one in true:
            absent = one.finding is not None and one.finding.kind == MISSING and one.sealed
            if not absent:
                yield from (t.finding for t in tail if t.finding is not None)
                tail = []
            if one.sequence > expected and (one.commit or one.sealed):
                yield self._hole(expected, one.sequence)
            if one.commit or one.sealed or one.sequence == expected:
                expected = one.sequence + 1
            if absent:
                tail.append(one)
            elif one.finding is not None:
                yield one.finding
            yield from self._take(one, true.sealed_head)
        yield from self._ended(tail, expected)

    def _hole(self, first: int, after: int) -> Finding:
        self._lose()
        which = (
            f"commit {first} is" if after == first + 1 else f"commits {first} to {after - 1} are"
        )
        key = f"{self._chain}{first:012d}.json"
        return Finding(MISSING, key, f"{which} not there, but commit {after} is")

    def _ended(self, tail: list[TrueCommit], expected: int) -> Iterator[Finding]:
        """Whether the chain goes as far as it is known to have gone."""
        anchored = self._anchored
        first = tail[0].sequence if tail else expected
        if anchored is not None and anchored.sequence >= expected:
            yield self._cut(tail, first, anchored.sequence, "the anchor knows")
        elif tail:
            sealed = tail[-1].sealed
            by = "" if sealed is None else sealed.digest
            yield self._cut(tail, first, expected - 1, f"{by} names")
        elif self._before is not None:
            last, sha = self._before.commit, self._before.sha256
            head = AnchoredHead(last.topic, last.partition, last.sequence, sha, last.end)
            self._scene.heads[self._chain] = head
        if self._open_since is not None:
            self._scene.ledger.lose(self._chain, *self._open_since, _EVER)
        self._scene.topics.wait(self.topic, self._files.waiting)

    def _cut(self, tail: list[TrueCommit], first: int, last: int, by: str) -> Finding:
        self._open_since = self._open_since or self._end
        which = f"commit {first}" if first == last else f"commits {first} to {last}"
        what = f"{which}, which {by}, and all after are not there: the end was cut off"
        if first == 0:
            what = f"the whole chain, {which}, which {by}, is not there"
        held = [one.sealed.digest for one in tail if one.commit and one.sealed]
        if held:
            digests = held[0] if held[0] == held[-1] else f"{held[0]} to {held[-1]}"
            what += f"; their true bytes are in {digests}"
        return Finding(CUT, self._key(first), what)

    def _take(self, one: TrueCommit, sealed_head: int) -> Iterator[Finding]:
        if one.commit is None or one.sha256 is None:
            self._lose()
            yield from self._files.suspect(one.suspect)
            return
        commit, key = one.commit, self._key(one.sequence)
        self.topic = commit.topic
        self._scene.topics.take(commit)
        link = Link(commit, one.sha256, b"")
        if one.finding is None:
            self._scene.counts["commits"] += 1
            yield from self._joined(link, key)
            yield from self._dated(commit, key, sealed_head)
        self._found(commit)
        yield from self._files.judge(key, commit, confirmed=one.confirmed, unknown=self._unknown)
        self._before, self._end = link, (commit.log.incarnation, commit.end)

    def _joined(self, link: Link, key: str) -> Iterator[Finding]:
        before = self._before
        if before is None:
            return
        commit = link.commit
        if commit.start < before.commit.end and not chains.restarts(commit):
            what = f"covers offsets from {commit.start} on, but commit {before.commit.sequence}"
            yield Finding(OVERLAPPING, key, f"{what} covers them up to {before.commit.end}")
            return
        try:
            chains.join(before, link, key)
        except ArchiveDamaged as error:
            yield Finding(BROKEN, key, error.what.removeprefix(f"{key}: "))

    def _dated(self, commit: Commit, key: str, sealed_head: int) -> Iterator[Finding]:
        """A commit that no digest holds, though the digest of its hour is there."""
        scene, newest = self._scene, self._scene.newest
        try:
            made = moment(commit.committed_at)
        except ValueError:
            yield Finding(BROKEN, key, "its time is no time")
            return
        scene.newest_commit = max(made, scene.newest_commit or made)
        if commit.sequence <= sealed_head or newest is None:
            return
        scene.counts["unsealed"] += 1
        if newest.size >= FULL_BYTES or made >= newest.end:
            return
        what = f"is dated {commit.committed_at}, but {newest.key}, which ends later, does not hold"
        if made < newest.start:
            what += " it, nor does the one before: it was added afterwards"
            yield Finding(EXTRA, key, f"{what}, or its worker's clock lags by hours")
        else:
            what += " it: the next one will, if it came late or its worker's clock lags"
            yield Finding(UNSEALED, key, what)

    def _lose(self) -> None:
        """Nobody knows what stands here: what is next is not compared with what was before."""
        self._open_since = self._open_since or self._end
        self._before, self._unknown = None, True

    def _found(self, commit: Commit) -> None:
        if self._open_since is not None:
            self._scene.ledger.lose(self._chain, *self._open_since, max(commit.start, 1))
            self._open_since = None

    def _key(self, sequence: int) -> str:
        return f"{self._chain}{sequence:012d}.json"
