"""What a run took, as figures beside those of ours."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from typing import NamedTuple

from bench.filled import Topic
from bench.subjects import Cost

MIB = 1024 * 1024
PUT_USD, GET_USD = 5e-6, 4e-7
"""List price of a request to S3 Standard, us-east-1: PUT, POST and LIST, GET and HEAD."""
HEAD = (
    "", "events/s", "MB/s", "CPU s per million events", "from–to", "peak RSS MiB",
    "stored bytes an event", "requests per million events", "USD of requests per million events",
)  # fmt: skip


class _Figure(NamedTuple):
    of: Callable[[Cost, Topic], float]
    form: str


def cpu(cost: Cost, topic: Topic) -> float:
    """CPU seconds per million events."""
    return cost.cpu_s / topic.events * 1e6


def requests(cost: Cost, topic: Topic) -> float:
    """Requests to S3 per million events."""
    return sum(cost.requests.values()) / topic.events * 1e6


def priced(made: Mapping[str, int]) -> float:
    """USD of requests by kind; DELETE is free."""
    written = sum(made.get(kind, 0) for kind in ("PUT", "POST", "LIST"))
    return written * PUT_USD + sum(made.get(kind, 0) for kind in ("GET", "HEAD")) * GET_USD


_SPEED = _Figure(lambda cost, topic: topic.events / cost.wall_s, ",.0f")
_CPU = _Figure(cpu, ".2f")
_PEAK = _Figure(lambda cost, _: cost.peak_bytes / MIB, ",.0f")
_STORED = _Figure(lambda cost, topic: cost.stored_bytes / topic.events, ".0f")
_REQUESTS = _Figure(requests, ",.0f")
_USD = _Figure(lambda cost, topic: priced(cost.requests) / topic.events * 1e6, ".5f")


def row(name: str, topic: Topic, runs: list[Cost], reference: list[Cost]) -> list[str]:
    """A line under `HEAD`: the run in the middle by CPU, each figure with its ratio to ours.

    Args:
        name: of who ran.
        topic: what it took.
        runs: one a turn.
        reference: those of ours in the same turns; the ratio is the median of theirs.
    """
    middle = sorted(runs, key=lambda one: one.cpu_s)[len(runs) // 2]
    lowest, highest = (pick(cpu(one, topic) for one in runs) for pick in (min, max))

    def shown(figure: _Figure) -> str:
        value = figure.of(middle, topic)
        if not value:
            return ""
        ratio = statistics.median(
            figure.of(one, topic) / figure.of(other, topic)
            for one, other in zip(runs, reference, strict=True)
        )
        return f"{value:{figure.form}} (×{ratio:.2f})"

    return [
        name,
        shown(_SPEED),
        f"{topic.size / middle.wall_s / 1e6:,.0f}",
        shown(_CPU),
        f"{lowest:.1f}–{highest:.1f}",
        *(shown(figure) for figure in (_PEAK, _STORED, _REQUESTS, _USD)),
    ]


def table(head: tuple[str, ...], rows: list[list[str]]) -> str:
    """Markdown."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
