"""What the watch looks at beside the comparison: volumes, the canary, publish errors, workers."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from cdc_archive.cli import wiring
from cdc_archive.config.settings import Settings
from cdc_archive.config.watch_settings import WatchSettings
from cdc_archive.reconcile.expected import SECOND_US
from cdc_archive.watch import findings
from cdc_archive.watch.canary import ArchivedCanary, Canary
from cdc_archive.watch.condition import Condition
from cdc_archive.watch.looks import Looks
from cdc_archive.watch.metrics import WatchMetrics
from cdc_archive.watch.page import Page
from cdc_archive.watch.publish_errors import PublishErrors, Scrape, Wanted
from cdc_archive.watch.volumes import Volumes
from cdc_archive.watch.worker_health import WorkerHealth, Workers

_WINDOW_US: Final = 300 * SECOND_US
"""Publish errors are counted over so long, and their counter may be unread for so long."""


class Beside:
    """All of it; what is not configured says nothing.

    Args:
        settings: `store` too, for the canary in the archive.
        database: the state.
        metrics: shown after each evaluation.
        once: the looks, which take time to say anything, are left out.

    Attributes:
        volumes: counts events.
    """

    def __init__(
        self, settings: Settings, database: sqlite3.Connection, metrics: WatchMetrics, *, once: bool
    ) -> None:
        given = settings.watch
        self.volumes = Volumes(database)
        self._metrics = metrics
        self._grace_us = round(given.grace_seconds * SECOND_US)
        self._stream = findings.PUBLISHED if given.published_topics else findings.EXPECTED
        self._topic = given.canary_topic
        self._archived = None if once else _archived(settings)
        self._canary = None if once else _canary(given, self._archived)
        self._errors = [] if once else _publish_errors(given)
        self._workers = None if once or not given.worker_urls else _workers(given)
        self._every_s = given.look_seconds

    def seen(self, topic: str, time_us: int) -> None:
        """A change came out of a topic."""
        if topic == self._topic and self._canary is not None:
            self._canary.seen(time_us)

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Look, until the end."""
        looks = [look for one in self._errors for look in one.looks]
        looks += [] if self._workers is None else self._workers.looks
        looks += [] if self._archived is None else [self._archived.look]
        running = Looks(looks, self._every_s)
        try:
            yield
        finally:
            running.close()

    def conditions(self, time_us: int, read_us: int | None) -> Iterator[Condition]:
        """All that is the matter.

        Args:
            time_us: now.
            read_us: when the events that are counted were last read to their end; None: not yet.
        """
        if read_us is not None:
            watermark_us = read_us - self._grace_us
            yield from self.volumes.conditions(self._stream, watermark_us)
            self._metrics.ratios(self.volumes.ratios(self._stream, watermark_us).items())
        for one in self._errors:
            yield from one.conditions(time_us)
            self._metrics.publish_errors.labels(one.service).set(one.rate(time_us))
        if self._workers is not None:
            yield from self._workers.conditions(time_us)
        if self._canary is not None:
            yield from self._canary.conditions(time_us)
            for stage, age_s in self._canary.ages(time_us).items():
                self._metrics.canary_age.labels(stage).set(age_s)


def _now_us() -> int:
    return time.time_ns() // 1000


def _archived(settings: Settings) -> ArchivedCanary | None:
    topic = settings.watch.canary_topic
    if topic is None or settings.store is None:
        return None
    return ArchivedCanary(wiring.open_store(settings), topic)


def _canary(given: WatchSettings, archived: ArchivedCanary | None) -> Canary | None:
    if given.canary_topic is None:
        return None
    late = (given.canary_seconds, given.canary_archive_seconds)
    kafka_us, archive_us = (round(one * SECOND_US) for one in late)
    return Canary(_now_us(), kafka_us, archive_us, archived)


def _publish_errors(given: WatchSettings) -> list[PublishErrors]:
    made = []
    for one in given.publish_errors:
        wanted = Wanted(one.metric, one.labels)
        scrapes = [Scrape(_page(given, url), wanted, _WINDOW_US, _now_us) for url in one.urls]
        most = given.publish_errors_per_second
        made.append(PublishErrors(one.service, scrapes, _WINDOW_US, most, _WINDOW_US))
    return made


def _workers(given: WatchSettings) -> Workers:
    asked = [WorkerHealth(_page(given, url), _now_us) for url in given.worker_urls]
    return Workers(asked, round(given.worker_seconds * SECOND_US))


def _page(given: WatchSettings, url: str) -> Page:
    return Page(url, ca_file=given.look_ca_file)
