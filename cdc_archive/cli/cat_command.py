"""`cdc-archive cat`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from cdc_archive.archive.reader import as_json, find
from cdc_archive.archive.reader.window import Window, microseconds
from cdc_archive.cli import moments, output, wiring
from cdc_archive.cli.key_option import asked_key
from cdc_archive.config import load


@click.command()
@click.option("--table", help="Only this table (the whole name, or * and ? as wildcards).")
@click.option("--topic", help="Only this topic (wildcards too).")
@click.option("--file", "key", help="Only this data file (its key, as `ls --by file` shows it).")
@click.option("--from", "start", type=moments.time, help="Event time from, UTC.")
@click.option("--to", "end", type=moments.time, help="Event time before, UTC.")
@click.option("--offset", type=int, help="Only this offset (with --topic).")
@click.option(
    "--follow-key",
    metavar="KEY",
    multiple=True,
    help="""Only messages under this key and all that its row had before and after:
    '{"id":7}', id=7 (once for each column) or 7. `history` tells rows that shared a key apart.""",
)
@click.option("--limit", type=click.IntRange(min=1), help="Stop after so many records.")
@click.pass_obj
def command(
    config: Path | None,
    table: str | None,
    topic: str | None,
    key: str | None,
    start: datetime | None,
    end: datetime | None,
    offset: int | None,
    follow_key: tuple[str, ...],
    limit: int | None,
) -> None:
    """Print archived records as JSON lines, in offset order within each topic partition."""
    reader = wiring.open_reader(load.from_process(config, ("store",)).settings)
    window = Window(microseconds(start), microseconds(end))
    followed = asked_key(follow_key, "--follow-key") if follow_key else None
    wanted = find.Wanted(table, topic, key, window, offset, followed)
    for archived in find.records(reader, wanted, limit):
        output.json_line(as_json.view(archived))
