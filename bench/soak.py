"""Soaks of the worker on the real broker and S3 server: `python -m bench.soak --help`.

Prints a Markdown table; writes the samples (CSV) and a chart (SVG) of each scenario.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from pathlib import Path

from bench.chart import Line, chart
from bench.run import MARGIN_BYTES, Soak, Soaked
from bench.scenarios import MIB, SCENARIOS
from bench.watched import Sample
from infra.local.__main__ import down, purge, up
from infra.local.processes import StateFolder

PARTS = ["kafka", "s3"]
CLIENTS = ["kafka-python", "librdkafka"]
_HEAD = (
    "scenario", "client", "budget", "peak RSS", "over budget", "RSS at start", "peak held",
    "open files", "events", "events/s", "CPU s", "commits", "files", "PUT", "GET", "HEAD", "LIST",
)  # fmt: skip


def row(name: str, client: str, budget: int, done: Soaked) -> list[str]:
    """A line of the table; sizes in MiB."""
    events = sum(done.sent.values())
    requests = [done.requests[kind] for kind in ("PUT", "GET", "HEAD", "LIST")]
    return [
        name,
        client,
        *(
            f"{size / MIB:.0f}"
            for size in (
                budget,
                done.peak_rss,
                done.peak_rss - budget,
                done.baseline_rss,
                max(sample.buffered for sample in done.samples),
            )
        ),
        str(max(sample.open_files for sample in done.samples)),
        f"{events:,}",
        f"{events / done.seconds:,.0f}",
        f"{done.cpu_s:.1f}",
        *(f"{number:,}" for number in (done.kept.commits, done.kept.files, *requests)),
    ]


def drawn(name: str, budget: int, runs: dict[str, Soaked]) -> str:
    """The chart of a scenario: what the process holds, and what the worker counts, by client."""
    lines = []
    for client, done in runs.items():
        points = [(one.at, one.rss / MIB) for one in done.samples]
        lines.append(Line(f"{client}: resident", points))
        points = [(one.at, one.buffered / MIB) for one in done.samples]
        lines.append(Line(f"{client}: buffered", points))
    limits = [("budget", budget / MIB), ("budget + 150 MiB", (budget + MARGIN_BYTES) / MIB)]
    return chart(f"{name}: {SCENARIOS[name].what}", lines, limits)


def _save(path: Path, samples: list[Sample]) -> None:
    with path.open("w", newline="") as out:
        lines = csv.writer(out)
        lines.writerow(Sample._fields)
        lines.writerows(samples)


def soak(
    state: StateFolder, names: list[str], clients: list[str], given: argparse.Namespace
) -> bool:
    """Run scenarios and print their table; whether all stayed within bounds."""
    budget, within = given.budget_mib * MIB, True
    print("| " + " | ".join(_HEAD) + " |\n|" + "---|" * len(_HEAD), flush=True)
    for name in names:
        runs = {}
        for client in clients:
            done = Soak(state, SCENARIOS[name], client, budget, given.seconds, given.seed).run()
            runs[client] = done
            within = within and done.peak_rss <= budget + MARGIN_BYTES
            _save(given.out / f"{name}-{client}.csv", done.samples)
            print("| " + " | ".join(row(name, client, budget, done)) + " |", flush=True)
        (given.out / f"{name}.svg").write_text(drawn(name, budget, runs))
    return within


def main() -> int:
    """Run what the command line asks for; 1 if memory went past budget + 150 MiB."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("scenarios", nargs="*", help=f"some of {', '.join(SCENARIOS)}; none: all")
    parser.add_argument("--client", choices=CLIENTS, help="default: both")
    parser.add_argument("--seconds", type=float, default=0, help="keep sending for so long")
    parser.add_argument("--budget-mib", type=int, default=64)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("bench/results"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    state = StateFolder(Path(tempfile.mkdtemp(prefix="cdc-archive-soak-")))
    try:
        up(state, PARTS)
        clients = [given.client] if given.client else CLIENTS
        within = soak(state, given.scenarios or list(SCENARIOS), clients, given)
    finally:
        down(state, PARTS)
        purge(state)
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main())
