"""`cdc-archive worker`."""

from __future__ import annotations

from pathlib import Path

import click

from cdc_archive.cli import running, wiring
from cdc_archive.config import load


@click.command()
@click.pass_obj
def command(config: Path | None) -> None:
    """Archive change streams from Kafka until told to stop.

    SIGTERM commits what was read and leaves the group, within worker.shutdown_deadline_seconds.
    """
    loaded = load.from_process(config, ("kafka", "store"))
    assert loaded.settings.kafka is not None
    running.run_worker(loaded, wiring.kafka_source(loaded.settings.kafka), serve=True)
