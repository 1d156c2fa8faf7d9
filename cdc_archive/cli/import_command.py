"""`cdc-archive import`."""

from __future__ import annotations

from pathlib import Path

import click

from cdc_archive.cli import output, running, wiring
from cdc_archive.config import load


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.pass_obj
def command(config: Path | None, files: tuple[Path, ...]) -> None:
    """Archive recorded topic dumps: JSON lines, plain or .gz, one message a line.

    Each line has topic, partition, offset, timestamp, timestamp_type, headers ([[name, base64]]),
    key and value (base64 or null). What the archive has already is not archived again.
    """
    loaded = load.from_process(config, ("store",))
    observed = running.run_worker(loaded, wiring.recorded_source(files), serve=False)
    output.say(
        f"{observed.taken_count:,} messages archived, {observed.quarantined_count:,} of them in "
        f"quarantine, in {observed.commit_count:,} commits"
    )
