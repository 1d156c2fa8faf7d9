"""`cdc-archive replay`."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path

import click

from cdc_archive import schema_files
from cdc_archive.archive.reader.window import Window, microseconds
from cdc_archive.audit import mapping
from cdc_archive.cli import output, wiring
from cdc_archive.config import load
from cdc_archive.errors import NothingFound
from cdc_archive.history.fold import MemoryStates
from cdc_archive.replay import run
from cdc_archive.replay.report import Report
from cdc_archive.sinks.jsonl import JsonLines
from cdc_archive.telemetry.terminal import printable

DEFAULT_MAPPING = "mappings/openai.toml"


@click.command()
@click.option("--from", "start", type=click.DateTime(), help="Event time from, UTC.")
@click.option("--to", "end", type=click.DateTime(), help="Event time before, UTC.")
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
) -> None:
    """Give back the audit events that the archived changes prove, every update of every row.

    The events are the same, ids included, however often this is run.
    """
    reader = wiring.open_reader(load.from_process(config, ("store",)).settings)
    rules = mapping.load(mapping_file or schema_files.root() / DEFAULT_MAPPING)
    _refuse_unknown_types(types, rules)
    asked = run.Asked(Window(microseconds(start), microseconds(end)), tables, types)
    sink = JsonLines(sys.stdout.buffer if out == "-" else Path(out), provenance)
    try:
        report = run.of_archive(reader, rules, MemoryStates(), asked, sink)
    except BaseException:
        sink.abort()
        raise
    sink.close()
    if report_file is not None:
        report_file.write_text(json.dumps(report.to_dict(), indent=2) + "\n")
    tell(report)
    if report.total == 0:
        raise NothingFound(
            "the archived changes prove no such event",
            "See what is there with `cdc-archive ls`; check --from, --to, --table and the mapping.",
        )


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
    for gap in report.gaps:
        output.say(
            "  lost: {topic}[{partition}] [{from}, {to}): {reason} "
            "({kind}; accepted by {accepted_by}) {detail}".format(**gap).rstrip()
        )
