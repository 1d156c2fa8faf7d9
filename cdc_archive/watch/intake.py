"""Takes messages of both sides apart: what a change proves is expected, what stands there is
published; both are counted, and put where they wait for each other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Any, Final, NamedTuple, Protocol

from cdc_archive.reconcile.expected import Expected
from cdc_archive.reconcile.published import Published
from cdc_archive.reconcile.services import Services
from cdc_archive.reconcile.shape import Shape
from cdc_archive.reconcile.topic_log import read_message
from cdc_archive.source.message import Message
from cdc_archive.watch import findings
from cdc_archive.watch.changes import Changes, Proven
from cdc_archive.watch.findings import Findings
from cdc_archive.watch.items import Group, Items
from cdc_archive.watch.streams import Stream

_NONE: Final[frozenset[Group]] = frozenset()


class Volumes(Protocol):
    """Bare counts of events."""

    def count(self, stream: str, type: str, service: str, time_us: int, n: int = 1) -> None:  # noqa: A002  # the field's word
        """Count an event."""
        ...


class PublishedTopics(NamedTuple):
    """The published log: its topics, and how its entries are read.

    `header`: name of the header that tells the service. `types`: those that changes may prove.
    """

    topics: Collection[str]
    shape: Shape
    services: Services
    header: str | None
    types: Collection[str]


class Spans(NamedTuple):
    """How long an event may take to be published, in microseconds; and event time from which on
    either is kept.
    """

    grace_us: int
    since_us: int


class Intake:
    """Takes messages.

    Args:
        log: the published log.
        changes: follows the others.
        items: where events wait.
        found: takes what cannot be read.
        volumes: bare counts.
        spans: how long what may take.
    """

    def __init__(
        self,
        log: PublishedTopics,
        changes: Changes,
        items: Items,
        found: Findings,
        volumes: Volumes,
        spans: Spans,
    ) -> None:
        self._log = log
        self._changes = changes
        self._items = items
        self._found = found
        self._volumes = volumes
        self._spans = spans
        self._services: dict[str, set[str]] = defaultdict(set)

    def take(self, message: Message, stream: Stream, now_s: float, now_us: int) -> frozenset[Group]:
        """Take a message; the groups that it added to."""
        if message.topic in self._log.topics:
            read = read_message(self._log.shape, message, self._log.header)
            if isinstance(read, Published):
                return self._publish(read, _stamp(message.timestamp, now_us), now_us)
            self._unreadable(message, read.reason, now_us)
        elif (wrong := self._changes.take(message, stream, now_s)) is not None:
            self._unreadable(message, wrong.reason, now_us)
        return _NONE

    def _unreadable(self, message: Message, reason: str, now_us: int) -> None:
        place = f"{message.topic_partition}@{message.offset}"
        self._found.find(findings.UNREADABLE, message.topic, "", now_us, place, reason)

    def _publish(self, one: Published, stamp_us: int, now_us: int) -> frozenset[Group]:
        service = _plain(one.service or self._only_service(one.type))
        one = one._replace(service=service)
        self._found.count(findings.PUBLISHED, one.type, service)
        self._volumes.count(findings.PUBLISHED, one.type, service, one.time_us)
        if one.type not in self._log.types or one.time_us < self._spans.since_us:
            return _NONE
        group = Group(one.type, self._log.shape.resource(one.event))
        due_us = stamp_us + self._spans.grace_us
        return frozenset({self._items.publish(one, group, due_us, now_us)})

    def _only_service(self, kind: str) -> str:
        """The service whose changes call for events of a type, if there is just one."""
        services = self._services[kind]
        return next(iter(services)) if len(services) == 1 else ""

    def prove(self, proven: Proven, now_us: int) -> frozenset[Group]:
        """Take an event that the changes prove; the groups that it added to."""
        event, evidence = proven.told.event.event, proven.told.event.evidence
        kind, time_us = event["type"], evidence["event_time_us"] or 0
        service = _plain(self._log.services.of_expected(kind, evidence))
        self._services[kind].add(service)
        self._found.count(findings.EXPECTED, kind, service)
        if event.get("actor") is None:
            self._found.count(findings.ACTOR_UNPROVEN, kind, service)
        self._volumes.count(findings.EXPECTED, kind, service, time_us)
        if time_us < self._spans.since_us or not self._log.topics:
            return _NONE
        resource = self._log.shape.resource(event)
        one = Expected(event["id"], kind, resource, time_us, event, {}, service)
        due_us = _stamp(proven.stamp_us // 1000, now_us) + self._spans.grace_us
        self._items.expect(one, _place(evidence), due_us)
        return frozenset({Group(kind, resource)})


def _stamp(timestamp_ms: int, now_us: int) -> int:
    """When a broker got a message: its timestamp, unless it has none or is of a clock ahead."""
    return now_us if timestamp_ms <= 0 else min(timestamp_ms * 1000, now_us)


def _place(evidence: dict[str, Any]) -> str:
    return f"{evidence['topic']}[{evidence['partition']}]@{evidence['offset']}"


def _plain(text: str) -> str:
    """Without what UTF-8 cannot hold."""
    return text.encode("utf-8", "replace").decode()
