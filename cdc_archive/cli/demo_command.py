"""`cdc-archive demo`: the incident and its recovery, on this machine, in seconds."""

from __future__ import annotations

import gzip
import json
import logging
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import structlog

from cdc_archive import schema_files
from cdc_archive.cli import demo_stage, output, wiring
from cdc_archive.config.settings import Settings
from cdc_archive.errors import CdcArchiveError
from cdc_archive.replay import run
from cdc_archive.replay.asked import Asked
from cdc_archive.sinks.memory import MemorySink
from cdc_archive.telemetry.metrics import Metrics
from cdc_archive.worker.observed import Observed

DATA = Path(__file__).parent / "demo_data"
LOST_BY = ("api_key", "service_account", "project", "rate_limit")
"""Resources of the service that lacked its Kafka variable."""

Event = dict[str, Any]


class DemoFailed(CdcArchiveError):
    """The demo did not end as it must."""

    exit_code = 1


@click.command()
def command() -> None:
    """Play an incident and its recovery on this machine, with nothing else.

    A recorded Debezium stream goes through a broker, the worker and an S3 server, all in this
    process. One service's audit events were never published; replay gives them back.
    """
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    stream = demo_stage.recorded(DATA / "incident.stream.jsonl.gz")
    truth = list(_lines(DATA / "incident.audit.jsonl.gz"))
    lost = [event for event in truth if event["type"].split(".")[0] in LOST_BY]
    _tell(1, f"An application did {len(truth)} things that belong in its audit log.")
    _tell(2, f"One service lacked one Kafka variable: {len(lost)} events were never published.")
    with demo_stage.stage(stream) as stage:
        observed = _archive(stage.settings, stage.waiting)
        _tell(
            3,
            f"Debezium's stream was archived meanwhile: {observed.committed_messages:,} messages "
            f"in {observed.commit_count} commits.",
        )
        regenerated, status = _replay(stage.settings)
    _tell(4, f"Replay regenerated {len(regenerated)} audit events from the archive alone:")
    rows = _account(lost, regenerated, status)
    output.table(("event type", "lost", "recovered", "exact", "with actor"), rows)
    if any(row[1] != row[3] for row in rows):
        raise DemoFailed("not every lost event came back exactly")


def _tell(step: int, text: str) -> None:
    output.console().print(f"[bold cyan]{step}[/] {text}")


def _lines(path: Path) -> Iterator[Event]:
    with gzip.open(path, "rt") as file:
        yield from map(json.loads, file)


def _archive(settings: Settings, waiting: int) -> Observed:
    assert settings.kafka is not None
    observed = Observed(Metrics(), settings.worker.health_stale_seconds)
    store = wiring.open_store(settings)
    worker = wiring.worker(settings, wiring.kafka_source(settings.kafka), store, observed)
    worker.run(lambda: observed.taken_count >= waiting)
    store.close()
    return observed


def _replay(settings: Settings) -> tuple[list[Event], dict[str, str]]:
    rules, sink = schema_files.read("mappings/openai.toml").decode(), MemorySink()
    order = run.Order(partial(wiring.open_reader, settings), rules, Asked())
    with TemporaryDirectory() as folder:
        run.replay(order, sink, Path(folder))
    return sink.events, {one["id"]: one["actor"] for one in sink.evidence}


def _account(
    lost: list[Event], regenerated: list[Event], status: dict[str, str]
) -> list[tuple[str, int, int, int, str]]:
    """For each type: lost, regenerated, equal in payload and actor, and how many name an actor."""
    rows = []
    for kind in sorted({event["type"] for event in lost}):
        gone = Counter(_content(event) for event in lost if event["type"] == kind)
        back = [event for event in regenerated if event["type"] == kind]
        exact = (gone & Counter(map(_content, back))).total()
        named = sum(status[event["id"]] == "exact" for event in back)
        told = f"{named} of {sum(e['actor'] is not None for e in lost if e['type'] == kind)}"
        rows.append((kind, gone.total(), len(back), exact, told))
    total = [sum(row[n] for row in rows) for n in (1, 2, 3)]  # type: ignore[misc]
    named = sum(
        status[e["id"]] == "exact" for e in regenerated if e["type"].split(".")[0] in LOST_BY
    )
    told = f"{named} of {sum(event['actor'] is not None for event in lost)}"
    return [*rows, ("all", *total, told)]  # type: ignore[list-item]


def _content(event: Event) -> str:
    """What makes two events the same: type, payload, actor; not id and time, which were lost."""
    return json.dumps([event["type"], event[event["type"]], event["actor"]], sort_keys=True)
