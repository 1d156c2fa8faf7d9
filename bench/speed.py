"""What it costs to bring a topic of real Debezium events into an archive in S3.

`python -m bench.speed` starts a broker and an S3 server, fills topics, and lets everyone who is
measured take the same topic, several times in turn. Every row that ours stores is counted. Prints
Markdown and writes it, with charts, to `bench/results`. `--growth` does the same for more and more
open files and events.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

from bench.bars import bars
from bench.filled import Topic, fill
from bench.subjects import Cost, floor, ours
from infra.local.__main__ import down, purge, up
from infra.local.__main__ import settings as stack_settings
from infra.local.artifacts import versions
from infra.local.processes import StateFolder

PARTS = ["kafka", "s3"]
MIB = 1024 * 1024
PUT_USD, GET_USD = 5e-6, 4e-7
"""List price of a request to S3 Standard, us-east-1: PUT and LIST, GET and HEAD."""
TABLE_HOURS = (4, 40, 400, 1_000)
EVENTS = (100_000, 300_000, 1_000_000)
_HEAD = (
    "", "events/s", "MB/s", "CPU s per million events", "to ours", "peak RSS MiB",
    "stored bytes an event", "requests per million events",
)  # fmt: skip

Subject = Callable[[Topic], Cost]


def machine() -> str:
    """What it ran on."""
    libraries = ("confluent-kafka", "kafka-python", "msgspec", "boto3", "backports.zstd")
    stack = versions()
    return ", ".join(
        [
            f"{os.cpu_count()} cores ({_processor()}), {platform.system()}",
            f"Python {platform.python_version()}",
            *(f"{name} {version(name)}" for name in libraries),
            f"Kafka {stack['KAFKA_VERSION']}, versitygw {stack['VERSITYGW_VERSION']}",
        ]
    )


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next(
        (line.partition(": ")[2] for line in lines if line.startswith("model name")), "unknown"
    )


def per_million(cost: Cost, topic: Topic) -> float:
    """CPU seconds per million events."""
    return cost.cpu_s / topic.events * 1e6


def row(name: str, topic: Topic, runs: list[Cost], reference: list[Cost]) -> list[str]:
    """The run in the middle by CPU; the ratio is of what was run in the same turn."""
    middle = sorted(runs, key=lambda one: one.cpu_s)[len(runs) // 2]
    ratio = statistics.median(
        one.cpu_s / other.cpu_s for one, other in zip(runs, reference, strict=True)
    )
    requests = sum(middle.requests.values()) / topic.events * 1e6
    lowest, highest = (pick(per_million(one, topic) for one in runs) for pick in (min, max))
    return [
        name,
        f"{topic.events / middle.wall_s:,.0f}",
        f"{topic.size / middle.wall_s / 1e6:,.0f}",
        f"{per_million(middle, topic):.2f} ({lowest:.2f}–{highest:.2f})",
        f"{ratio:.2f}",
        f"{middle.peak_bytes / MIB:.0f}",
        f"{middle.stored_bytes / topic.events:.0f}" if middle.stored_bytes else "",
        f"{requests:,.0f}" if middle.requests else "",
    ]


def table(head: tuple[str, ...], rows: list[list[str]]) -> str:
    """Markdown."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def compared(topic: Topic, folder: Path, rounds: int) -> dict[str, list[Cost]]:
    """Everyone in turn, `rounds` times."""
    subjects: Mapping[str, Subject] = {
        "only read, librdkafka": lambda one: floor("read", one),
        "read, compress, store unparsed": lambda one: floor("store", one),
        "cdc-archive, librdkafka": lambda one: ours(one, "librdkafka", folder),
        "cdc-archive, kafka-python": lambda one: ours(one, "kafka-python", folder),
    }
    runs: dict[str, list[Cost]] = {name: [] for name in subjects}
    for _ in range(rounds):
        for name, subject in subjects.items():
            runs[name].append(subject(topic))
            print(f"{name}: {per_million(runs[name][-1], topic):.2f}", file=sys.stderr, flush=True)
    return runs


