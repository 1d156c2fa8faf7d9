"""Keeps what all partitions hold within the memory budget (I7): commits, and holds reading back.

Over the soft limit the batches that hold the most are committed, and partitions that hold more than
their share are read no further, so that one that gets a hundred times the load of the others does
not stop them. Over the budget nothing is read. A small batch is not committed to relieve anything
while larger ones are on their way: it would free nothing, and leave small files.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cdc_archive.changelog.position import TopicPartition
from cdc_archive.source.source import Source
from cdc_archive.worker.checkpoint import Checkpoint
from cdc_archive.worker.limits import PRESSURE
from cdc_archive.worker.owned import Owned

_SOFT: Final = 0.8
_RESUME_BELOW: Final = 0.6
_WORTH: Final = 4


class Pressure:
    """Relieves a worker.

    Args:
        source: paused and resumed.
        checkpoint: commits.
        budget: bytes that all partitions may hold, those on their way to the store included.
    """

    def __init__(self, source: Source, checkpoint: Checkpoint, budget: int) -> None:
        self._source = source
        self._checkpoint = checkpoint
        self._budget = budget
        self._held_back: set[Owned] = set()  # by identity: what came back is not paused

    def relieve(self, owned: Mapping[TopicPartition, Owned]) -> None:
        """Commit and pause as need be, resume when memory allows."""
        held = sum(one.buffered_bytes for one in owned.values())
        if held > self._budget * _SOFT:
            self._commit_largest(owned)
        ours = {one for one in self._held_back if owned.get(one.partition) is one}
        wanted = self._to_hold_back(owned, ours, held)
        if to_pause := wanted - ours:
            self._source.pause([one.partition for one in to_pause])
        if to_resume := ours - wanted:
            self._source.resume([one.partition for one in to_resume])
        self._held_back = wanted

    def _commit_largest(self, owned: Mapping[TopicPartition, Owned]) -> None:
        under_way = any(one.in_flight for one in owned.values())
        free = [one for one in owned.values() if one.in_flight is None and one.batch.messages]
        free.sort(key=lambda one: one.batch.buffered_bytes, reverse=True)
        unsealed = sum(one.batch.buffered_bytes for one in owned.values())
        worth = self._budget // (_WORTH * len(owned))
        for one in free:
            size = one.batch.buffered_bytes
            if unsealed <= self._budget // 2 or (under_way and size < worth):
                return
            self._checkpoint.start(one, PRESSURE)
            under_way = True
            unsealed -= size

    def _to_hold_back(
        self, owned: Mapping[TopicPartition, Owned], now: set[Owned], held: int
    ) -> set[Owned]:
        if held > self._budget:
            return {*owned.values()}
        if held > self._budget * _SOFT:
            share = self._budget // len(owned)
            return now | {one for one in owned.values() if one.buffered_bytes > share}
        return now if held > self._budget * _RESUME_BELOW else set()

    @property
    def holds_back(self) -> bool:
        """Whether some partition is paused."""
        return bool(self._held_back)

    def holds_all(self, owned: Mapping[TopicPartition, Owned]) -> bool:
        """Whether every partition is paused, so that nothing can come."""
        return bool(owned) and self._held_back.issuperset(owned.values())
