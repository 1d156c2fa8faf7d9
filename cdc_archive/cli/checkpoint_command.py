"""`cdc-archive checkpoint`."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from cdc_archive import schema_files
from cdc_archive.archive.reader.window import microseconds
from cdc_archive.audit import mapping
from cdc_archive.cli import moments, output, wiring
from cdc_archive.cli.replay_command import DEFAULT_MAPPING
from cdc_archive.config import load
from cdc_archive.replay import checkpointing
from cdc_archive.replay.asked import Asked
from cdc_archive.replay.run import Order


@click.command()
@click.option(
    "--at",
    type=moments.time,
    help="Event time, UTC: changes before it are in the checkpoint [default: the beginning of the"
    " hour of the newest archived change].",
)
@click.option(
    "--mapping",
    "mapping_file",
    type=click.Path(path_type=Path),
    help="Its type hints are those of the replays that may use the checkpoint.",
)
@click.option("--jobs", default=1, show_default=True, help="Processes.", type=click.IntRange(1))
@click.option("--work-dir", type=click.Path(path_type=Path), help="Folder for temporary files.")
@click.pass_obj
def command(
    config: Path | None,
    at: datetime | None,
    mapping_file: Path | None,
    jobs: int,
    work_dir: Path | None,
) -> None:
    """Keep the versions of all rows at a time, so that later replays look back no further.

    A replay of a window that begins at that time or later uses it. It is derived from the archive
    and proves nothing: `replay --no-checkpoint` does without.
    """
    settings = load.from_process(config, ("store",)).settings
    text = mapping.text_of(mapping_file or schema_files.root() / DEFAULT_MAPPING)
    order = Order(partial(wiring.open_reader, settings), text, Asked())
    store = wiring.open_store(settings)
    with TemporaryDirectory(prefix="cdc-archive-checkpoint-", dir=work_dir) as folder:
        made = checkpointing.make(order, store, microseconds(at), Path(folder), jobs)
    output.line(made.key)
    output.say(f"{made.rows:,} rows as of {moments.text(made.at_us)}, {made.size:,} bytes")
