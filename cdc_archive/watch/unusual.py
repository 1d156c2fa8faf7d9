"""Which series are silent, and which have far fewer events than they usually have. Pure.

Two rules. A zero run is odd when so many events were due since the last one that their absence is
implausible, given how they cluster; what is due is taken down by how active the series was just
before, so that a quiet holiday is no alarm and a sudden end is. A low volume must be both odd and a
small part of the usual. A fall that most services share (a holiday, or the way that all take) is
told once, and each series is held against it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from statistics import median
from typing import Final, NamedTuple

from cdc_archive.watch.baseline import (
    BUCKET_US,
    HOUR_US,
    WEEK_US,
    Curve,
    Level,
    Spread,
    level,
    oddness,
)
from cdc_archive.watch.condition import Condition
from cdc_archive.watch.spans import moment, span

WHOLE: Final = ""
"""The type of a series that is all types of a service."""
_WINDOWS_US: Final = tuple(hours * HOUR_US for hours in (1, 2, 4, 8, 24))
_LOOKED_BACK_US: Final = WEEK_US
"""Of a longer run: so much of former weeks must be known to say what is due."""
_BEFORE_US: Final = tuple(hours * HOUR_US for hours in (1, 3, 6, 12, 24, 72, 168))
_TELLING: Final = 10.0
"""Clusters of events that a window must have for its count to say something."""
_RECOVERED: Final = 1.5
_SHARED_SERVICES: Final = 3


class Name(NamedTuple):
    """An event type, and whose."""

    type: str
    service: str


class Series(NamedTuple):
    """A series as its past is known: counts by hour, and how they scatter."""

    name: Name
    curve: Curve
    spread: Spread


class Limits(NamedTuple):
    """From when on it is an alarm.

    `odd_zero`: nats, how implausible a run without events must be; `odd_low`: likewise a low
    volume; `ratio`: what part of the usual is low.
    """

    odd_zero: float = 16.0
    odd_low: float = 14.0
    ratio: float = 0.4


class Now(NamedTuple):
    """A stream up to its watermark.

    `stream`: all its events; `last_us`: by series, when its newest event was at the latest;
    `counted`: events by series in a window of whole buckets of the last two days.
    """

    watermark_us: int
    stream: Curve
    last_us: Mapping[int, int]
    counted: Callable[[int, int], Mapping[int, int]]


class _Window(NamedTuple):
    """The end of the stream in one length: levels by series, and what part of them all share."""

    length_us: int
    counts: Mapping[int, int]
    levels: Mapping[int, Level]
    shared: float


def found(series: Mapping[int, Series], now: Now, limits: Limits) -> Iterator[Condition]:
    """What is the matter with these series now; each has one condition at most."""
    silent = set()
    for one, what in series.items():
        condition = _zero_run(one, what, now, limits)
        if condition is not None:
            silent.add(one)
            yield condition
    windows = [_window(series, now, length_us) for length_us in _WINDOWS_US]
    yield from _shared_fall(windows, limits)
    for one, what in series.items():
        if one not in silent:
            yield from _low(one, what, windows, limits)


def ratios(series: Mapping[int, Series], now: Now) -> dict[Name, float]:
    """What part of the usual each series has, in the shortest window that can say so."""
    found: dict[Name, float] = {}
    for length_us in _WINDOWS_US:
        window = _window(series, now, length_us)
        for one, what in series.items():
            usual = window.levels.get(one)
            if (
                usual
                and what.name not in found
                and usual.low >= 2 * _TELLING * what.spread.clustering
            ):
                found[what.name] = window.counts.get(one, 0) / usual.usual
    return found


def _zero_run(one: int, what: Series, now: Now, limits: Limits) -> Condition | None:
    last_us = now.last_us.get(one)
    if last_us is None or last_us >= now.watermark_us:
        return None
    due = _due_since(last_us, what, now, limits)
    if due is None:
        return None
    active = _active_before(one, what, now, last_us)
    since_us = max(last_us, now.watermark_us - _LOOKED_BACK_US)
    if _odd(0, due.low * active, what.spread, now.watermark_us - since_us) < limits.odd_zero:
        return None
    summary = (
        f"{_events(what.name)} stopped: none for {span(now.watermark_us - last_us)}; usually there "
        f"are about {due.usual:,.0f} in {span(now.watermark_us - since_us)}"
    )
    last = f"last before {moment(last_us)}"
    return Condition("zero_run", *what.name, "critical", summary, round(due.usual), (last,))


def _due_since(last_us: int, what: Series, now: Now, limits: Limits) -> Level | None:
    """What should have come since the last event, or in the last week; None: that is not odd."""
    start_us = max(last_us, now.watermark_us - _LOOKED_BACK_US)
    due = level(what.curve, now.stream, start_us, now.watermark_us, last_us)
    length_us = now.watermark_us - start_us
    if due is None or _odd(0, due.low, what.spread, length_us) < limits.odd_zero:
        return None
    return due


def _active_before(one: int, what: Series, now: Now, last_us: int) -> float:
    """What part of the expected a series had just before its last event, at most 1."""
    for length_us in _BEFORE_US:
        start_us = last_us - length_us
        before = level(what.curve, now.stream, start_us, last_us, start_us)
        if before is not None and before.low >= _TELLING * what.spread.clustering:
            # The hour of the last event counts whole: nothing came after it.
            had = what.curve.between(start_us, last_us + HOUR_US - last_us % HOUR_US)
            had += now.counted(max(start_us, what.curve.end_us), last_us).get(one, 0)
            return min(1.0, had / before.low)
    return 1.0


def _window(series: Mapping[int, Series], now: Now, length_us: int) -> _Window:
    end_us = now.watermark_us // BUCKET_US * BUCKET_US
    start_us = end_us - length_us
    counts = now.counted(start_us, end_us)
    levels: dict[int, Level] = {}
    parts: dict[str, list[float]] = {}
    for one, what in series.items():
        known = level(what.curve, now.stream, start_us, end_us, start_us)
        if known is None or known.low <= 0:
            continue
        levels[one] = known
        if known.low >= _TELLING * what.spread.clustering:
            part = counts.get(one, 0) / known.usual
            parts.setdefault(what.name.service, []).append(part)
    shared = median(map(median, parts.values())) if len(parts) >= _SHARED_SERVICES else 1.0
    return _Window(length_us, counts, levels, min(1.0, shared))


def _shared_fall(windows: list[_Window], limits: Limits) -> Iterator[Condition]:
    low = [window for window in windows if window.shared <= limits.ratio]
    if low:
        summary = (
            f"most services have only {low[0].shared:.0%} of their usual events in "
            f"{span(low[0].length_us)}: a holiday, or what all of them share is failing"
        )
        yield Condition("volume", "", "", "warning", summary)


def _low(one: int, what: Series, windows: list[_Window], limits: Limits) -> Iterator[Condition]:
    for window in windows:
        usual = window.levels.get(one)
        if usual is None:
            continue
        count = window.counts.get(one, 0)
        part = count / (usual.usual * window.shared) if window.shared else 1.0
        due = usual.low * window.shared
        if due >= _TELLING * what.spread.clustering and part > limits.ratio * _RECOVERED:
            return  # whatever longer windows say, it has come back
        if (
            part <= limits.ratio
            and _odd(count, due, what.spread, window.length_us) >= limits.odd_low
        ):
            summary = (
                f"{_events(what.name)} are few: {count:,} in {span(window.length_us)}, usually "
                f"about {usual.usual:,.0f}"
            )
            yield Condition("volume", *what.name, "warning", summary, round(usual.usual) - count)
            return


def _odd(count: int, due: float, spread: Spread, length_us: int) -> float:
    """Of a window whose hours wander each by itself."""
    hours = max(1.0, length_us / HOUR_US)
    steadiness = hours / spread.wander if spread.wander else math.inf
    return oddness(count, due, spread.clustering, steadiness)


def _events(name: Name) -> str:
    kind = f"{name.type} events" if name.type != WHOLE else "events of every type"
    return f"{kind} of {name.service or 'no known service'}"
