"""Debezium delivers at least once: after a restart the same change may come again. Pure.

A change is dropped only if one of the same identity was seen; never because its position is lower.
A change beyond every position that its stream had is new, and need not be looked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from cdc_archive.history.position import RUN, Change, SourcePosition, may_have_twins

Mark = tuple[int, int, int, int]
"""Commit, LSN, place in the transaction, row: rises from change to change in a stream."""


class Seen(Protocol):
    """Identities of changes, by number of their stream, each with the connector's run."""

    def add(self, stream: int, identity: bytes, run: bytes) -> None:
        """Remember one."""
        ...

    def runs(self, stream: int, identity: bytes) -> list[bytes]:
        """The runs that it was added with."""
        ...


class MemorySeen:
    """Identities in a dict."""

    def __init__(self) -> None:
        self._seen: dict[tuple[int, bytes], list[bytes]] = {}

    def add(self, stream: int, identity: bytes, run: bytes) -> None:
        """See the port."""
        self._seen.setdefault((stream, identity), []).append(run)

    def runs(self, stream: int, identity: bytes) -> list[bytes]:
        """See the port."""
        return self._seen.get((stream, identity), [])


class Settled(NamedTuple):
    """All changes before a time: the highest mark of each stream, by its number, among them."""

    highest: Mapping[int, Mark] = {}
    before_us: int = 0

    def holds(self, change: Change, mark: Mark) -> bool:
        """Whether a change is one of them."""
        time_us = change.archived.record.event_time_us
        highest = self.highest.get(change.place.stream)
        early = time_us is not None and time_us < self.before_us
        if not early or highest is None:
            return False
        # Without its place in the transaction a change may share the mark of the last one.
        return mark < highest or (mark == highest and change.position.total_order is not None)


class Redeliveries:
    """Tells what comes for the second time.

    Args:
        seen: what was there; empty at the beginning of an archive.
        highest: the highest mark of each stream so far, by its number.
        settled: changes that were followed before, and are in `seen` no more.
    """

    def __init__(
        self,
        seen: Seen,
        highest: Mapping[int, Mark] | None = None,
        settled: Settled | None = None,
    ) -> None:
        self._seen = seen
        self._settled = settled or Settled()
        self.highest: dict[int, Mark] = dict(highest or {})

    def is_new(self, change: Change) -> bool:
        """Whether this change is seen for the first time.

        A row of a snapshot always is: it is a state, an early one may come late, and to fold one
        twice does no harm.
        """
        identified = None if change.position.snapshot else change.identity
        if identified is None:
            return True
        stream, mark = change.place.stream, _mark(change.position)
        highest, run = self.highest.get(stream), _run(change)
        if highest is None or mark > highest:
            self.highest[stream] = mark
        elif self._settled.holds(change, mark) or self._was_seen(change, identified, mark, run):
            return False
        self._seen.add(stream, identified, run)
        return True

    def _was_seen(self, change: Change, identified: bytes, mark: Mark, run: bytes) -> bool:
        stream = change.place.stream
        runs = self._seen.runs(stream, identified)
        if not (runs and may_have_twins(change) and mark == self.highest[stream]):
            return bool(runs)
        # Twins: as many are new as this run of the connector brought more than any before it.
        earlier = max((runs.count(other) for other in {*runs} - {run}), default=0)
        if runs.count(run) >= earlier:
            return False
        self._seen.add(stream, identified, run)
        return True


def _run(change: Change) -> bytes:
    for name, value in change.archived.record.headers:
        if name == RUN:
            return value or b""
    return b""


def _mark(where: SourcePosition) -> Mark:
    return where.last_commit or 0, where.lsn or 0, where.total_order or 0, where.row or 0
