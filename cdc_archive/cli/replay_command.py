"""`cdc-archive replay`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from cdc_archive import schema_files
from cdc_archive.archive.reader.window import Window, microseconds
from cdc_archive.audit import mapping
from cdc_archive.cli import moments, output, wiring
from cdc_archive.config import load
from cdc_archive.errors import NothingFound, Stop
from cdc_archive.replay import run
from cdc_archive.replay.asked import Asked
from cdc_archive.replay.report import Report
from cdc_archive.replay.workspace import Workspace
from cdc_archive.sinks.jsonl import JsonLines
from cdc_archive.telemetry.terminal import printable

DEFAULT_MAPPING = "mappings/openai.toml"


@click.command()
@click.option("--from", "start", type=moments.time, help="Event time from, UTC.")
@click.option("--to", "end", type=moments.time, help="Event time before, UTC.")
@click.option("--table", "tables", multiple=True, help="Only these tables (wildcards); repeatable.")
@click.option("--type", "types", multiple=True, help="Only these event types; repeatable.")
@click.option(
    "--mapping",
    "mapping_file",
    type=click.Path(path_type=Path),
    help="Rules from row changes to events [default: the OpenAI-shaped one].",
)
@click.option("--out", default="-", show_default=True, help="File of JSON lines; - is stdout.")
@click.option(
    "--provenance",
    type=click.Path(path_type=Path),
    help="File that tells for each event where it comes from and how far it is proven.",
)
@click.option("--report", "report_file", type=click.Path(path_type=Path), help="Report as JSON.")
@click.option("--jobs", default=1, show_default=True, help="Processes.", type=click.IntRange(1))
@click.option("--resume", is_flag=True, help="Go on with a run that broke; no event comes twice.")
@click.option("--no-checkpoint", is_flag=True, help="Fold from the archive's beginning.")
@click.option(
    "--work-dir",
    type=click.Path(path_type=Path),
    help="Folder for what does not fit into memory [default: beside --out].",
)
@click.pass_obj
def command(
    config: Path | None,
    start: datetime | None,
    end: datetime | None,
    tables: tuple[str, ...],
    types: tuple[str, ...],
    mapping_file: Path | None,
    out: str,
    provenance: Path | None,
    report_file: Path | None,
    jobs: int,
    resume: bool,
    no_checkpoint: bool,
    work_dir: Path | None,
) -> None:
    """Give back the audit events that the archived changes prove, every update of every row.

    The events are the same, ids included, however often this is run and by however many processes.
    """
    _require_places(out, provenance, report_file)
    settings = load.from_process(config, ("store",)).settings
    text = mapping.text_of(mapping_file or schema_files.root() / DEFAULT_MAPPING)
    rules = mapping.parse(text, str(mapping_file or DEFAULT_MAPPING))
    _refuse_unknown_types(types, rules)
    asked = Asked(Window(microseconds(start), microseconds(end)), tables, types)
    order = run.Order(partial(wiring.open_reader, settings), text, asked, not no_checkpoint)
    place = Path(out).resolve()
    in_a_file = out != "-" and (not place.exists() or place.is_file())
    if resume and work_dir is None and not in_a_file:
        raise click.UsageError("--resume needs the --out FILE or the --work-dir of the broken run")
    with _folder(work_dir or (_beside(place) if in_a_file else None)) as folder:
        sink = JsonLines(sys.stdout.buffer if out == "-" else Path(out), provenance)
        try:
            report = run.replay(order, sink, folder, jobs, resume=resume)
            sink.close()
        except BaseException:
            sink.abort()
            raise
        if report_file is not None:
            _write(report_file, report)
    tell(report)
    if report.total == 0:
        raise NothingFound(
            "the archived changes prove no such event",
            "See what is there with `cdc-archive ls`; check --from, --to, --table and the mapping.",
        )


def _require_places(out: str, provenance: Path | None, report: Path | None) -> None:
    """What could only fail at the end of a long run is told before it."""
    named = [Path(one) for one in (out, provenance, report) if one is not None and one != "-"]
    files = [one.resolve() for one in named if not one.exists() or one.is_file()]
    if len(files) > len(set(files)):
        raise click.UsageError("--out, --provenance and --report must be different files")
    for one in named:
        if not one.resolve().parent.is_dir():
            raise Stop(f"{one} cannot be written: there is no such folder")


def _write(file: Path, report: Report) -> None:
    try:
        file.write_text(json.dumps(report.to_dict(), indent=2) + "\n")
    except OSError as error:
        raise Stop(
            f"{file} cannot be written: {error.strerror}",
            "The events are written; for the report go on with --resume and another --report.",
        ) from None


def _beside(out: Path) -> Path:
    return out.with_name(f".{out.name}.replay")


@contextmanager
def _folder(named: Path | None) -> Iterator[Path]:
    """The run's folder: removed when the run is over; kept, if it has a name, when it breaks."""
    if named is None:
        with TemporaryDirectory(prefix="cdc-archive-replay-") as temporary:
            yield Path(temporary)
        return
    try:
        yield named
    except KeyboardInterrupt:
        output.say("stopped; the same command with --resume goes on")
        raise
    Workspace(named).remove()


def _refuse_unknown_types(types: tuple[str, ...], rules: mapping.Mapping) -> None:
    unknown = sorted(set(types) - set(rules.types()))
    if unknown:
        raise click.BadParameter(f"the mapping {rules.name} has no type {', '.join(unknown)}")


def tell(report: Report) -> None:
    """The report for people, on stderr."""
    output.say(f"{report.total:,} audit events from {report.records:,} archived records")
    for title, counts in (
        ("by type", report.events),
        ("before image", report.before),
        ("reconstructed, but maybe stale: messages between are missing", report.before_doubt),
        ("actor", report.actor),
        ("no actor, because", report.actor_reasons),
        ("cannot be proven", report.unproven),
        ("changes of tables without a rule", report.unmapped),
    ):
        if counts:
            output.say(f"  {title}:")
            for name, count in sorted(counts.items()):
                output.say(f"    {count:>8,}  {printable(name)}")
    for count, what in (
        (report.snapshot_rows, "snapshot rows: states, not changes"),
        (report.redeliveries, "redeliveries dropped"),
        (report.unreadable_rows, "rows that are no JSON object that can be read: not looked at"),
        (report.rows_of_untold_operation, "flattened rows that do not tell their operation"),
        (report.quarantined, "messages in quarantine: not looked at"),
        (report.skipped, "messages left out by decode.skip_topics: not looked at"),
    ):
        if count:
            output.say(f"  {count:,} {what}")
    if report.checkpoint is not None:
        output.say(f"  state taken from {report.checkpoint}")
    for gap in report.gaps:
        output.say(
            "  lost: {topic}[{partition}] [{from}, {to}): {reason} "
            "({kind}; accepted by {accepted_by}) {detail}".format(**gap).rstrip()
        )
