"""`cdc-archive quarantine`."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import click

from cdc_archive.archive.reader import as_json, quarantine
from cdc_archive.archive.reader.quarantine import Asked
from cdc_archive.cli import output, wiring
from cdc_archive.config import load
from cdc_archive.errors import NothingFound

_NOTHING = "See what there is: cdc-archive quarantine list"


@click.group()
def command() -> None:
    """Messages that could not be decoded: list them, look at one, try again."""


@command.command("list")
@click.option("--topic", help="Only this topic (wildcards).")
@click.option("--reason", help="Only this reason (wildcards).")
@click.option("--messages", is_flag=True, help="A line for each message.")
@click.option("--recovered", is_flag=True, help="Those that were recovered too.")
@click.option("--json", "as_lines", is_flag=True, help="JSON lines instead of a table.")
@click.pass_obj
def list_command(
    config: Path | None,
    topic: str | None,
    reason: str | None,
    messages: bool,
    recovered: bool,
    as_lines: bool,
) -> None:
    """Show what is in quarantine, and why."""
    reader = wiring.open_reader(load.from_process(config, ("store",)).settings)
    held = quarantine.held(reader, Asked(topic=topic, reason=reason))
    found = (one for one in held if recovered or one.recovered_by is None)
    rows = quarantine.lines(found) if messages else quarantine.summary(found)
    if as_lines:
        for row in rows:
            output.json_line(row)
        return
    known = list(rows)
    if known:
        output.table([*known[0]], [[*row.values()] for row in known])
    else:
        output.say("nothing is in quarantine")


@command.command()
@click.argument("topic")
@click.argument("partition", type=click.IntRange(min=0))
@click.argument("offset", type=click.IntRange(min=0))
@click.option("--value", "raw", is_flag=True, help="Only the value, its very bytes.")
@click.option("--incarnation", type=click.IntRange(min=0), help="Of the log, if it began anew.")
@click.pass_obj
def show(
    config: Path | None,
    topic: str,
    partition: int,
    offset: int,
    raw: bool,
    incarnation: int | None,
) -> None:
    """Print a quarantined message, whole."""
    reader = wiring.open_reader(load.from_process(config, ("store",)).settings)
    found = [
        held
        for held in quarantine.held(reader, Asked(topic, partition, offset))
        if incarnation in (None, held.incarnation)
    ]
    if not found:
        raise NothingFound(f"{topic}[{partition}]: offset {offset} is not in quarantine", _NOTHING)
    if raw and len(found) > 1:
        which = ", ".join(str(held.incarnation) for held in found)
        raise click.UsageError(f"the log began anew: give --incarnation, one of {which}")
    for held in found:
        if raw:
            sys.stdout.buffer.write(held.message.value or b"")
        else:
            output.json_line(as_json.quarantine_view(held))


@command.command()
@click.option("--topic", help="Only this topic (wildcards).")
@click.option("--reason", help="Only this reason (wildcards).")
@click.pass_obj
def retry(config: Path | None, topic: str | None, reason: str | None) -> None:
    """Decode again what is in quarantine, with the program and the settings of now.

    What decodes is written as a new commit that says where it comes from, and stands in the archive
    where it belongs from then on. What does not stays. Running it again recovers nothing twice.
    """
    settings = load.from_process(config, ("store",)).settings
    store = wiring.open_store(settings)
    recovered: Counter[str] = Counter()
    still: Counter[str] = Counter()
    for outcome in wiring.retries(settings, store, Asked(topic=topic, reason=reason)):
        recovered.update(outcome.recovered)
        still.update(outcome.still)
        if outcome.recovered:
            output.say(f"{outcome.partition}: {outcome.recovered.total():,} messages recovered")
    if not recovered and not still:
        raise NothingFound("nothing of this is in quarantine", _NOTHING)
    output.say(f"{recovered.total():,} messages recovered, {still.total():,} still do not decode")
    for name, count in sorted(still.items()):
        output.say(f"  {count:>8,}  {name}")
