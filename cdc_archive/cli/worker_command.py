"""`cdc-archive worker`."""

from __future__ import annotations

from pathlib import Path

import click

from cdc_archive.cli import running, wiring, worker_group
from cdc_archive.config import load


@click.command()
@click.option(
    "--processes",
    default=1,
    show_default=True,
    type=click.IntRange(1),
    help="Members of the group, a process each; their HTTP ports follow worker.http_port.",
)
@click.option("--member", type=click.IntRange(0), hidden=True, help="Which of them this is.")
@click.pass_obj
def command(config: Path | None, processes: int, member: int | None) -> int:
    """Archive change streams from Kafka until told to stop.

    SIGTERM commits what was read and leaves the group, within worker.shutdown_deadline_seconds.
    """
    loaded = load.from_process(config, ("kafka", "store"))
    if processes > 1:
        return worker_group.run(config, processes)
    if member is not None:
        loaded = worker_group.member(loaded, member)
    assert loaded.settings.kafka is not None
    running.run_worker(loaded, wiring.kafka_source(loaded.settings.kafka), serve=True)
    return 0
