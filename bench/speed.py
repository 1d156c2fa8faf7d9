"""What it costs to bring a topic of real Debezium events into an archive in S3.

`python -m bench.speed` starts a broker and an S3 server, fills topics, and lets everyone who is
measured take the same topic, several times in turn: floors, ours, and peers (`bench/peers`) as far
as they can be had. Every row that is stored is counted. Prints Markdown and writes it, with charts,
to `bench/results`. `--growth` looks at ours alone, with more and more open files, events and
commits before it: bench/growth.py.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from bench import figures, growth, lineup
from bench.bars import bars
from bench.filled import Topic, fill
from bench.subjects import Cost
from infra.local.__main__ import down, purge, up
from infra.local.__main__ import settings as stack_settings
from infra.local.artifacts import versions
from infra.local.processes import StateFolder

PARTS = ["kafka", "s3"]


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
            f"Iceberg {stack['ICEBERG_VERSION']}, {_java()}",
        ]
    )


def _java() -> str:
    """As the peers' JVM tells itself."""
    if shutil.which("java") is None:
        return "no Java"
    told = subprocess.run(["java", "-version"], capture_output=True, text=True, check=True).stderr
    return told.partition("\n")[0].replace('"', "")


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next(
        (line.partition(": ")[2] for line in lines if line.startswith("model name")), "unknown"
    )


def speed(given: argparse.Namespace, folder: Path) -> tuple[str, str]:
    """The comparison, as Markdown and as a chart."""
    text, groups = [f"{machine()}\n"], {}
    for recording, events in (("json", given.events), ("json-schemas", given.schema_events)):
        if not events:
            continue
        topic = fill(recording, events)
        found = lineup.subjects(topic, recording, folder, lineup.commands(given.peer))
        if given.no_peers:
            found = {name: subject for name, subject in found.items() if subject.needed}
        runs, left_out = lineup.compared(topic, found, given.rounds)
        reference = runs[lineup.OURS]
        rows = [figures.row(name, topic, costs, reference) for name, costs in runs.items()]
        what = f"{recording}: {topic.events:,} events of {topic.size / topic.events:.0f} bytes"
        text += [f"### {what}\n", figures.table(figures.HEAD, rows), walls(topic, reference)]
        text += [f"Left out: {name}: {why}\n" for name, why in left_out.items()]
        groups[what] = [
            (name, statistics.median(figures.cpu(one, topic) for one in costs))
            for name, costs in runs.items()
        ]
    return "\n".join(text), bars("CPU of the process", "seconds per million events", groups)


def walls(topic: Topic, costs: list[Cost]) -> str:
    """Whether more than one core was used."""
    pairs = ", ".join(f"{one.wall_s:.1f} s for {one.cpu_s:.1f} s of CPU" for one in costs)
    return f"Wall time of ours with librdkafka, {topic.events:,} events: {pairs}.\n"


def main() -> int:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m bench.speed", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--schema-events", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--peer",
        action="append",
        default=[],
        metavar="NAME=COMMAND",
        help="a program that reads bench/peers/redpanda_connect.yaml, such as "
        "'Redpanda Connect=/path/redpanda-connect run' or 'Bento=/path/bento -c'",
    )
    parser.add_argument("--no-peers", action="store_true", help="floors and ours alone")
    parser.add_argument("--growth", action="store_true", help="instead of the comparison")
    parser.add_argument(
        "--counts", type=int, nargs="*", default=growth.EVENTS, help="with --growth"
    )
    parser.add_argument("--out", type=Path, default=Path("bench/results"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    state = StateFolder(Path(tempfile.mkdtemp(prefix="cdc-archive-speed-")))
    os.environ["VGW_KEEP_ALIVE"] = "true"  # versitygw's, as S3 does; elsewhere it is off: see docs
    try:
        up(state, PARTS)
        os.environ.update(stack_settings(state))
        name, measure = ("growth", growth.growth) if given.growth else ("speed", speed)
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
