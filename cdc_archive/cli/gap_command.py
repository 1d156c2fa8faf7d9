"""`cdc-archive gap`."""

from __future__ import annotations

from pathlib import Path

import click

from cdc_archive.archive.format.commit import DELETED
from cdc_archive.archive.writer import losses
from cdc_archive.archive.writer.committer import Committed
from cdc_archive.changelog.position import OffsetRange, TopicPartition
from cdc_archive.cli import output, wiring
from cdc_archive.config import load
from cdc_archive.config.settings import Settings


@click.group()
def command() -> None:
    """Record a known loss in the archive, so that the worker can go on."""


@command.command()
@click.argument("topic", required=False)
@click.argument("partition", type=click.IntRange(min=0), required=False)
@click.option("--from", "start", type=click.IntRange(min=0), help="Where the chain ends.")
@click.option("--to", "end", type=click.IntRange(min=0), help="Where it is to go on.")
@click.option("--topic-id", help="Of the topic as it is now, if it was deleted and made again.")
@click.option("--connector", help="Instead of a topic: whose change stream has a hole.")
@click.option("--position", type=click.IntRange(min=0), help="Where that stream begins anew.")
@click.option("--unchecked", is_flag=True, help="Do not ask the broker what is lost.")
@click.option("--reason", required=True, help="Why it is lost, for whoever reads it later.")
@click.option("--by", required=True, help="Who accepts the loss.")
@click.pass_obj
def accept(
    config: Path | None,
    topic: str | None,
    partition: int | None,
    start: int | None,
    end: int | None,
    topic_id: str | None,
    connector: str | None,
    position: int | None,
    unchecked: bool,
    reason: str,
    by: str,
) -> None:
    """Accept a loss that stopped the worker; its message has this command, filled in.

    TOPIC PARTITION --from --to: the log no longer holds these offsets. With --topic-id, or if --to
    is not above --from, the log began anew: the chain goes on at --to.

    The broker is asked whether the offsets are lost; it must be reachable, or --unchecked given.

    --connector --position: the connector lost its replication slot or its offsets.

    What, why and who stand in the chain from then on and show in `ls` and in every report. Nothing
    is deleted.
    """
    if "..." in (reason, by):
        raise click.UsageError("say in --reason why it is lost, and in --by who accepts that")
    accepted = losses.Accepted(reason, by)
    log = topic is not None and partition is not None and start is not None and end is not None
    if log == (connector is not None and position is not None):
        raise click.UsageError("give TOPIC PARTITION --from --to, or --connector --position")
    settings = load.from_process(config, ("store",)).settings
    store = wiring.open_store(settings)
    committer, archive = wiring.committer(store)
    if connector is not None and position is not None:
        stream = losses.Stream(connector, position)
        for done in losses.of_stream(store, archive, committer, stream, accepted):
            _tell(done)
    elif topic is not None and partition is not None and start is not None and end is not None:
        place, lost = TopicPartition(topic, partition), OffsetRange(start, end)
        held = None if unchecked else _held(settings, place)
        _tell(losses.of_log(store, archive, committer, place, lost, accepted, topic_id, held))


def _held(settings: Settings, place: TopicPartition) -> OffsetRange | None:
    if settings.kafka is None:
        output.say("not compared with the log: the settings have no kafka section")
        return None
    return wiring.log_held(settings.kafka, place)


def _tell(done: Committed) -> None:
    (gap,) = done.commit.gaps
    what = f"offsets {OffsetRange(gap.start, gap.end)}" if gap.kind == DELETED else gap.detail
    output.say(f"{done.commit.topic_partition}: loss recorded, commit {done.head.sequence}: {what}")
