"""`cdc-archive mapping`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import msgspec

from cdc_archive import schema_files
from cdc_archive.archive.reader import find
from cdc_archive.archive.reader.reader import ArchiveReader
from cdc_archive.archive.reader.window import Window, microseconds
from cdc_archive.audit import mapping
from cdc_archive.audit.mapping_schema import schema_text
from cdc_archive.changelog.record import ArchivedRecord
from cdc_archive.cli import mapping_text, moments, output, wiring
from cdc_archive.cli.replay_command import DEFAULT_MAPPING
from cdc_archive.config import load
from cdc_archive.decode.exact_json import exact_json
from cdc_archive.errors import MappingUnfit, NothingFound
from cdc_archive.history.fold import ReadRow
from cdc_archive.replay import explained, trial
from cdc_archive.replay.fitness import Fitness, SeenColumns
from cdc_archive.replay.run import read_row
from cdc_archive.replay.trial import Trial


@click.group()
def command() -> None:
    """The mapping file: check it, see what it makes of a change, get its schema."""


@command.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--from", "start", type=moments.time, help="Changes from, event time, UTC.")
@click.option("--to", "end", type=moments.time, help="Changes before, event time, UTC.")
@click.option("--no-archive", is_flag=True, help="Check the file by itself.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of tables.")
@click.pass_obj
def check(
    config: Path | None,
    file: Path | None,
    start: datetime | None,
    end: datetime | None,
    no_archive: bool,
    as_json: bool,
) -> None:
    """Check a mapping file, and whether it fits the archive's tables and columns.

    Shows for each rule the tables that it fits, how many of their changes are of its operation, and
    how many of these match. FILE is the mapping that ships with the program if it is left out. Its
    faults are told all at once (exit code 4); what it names that the archive does not have are
    findings (exit code 21).
    """
    rules = _mapping(file)
    if no_archive:
        output.say(f"{rules.name}: {len(rules.rule)} rules, no faults; no archive was looked at")
        return
    reader = wiring.open_reader(load.from_process(config, ("store",)).settings)
    window = Window(microseconds(start), microseconds(end))
    seen = SeenColumns(read_row(rules))
    with _trial(reader, rules, seen.read, window) as opened:
        fitness = Fitness(opened, seen)
        fitness.try_on(window)
    if as_json:
        output.json_line(msgspec.Raw(exact_json(fitness.to_dict())))
    else:
        mapping_text.show_fitness(fitness)
    found = sum(not one.note for one in fitness.findings())
    if found:
        raise MappingUnfit(
            f"{rules.name}: {found} finding{'s' if found > 1 else ''}",
            "Correct the mapping, or check it on an archive that has what it names.",
        )


@command.command()
@click.option("--offset", "place", required=True, help="TOPIC:PARTITION:OFFSET, or the offset.")
@click.option("--topic", help="With --offset N: the topic.")
@click.option("--partition", type=click.IntRange(min=0), help="With --offset N: the partition.")
@click.option("--incarnation", type=click.IntRange(min=0), help="Of the log, if it began anew.")
@click.option(
    "--mapping",
    "file",
    type=click.Path(path_type=Path),
    help="The mapping [default: the OpenAI-shaped one].",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
@click.pass_obj
def explain(
    config: Path | None,
    place: str,
    topic: str | None,
    partition: int | None,
    incarnation: int | None,
    file: Path | None,
    as_json: bool,
) -> None:
    """Show why an archived change did or did not become an event.

    The row's step, what every rule of its table makes of it, what each actor source gave, and the
    event. The table is read from its beginning, so that the version before is the right one.
    """
    rules, wanted = _mapping(file), _place(place, topic, partition)
    reader = wiring.open_reader(load.from_process(config, ("store",)).settings)
    archived, read = _record(reader, *wanted, incarnation), read_row(rules)
    time_us = archived.record.event_time_us
    window = Window() if time_us is None else Window(time_us, time_us + 1)
    with _trial(reader, rules, read, window) as opened:
        found = explained.explain(opened, archived, read)
    if as_json:
        output.json_line(explained.as_line(found))
    else:
        mapping_text.show_explained(found)


@command.command()
def schema() -> None:
    """Print the JSON Schema of a mapping file, for editors."""
    output.line(schema_text().rstrip("\n"))


def _mapping(file: Path | None) -> mapping.Mapping:
    return mapping.load(file or schema_files.root() / DEFAULT_MAPPING)


@contextmanager
def _trial(
    reader: ArchiveReader, rules: mapping.Mapping, read: ReadRow, window: Window
) -> Iterator[Trial]:
    with (
        TemporaryDirectory(prefix="cdc-archive-mapping-") as folder,
        trial.opened(reader, rules, read, Path(folder), window) as opened,
    ):
        yield opened


def _place(place: str, topic: str | None, partition: int | None) -> tuple[str, int, int]:
    """Topic, partition and offset, in one option or in three."""
    named, _, offset = place.rpartition(":")
    head, _, number = named.rpartition(":")
    if head and topic is None and partition is None:
        topic, given = head, number
    else:
        offset, given = place, str(partition or 0)
    if topic is None or not (given.isdecimal() and offset.isdecimal()):
        raise click.UsageError(
            "--offset is TOPIC:PARTITION:OFFSET (pg.app.invite:0:42), "
            "or a number beside --topic and --partition"
        )
    return topic, int(given), int(offset)


def _record(
    reader: ArchiveReader, topic: str, partition: int, offset: int, incarnation: int | None
) -> ArchivedRecord:
    wanted = find.Wanted(offset=offset)
    found = [
        archived
        for one in reader.partitions()
        if (one.topic, one.partition) == (topic, partition)
        for archived in reader.scan(one, wanted.file_matches)
        if wanted.record_matches(archived) and incarnation in (None, archived.incarnation)
    ]
    if not found:
        raise NothingFound(
            f"{topic}[{partition}]: offset {offset} is not in the archive",
            "See what there is: cdc-archive ls --by partition; cdc-archive quarantine list",
        )
    if len(found) > 1:
        which = ", ".join(str(one.incarnation) for one in found)
        raise click.UsageError(f"the log began anew: give --incarnation, one of {which}")
    return found[0]
