"""Whether the worker does its work. Not whether the process is up: whether commits come.

Source of the rule: workers that were 'running' and archived nothing (docs/operations.md, Health).
"""

from __future__ import annotations

from typing import NamedTuple

from cdc_archive.changelog.position import TopicPartition


class PartitionProgress(NamedTuple):
    """One owned partition: messages behind the log's end (None: unknown), messages read but not
    committed, and seconds that they have been waiting without a commit.
    """

    partition: TopicPartition
    lag: int | None
    uncommitted: int
    waited_s: float


def stuck(partitions: list[PartitionProgress], stale_s: float) -> list[str]:
    """What is wrong, a sentence each: partitions with work to do and no commit for `stale_s`."""
    return [
        f"{one.partition}: no commit for {one.waited_s:.0f} s "
        f"while {(one.lag or 0) + one.uncommitted} messages wait"
        for one in partitions
        if one.waited_s > stale_s
    ]
