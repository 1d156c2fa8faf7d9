"""`cdc-archive watch`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from cdc_archive.archive.reader.window import microseconds
from cdc_archive.cli import moments, output, watch_running, watch_wiring
from cdc_archive.cli.watch_running import Found
from cdc_archive.config import load, show
from cdc_archive.errors import AlarmsFiring, NothingFound
from cdc_archive.telemetry import logs
from cdc_archive.watch.condition import CRITICAL


@click.command()
@click.option("--once", is_flag=True, help="Read to the ends of now, evaluate once, and end.")
@click.option(
    "--from",
    "start",
    type=moments.time,
    help="Compare events from this time on, UTC [default: watch.backlog_hours before the first "
    "start; with --once everything that the topics hold].",
)
@click.option("--json", "as_json", is_flag=True, help="With --once: the result as JSON.")
@click.pass_obj
def command(config: Path | None, once: bool, start: datetime | None, as_json: bool) -> None:
    """Raise the alarm when the audit log stops telling what the database does.

    Consumes the change topics and the published audit topic, compares them as they come, and tells
    Prometheus, webhooks and the log what is missing, altered, doubled or unheard of; also that it
    cannot see. With --once it ends with 23 if there is an alarm.
    """
    if as_json and not once:
        raise click.UsageError("--json is about the result of --once")
    loaded = load.from_process(config, ("kafka",))
    settings = loaded.settings
    level, form = settings.worker.log_level, settings.worker.log_format
    logs.configure("error" if once else level, form, show.secrets(loaded))
    with watch_wiring.standing(settings, since_us=microseconds(start), once=once) as watch:
        if not once:
            watch_running.stand(settings, watch)
            return
        found = watch_running.once(watch)
        (_tell_json if as_json else _tell)(found)
    if found.nothing:
        raise NothingFound(
            "no change of a table that the mapping knows was seen, and no event of its types: "
            "nothing was compared",
            "Check kafka.topics, watch.published_topics, watch.mapping and --from.",
        )
    if found.conditions:
        raise AlarmsFiring(f"{len(found.conditions)} alarms fire")
    output.say("all is well: every change has its event, and says what the change says")


def _tell(found: Found) -> None:
    gravest_first = sorted(found.conditions, key=lambda one: one.severity != CRITICAL)
    rows = [
        (one.severity, one.kind, one.type, one.service, one.summary, "".join(one.examples[:1]))
        for one in gravest_first
    ]
    if rows:
        output.table(("severity", "kind", "type", "service", "what", "such as"), rows)
    output.say(
        f"{found.expected:,} events called for by changes, {found.published:,} published, "
        f"{found.waiting:,} wait for their counterpart"
    )


def _tell_json(found: Found) -> None:
    output.json_line(
        {
            "alarms": [one._asdict() for one in found.conditions],
            "expected": found.expected,
            "published": found.published,
            "waiting": found.waiting,
        }
    )
