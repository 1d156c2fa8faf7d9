"""The log does not hold the offset that is to be read next: what happened, and what to do."""

from __future__ import annotations

import shlex

from cdc_archive.changelog.position import OffsetRange, TopicPartition
from cdc_archive.errors import OffsetGap


def out_of_range(
    partition: TopicPartition, wanted: int, held: OffsetRange, topic_id: str | None = None
) -> OffsetGap:
    """The error for a gap, with the exact command that records it as a known loss (I4).

    Args:
        partition: where the gap is.
        wanted: the offset that is to be read next.
        held: the offsets that the log holds.
        topic_id: of the topic, if its chain is yet to begin: no other topic may go on there then.
    """
    if wanted < held.start:
        guard = "" if topic_id is None else f"--topic-id {topic_id}"
        return OffsetGap(
            f"{partition}: offset {wanted} is to be read next, but the log holds {held}: "
            f"{held.start - wanted} offsets were deleted before they were read",
            "To record the loss in the archive and go on after it:\n"
            f"    {accept_command(partition, wanted, held.start, guard)}",
        )
    return OffsetGap(
        f"{partition}: offset {wanted} is to be read next, but the log ends at {held.end}: "
        "the topic was deleted and made again, or its log was cut back",
        "To record in the archive that the log began anew, and go on with what it holds now:\n"
        f"    {accept_command(partition, wanted, held.start)}\n"
        f"If it is the same topic, and lost only what came after offset {held.end}: "
        f"--to {held.end}",
    )


def accept_command(partition: TopicPartition, start: int, end: int | str, guard: str = "") -> str:
    """The command that records offsets [start, end) as a known loss (I4).

    Args:
        partition: whose they are.
        start: where its chain ends.
        end: where it is to go on; a word if the reader is to fill it in.
        guard: a further option, such as `--unchecked`.
    """
    words = (
        f"cdc-archive gap accept {shlex.quote(partition.topic)} {partition.partition}",
        f"--from {start} --to {end}",
        guard,
        "--reason '...' --by '...'",
    )
    return " ".join(filter(None, words))
