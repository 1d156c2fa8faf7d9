"""How many events a series usually has at this hour of the week, and how odd fewer are. Pure.

The level of a window is taken from the same window of former weeks: the median is what is usual,
the lower quartile what is safely expected. While fewer weeks are known than that needs, it is the
lower quartile of the same window of former days (at least a week of them, so that a weekend counts
among them); before that nothing is expected, so nothing alarms. Quantiles over weeks forget an
incident by themselves: less than half the weeks lost leave the median where it was, and a run
without events is compared only with what came before it.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Sequence
from itertools import accumulate
from statistics import median
from typing import Final, NamedTuple

MINUTE_US: Final = 60_000_000
HOUR_US: Final = 60 * MINUTE_US
DAY_US: Final = 24 * HOUR_US
WEEK_US: Final = 7 * DAY_US
BUCKETS: Final = 12
"""Buckets of an hour."""
BUCKET_US: Final = HOUR_US // BUCKETS
WEEKS: Final = 12
"""How far back is remembered."""
_ENOUGH_WEEKS: Final = 4
_ENOUGH_DAYS: Final = 7
_DAYS: Final = 14
_RARE: Final = 12.0
"""Events an hour; below, buckets are too empty to show how events cluster, and hours do."""


class Hour(NamedTuple):
    """An hour of a series: hours since 1970, events, and the sum of the squares of its buckets."""

    number: int
    events: int
    squares: int


class Curve:
    """The events of a series, cumulated, so that any window of it is one subtraction.

    Args:
        counts: events of each hour, from `first` on without a hole.
        first: hours since 1970.
    """

    def __init__(self, first: int, counts: Sequence[int]) -> None:
        self._sums = array("q", accumulate(counts, initial=0))
        self.start_us = first * HOUR_US
        self.end_us = (first + len(counts)) * HOUR_US

    def between(self, start_us: int, end_us: int) -> float:
        """Events of a window; those of an hour that is cut are spread evenly over it."""
        return self._before(end_us) - self._before(start_us)

    def _before(self, time_us: int) -> float:
        at = min(max(time_us, self.start_us), self.end_us) - self.start_us
        hour, rest_us = divmod(at, HOUR_US)
        whole = self._sums[hour]
        return whole + (self._sums[hour + 1] - whole) * rest_us / HOUR_US if rest_us else whole


class Level(NamedTuple):
    """What a window has elsewhere: usually, and safely; events."""

    usual: float
    low: float


def level(curve: Curve, stream: Curve, start_us: int, end_us: int, learn_us: int) -> Level | None:
    """What a series usually has in a window; None: too little is known of it.

    Args:
        curve: the series, from its first whole hour on.
        stream: all series of the stream: where even they have nothing, nothing was looked at.
        start_us: begin of the window.
        end_us: its end.
        learn_us: nothing from here on is taken for usual.
    """
    window = (start_us, end_us, learn_us)
    weeks = sorted(_former(curve, stream, WEEK_US, WEEKS, *window))
    if len(weeks) >= _ENOUGH_WEEKS:
        return Level(median(weeks), weeks[len(weeks) // 4])
    days = sorted(_former(curve, stream, DAY_US, _DAYS, *window))
    if len(days) < _ENOUGH_DAYS:
        return None
    low = days[len(days) // 4]
    return Level(low, low)


def _former(
    curve: Curve,
    stream: Curve,
    period_us: int,
    many: int,
    start_us: int,
    end_us: int,
    learn_us: int,
) -> Iterator[float]:
    first = max(1, -(-(end_us - learn_us) // period_us))
    for shift_us in range(first * period_us, (many + 1) * period_us, period_us):
        start, end = start_us - shift_us, end_us - shift_us
        if start < curve.start_us:
            return
        if stream.between(start, end) > 0:
            yield curve.between(start, end)


class Spread(NamedTuple):
    """How the counts of a series scatter around what is usual.

    `clustering`: the variance of counts by their mean within an hour; 1 if each event comes alone.
    `wander`: the squared coefficient of variation of the hours' own levels; 0 if this week is as
    the last.
    """

    clustering: float = 1.0
    wander: float = 0.0


def spread(hours: Sequence[Hour]) -> Spread:
    """Measure it.

    Clustering is measured between the buckets of an hour, so that neither the time of day nor a
    loss is taken for it. A rare series has too few events in an hour: there all scatter between
    hours is taken for clustering.
    """
    total = sum(hour.events for hour in hours)
    if not total:
        return Spread()
    within = sum(hour.squares - hour.events**2 / BUCKETS for hour in hours)
    clustering = max(1.0, within / ((BUCKETS - 1) * total / BUCKETS))
    covered = hours[-1].number - hours[0].number + 1
    rare = total / covered < _RARE
    between = _between_hours(hours, covered, rare)
    if rare:
        return Spread(max(clustering, between.variance_by_mean))
    return Spread(clustering, max(0.0, between.variance_by_mean - clustering) / between.mean)


class _Between(NamedTuple):
    variance_by_mean: float
    mean: float


def _between_hours(hours: Sequence[Hour], covered: int, rare: bool) -> _Between:
    """Against the mean of the same hour of the week, or of the day while weeks are few.

    Hours without events are the way of a rare series, and a loss of another: there they do not
    count. `mean` is weighted by itself, as the variance is that a wandering level makes.
    """
    period = 168 if covered >= _ENOUGH_WEEKS * 168 else 24
    sums, squares = [0] * period, 0
    repeats = [covered / period if rare else 0.0] * period
    for hour in hours:
        slot = hour.number % period
        sums[slot] += hour.events
        squares += hour.events**2
        repeats[slot] += 0.0 if rare else hour.events > 0
    known = [(one, many) for one, many in zip(sums, repeats, strict=True) if one and many > 1]
    if not known:
        return _Between(1.0, 1.0)
    of_means = sum(one**2 / many for one, many in known)
    once = sum(one**2 for one, many in zip(sums, repeats, strict=True) if one and many <= 1)
    free = sum(one * (many - 1) / many for one, many in known)
    return _Between((squares - once - of_means) / free, of_means / sum(one for one, _ in known))


def oddness(
    count: float, expected: float, clustering: float, steadiness: float = math.inf
) -> float:
    """How implausible it is that so few came, in nats: a chance below e^-oddness.

    Chernoff's bound for the lower tail: of a Poisson count of clusters, or, where the level itself
    wanders, of a negative binomial one.

    Args:
        count: events that came.
        expected: events that were due.
        clustering: see `Spread`.
        steadiness: the shape of the negative binomial: 1 by the squared coefficient of variation.
    """
    x, mean, shape = count / clustering, expected / clustering, steadiness
    if x >= mean:
        return 0.0
    told = x * math.log(x / mean) if x else 0.0
    if math.isinf(shape):
        return told + mean - x
    return told - (x + shape) * math.log((x + shape) / (mean + shape))
