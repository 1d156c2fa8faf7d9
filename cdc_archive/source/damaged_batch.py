"""A broker serves a record batch that cannot be read: what happened, and what to do."""

from __future__ import annotations

from cdc_archive.changelog.position import TopicPartition
from cdc_archive.errors import SourceDamaged
from cdc_archive.source.out_of_range import accept_command


def damaged_batch(partition: TopicPartition, offset: int, what: str) -> SourceDamaged:
    """The error for a batch whose bytes are not what was sent.

    Args:
        partition: where the batch is.
        offset: its first offset, or the first of it that is to be read.
        what: what the client says of it.
    """
    return SourceDamaged(
        f"{partition}: the broker serves a damaged batch at offset {offset}: {what}",
        "Another replica may be whole: let it lead (kafka-leader-election) and start again.",
        *partition,
        may_be_lost=True,
    )


def how_to_accept(partition: TopicPartition, start: int) -> str:
    """What else to do about a damaged batch, if it is whole nowhere.

    Args:
        partition: where the batch is.
        start: where the chain ends.
    """
    command = accept_command(partition, start, "FIRST_OFFSET_AFTER_IT", "--unchecked")
    return (
        "\nIf none has it, kafka-dump-log tells where the batch ends. To record the loss "
        f"in the archive and go on after it:\n    {command}"
    )


def unknown_batch(partition: TopicPartition, offset: int, what: str) -> SourceDamaged:
    """The error for a batch of a form or a compression that the client does not know."""
    return SourceDamaged(
        f"{partition}: the client cannot read the batch at offset {offset}: {what}",
        "Install a newer client, or take the other one (kafka.client), and start again.",
        *partition,
        may_be_lost=False,
    )
