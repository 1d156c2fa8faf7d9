"""The rules of volume in a small world of chance; bench/watch_volumes.py has a large one."""

from __future__ import annotations

from bench.watch_volumes import WEEKS, World, before, delay, false_alarms
from cdc_archive.watch.unusual import Limits

BEGIN = (WEEKS - 1) * 168 + 34
"""Tuesday, 10 h."""


def test_three_weeks_of_chance_raise_no_alarm_and_a_stop_does() -> None:
    """Day and week, Poisson and bursts, rare and frequent; only holidays may be told of."""
    world = World(1, (0.5, 5.0, 50.0, 50.0, 100.0))
    rose, _ = false_alarms(world, Limits(), every=12)
    assert [kind for kind in rose if "holiday" not in kind] == []
    known = before(world, [BEGIN])
    steady = next(key for key, what in world.rates.items() if what == (100.0, False))
    stopped = delay(world, Limits(), known[BEGIN], steady, 0.0, BEGIN)
    assert stopped is not None
    assert stopped <= 15
    fell = delay(world, Limits(), known[BEGIN], steady, 0.3, BEGIN)
    assert fell is not None
    assert stopped < fell <= 120
