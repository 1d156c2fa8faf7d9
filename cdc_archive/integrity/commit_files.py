"""The files of a chain's commits: each is there, and holds what its commit says."""

from __future__ import annotations

from collections.abc import Generator, Iterator

from cdc_archive.archive.format import layout
from cdc_archive.archive.format.commit import Commit, FileEntry, Recovered
from cdc_archive.archive.format.digest import files_of, moment
from cdc_archive.archive.reader.window import microseconds
from cdc_archive.changelog.position import OffsetRange
from cdc_archive.integrity.findings import BROKEN, GAP, OVERLAPPING, Finding
from cdc_archive.integrity.scene import Scene


class CommitFiles:
    """Along one chain, from its first commit to its last.

    Args:
        scene: what it takes.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._waiting: dict[str, set[int] | None] = {}
        self._confirmed, self._unknown = True, False

    @property
    def waiting(self) -> int:
        """How many messages are in quarantine still."""
        return sum(len(left or ()) for left in self._waiting.values())

    def suspect(self, commit: Commit | None) -> Iterator[Finding]:
        """The files of a commit that was altered, nobody knows where."""
        if commit is None:
            return
        for _, file in files_of(commit):
            self._scene.ledger.name(file, commit, commit.log.incarnation)
            yield from self._scene.contents.is_there(file)

    def judge(
        self, key: str, commit: Commit, *, confirmed: bool, unknown: bool
    ) -> Iterator[Finding]:
        """The losses that a commit records, and its files.

        Args:
            key: its key.
            commit: the true one.
            confirmed: another object names its bytes.
            unknown: a commit before it is not known, so that it may recover what that one had.
        """
        self._confirmed, self._unknown = confirmed, unknown
        for gap in commit.gaps:
            lost = OffsetRange(gap.start, gap.end)
            what = f"{gap.kind}: {lost} {gap.reason} (accepted by {gap.accepted_by}) {gap.detail}"
            yield Finding(GAP, key, f"{commit.topic_partition} {what}".rstrip())
        asked = self._is_asked(commit)
        found: list[int] | None = []
        for file in commit.files:
            offsets = yield from self._file(file, commit, commit.log.incarnation, asked=asked)
            found = None if found is None or offsets is None else found + offsets
            if file.kind == layout.QUARANTINE:
                self._waiting[file.key] = None if offsets is None else {*offsets}
        if found is not None and len(found) != len({*found}):
            yield Finding(OVERLAPPING, key, "an offset stands in two of its files")
        for one in commit.recovered:
            yield from self._recovered(key, commit, one, asked=asked)

    def _is_asked(self, commit: Commit) -> bool:
        """Whether the whole commit is in the window, by the time at which it was made."""
        try:
            return self._scene.window.holds(microseconds(moment(commit.committed_at)))
        except ValueError:
            return True

    def _recovered(
        self, key: str, commit: Commit, one: Recovered, *, asked: bool
    ) -> Iterator[Finding]:
        found: list[int] | None = []
        for file in one.files:
            offsets = yield from self._file(file, commit, one.incarnation, asked=asked)
            found = None if found is None or offsets is None else found + offsets
        if found is None:
            return
        claims = sorted(one.offsets)
        inside = (any(start <= n < end for start, end in claims) for n in found)
        if len(found) != one.records or len({*found}) != len(found) or not all(inside):
            yield Finding(BROKEN, key, f"recovered other offsets than it says of {one.origin}")
            return
        left = self._waiting.get(one.origin, None if self._unknown else set())
        if left is None:
            return
        if not left >= {*found}:
            yield Finding(BROKEN, key, f"recovers what does not wait in {one.origin}")
        left -= {*found}

    def _file(
        self, file: FileEntry, commit: Commit, incarnation: int, *, asked: bool
    ) -> Generator[Finding, None, list[int] | None]:
        """Look into a file, if it is asked for; its offsets, None if they are not known."""
        scene = self._scene
        if not scene.ledger.name(file, commit, incarnation):
            what = f"commit {commit.sequence} of {commit.topic_partition} names it, another one too"
            yield Finding(OVERLAPPING, file.key, what)
            return None
        if not (asked or scene.window.may_hold(file)):
            scene.topics.leave(commit.topic, file, scene.window.start_us)
            return None
        scene.counts["files"] += 1
        offsets = yield from scene.contents.offsets(
            file, commit, incarnation, confirmed=self._confirmed
        )
        scene.counts["records"] += len(offsets or ())
        return offsets
