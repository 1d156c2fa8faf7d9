"""What an archive costs: memory, files and requests, for 1, 10 and 100 tables.

`python -m bench.capacity` archives a steady stream with a short commit age, counts, and works out
longer ages from what it counted. Prints Markdown.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from bench import load
from bench.run import Soak, Soaked
from bench.scenarios import MIB, Scenario
from bench.soak import PARTS
from infra.local.__main__ import down, purge, up
from infra.local.processes import StateFolder

TABLES = (1, 10, 100)
AGES = (10, 60, 600)
_AGE_S, _SECONDS, _RATE, _BUDGET = 5.0, 30.0, 1_000.0, 256 * MIB
_HOUR_S = 3600


def steady(tables: int) -> Scenario:
    """Tables of one partition each, which all change all the time."""
    return Scenario(
        f"{tables} tables, {_RATE:,.0f} events/s in all",
        tables,
        lambda rng: load.ordinary(rng, tables),
        MIB // 4,
        events_per_s=_RATE,
        settings={"ARCHIVE__COMMIT_AGE_SECONDS": str(_AGE_S)},
    )


def measured(tables: int, done: Soaked) -> list[str]:
    """A line of what was counted."""
    events = sum(done.sent.values())
    return [
        str(tables),
        f"{events:,}",
        f"{done.sent_bytes / events:.0f}",
        f"{done.kept.stored_bytes / events:.0f}",
        f"{events / done.kept.files:.0f}",
        f"{done.kept.files / done.kept.commits:.2f}",
        *(f"{done.requests[kind]:,}" for kind in ("PUT", "GET", "HEAD", "LIST")),
        f"{max(sample.buffered for sample in done.samples) / MIB:.1f}",
        f"{done.peak_rss / MIB:.0f}",
        f"{done.cpu_s / events * 1e6:.0f}",
    ]


def extrapolated(tables: int, age: float, done: Soaked) -> list[str]:
    """Files an hour and requests a million events if every table changes within every `age`."""
    commits = tables * _HOUR_S / age
    files = commits * done.kept.files / done.kept.commits
    events = _RATE * _HOUR_S
    puts = commits + files
    return [
        str(tables),
        f"{age:g}",
        f"{commits:,.0f}",
        f"{files:,.0f}",
        f"{puts / events * 1e6:,.0f}",
        f"{events / files:,.0f}",
    ]


def _table(head: tuple[str, ...], rows: list[list[str]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> int:
    """Measure and print."""
    state = StateFolder(Path(tempfile.mkdtemp(prefix="cdc-archive-capacity-")))
    try:
        up(state, PARTS)
        runs = {
            tables: Soak(state, steady(tables), "librdkafka", _BUDGET, _SECONDS).run()
            for tables in TABLES
        }
    finally:
        down(state, PARTS)
        purge(state)
    head = (
        "tables", "events", "bytes an event", "stored an event", "events a file", "files a commit",
        "PUT", "GET", "HEAD", "LIST", "held MiB", "peak RSS MiB", "CPU us an event",
    )  # fmt: skip
    print(_table(head, [measured(tables, done) for tables, done in runs.items()]) + "\n")
    worked_out = (
        "tables", "commit age, s", "commits an hour", "files an hour", "PUT a million events",
        "events a file",
    )  # fmt: skip
    rows = [extrapolated(tables, age, done) for tables, done in runs.items() for age in AGES]
    print(_table(worked_out, rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
