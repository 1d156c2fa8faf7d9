"""The account of a replay: what was made, how far it is proven, and what is not there and why."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cdc_archive.archive.format.layout import offsets_of
from cdc_archive.audit.build import AuditEvent
from cdc_archive.changelog.position import TopicPartition
from cdc_archive.history.missing import GAP, QUARANTINE, Loss


@dataclass
class Report:
    """Counts of one run.

    `before_doubt` counts events whose reconstructed version before may be stale, `in_quarantine`
    messages by their place, see `quarantine_place`; `checkpoint` is what the run began with.
    """

    records: int = 0
    snapshot_rows: int = 0
    redeliveries: int = 0
    rows_of_untold_operation: int = 0
    unreadable_rows: int = 0
    events: Counter[str] = field(default_factory=Counter)
    before: Counter[str] = field(default_factory=Counter)
    before_doubt: Counter[str] = field(default_factory=Counter)
    actor: Counter[str] = field(default_factory=Counter)
    actor_reasons: Counter[str] = field(default_factory=Counter)
    unproven: Counter[str] = field(default_factory=Counter)
    unmapped: Counter[str] = field(default_factory=Counter)
    quarantined: int = 0
    in_quarantine: Counter[str] = field(default_factory=Counter)
    skipped: int = 0
    gaps: list[dict[str, Any]] = field(default_factory=list)
    checkpoint: str | None = None

    @property
    def total(self) -> int:
        """All events written."""
        return self.events.total()

    @property
    def complete(self) -> bool:
        """Whether nothing that could hold more events is known to be missing."""
        missing = self.quarantined or self.skipped or self.unreadable_rows
        return not (missing or self.gaps or self.unproven)

    def tell(self, made: AuditEvent) -> None:
        """Count an event."""
        event, evidence = made.event, made.evidence
        self.events[event["type"]] += 1
        self.before[evidence["before"]] += 1
        if "before_doubt" in evidence:
            self.before_doubt[evidence["before_doubt"]] += 1
        self.actor[evidence["actor"]] += 1
        if event["actor"] is None:
            self.actor_reasons[evidence["actor_reason"]] += 1

    def add(self, counted: Mapping[str, Any]) -> None:
        """Add the counts of another report, as `counts` gives them."""
        for name, value in counted.items():
            own = getattr(self, name)
            if name == "checkpoint":
                self.checkpoint = self.checkpoint or value
            elif isinstance(own, Counter):
                own.update(value)
            else:
                setattr(self, name, own + value)

    def sort(self) -> None:
        """Order what is listed as the chains are, however they were read."""
        self.gaps.sort(key=lambda one: (one["topic"], one["partition"], one["commit"]))

    def counts(self) -> dict[str, Any]:
        """All that is counted, as JSON."""
        return {
            name: dict(sorted(value.items())) if isinstance(value, Counter) else value
            for name, value in vars(self).items()
        }

    def to_dict(self) -> dict[str, Any]:
        """As JSON; counters sorted by name."""
        told = {"events_total": self.total, "complete": self.complete, **self.counts()}
        del told["in_quarantine"]  # as many as there are files: `quarantine list` tells them
        return told

    def losses(self) -> list[Loss]:
        """What is missing, with its place in the log; what was recovered is not."""
        gaps = [
            Loss(
                GAP,
                one["topic"],
                one["partition"],
                (one["incarnation"], one["from"]),
                (one["incarnation"], one["to"]),
            )
            for one in self.gaps
        ]
        held = (place for place, count in self.in_quarantine.items() if count > 0)
        return gaps + [_loss(*json.loads(place)) for place in held]


def quarantine_place(partition: TopicPartition, incarnation: int, key: str) -> str:
    """What a quarantine file is counted by: partition, incarnation and the file's key, as JSON."""
    return json.dumps([*partition, incarnation, key])


def _loss(topic: str, partition: int, incarnation: int, key: str) -> Loss:
    start, end = offsets_of(key)
    return Loss(QUARANTINE, topic, partition, (incarnation, start), (incarnation, end))
