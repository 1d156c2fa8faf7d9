"""Debezium delivers at least once: after a restart the same change may come again. Pure.

A change is dropped only if one of the same identity was seen; never because its position is lower.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from cdc_archive.history.position import Change, identity

WINDOW: Final = 1_000_000
"""How many changes of a partition are remembered: more than a connector repeats after a crash."""


class Redeliveries:
    """Remembers what was seen, a bounded number of changes a topic partition."""

    def __init__(self, window: int = WINDOW) -> None:
        self._window = window
        self._seen: dict[tuple[str, int], tuple[set[bytes], deque[bytes]]] = {}
        self.dropped = 0

    def is_new(self, change: Change) -> bool:
        """Whether this change is seen for the first time; counts those that are not."""
        mark = identity(change)
        if mark is None:
            return True
        record = change.archived.record
        seen, order = self._seen.setdefault((record.topic, record.partition), (set(), deque()))
        if mark in seen:
            self.dropped += 1
            return False
        seen.add(mark)
        order.append(mark)
        if len(order) > self._window:
            seen.discard(order.popleft())
        return True
