"""The events of all jobs as one stream, in commit order, connectors merged by time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from heapq import merge

from cdc_archive.sinks.sink import Line


def lines(databases: Sequence[sqlite3.Connection]) -> Iterator[Line]:
    """All events of the jobs' databases; the same whatever the number of jobs.

    Within a connector they stand in the order of its commits. Positions of two connectors cannot be
    compared: an event of one comes before that of another if its time is lower, where the time of
    an event is at least that of those before it.
    """
    connectors = sorted(
        {name for one in databases for (name,) in one.execute("SELECT connector FROM progress")}
    )
    streams = [
        _timed(merge(*(_events(one, connector) for one in databases)), number)
        for number, connector in enumerate(connectors)
    ]
    for _, _, line in merge(*streams):
        yield line


_Event = tuple[bytes, int, int, bytes, bytes]


def _events(database: sqlite3.Connection, connector: bytes) -> Iterator[_Event]:
    yield from database.execute(
        "SELECT place, number, time_us, event, evidence FROM events WHERE connector = ?"
        " ORDER BY place, number",
        (connector,),
    )


def _timed(events: Iterator[_Event], number: int) -> Iterator[tuple[int, int, Line]]:
    latest = 0
    for _, _, time_us, event, evidence in events:
        latest = max(latest, time_us)
        yield latest, number, Line(event, evidence)
