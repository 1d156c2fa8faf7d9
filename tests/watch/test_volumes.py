"""Counted events, and what is odd about those of now."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterable

import pytest

from cdc_archive.watch.baseline import BUCKET_US, DAY_US, HOUR_US, WEEK_US
from cdc_archive.watch.condition import Condition
from cdc_archive.watch.volumes import SCHEMA, Volumes

START = 2_900 * WEEK_US
MINUTE = 60_000_000
NOW = START + 5 * WEEK_US
KEY = "api_key.created"


def database() -> sqlite3.Connection:
    made = sqlite3.connect(":memory:")
    made.executescript(SCHEMA)
    return made


class World:
    """Services with one event type (or more), so many events a bucket, without chance."""

    def __init__(
        self, weeks: float = 5, services: Iterable[str] = ("keys",), each: int = 4
    ) -> None:
        self.database = database()
        self.volumes = Volumes(self.database)
        self.now = START
        self.services = tuple(services)
        self.each = each
        self.run(int(weeks * WEEK_US))

    def run(
        self, length_us: int, part: float = 1.0, only: str | None = None, each: int = 0
    ) -> None:
        """Time goes on, with `part` of the events (of one service only)."""
        for at in range(self.now, self.now + length_us, BUCKET_US):
            for service in self.services:
                whole = each or self.each
                n = round(whole * part) if only in {None, service} else whole
                if n:
                    self.volumes.count("published", KEY, service, at, n)
        self.now += length_us

    def found(self) -> list[tuple[str, str, str]]:
        """Kind, type and service of what holds."""
        return [one[:3] for one in self.conditions()]

    def conditions(self) -> list[Condition]:
        return self.volumes.conditions("published", self.now)


def test_a_series_that_goes_on_is_no_alarm() -> None:
    """Its ratio is 1."""
    world = World()
    assert world.found() == []
    assert world.volumes.ratios("published", world.now) == {(KEY, "keys"): 1.0}


def test_a_series_that_stops_is_found_within_minutes() -> None:
    """At 48 events an hour; the alarm says since when, and what is usual."""
    world = World()
    world.run(15 * MINUTE, 0)
    assert world.found() == []
    world.run(10 * MINUTE, 0)
    (condition,) = world.conditions()
    assert condition[:4] == ("zero_run", KEY, "keys", "critical")
    assert condition.summary == (
        f"{KEY} events of keys stopped: none for 25 min; usually there are about 20 in 25 min"
    )
    assert condition.count == 20


def test_it_is_no_alarm_any_more_with_the_next_event() -> None:
    """Nor is the low volume that the longer windows still have, once the shortest has enough."""
    world = World()
    world.run(3 * HOUR_US, 0)
    assert world.found() == [("zero_run", KEY, "keys")]
    world.run(HOUR_US)
    assert world.found() == []


def test_a_long_loss_is_never_learnt() -> None:
    """After three weeks without events it still stands."""
    world = World(services=("keys", "other"), each=2)
    world.run(3 * WEEK_US, 0, only="keys")
    assert world.found() == [("zero_run", KEY, "keys")]


def test_a_loss_of_a_week_does_not_make_the_next_one_usual() -> None:
    """A month later the same hours are expected again."""
    world = World(services=("keys", "other"), each=2)
    world.run(WEEK_US, 0, only="keys")
    world.run(WEEK_US)
    world.run(90 * MINUTE, 0, only="keys")
    assert world.found() == [("zero_run", KEY, "keys")]


def test_a_fall_to_a_third_is_a_low_volume() -> None:
    """It is a warning."""
    world = World(services=("keys", "other", "more"), each=6)
    world.run(2 * HOUR_US, 1 / 3, only="keys")
    (condition,) = world.conditions()
    assert condition[:4] == ("volume", KEY, "keys", "warning")
    assert condition.summary == (f"{KEY} events of keys are few: 24 in 60 min, usually about 72")
    ratios = world.volumes.ratios("published", world.now)
    assert ratios == {(KEY, "keys"): 1 / 3, (KEY, "other"): 1.0, (KEY, "more"): 1.0}


def test_more_than_usual_is_no_alarm() -> None:
    """Nor is what follows it, when it is as usual again."""
    world = World()
    world.run(DAY_US, 3)
    assert world.found() == []
    world.run(DAY_US)
    assert world.found() == []


def test_what_all_services_share_is_told_once() -> None:
    """A holiday is one warning."""
    world = World(services=("a", "b", "c", "d"), each=4)
    world.run(4 * HOUR_US, 0.25)
    assert world.found() == [("volume", "", "")]


def test_a_service_that_stops_on_a_holiday_is_found() -> None:
    """It is silent beside the warning; and later than on other days, since less is due."""
    world = World(services=("a", "b", "c", "d"), each=4)
    world.run(8 * HOUR_US, 0.25)
    world.services = ("b", "c", "d")
    world.run(30 * MINUTE, 0.25)
    assert world.found() == [("volume", "", "")]
    world.run(90 * MINUTE, 0.25)
    assert set(world.found()) == {("volume", "", ""), ("zero_run", KEY, "a")}


def test_services_that_all_stop_are_each_found() -> None:
    """A shared loss hides none of them."""
    world = World(services=("a", "b", "c", "d"), each=4)
    world.run(HOUR_US, 0)
    assert [one for one in world.found() if one[0] == "zero_run"] == [
        ("zero_run", KEY, service) for service in "abcd"
    ]


@pytest.mark.parametrize("days", [0, 1, 6])
def test_there_is_no_alarm_before_a_week_is_known(days: int) -> None:
    """Not even when all has stopped."""
    world = World(days / 7)
    world.run(DAY_US, 0)
    assert world.found() == []
    assert world.volumes.ratios("published", world.now) == {}


def test_former_days_stand_in_until_weeks_are_known() -> None:
    """From the second week on."""
    world = World(1.2)
    world.run(HOUR_US, 0)
    assert world.found() == [("zero_run", KEY, "keys")]


def test_a_service_as_a_whole_is_found_before_its_rare_types() -> None:
    """None of five types is frequent enough to be missed for half an hour; all of them are."""
    world = World(0)
    types = [f"type{number}" for number in range(5)]
    for at in range(START, NOW, BUCKET_US):
        world.volumes.count("published", types[at // BUCKET_US % 5], "keys", at, 2)
    world.now = NOW
    assert world.found() == []
    world.run(65 * MINUTE, 0)
    assert world.found() == [("zero_run", "", "keys")]


def test_an_event_of_no_known_type_counts_for_its_service() -> None:
    """It cannot be of a series of its own."""
    volumes = Volumes(database())
    for at in range(START, NOW, BUCKET_US):
        volumes.count("published", "", "keys", at, 4)
    (condition,) = volumes.conditions("published", NOW + HOUR_US)
    assert condition[:3] == ("zero_run", "", "keys")


def test_streams_are_counted_apart() -> None:
    """What is expected says nothing of what is published."""
    world = World()
    for at in range(NOW, NOW + HOUR_US, BUCKET_US):
        world.volumes.count("expected", KEY, "keys", at, 4)
    world.run(HOUR_US, 0)
    assert world.found() == [("zero_run", KEY, "keys")]
    assert world.volumes.conditions("expected", world.now) == []


def test_events_after_the_watermark_are_not_looked_at_and_do_not_hide_a_loss() -> None:
    """As an event of a clock that is years ahead would."""
    world = World()
    world.run(HOUR_US, 0)
    world.volumes.count("published", KEY, "keys", NOW + 600 * WEEK_US)
    world.volumes.count("published", KEY, "keys", NOW + 2 * HOUR_US)
    assert world.found() == [("zero_run", KEY, "keys")]


def test_what_is_known_survives_a_restart() -> None:
    """It is all in the database."""
    world = World()
    world.run(HOUR_US, 0)
    before = world.conditions()
    world.volumes = Volumes(world.database)
    assert world.conditions() == before != []


def test_old_counts_are_dropped() -> None:
    """Buckets after two days, hours after twelve weeks, and what is of a time that cannot be."""
    made = database()
    volumes = Volumes(made)
    for week in range(40):
        volumes.count("published", KEY, "keys", START + week * WEEK_US)
    volumes.count("published", KEY, "keys", START + 600 * WEEK_US)
    volumes.conditions("published", START + 39 * WEEK_US + HOUR_US)
    assert made.execute("SELECT count(*) FROM volume_bucket").fetchone() == (2,)
    assert made.execute("SELECT count(*) FROM volume_hour").fetchone() == (2 * 12,)


def test_events_that_come_late_and_one_by_one_count_as_those_in_time() -> None:
    """The database is the same, whatever the order."""
    times = [START + random.Random(1).randrange(DAY_US) for _ in range(200)]
    found = []
    for order in (times, sorted(times), sorted(times, reverse=True)):
        made = database()
        volumes = Volumes(made)
        for time_us in order:
            volumes.count("published", KEY, "keys", time_us)
        found.append(made.execute("SELECT * FROM volume_hour").fetchall())
    assert found[0] == found[1] == found[2]
    assert sum(row[2] for row in found[0]) == 400
