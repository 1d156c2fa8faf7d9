"""Puts the watch together from settings."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from cdc_archive import schema_files
from cdc_archive.audit import mapping
from cdc_archive.cli import wiring
from cdc_archive.cli.reconcile_parts import Parts as ReconcileParts
from cdc_archive.cli.replay_command import DEFAULT_MAPPING
from cdc_archive.cli.watch_beside import Beside
from cdc_archive.config.settings import KafkaSettings, Settings
from cdc_archive.decode.decoder import Decoder
from cdc_archive.errors import ConfigInvalid
from cdc_archive.reconcile.expected import SECOND_US
from cdc_archive.replay.run import read_row
from cdc_archive.source.source import Source
from cdc_archive.watch import alerts as alerting
from cdc_archive.watch import changes, deadman, findings, items, outbox, streams, volumes
from cdc_archive.watch.alerts import Alerts
from cdc_archive.watch.changes import Changes
from cdc_archive.watch.condition import Condition
from cdc_archive.watch.database import begun_with, open_state
from cdc_archive.watch.deadman import DeadMan
from cdc_archive.watch.endpoint import Endpoint
from cdc_archive.watch.findings import Count, Findings
from cdc_archive.watch.intake import Intake, PublishedTopics, Spans, Volumes
from cdc_archive.watch.items import Items
from cdc_archive.watch.judging import Judging
from cdc_archive.watch.log_receiver import LogReceiver
from cdc_archive.watch.metrics import WatchMetrics
from cdc_archive.watch.notifier import Notifier
from cdc_archive.watch.outbox import Outbox, Pace
from cdc_archive.watch.reading import Reading
from cdc_archive.watch.receiver import Receiver
from cdc_archive.watch.streams import Streams
from cdc_archive.watch.watch import HOUR_US, Parts, Times, Watch
from cdc_archive.watch.webhook import Webhook

_SCHEMAS: Final = (
    changes.SCHEMA,
    findings.SCHEMA,
    items.SCHEMA,
    streams.SCHEMA,
    alerting.SCHEMA,
    outbox.SCHEMA,
    volumes.SCHEMA,
)


def rules_of(settings: Settings) -> mapping.Mapping:
    """The mapping that `watch.mapping` names."""
    named = settings.watch.mapping
    return mapping.load(schema_files.root() / DEFAULT_MAPPING if named is None else Path(named))


def both_sides(settings: Settings) -> KafkaSettings:
    """How to read the change topics and the published ones, in the watch's own group."""
    kafka, published = settings.kafka, settings.watch.published_topics
    assert kafka is not None
    own = {"group_id": settings.watch.group_id, "group_instance_id": None}
    if kafka.topic_pattern is None:
        return kafka.model_copy(update={**own, "topics": tuple({*kafka.topics, *published})})
    named = [one.replace(".", r"\.") for one in published]  # the rest of a name is no pattern
    either = "|".join([f"({kafka.topic_pattern})", *named])
    return kafka.model_copy(update={**own, "topic_pattern": either})


def wanted(kafka: KafkaSettings, published: Collection[str]) -> Callable[[str], bool]:
    """Whether the settings name a topic."""
    pattern = None if kafka.topic_pattern is None else re.compile(kafka.topic_pattern)

    def wants(topic: str) -> bool:
        named = topic in kafka.topics or topic in published
        return named or (pattern is not None and pattern.fullmatch(topic) is not None)

    return wants


def check(settings: Settings) -> mapping.Mapping:
    """The mapping of settings that are fit for a watch.

    Raises:
        ConfigInvalid: the canary's topic is none of those that are read.
        MappingInvalid: the mapping has faults.
    """
    given, kafka = settings.watch, settings.kafka
    assert kafka is not None
    canary = given.canary_topic
    if canary is not None and not wanted(kafka, given.published_topics)(canary):
        raise ConfigInvalid(
            f"watch.canary_topic is {canary}, which is none of the topics that are read",
            "Add it to kafka.topics (or let kafka.topic_pattern match it).",
        )
    return rules_of(settings)


def open_database(settings: Settings) -> sqlite3.Connection:
    """The state."""
    return open_state(Path(settings.watch.state_dir), _SCHEMAS)


class Besides(Protocol):
    """See `watch_beside.Beside`."""

    @property
    def volumes(self) -> Volumes:
        """Counts events."""
        ...

    def seen(self, topic: str, time_us: int) -> None:
        """A change came out of a topic."""
        ...

    def conditions(self, time_us: int, read_us: int | None) -> Iterable[Condition]:
        """What is the matter beside the comparison."""
        ...


class Made(NamedTuple):
    """A watch and the parts of it that others ask."""

    watch: Watch
    reading: Reading
    changes: Changes
    items: Items


class Standing(NamedTuple):
    """A watch with everything around it."""

    made: Made
    notifier: Notifier
    deadman: DeadMan | None
    metrics: WatchMetrics


