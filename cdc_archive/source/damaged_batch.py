"""A broker serves a record batch that nobody can read: what happened, and what to do."""

from __future__ import annotations

import shlex
from typing import Final

from cdc_archive.changelog.position import TopicPartition
from cdc_archive.errors import SourceDamaged

LEAD: Final = "Another replica may be whole: let it lead (kafka-leader-election) and start again."


def damaged_batch(partition: TopicPartition, offset: int, what: str) -> SourceDamaged:
    """The error for it, with the command that records the batch as a known loss (I4).

    Args:
        partition: where the batch is.
        offset: its first offset, or the first of it that is to be read.
        what: what the client says of it.
    """
    topic = shlex.quote(partition.topic)
    return SourceDamaged(
        f"{partition}: the broker serves a damaged batch at offset {offset}: {what}",
        f"{LEAD}\nIf none has it, kafka-dump-log tells where the batch ends. To record the loss in "
        "the archive and go on after it:\n"
        f"    cdc-archive gap accept {topic} {partition.partition} --from {offset} "
        "--to FIRST_OFFSET_AFTER_IT --unchecked --reason '...' --by '...'",
    )
