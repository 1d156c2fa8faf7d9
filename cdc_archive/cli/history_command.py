"""`cdc-archive history`."""

from __future__ import annotations

import difflib
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

import click

from cdc_archive import schema_files
from cdc_archive.archive.reader.window import Window, microseconds
from cdc_archive.audit import mapping
from cdc_archive.cli import (
    history_as_of,
    history_json,
    history_markdown,
    history_text,
    moments,
    output,
    wiring,
)
from cdc_archive.cli import history_words as words
from cdc_archive.cli.key_option import asked_key
from cdc_archive.cli.replay_command import DEFAULT_MAPPING
from cdc_archive.config import load
from cdc_archive.errors import NothingFound
from cdc_archive.replay import row_history
from cdc_archive.replay.catalog import Catalog
from cdc_archive.replay.row_history import Asked, RowHistory
from cdc_archive.telemetry.terminal import printable


@click.command()
@click.argument("table")
@click.option(
    "--key",
    "given",
    multiple=True,
    required=True,
    help="""The row's key, one that it has or had: JSON ('{"id":7}'), column=value (once for each
    column), or the bare value of a key of one column.""",
)
@click.option("--from", "start", type=moments.time, help="Only versions from then on, UTC.")
@click.option("--to", "end", type=moments.time, help="Only versions before then, UTC.")
@click.option(
    "--as-of",
    type=moments.time,
    help="Instead: the row as it was then, as JSON; changes of that very moment are in it.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "markdown"]),
    help="[default: text; json with --as-of]",
)
@click.option("--full", is_flag=True, help="Text: long values whole.")
@click.option(
    "--mapping",
    "mapping_file",
    type=click.Path(path_type=Path),
    help="Where actors stand [default: the OpenAI-shaped mapping].",
)
@click.pass_obj
def command(
    config: Path | None,
    table: str,
    given: tuple[str, ...],
    start: datetime | None,
    end: datetime | None,
    as_of: datetime | None,
    form: str | None,
    full: bool,
    mapping_file: Path | None,
) -> None:
    """Show all versions of one row: when, what, in which transaction, by whom, and the evidence.

    TABLE is a name as `ls` shows it, or its end: app.api_key and api_key fit lab.app.api_key. A row
    whose key was changed is found under each of its keys. What the archive does not hold is said to
    be unknown.
    """
    _refuse_contradictions(start, end, as_of, form, full=full)
    key = asked_key(given, "--key")
    settings = load.from_process(config, ("store",)).settings
    rules = mapping.load(mapping_file or schema_files.root() / DEFAULT_MAPPING)
    at_us = microseconds(as_of)
    window = Window(microseconds(start), microseconds(end))
    if at_us is not None:
        window = Window(None, at_us + 1)
    asked = Asked(window, last_only=at_us is not None)
    with closing(sqlite3.connect("", isolation_level=None)) as database:  # a file without a name
        catalog = Catalog(wiring.open_reader(settings), database)
        name = _table(catalog, table)
        history = row_history.of_row(catalog, name, key, rules, asked)
    if at_us is not None:
        history_as_of.show(history, at_us)
        return
    if not any(story.told for story in history.lives):
        raise NothingFound(
            f"the row has no version in the window: {', '.join(words.outside(history))}",
            "Without --from and --to all are shown.",
        )
    _show(history, window, form or "text", full=full)


def _refuse_contradictions(
    start: object, end: object, as_of: object, form: str | None, *, full: bool
) -> None:
    if as_of is not None and (start is not None or end is not None):
        raise click.UsageError("--as-of is one moment: without --from and --to")
    if as_of is not None and form not in (None, "json"):
        raise click.UsageError("--as-of prints JSON only")
    if full and (as_of is not None or form in ("json", "markdown")):
        raise click.UsageError("--full is for text: the other forms are never cut")


def _table(catalog: Catalog, name: str) -> str:
    found = catalog.named(name)
    if len(found) == 1:
        return found[0]
    if found:
        told = "\n".join(f"    {printable(one)}" for one in found)
        raise click.UsageError(f"{printable(name)} fits several tables; name one of:\n{told}")
    tables = catalog.tables()
    near = difflib.get_close_matches(name, tables, n=3, cutoff=0.4)
    near += difflib.get_close_matches(name, [one.rpartition(".")[2] for one in tables], n=3)
    hint = f"Did you mean {', '.join(map(printable, dict.fromkeys(near)))}? " if near else ""
    raise NothingFound(
        f"the archive holds no row changes of a table {printable(name)}",
        f"{hint}All tables: cdc-archive ls. Messages that could not be decoded are in none: "
        "cdc-archive quarantine list",
    )


def _show(history: RowHistory, window: Window, form: str, *, full: bool) -> None:
    if form == "json":
        output.json_line(history_json.document(history, window))
    elif form == "markdown":
        for line in history_markdown.lines(history, window):
            output.line(line)
    else:
        output.styled_lines(history_text.lines(history, window, full=full))
