"""False alarms and delays of the watch's volume rules, in a world of 50 series, by seed.

    python -m bench.watch_volumes [WORLDS] [odd_zero odd_low ratio] [-f: no falls] [-v: each alarm]

Ten services of five types each, 0.1 to 1,000 events an hour, with a day and a week; half of the
series come alone (Poisson), half in bursts of 10 over some minutes whose level differs by the hour.
A holiday every fourth week. Seven weeks; the last three are watched, looked at every ten minutes.
Then each kind of series stops, or falls to 30 %, at three times of the last week.
"""

from __future__ import annotations

import math
import random
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Sequence

from cdc_archive.watch.baseline import BUCKET_US, DAY_US, HOUR_US, MINUTE_US, WEEK_US
from cdc_archive.watch.unusual import Limits
from cdc_archive.watch.volumes import SCHEMA, Volumes

START = 2_700 * WEEK_US + 4 * DAY_US  # a Monday
RATES = (0.1, 0.5, 2.0, 5.0, 20.0, 20.0, 50.0, 100.0, 300.0, 1000.0)
HOLIDAYS = (9, 37, 44)  # days since the start; the last two are watched
WEEKS, WATCHED = 7, 3
DAY, WEEKEND = (6, 20), (5, 6)
MANY = 50.0
SLOWER = 120


def shape(hour: int) -> float:
    """Part of the mean, by hour since the start: nights at a fifth, weekends at a quarter."""
    day, of_day = divmod(hour, 24)
    daily = 0.2 + 1.6 * max(0.0, math.sin(math.pi * (of_day - DAY[0]) / (DAY[1] - DAY[0])))
    if not DAY[0] <= of_day < DAY[1]:
        daily = 0.2
    weekly = 0.35 if day % 7 in WEEKEND else 1.26
    return daily * weekly * (0.25 if day in HOLIDAYS else 1.0) / 0.7


def poisson(chance: random.Random, mean: float) -> int:
    if mean > MANY:
        return max(0, round(chance.gauss(mean, math.sqrt(mean))))
    limit, product, number = math.exp(-mean), chance.random(), 0
    while product > limit:
        product *= chance.random()
        number += 1
    return number


