"""What services say themselves of events that they could not publish: a counter of Prometheus.

An address must be one instance's, not a balancer's: behind that, each look meets another counter.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Final, NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from cdc_archive.errors import CdcArchiveError
from cdc_archive.watch.condition import Condition
from cdc_archive.watch.page import Page
from cdc_archive.watch.spans import span

Labels = tuple[tuple[str, str], ...]
Counters = Mapping[Labels, float]
"""The value of each series of a metric."""

_WELL: Final = 200
_EXAMPLES: Final = 5


class Wanted(NamedTuple):
    """A counter: its name, and what its labels must be; with wildcards."""

    metric: str
    labels: Mapping[str, str] = {}


class _Rise(NamedTuple):
    at_us: int
    errors: float


def counters(text: str, wanted: Wanted) -> Counters | None:
    """The counter in the text of a scrape; None: the metric is not there at all.

    A metric that is announced and has no such series yet has counted nothing.

    Raises:
        ValueError: it is no text of Prometheus.
    """
    name = wanted.metric.removesuffix("_total")
    found: dict[Labels, float] = {}
    there = False
    for family in text_string_to_metric_families(text):
        if family.name.removesuffix("_total") != name:
            continue
        there = True
        for sample in family.samples:
            counted = sample.name.removesuffix("_total") == name and not math.isnan(sample.value)
            if counted and _fits(sample.labels, wanted.labels):
                found[tuple(sorted(sample.labels.items()))] = sample.value
    return found if there else None


def _fits(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(fnmatchcase(labels.get(name, ""), value) for name, value in wanted.items())


def rise(before: Counters, now: Counters) -> float:
    """By how much the series rose together; one that fell began anew, one that is new at zero."""
    return sum(
        value - before.get(labels, 0.0) if value >= before.get(labels, 0.0) else value
        for labels, value in now.items()
    )


class Scrape:
    """One instance of a service, looked at.

    Args:
        page: its metrics.
        wanted: the counter of its errors.
        window_us: how long errors are remembered.
        now_us: the clock.
    """

    def __init__(
        self, page: Page, wanted: Wanted, window_us: int, now_us: Callable[[], int]
    ) -> None:
        self.shown = page.shown
        self.read_us = now_us()
        self.trouble = "not asked yet"
        self._page = page
        self._wanted = wanted
        self._window_us = window_us
        self._now_us = now_us
        self._last: Counters | None = None
        self._rises: tuple[_Rise, ...] = ()

    def look(self) -> None:
        """Read the counter."""
        try:
            found = self._read()
        except (CdcArchiveError, ValueError) as error:
            self.trouble = str(error)
            return
        now_us = self._now_us()
        if self._last is not None:
            kept = tuple(one for one in self._rises if one.at_us > now_us - self._window_us)
            self._rises = (*kept, _Rise(now_us, rise(self._last, found)))
        self._last, self.read_us, self.trouble = found, now_us, "it is not read any more"

    def errors(self, now_us: int) -> float:
        """How many there were in the window that ends now."""
        return sum(one.errors for one in self._rises if one.at_us > now_us - self._window_us)

    def _read(self) -> Counters:
        answer = self._page.get()
        if answer.status != _WELL:
            raise ValueError(f"HTTP {answer.status}")
        try:
            found = counters(answer.body.decode("utf-8", "replace"), self._wanted)
        except ValueError:
            raise ValueError("no text of Prometheus") from None
        if found is None:
            if self._last is None:
                self._last = {}  # many libraries show a counter from its first error on
            raise ValueError(f"no metric {self._wanted.metric}")
        return found


class PublishErrors:
    """The errors of one service, over all its instances.

    Args:
        service: whose.
        scrapes: its instances.
        window_us: as the scrapes have.
        most_per_s: errors a second that are no alarm yet; 0: any error is one.
        absent_us: how long a counter may not be read before that is a condition of its own.
    """

    def __init__(
        self,
        service: str,
        scrapes: Sequence[Scrape],
        window_us: int,
        most_per_s: float,
        absent_us: int,
    ) -> None:
        self.service = service
        self.looks = [one.look for one in scrapes]
        self._scrapes = scrapes
        self._window_us = window_us
        self._most_per_s = most_per_s
        self._absent_us = absent_us

    def rate(self, now_us: int) -> float:
        """Errors a second, over the window."""
        return sum(one.errors(now_us) for one in self._scrapes) / (self._window_us / 1e6)

    def conditions(self, now_us: int) -> list[Condition]:
        """Kinds `publish_errors`, critical, and `scrape`, a warning: nobody can tell."""
        return [*self._failing(now_us), *self._unread(now_us)]

    def _failing(self, now_us: int) -> list[Condition]:
        if self.rate(now_us) <= self._most_per_s:
            return []
        failing = [(one.errors(now_us), one.shown) for one in self._scrapes if one.errors(now_us)]
        count = math.ceil(sum(errors for errors, _ in failing))
        summary = (
            f"{self.service} says that it failed to publish {count:,} events in the last "
            f"{span(self._window_us)}"
        )
        examples = tuple(f"{shown}: {errors:,.0f}" for errors, shown in failing[:_EXAMPLES])
        return [Condition("publish_errors", "", self.service, "critical", summary, count, examples)]

    def _unread(self, now_us: int) -> list[Condition]:
        unread = [one for one in self._scrapes if now_us - one.read_us > self._absent_us]
        if not unread:
            return []
        oldest = min(unread, key=lambda one: one.read_us)
        summary = (
            f"the publish errors of {self.service} cannot be read from {len(unread)} of "
            f"{len(self._scrapes)} addresses, for {span(now_us - oldest.read_us)}: {oldest.trouble}"
        )
        examples = tuple(f"{one.shown}: {one.trouble}" for one in unread[:_EXAMPLES])
        return [Condition("scrape", "", self.service, "warning", summary, len(unread), examples)]
