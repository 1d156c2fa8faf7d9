"""Counts of what was found: in all, by type, by source service, by hour."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from cdc_archive.reconcile.expected import SECOND_US

EXPECTED: Final = "expected"
PAIRED: Final = "paired"
MISSING: Final = "missing"
UNEXPECTED: Final = "unexpected"
DIFFERENT: Final = "different"
DUPLICATE: Final = "duplicate"
UNATTRIBUTED: Final = "unattributed"
UNREADABLE: Final = "unreadable"
UNPROVEN: Final = "unproven"
OUTSIDE: Final = "outside"
OUT_OF_WINDOW: Final = "out_of_window"
ACTOR_UNPROVEN: Final = "actor_unproven"

FAULTS: Final = (MISSING, UNEXPECTED, DIFFERENT, DUPLICATE, UNATTRIBUTED, UNREADABLE)
"""What keeps a log from being reconciled."""
KINDS: Final = (EXPECTED, PAIRED, *FAULTS, UNPROVEN, OUTSIDE, OUT_OF_WINDOW, ACTOR_UNPROVEN)
"""All that is counted, in the order in which it is shown."""
_ENDS: Final = (PAIRED, UNEXPECTED, DUPLICATE, UNREADABLE, UNPROVEN, OUTSIDE, OUT_OF_WINDOW)
"""What can become of a published event; it becomes one of them."""

_HOUR_S: Final = 3_600

VIEWS: Final = ("type", "service", "hour")


class Tally:
    """Counts.

    Attributes:
        all: of each kind.
        fields: differences, by path.
        extras: members of payloads that no change proves, by path; they are no differences.
        proven: how many events in the window the changes prove, counted as they came.
        read: how many entries were read from the published log, counted as they came.
    """

    def __init__(self) -> None:
        self.all: Counter[str] = Counter()
        self.fields: Counter[str] = Counter()
        self.extras: Counter[str] = Counter()
        self.proven = 0
        self.read = 0
        self._views: dict[str, dict[str, Counter[str]]] = {
            view: defaultdict(Counter) for view in VIEWS
        }

    def count(self, kind: str, of_type: str, service: str, time_us: int) -> None:
        """Count an event."""
        self.all[kind] += 1
        self._views["type"][of_type][kind] += 1
        self._views["service"][service][kind] += 1
        self._views["hour"][_hour(time_us // (_HOUR_S * SECOND_US))][kind] += 1

    def count_untold(self, kind: str) -> None:
        """Count what has no type, service or time to be counted by."""
        self.all[kind] += 1

    @property
    def faults(self) -> int:
        """How much keeps the log from being reconciled."""
        return sum(self.all[kind] for kind in FAULTS)

    def view(self, name: str) -> dict[str, dict[str, int]]:
        """Counts by `type`, `service` or `hour`, sorted; those that are 0 are left out."""
        return {key: _shown(counts) for key, counts in sorted(self._views[name].items())}

    def discrepancies(self) -> list[str]:
        """Where the counts do not add up, in words: there is a fault in this program."""
        ends = sum(self.all[kind] for kind in _ENDS)
        found = []
        if self.proven != self.all[PAIRED] + self.all[MISSING]:
            found.append(f"{self.proven} proven events are not those paired and missing")
        if self.read != ends:
            found.append(f"of {self.read} published entries {ends} are accounted for")
        return found

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "counts": {kind: self.all[kind] for kind in KINDS} | {"published": self.read},
            **{f"by_{name}": self.view(name) for name in VIEWS},
            "different_fields": dict(sorted(self.fields.items())),
            "fields_that_no_change_proves": dict(sorted(self.extras.items())),
        }


def _shown(counts: Counter[str]) -> dict[str, int]:
    return {kind: counts[kind] for kind in KINDS if counts[kind]}


@lru_cache(maxsize=1024)
def _hour(hours: int) -> str:
    return datetime.fromtimestamp(hours * _HOUR_S, UTC).isoformat().replace("+00:00", "Z")
