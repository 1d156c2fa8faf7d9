"""`cdc-archive gap`."""

from __future__ import annotations

from pathlib import Path

import click

from cdc_archive.archive.reader import chain
from cdc_archive.changelog.position import OffsetRange, TopicPartition
from cdc_archive.cli import output, wiring
from cdc_archive.config import load


@click.group()
def command() -> None:
    """Record a known loss of messages in the archive, so that the worker can go on."""


@command.command()
@click.argument("topic")
@click.argument("partition", type=click.IntRange(min=0))
@click.option("--from", "start", type=click.IntRange(min=0), required=True, help="First lost.")
@click.option("--to", "end", type=click.IntRange(min=1), required=True, help="First not lost.")
@click.option("--reason", required=True, help="Why they are lost, for whoever reads it later.")
@click.option("--by", required=True, help="Who accepts the loss.")
@click.pass_obj
def accept(
    config: Path | None, topic: str, partition: int, start: int, end: int, reason: str, by: str
) -> None:
    """Accept the loss of offsets [FROM, TO) of a topic partition.

    FROM must be where its chain ends. The range, the reason and the person stand in the chain from
    then on and show in `ls` and in every report. Nothing is deleted.
    """
    store = wiring.open_store(load.from_process(config, ("store",)).settings)
    committer, archive = wiring.committer(store)
    place = TopicPartition(topic, partition)
    head = chain.head(store, archive, place)
    expected = start if head is None else head.next_offset
    if start != expected or end <= start:
        raise click.UsageError(
            f"the chain of {place} ends at {expected}: --from must be {expected}, --to above it"
        )
    done = committer.accept_gap(place, head, OffsetRange(start, end), reason, by)
    output.say(
        f"{place}: offsets {OffsetRange(start, end)} recorded as lost, commit {done.head.sequence}"
    )
