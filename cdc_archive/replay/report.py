"""The account of a replay: what was made, how far it is proven, and what is not there and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cdc_archive.audit.build import AuditEvent


@dataclass
class Report:
    """Counts of one run; `checkpoint` is the one that it began with, if any."""

    records: int = 0
    snapshot_rows: int = 0
    redeliveries: int = 0
    rows_of_untold_operation: int = 0
    unreadable_rows: int = 0
    events: Counter[str] = field(default_factory=Counter)
    before: Counter[str] = field(default_factory=Counter)
    actor: Counter[str] = field(default_factory=Counter)
    actor_reasons: Counter[str] = field(default_factory=Counter)
    unproven: Counter[str] = field(default_factory=Counter)
    unmapped: Counter[str] = field(default_factory=Counter)
    quarantined: int = 0
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

    def counts(self) -> dict[str, Any]:
        """All that is counted, as JSON."""
        return {
            name: dict(sorted(value.items())) if isinstance(value, Counter) else value
            for name, value in vars(self).items()
        }

    def to_dict(self) -> dict[str, Any]:
        """As JSON; counters sorted by name."""
        return {"events_total": self.total, "complete": self.complete, **self.counts()}
