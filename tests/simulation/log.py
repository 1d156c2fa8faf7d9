"""The log of one topic partition as a broker keeps it, and all that ever happened to it."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from simulation.produced import Produced
from simulation.scheduler import NEVER

OPEN, DATA, ABORTED, MARKER = "open", "data", "aborted", "marker"


class Entry:
    """One offset. `gone_at` is when compaction removed it."""

    __slots__ = ("gone_at", "produced", "state")

    def __init__(self, state: str, produced: Produced | None) -> None:
        self.state, self.produced = state, produced
        self.gone_at = NEVER


class Log:
    """Entries from `first` on; none is ever forgotten, for the checker wants to know.

    Args:
        first: the first offset that it ever had.
        now: seconds since the world began.
        topic_id: of the topic that it is of.
    """

    def __init__(self, first: int, now: float, topic_id: str) -> None:
        self.topic_id, self.made_at, self.deleted_at = topic_id, now, NEVER
        self.first = self.start = first
        self.entries: list[Entry] = []
        self.starts = [(now, first)]
        self.transactions: dict[int, int] = {}

    @property
    def end(self) -> int:
        """The next offset to be written."""
        return self.first + len(self.entries)

    @property
    def stable_end(self) -> int:
        """Up to where a read_committed consumer is handed messages."""
        return min(self.transactions.values(), default=self.end)

    def entry(self, offset: int) -> Entry:
        """What stands, or stood, at an offset that was written."""
        return self.entries[offset - self.first]

    def append(self, state: str, produced: Produced | None, transaction: int | None = None) -> None:
        """One more offset."""
        if transaction is not None:
            self.transactions.setdefault(transaction, self.end)
        self.entries.append(Entry(state, produced))

    def finish(self, transaction: int, *, commit: bool) -> None:
        """End a transaction: its entries count or do not, and a marker takes an offset."""
        begun = self.transactions.pop(transaction, None)
        if begun is None:
            return
        for offset in range(begun, self.end):
            entry = self.entry(offset)
            if entry.state == f"{OPEN}{transaction}":
                entry.state = DATA if commit else ABORTED
        self.append(MARKER, None)

    def read(self, position: int, most: int) -> tuple[list[Produced], int]:
        """At most so many messages from `position` on, and the position after them."""
        found: list[Produced] = []
        end = self.stable_end
        while position < end and len(found) < most:
            entry = self.entry(position)
            if entry.state == DATA and entry.gone_at == NEVER:
                assert entry.produced is not None
                found.append(entry.produced)
            position += 1
        return found, position

    def compact(self, rng: Random, now: float, part: float) -> int:
        """Remove some messages, never the newest."""
        removed = 0
        for offset in range(self.start, max(self.start, self.stable_end - 2)):
            entry = self.entry(offset)
            if entry.state == DATA and entry.gone_at == NEVER and rng.random() < part:
                entry.gone_at = now
                removed += 1
        return removed

    def retain_from(self, start: int, now: float) -> None:
        """Delete everything before `start`."""
        self.start = start
        self.starts.append((now, start))

    def start_at(self, now: float) -> int:
        """Where the log began at a moment."""
        return max(start for when, start in self.starts if when <= now)

    def live(self) -> Iterator[int]:
        """Offsets of messages that a consumer would be handed now."""
        for offset in range(self.start, self.stable_end):
            entry = self.entry(offset)
            if entry.state == DATA and entry.gone_at == NEVER:
                yield offset
