"""What is usual, how events scatter, and how odd few of them are."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdc_archive.watch.baseline import (
    BUCKETS,
    DAY_US,
    HOUR_US,
    WEEK_US,
    Curve,
    Hour,
    Level,
    level,
    oddness,
    spread,
)


def curve(weeks: list[int], hours: int = 168) -> Curve:
    """So many events in every hour of each week."""
    return Curve(0, [count for count in weeks for _ in range(hours)])


def at(weeks: Curve, learn_us: int | None = None, stream: Curve | None = None) -> Level | None:
    """The level of the hour that comes next."""
    start, end = weeks.end_us, weeks.end_us + HOUR_US
    return level(weeks, stream or weeks, start, end, start if learn_us is None else learn_us)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=50), st.data())
def test_windows_that_join_have_together_what_they_have_apart(
    counts: list[int], data: st.DataObject
) -> None:
    """And the whole has all."""
    one = Curve(7, counts)
    times = st.integers(one.start_us - DAY_US, one.end_us + DAY_US)
    a, b, c = sorted(data.draw(st.tuples(times, times, times)))
    assert one.between(a, b) + one.between(b, c) == pytest.approx(one.between(a, c))
    assert one.between(one.start_us, one.end_us) == sum(counts)


def test_usual_is_the_median_of_weeks_and_low_their_lower_quartile() -> None:
    """Of the same hour of the week."""
    assert at(curve([8, 2, 4, 6, 10])) == Level(6, 4)
    by_hour = Curve(0, list(range(168)) * 4)
    start = by_hour.end_us + 50 * HOUR_US
    assert level(by_hour, by_hour, start, start + HOUR_US, start) == Level(50, 50)


def test_less_than_half_the_weeks_lost_leave_what_is_usual() -> None:
    """A loss must not teach that zero is normal."""
    known = at(curve([10, 10, 10, 10, 10, 10, 10, 0, 0, 0, 0, 0]))
    assert known is not None
    assert known.usual == 10


def test_a_run_is_compared_only_with_what_came_before_it() -> None:
    """However many weeks it lasts: none of it is learnt."""
    lost = curve([10, 10, 10, 10, 0, 0, 0, 0])
    assert at(lost, learn_us=4 * WEEK_US) == Level(10, 10)


def test_a_weekend_is_no_alarm_while_weeks_are_few() -> None:
    """Days stand in for them, of which a quarter lies below what is safely expected."""
    days = [20] * 5 + [1] * 2
    one = Curve(0, [count for count in days for _ in range(24)])
    assert at(one) == Level(1, 1)


def test_nothing_is_expected_before_a_week_is_known() -> None:
    """There is no alarm without history."""
    assert at(curve([10], hours=6 * 24)) is None
    assert at(curve([10], hours=7 * 24)) == Level(10, 10)


def test_a_week_in_which_nothing_was_looked_at_does_not_count() -> None:
    """The watch was down for longer than Kafka keeps messages: no series has anything."""
    some = [10, 0, 10, 10, 10]
    assert at(curve(some), stream=curve([1, 0, 1, 1, 1])) == Level(10, 10)
    assert at(curve(some), stream=curve([1, 1, 1, 1, 1])) == Level(10, 10)
    two = [10, 0, 0, 10, 10, 10]
    assert at(curve(two), stream=curve(two)) == Level(10, 10)
    assert at(curve(two), stream=curve([1] * 6)) == Level(10, 0)


def hours(chance: random.Random, size: int, wander: float, count: int = 2_000) -> list[Hour]:
    """Clusters of `size` events at once, 20 an hour; every hour's level wanders by itself."""
    found = []
    for number in range(count):
        mean = chance.gammavariate(1 / wander, wander) if wander else 1.0
        buckets = [
            size * sum(chance.random() < mean * 20 / 12 / 50 for _ in range(50))
            for _ in range(BUCKETS)
        ]
        found.append(Hour(number, sum(buckets), sum(one**2 for one in buckets)))
    return found


@pytest.mark.parametrize("size", [1, 4, 12])
@pytest.mark.parametrize("wander", [0.0, 0.2])
def test_clusters_and_a_wandering_level_are_told_apart(size: int, wander: float) -> None:
    """Each is measured within a fifth (and four hundredths) of what it is."""
    found = spread(hours(random.Random(size), size, wander))
    assert found.clustering == pytest.approx(size, rel=0.2)
    assert found.wander == pytest.approx(wander, abs=0.04)


def test_a_loss_is_not_taken_for_clustering() -> None:
    """Hours without events say nothing of how events come."""
    all_hours = hours(random.Random(1), 1, 0.0)
    lost = [one if one.number < 1_500 else Hour(one.number, 0, 0) for one in all_hours]
    assert spread(lost).clustering == pytest.approx(spread(all_hours).clustering, abs=0.1)


def test_a_rare_series_that_comes_in_bursts_is_known_to_cluster() -> None:
    """Ten events, one in each bucket but in one hour of fifty."""
    rare = [Hour(n, 10 * (n % 50 == 0), 10 * (n % 50 == 0)) for n in range(2_000)]
    assert spread(rare).clustering == pytest.approx(10, rel=0.2)


def test_no_events_scatter_not() -> None:
    """Nor do none at all."""
    assert spread([]) == spread([Hour(1, 0, 0)])


@given(
    count=st.integers(0, 60),
    mean=st.floats(1, 60),
    clustering=st.floats(1, 9),
    steadiness=st.one_of(st.just(math.inf), st.floats(0.5, 1e3)),
)
def test_oddness_is_none_for_enough_and_grows_as_events_lack(
    count: int, mean: float, clustering: float, steadiness: float
) -> None:
    """It is less where events cluster or the level wanders."""
    odd = oddness(count, mean, clustering, steadiness)
    assert odd == 0 if count >= mean else odd >= 0
    assert oddness(count + 1, mean, clustering, steadiness) <= odd + 1e-9
    assert odd <= oddness(count, mean, 1.0, math.inf) + 1e-9


@pytest.mark.parametrize(("count", "mean"), [(0, 5.0), (3, 12.0), (10, 30.0)])
def test_a_chance_is_never_more_than_oddness_says(count: int, mean: float) -> None:
    """Of a Poisson count, by its exact distribution; none is exactly e^-mean."""
    exact = sum(math.exp(-mean) * mean**k / math.factorial(k) for k in range(count + 1))
    assert exact <= math.exp(-oddness(count, mean, 1.0)) * (1 + 1e-9)
    assert oddness(0, mean, 1.0) == mean