def buckets(chance: random.Random, rate: float, bursty: bool, hour: int) -> Counter[int]:
    """Events of an hour by bucket since the start."""
    found: Counter[int] = Counter()
    mean = rate * shape(hour)
    if not bursty:
        for bucket in range(12):
            found[hour * 12 + bucket] = poisson(chance, mean / 12)
        return +found
    mean *= chance.gammavariate(6.0, 1 / 6)
    for _ in range(poisson(chance, mean / 10)):
        size = 1 + int(math.log(1 - chance.random()) / math.log(1 - 1 / 10))
        begin = hour * 60 + chance.randrange(60)
        for _ in range(size):
            found[(begin + int(chance.expovariate(1 / 3))) // 5] += 1
    return found


Key = tuple[str, str]


class World:
    def __init__(self, seed: int, of_rates: Sequence[float] = RATES * 5) -> None:
        self.chance = random.Random(seed)
        self.rates: dict[Key, tuple[float, bool]] = {}
        rates = list(of_rates)
        self.chance.shuffle(rates)
        bursty = Counter[float]()
        for number, rate in enumerate(rates):
            bursty[rate] += 1
            key = f"type{number % 5}", f"service{number // 5}"
            self.rates[key] = rate, bursty[rate] % 2 == 0
        self.events: dict[Key, Counter[int]] = {}
        for key, (rate, bursts) in self.rates.items():
            mine = self.events[key] = Counter()
            for hour in range(WEEKS * 168):
                mine.update(buckets(self.chance, rate, bursts, hour))

    def fill(self, volumes: Volumes, end: int, start: int = 0) -> None:
        for (kind, service), mine in self.events.items():
            for bucket in range(start, end):
                if mine[bucket]:
                    at = START + bucket * BUCKET_US
                    volumes.count("published", kind, service, at, mine[bucket])


def false_alarms(world: World, limits: Limits, every: int = 2) -> tuple[Counter[str], float]:
    """What rose, by kind, and CPU milliseconds a look; one every so many buckets."""
    database = sqlite3.connect(":memory:")
    database.executescript(SCHEMA)
    volumes = Volumes(database, limits)
    first = (WEEKS - WATCHED) * 168 * 12
    world.fill(volumes, first)
    rose: Counter[str] = Counter()
    held: set[tuple[str, str, str]] = set()
    spent, looks = 0.0, 0
    for bucket in range(first, WEEKS * 168 * 12):
        world.fill(volumes, bucket + 1, bucket)
        if bucket % every:
            continue
        began = time.process_time()
        holds = volumes.conditions("published", START + (bucket + 1) * BUCKET_US)
        spent, looks = spent + time.process_time() - began, looks + 1
        now = {one[:3] for one in holds}
        for one in now - held:
            holiday = bucket // 288 in HOLIDAYS or bucket // 288 - 1 in HOLIDAYS
            shared = "shared " if one[1:] == ("", "") else ""
            rose[f"{shared}{one[0]}{' on holiday' if holiday else ''}"] += 1
            if not shared and "-v" in sys.argv:
                print(
                    bucket / 12 % 168, world.rates.get(one[1:]), [c for c in holds if c[:3] == one]
                )
        held = now
    return rose, spent / looks * 1000


def before(world: World, begins: Sequence[int]) -> dict[int, sqlite3.Connection]:
    """What is known at each of these hours, which ascend."""
    database, done, found = sqlite3.connect(":memory:"), 0, {}
    database.executescript(SCHEMA)
    for begin in begins:
        world.fill(Volumes(database), begin * 12, done)
        done = begin * 12
        database.commit()
        found[begin] = sqlite3.connect(":memory:")
        database.backup(found[begin])
    return found


def delay(
    world: World, limits: Limits, known: sqlite3.Connection, key: Key, part: float, begin: int
) -> int | None:
    """Minutes until an alarm of this series when it falls; None: not within three days.

    Looked at every minute, after two hours every ten, with its service's other types beside it.
    """
    database = sqlite3.connect(":memory:")
    known.backup(database)
    for table, column in (("hour", "series"), ("bucket", "series"), ("series", "id")):
        others = "SELECT id FROM volume_series WHERE service != ?"
        database.execute(f"DELETE FROM volume_{table} WHERE {column} IN ({others})", (key[1],))
    volumes = Volumes(database, limits)
    chance = random.Random(begin)
    for minute in range(1, 72 * 60):
        if minute % 5 == 1:  # what a bucket has is there from its beginning
            bucket = begin * 12 + minute // 5
            for one, mine in world.events.items():
                part_of = part if one == key else 1.0
                n = sum(chance.random() < part_of for _ in range(mine[bucket]))
                if n and one[1] == key[1]:
                    volumes.count("published", *one, START + bucket * BUCKET_US, n)
        if minute > SLOWER and minute % 10:
            continue
        holds = volumes.conditions("published", START + begin * HOUR_US + minute * MINUTE_US)
        if any(one[1:3] == key for one in holds):
            return minute
    return None


def main() -> None:
    numbers = [float(one) for one in sys.argv[1:] if not one.startswith("-")]
    worlds = int(numbers[0]) if numbers else 2
    limits = Limits(*numbers[1:]) if len(numbers) > 1 else Limits()
    total: Counter[str] = Counter()
    made = [World(seed) for seed in range(worlds)]
    for world in made:
        rose, each_ms = false_alarms(world, limits)
        total.update(rose)
    months = worlds * WATCHED * 7 / 30
    print(f"{months:.1f} months of 50 series, {each_ms:.1f} ms CPU a look")
    for kind, number in sorted(total.items()):
        print(f"  {kind}: {number} ({number / months:.2f} a month)")
    if "-f" in sys.argv:
        return
    world, last = made[0], (WEEKS - 1) * 168
    begins = [last + hours for hours in (24 + 10, 72 + 2, 72 + 15)]
    known = before(world, begins)
    print(
        "events/h  kind     falls to  minutes until an alarm, from Tuesday 10 h, Thursday 2 h, 15 h"
    )
    for rate in sorted(set(RATES)):
        for bursts in (False, True):
            key = next(one for one, what in world.rates.items() if what == (rate, bursts))
            for part in (0.0, 0.3):
                found = [delay(world, limits, known[at], key, part, at) for at in begins]
                told = ", ".join(f"{one:.0f}" if one else "> 4320" for one in found)
                kind = "bursty" if bursts else "poisson"
                print(f"{rate:8g}  {kind:7}  {part:8.0%}  {told}", flush=True)


if __name__ == "__main__":
    main()