def speed(given: argparse.Namespace, folder: Path) -> tuple[str, str]:
    """The comparison, as Markdown and as a chart."""
    text, groups = [f"{machine()}\n"], {}
    for recording, events in (("json", given.events), ("json-schemas", given.schema_events)):
        topic = fill(recording, events)
        runs = compared(topic, folder, given.rounds)
        reference = runs["cdc-archive, librdkafka"]
        rows = [row(name, topic, costs, reference) for name, costs in runs.items()]
        what = f"{recording}: {topic.events:,} events of {topic.size / topic.events:.0f} bytes"
        text += [f"### {what}\n", table(_HEAD, rows), walls(topic, reference)]
        groups[what] = [
            (name, statistics.median(per_million(one, topic) for one in costs))
            for name, costs in runs.items()
        ]
    return "\n".join(text), bars("CPU of the process", "seconds per million events", groups)


def walls(topic: Topic, costs: list[Cost]) -> str:
    """Whether more than one core was used."""
    pairs = ", ".join(f"{one.wall_s:.1f} s for {one.cpu_s:.1f} s of CPU" for one in costs)
    return f"Wall time of ours with librdkafka, {topic.events:,} events: {pairs}.\n"


def growth(given: argparse.Namespace, folder: Path) -> tuple[str, str]:
    """Cost by open table-hours and by events archived, as Markdown and as a chart."""
    groups: dict[str, list[tuple[str, float]]] = {"open table-hours": [], "events": []}
    rows = []
    points = [(given.schema_events, hours, f"{hours:,} table-hours") for hours in TABLE_HOURS]
    points += [(events, 0, f"{events:,} events") for events in given.counts]
    for events, hours, name in points:
        topic = fill("json", events, partitions=1, hours=hours // 4)
        cost = ours(topic, "librdkafka", folder)
        rows.append(growth_row(name, topic, cost))
        print(rows[-1], file=sys.stderr, flush=True)
        groups["open table-hours" if hours else "events"].append((name, per_million(cost, topic)))
    head = (
        "", "events", "CPU s per million events", "peak RSS MiB", "files", "commits",
        "PUT and LIST", "GET and HEAD", "requests per million events", "USD per million events",
    )  # fmt: skip
    return table(head, rows), bars("Growth", "CPU seconds per million events", groups)


def growth_row(name: str, topic: Topic, cost: Cost) -> list[str]:
    """One point."""
    written = cost.requests["PUT"] + cost.requests["LIST"]
    read = cost.requests["GET"] + cost.requests["HEAD"]
    dollars = (written * PUT_USD + read * GET_USD) / topic.events * 1e6
    return [
        name,
        f"{topic.events:,}",
        f"{per_million(cost, topic):.2f}",
        f"{cost.peak_bytes / MIB:.0f}",
        *(f"{number:,}" for number in (cost.objects, cost.commits, written, read)),
        f"{(written + read) / topic.events * 1e6:,.0f}",
        f"{dollars:.5f}",
    ]


def main() -> int:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m bench.speed", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--schema-events", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--growth", action="store_true", help="instead of the comparison")
    parser.add_argument("--counts", type=int, nargs="*", default=EVENTS, help="with --growth")
    parser.add_argument("--out", type=Path, default=Path("bench/results"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    state = StateFolder(Path(tempfile.mkdtemp(prefix="cdc-archive-speed-")))
    try:
        up(state, PARTS)
        os.environ.update(stack_settings(state))
        name, measure = ("growth", growth) if given.growth else ("speed", speed)
        text, chart = measure(given, state.folder("speed"))
    finally:
        down(state, PARTS)
        purge(state)
    print(text)
    (given.out / f"{name}.md").write_text(text)
    (given.out / f"{name}.svg").write_text(chart)
    return 0


if __name__ == "__main__":
    sys.exit(main())
