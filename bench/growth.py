"""What an event costs with more and more open files, events archived, and commits before it.

Commits stand for events beyond what can be sent here: ten million make 20 to 25, so 10^8 make
about 210 in a chain, and 10^9 2,100. They are real ones, of one record each.

The same number of events over more table-hours makes smaller files, which tells what a file costs;
more table-hours with as many events for each tell what it costs that they are open.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench import figures, long_chain
from bench.bars import bars
from bench.filled import Topic, fill
from bench.subjects import Cost, ours

TABLE_HOURS = (4, 40, 400, 1_000)
EVENTS_A_TABLE_HOUR = 2_000
EVENTS = (100_000, 300_000, 1_000_000)
COMMITS = (0, 210, 2_100)


def growth(given: argparse.Namespace, folder: Path) -> tuple[str, str]:
    """The cost of an event in larger and larger archives, as Markdown and as a chart."""
    groups: dict[str, list[tuple[str, float]]] = {}
    rows = []

    def told(group: str, name: str, topic: Topic, cost: Cost) -> None:
        rows.append(_row(name, topic, cost))
        print(rows[-1], file=sys.stderr, flush=True)
        groups.setdefault(group, []).append((name, figures.cpu(cost, topic)))

    for hours in TABLE_HOURS:
        topic = fill("json", given.schema_events, partitions=1, hours=hours // 4)
        cost = ours(topic, "librdkafka", folder)
        told("open table-hours", f"{hours:,} table-hours", topic, cost)
    for hours in TABLE_HOURS[1:]:
        topic = fill("json", hours * EVENTS_A_TABLE_HOUR, partitions=1, hours=hours // 4)
        name = f"{hours:,} table-hours of {EVENTS_A_TABLE_HOUR:,} events"
        told("open table-hours", name, topic, ours(topic, "librdkafka", folder))
    for events in given.counts:
        topic = fill("json", events, partitions=1)
        told("events", f"{events:,} events", topic, ours(topic, "librdkafka", folder))
    for commits in COMMITS:
        topic = fill("json", given.schema_events + commits, partitions=1)
        prefix = long_chain.of(topic, commits)
        cost = ours(topic, "librdkafka", folder, prefix=prefix, archived=commits)
        told("commits before", f"after {commits:,} commits", topic, cost)
    head = (
        "", "events", "CPU s per million events", "peak RSS MiB", "files", "commits",
        "PUT and LIST", "GET and HEAD", "requests per million events", "USD per million events",
    )  # fmt: skip
    return figures.table(head, rows), bars("Growth", "CPU seconds per million events", groups)


def _row(name: str, topic: Topic, cost: Cost) -> list[str]:
    """One point."""
    written = cost.requests["PUT"] + cost.requests["LIST"]
    read = cost.requests["GET"] + cost.requests["HEAD"]
    dollars = figures.priced(cost.requests) / topic.events * 1e6
    return [
        name,
        f"{topic.events:,}",
        f"{figures.cpu(cost, topic):.2f}",
        f"{cost.peak_bytes / figures.MIB:.0f}",
        *(f"{number:,}" for number in (cost.objects, cost.commits, written, read)),
        f"{(written + read) / topic.events * 1e6:,.0f}",
        f"{dollars:.5f}",
    ]
