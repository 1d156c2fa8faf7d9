"""`cdc-archive reconcile`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import click

from cdc_archive import schema_files
from cdc_archive.archive.reader.window import Window, microseconds
from cdc_archive.audit import mapping
from cdc_archive.cli import moments, output, reconcile_parts, reconcile_text, wiring
from cdc_archive.cli.reconcile_parts import STDIO, Parts
from cdc_archive.cli.replay_command import DEFAULT_MAPPING
from cdc_archive.config import load
from cdc_archive.config.settings import Settings
from cdc_archive.errors import NothingFound, Stop, Unreconciled
from cdc_archive.reconcile import tally
from cdc_archive.reconcile.ledger import Ledger
from cdc_archive.reconcile.reconciliation import Question, Reconciliation
from cdc_archive.replay import run
from cdc_archive.replay.asked import Asked
from cdc_archive.replay.workspace import Workspace
from cdc_archive.sinks.appended import AppendedLines
from cdc_archive.sinks.sink import Line

_SECOND_US: Final = 1_000_000


class Options(NamedTuple):
    """The options of one call."""

    start: datetime | None
    end: datetime | None
    published: tuple[str, ...]
    tables: tuple[str, ...]
    types: tuple[str, ...]
    mapping_file: Path | None
    tolerance: float | None
    by: tuple[str, ...]
    findings: Path | None
    as_json: bool
    report_file: Path | None
    backfill: str | None
    mark: bool
    provenance: Path | None
    jobs: int
    no_checkpoint: bool
    work_dir: Path | None


@click.command()
@click.option("--from", "start", type=moments.time, help="Event time from, UTC.")
@click.option("--to", "end", type=moments.time, help="Event time before, UTC.")
@click.option(
    "--published",
    multiple=True,
    required=True,
    metavar="SOURCE",
    help="The published log: a file of JSON lines, a folder, wildcards, - (stdin), "
    "s3://BUCKET/PREFIX, kafka:TOPIC or https://HOST/v1/organization/audit_logs; repeatable.",
)
@click.option("--table", "tables", multiple=True, help="Only these tables (wildcards); repeatable.")
@click.option("--type", "types", multiple=True, help="Only these event types; repeatable.")
@click.option(
    "--mapping",
    "mapping_file",
    type=click.Path(path_type=Path),
    help="Rules from row changes to events [default: the OpenAI-shaped one].",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(0, 86_400),
    help="Seconds between a change and its event [default: reconcile.tolerance_seconds, 5].",
)
@click.option(
    "--by",
    type=click.Choice(tally.VIEWS),
    multiple=True,
    default=("type", "service"),
    show_default=True,
    help="Tables to show; repeatable.",
)
@click.option("--findings", type=click.Path(path_type=Path), help="File of findings as JSON lines.")
@click.option("--json", "as_json", is_flag=True, help="The report as JSON instead of tables.")
@click.option("--report", "report_file", type=click.Path(path_type=Path), help="The same, a file.")
@click.option(
    "--backfill",
    metavar="DEST",
    help="Write just the missing events: to the end of a file, to - (stdout), kafka:TOPIC or "
    "s3://BUCKET/PREFIX. What is there already counts as published.",
)
@click.option("--mark", is_flag=True, help="Mark each event of the backfill as regenerated.")
@click.option(
    "--provenance",
    type=click.Path(path_type=Path),
    help="File to whose end the evidence of each event of the backfill is written.",
)
@click.option("--jobs", default=1, show_default=True, help="Processes.", type=click.IntRange(1))
@click.option("--no-checkpoint", is_flag=True, help="Fold from the archive's beginning.")
@click.option(
    "--work-dir",
    type=click.Path(path_type=Path),
    help="Folder for what does not fit into memory [default: one of the system's].",
)
@click.pass_obj
def command(config: Path | None, /, **given: Any) -> None:
    """Compare a published audit log with what the archived changes prove.

    Tells which events are missing, unexpected, different, doubled or without their actor, and ends
    with 22 if there are any. `--backfill` writes those that are missing, and a second one nothing.
    """
    options = Options(**given)
    _refuse(options)
    named = [*options.published, options.backfill or ""]
    needs = ("store", "kafka") if any(map(reconcile_parts.is_topic, named)) else ("store",)
    settings = load.from_process(config, needs).settings
    with _folder(options.work_dir) as folder:
        found = _compare(options, settings, folder)
    if found.all[tally.EXPECTED] + found.faults + found.all[tally.UNPROVEN] == 0:
        raise NothingFound(
            "nothing to compare: no event is proven, and none of these types was published",
            "See what is there with `cdc-archive ls`; check --from, --to, --type and the mapping.",
        )
    if found.faults:
        raise Unreconciled(
            f"the published log is not what the changes prove: {reconcile_text.verdict(found)}",
            "See each with --findings FILE; docs/reconcile.md tells what each means."
            + (" --backfill writes what is missing." if found.all[tally.MISSING] else ""),
        )
    output.say("reconciled: every proven event was published, once, and says what is proven")


def _compare(options: Options, settings: Settings, folder: Path) -> tally.Tally:
    """The whole of it; leaves the files that were asked for."""
    text = mapping.text_of(options.mapping_file or schema_files.root() / DEFAULT_MAPPING)
    rules = mapping.parse(text, str(options.mapping_file or DEFAULT_MAPPING))
    _refuse_unknown_types(options.types, rules)
    window = Window(microseconds(options.start), microseconds(options.end))
    tolerance = options.tolerance
    if tolerance is None:
        tolerance = settings.reconcile.tolerance_seconds
    asked = Asked(window, options.tables, options.types)
    types = reconcile_parts.provable(wiring.open_reader(settings), rules, asked)
    extra = settings.reconcile.extra_fields == "different"
    question = Question(window, round(tolerance * _SECOND_US), types, extra)
    parts, ledger = Parts(settings), Ledger(folder / "ledger.sqlite")
    try:
        reconciliation = Reconciliation(question, ledger, parts.shape, parts.services)
        opening = partial(wiring.open_reader, settings)
        wider = asked._replace(window=question.of_changes)
        order = run.Order(opening, text, wider, not options.no_checkpoint, doubts=True)
        replayed = run.replay(order, reconciliation, folder / "replay", options.jobs)
        for doubt in run.doubts(folder / "replay"):
            reconciliation.doubt(*doubt)
        Workspace(folder / "replay").remove()
        read = {
            log.name: reconciliation.read(log.log)
            for log in parts.logs(options.published, options.backfill)
        }
        reconciliation.run()
        written = _backfilled(options, reconciliation, parts)
        told = reconcile_text.report(question, reconciliation.tally, read, replayed, written)
        if options.findings is not None:
            _write(options.findings, reconciliation.findings())
        if options.report_file is not None:
            _write(options.report_file, [json.dumps(told, indent=2).encode()])
    finally:
        ledger.close()
    if options.as_json:
        output.json_line(told)
    else:
        reconcile_text.tables(reconciliation.tally, options.by, stderr=options.backfill == STDIO)
    reconcile_text.notes(reconciliation, replayed)
    if options.backfill is not None:
        output.say(f"{written:,} events were written to {options.backfill}")
    return reconciliation.tally


def _backfilled(options: Options, reconciliation: Reconciliation, parts: Parts) -> int:
    """Write the missing events; how many."""
    count = reconciliation.tally.all[tally.MISSING]
    if options.backfill is None or count == 0:
        return 0
    if reconciliation.lost:
        raise Stop(
            f"what is missing cannot be told: {', '.join(reconciliation.lost[:3])} of the log is "
            "gone, and events that were published would be written again",
            "Choose a --from from which on the log is whole, or name a log that is.",
        )
    if options.provenance is not None:
        evidence = AppendedLines(options.provenance)
        for line in reconciliation.missing():
            evidence.write(Line(line.evidence, line.evidence))
        evidence.close()
    sink = parts.sink(options.backfill, mark=options.mark)
    try:
        for line in reconciliation.missing():
            sink.write(line)
        sink.close()
    except BaseException:
        sink.abort()
        raise
    return count


def _refuse(options: Options) -> None:
    """What could only fail at the end of a long run is told before it."""
    if options.backfill is None and (options.mark or options.provenance is not None):
        raise click.UsageError("--mark and --provenance are about the events of --backfill")
    if options.backfill == STDIO and options.as_json:
        raise click.UsageError("--json and --backfill - cannot both be written to stdout")
    if options.backfill is not None and options.backfill.startswith(("http://", "https://")):
        raise click.UsageError("--backfill writes to no HTTP API: name a file, topic or bucket")
    files = [options.findings, options.report_file, options.provenance]
    if options.backfill is not None and reconcile_parts.is_file(options.backfill):
        files.append(Path(options.backfill))
    places = [one.resolve() for one in files if one is not None]
    if len(places) > len(set(places)):
        raise click.UsageError("--findings, --report, --provenance and --backfill must differ")
    for one in places:
        if not one.parent.is_dir() or one.is_dir():
            raise Stop(f"{one} cannot be written: it is a folder, or there is none to hold it")


def _refuse_unknown_types(types: tuple[str, ...], rules: mapping.Mapping) -> None:
    unknown = sorted(set(types) - set(rules.types()))
    if unknown:
        raise click.BadParameter(f"the mapping {rules.name} has no type {', '.join(unknown)}")


def _write(file: Path, lines: Iterator[bytes] | list[bytes]) -> None:
    try:
        with file.open("wb") as opened:
            opened.writelines(line + b"\n" for line in lines)
    except OSError as error:
        raise Stop(f"{file} cannot be written: {error.strerror}", "Make room there.") from None


@contextmanager
def _folder(named: Path | None) -> Iterator[Path]:
    """A folder for this run alone, removed after it."""
    try:
        if named is not None:
            named.mkdir(mode=0o700, parents=True, exist_ok=True)
        with TemporaryDirectory(prefix="cdc-archive-reconcile-", dir=named) as made:
            yield Path(made)
    except OSError as error:
        raise Stop(f"{named or 'the temporary folder'} cannot be used: {error}") from None
