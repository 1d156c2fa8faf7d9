"""The log does not hold the offset that is to be read next: what happened, and what to do."""

from __future__ import annotations

from cdc_archive.changelog.position import OffsetRange, TopicPartition
from cdc_archive.errors import OffsetGap


def out_of_range(partition: TopicPartition, wanted: int, held: OffsetRange) -> OffsetGap:
    """The error for a gap, with the exact command that records it as a known loss (I4)."""
    if wanted < held.start:
        return OffsetGap(
            f"{partition}: offset {wanted} is to be read next, but the log holds {held}: "
            f"{held.start - wanted} messages were deleted before they were read",
            "To record the loss in the archive and go on after it:\n"
            f"    cdc-archive gap accept '{partition.topic}' {partition.partition} "
            f"--from {wanted} --to {held.start} --reason '...' --by '...'",
        )
    return OffsetGap(
        f"{partition}: offset {wanted} is to be read next, but the log ends at {held.end}: "
        "the topic was deleted and made again, or it lost data",
        "The archive's chain cannot go on with other messages under the same offsets. Archive the "
        "new topic to another store.url, or restore the topic.",
    )
