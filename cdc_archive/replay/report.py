"""The account of a replay: what was made, how far it is proven, and what is not there and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Report:
    """Counts of one run."""

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

    @property
    def total(self) -> int:
        """All events written."""
        return self.events.total()

    @property
    def complete(self) -> bool:
        """Whether nothing that could hold more events is known to be missing."""
        missing = self.quarantined or self.skipped or self.unreadable_rows
        return not (missing or self.gaps or self.unproven)

    def to_dict(self) -> dict[str, Any]:
        """As JSON; counters sorted by name."""
        out: dict[str, Any] = {"events_total": self.total, "complete": self.complete}
        for name, value in vars(self).items():
            out[name] = dict(sorted(value.items())) if isinstance(value, Counter) else value
        return out