@contextmanager
def standing(settings: Settings, since_us: int | None, *, once: bool) -> Iterator[Standing]:
    """A watch, ready to be opened, and what tells of its alarms.

    Args:
        settings: `kafka` too.
        since_us: event time from which on events are compared; None: as it began, or by default.
        once: it evaluates once, and tells what it finds without waiting.
    """
    database = open_database(settings)
    try:
        metrics = WatchMetrics()
        source = wiring.kafka_source(both_sides(settings))
        begin_us = _begin_us(settings, database, since_us, once=once)
        beside = Beside(settings, database, metrics, once=once)
        made = watch(settings, database, source, metrics.count, beside, begin_us)
        notifier = _notifier(settings, database, metrics, once=once)
        with beside.looking():
            yield Standing(made, notifier, _deadman(settings, metrics), metrics)
    finally:
        database.close()


def _begin_us(
    settings: Settings, database: sqlite3.Connection, since_us: int | None, *, once: bool
) -> int:
    if since_us is not None:
        return since_us
    backlog_us = round(settings.watch.backlog_hours * HOUR_US)
    usual_us = 0 if once else time.time_ns() // 1000 - backlog_us
    return begun_with(database, "compare since", usual_us)


def _notifier(
    settings: Settings, database: sqlite3.Connection, metrics: WatchMetrics, *, once: bool
) -> Notifier:
    given = settings.watch
    receivers: list[Receiver] = [] if once else [LogReceiver()]
    token = None if given.webhook_token is None else given.webhook_token.get_secret_value()
    for number, url in enumerate(given.webhook_urls, 1):
        endpoint = Endpoint(
            "watch.webhook_urls", url.get_secret_value(), token, given.webhook_ca_file
        )
        named = f"webhook-{number}"
        receivers.append(Webhook(named, endpoint, given.docs_url, given.external_url))
    pace = Pace(given.group_wait_seconds, given.group_interval_seconds, given.repeat_hours * 3600)
    if once:
        pace = pace._replace(group_wait=0)
    outbox = Outbox(database, [one.name for one in receivers], pace)
    alerts = Alerts(database, 0 if once else given.resolve_seconds)
    return Notifier(alerts, outbox, receivers, metrics)


def _deadman(settings: Settings, metrics: WatchMetrics) -> DeadMan | None:
    given = settings.watch
    if given.deadman_url is None:
        return None
    metrics.expect([deadman.NAME])
    endpoint = Endpoint("watch.deadman_url", given.deadman_url.get_secret_value())
    return DeadMan(endpoint, given.deadman_seconds, metrics.outcome)


def watch(
    settings: Settings,
    database: sqlite3.Connection,
    source: Source,
    count: Count,
    beside: Besides,
    since_us: int,
    clock: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
) -> Made:
    """A watch, ready to be opened.

    Args:
        settings: `kafka` too.
        database: its state.
        source: reads both sides.
        count: told of each event and finding.
        beside: what is looked at beside the comparison.
        since_us: event time from which on events are compared.
        clock: seconds since 1970.
        monotonic: seconds.
    """
    given, rules = settings.watch, check(settings)
    parts = ReconcileParts(settings)
    tolerance_us = round(settings.reconcile.tolerance_seconds * SECOND_US)
    waiting, found = Items(database), Findings(database, count)
    following = Changes(
        database,
        Decoder(settings.decode.flattened_topics).decode,
        rules,
        read_row(rules),
        lambda made, time_us: waiting.doubt(made.type, made.resource, time_us or 0),
        given.settle_seconds,
        beside.seen,
    )
    topics = given.published_topics
    log = PublishedTopics(
        topics, parts.shape, parts.services, settings.reconcile.service_header, set(rules.types())
    )
    spans = Spans(
        round(given.grace_seconds * SECOND_US),
        since_us - 2 * tolerance_us,
    )
    extra = settings.reconcile.extra_fields == "different"
    kafka = settings.kafka
    assert kafka is not None
    has_changes = kafka.topic_pattern is not None or bool(set(kafka.topics) - set(topics))
    reading = Reading(
        source,
        Streams(database),
        found,
        topics,
        lambda: int(clock() * SECOND_US),
        wanted(kafka, topics),
        has_changes=has_changes,
    )
    made = Parts(
        database,
        reading,
        following,
        Intake(log, following, waiting, found, beside.volumes, spans),
        waiting,
        found,
        Judging(waiting, found, tolerance_us, round(given.late_seconds * SECOND_US), extra=extra),
        beside.conditions,
    )
    times = Times(
        given.evaluate_seconds,
        given.behind_seconds,
        given.window_minutes * 60,
        given.remember_hours,
        given.missing_hours,
        since_us,
    )
    return Made(
        Watch(made, times, given.silence_changes, clock, monotonic), reading, following, waiting
    )
