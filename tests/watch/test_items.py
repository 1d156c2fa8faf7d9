"""What waits is found without looking at what else does."""

from __future__ import annotations

import sqlite3

from cdc_archive.reconcile.expected import Expected
from cdc_archive.reconcile.published import Published
from cdc_archive.watch.items import SCHEMA, Group, Items


def steps(others: int) -> int:
    """What it takes to find the events of one resource, in hundreds of SQLite's instructions."""
    database = sqlite3.connect(":memory:")
    database.executescript(SCHEMA)
    items = Items(database)
    for number in range(others):
        about, event = str(number), {"id": f"p{number}", "type": "a.b"}
        items.expect(Expected(f"e{number}", "a.b", about, 1, {}, {}, "s"), "place", 1)
        items.publish(Published(event, "s", "place", 1), Group("a.b", about), 1, 1)
    taken: list[int] = []
    database.set_progress_handler(lambda: taken.append(1), 100)
    proven, told = items.waiting(Group("a.b", "7"), 1)
    assert (len(proven), len(told)) == (1, 1)
    return len(taken)


def test_the_events_of_a_resource_are_found_as_fast_among_many_that_wait() -> None:
    assert steps(3_000) <= steps(10) + 5
