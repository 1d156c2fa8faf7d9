"""From when on a connector counts its positions anew: its database was another one, or restored.

The chains say so: a person accepted that its change stream began anew, once in each chain, at the
offset where that chain saw it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cdc_archive.archive.format.commit import SOURCE, Commit
from cdc_archive.changelog.position import TopicPartition


class Restarts:
    """Learns from commits, each chain from its beginning and in its order."""

    def __init__(self) -> None:
        self._intervals: dict[str, list[tuple[int, int]]] = {}
        self._latest: dict[TopicPartition, int] = {}
        self._pending: dict[TopicPartition, tuple[str, int]] = {}

    def add(self, commit: Commit) -> None:
        """Take the next commit of a chain."""
        partition = commit.topic_partition
        gap = next((one for one in commit.gaps if one.kind == SOURCE), None)
        connector = "" if commit.source is None else commit.source.connector
        for file in sorted(commit.files, key=lambda one: one.first_offset):
            if gap is not None and file.first_offset >= gap.start:
                self._pending[partition] = (connector, self._latest.get(partition, 0))
                gap = None
            self._end(partition, file.min_event_time_us)
            latest = max(self._latest.get(partition, 0), file.max_event_time_us or 0)
            self._latest[partition] = latest
        if gap is not None:
            self._pending[partition] = (connector, self._latest.get(partition, 0))

    def _end(self, partition: TopicPartition, first_us: int | None) -> None:
        if first_us is None or partition not in self._pending:
            return
        connector, before = self._pending.pop(partition)
        self._intervals.setdefault(connector, []).append((before, max(first_us, before + 1)))

    def times(self) -> Mapping[str, Sequence[int]]:
        """By connector, ascending, in microseconds: as few as lie within what every chain saw."""
        found: dict[str, list[int]] = {}
        for connector, intervals in sorted(self._intervals.items()):
            times = found.setdefault(connector, [])
            for before, first in sorted(intervals, key=lambda one: one[1]):
                if not times or times[-1] <= before:
                    times.append(first)
        return found
