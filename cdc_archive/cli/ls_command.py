"""`cdc-archive ls`."""

from __future__ import annotations

from pathlib import Path

import click

from cdc_archive.archive.reader import inventory
from cdc_archive.cli import output, wiring
from cdc_archive.config import load


@click.command()
@click.option(
    "--by",
    type=click.Choice(["table", "hour", "file", "partition", "gap"]),
    default="table",
    show_default=True,
    help="One line for each of these.",
)
@click.option("--table", help="Only this table (the whole name, or * and ? as wildcards).")
@click.option("--json", "as_json", is_flag=True, help="JSON lines instead of a table.")
@click.pass_obj
def command(config: Path | None, by: str, table: str | None, as_json: bool) -> None:
    """Show what the archive holds, as its commits say."""
    reader = wiring.open_reader(load.from_process(config, ("store",)).settings)
    rows = inventory.take(reader, by, table)
    if as_json:
        for row in rows:
            output.json_line(row)
    elif rows:
        output.table([*rows[0]], [[*row.values()] for row in rows])
    else:
        output.say("nothing matches")
