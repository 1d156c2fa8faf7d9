"""The application's own account of the incident, and what must be found by it."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from cdc_archive.cli.demo_shell import DemoFailed
from cdc_archive.reconcile.tally import ACTOR_UNPROVEN, EXPECTED, KINDS, MISSING, PAIRED

BROKEN: Final = "platform"
"""The service that lacked its Kafka variable."""
Event = dict[str, Any]
Row = tuple[str, int, int, int, int]


class Account(NamedTuple):
    """What the application did: each event, and the service that publishes it or lost it."""

    events: list[tuple[str, Event]]

    @property
    def published(self) -> list[tuple[str, Event]]:
        """The events that were published."""
        return [one for one in self.events if one[0] != BROKEN]

    @property
    def lost(self) -> list[Event]:
        """The events that were not."""
        return [event for service, event in self.events if service == BROKEN]

    @property
    def services(self) -> dict[str, list[str]]:
        """The event types of each service, as wildcards."""
        found: dict[str, set[str]] = {}
        for service, event in self.events:
            found.setdefault(service, set()).add(event["type"].partition(".")[0] + ".*")
        return {name: sorted(types) for name, types in sorted(found.items())}


def of(recording: Path) -> Account:
    """Out of a recording: lines of `{"service": NAME, "event": EVENT}`."""
    with gzip.open(recording, "rt") as file:
        lines = [json.loads(line) for line in file]
    return Account([(one["service"], one["event"]) for one in lines])


def rows(account: Account, regenerated: Sequence[Event]) -> list[Row]:
    """For each type that was lost, and for all: lost, recovered, exact, with actor.

    Exact is what says the same of the same resource and project; with actor, what also names the
    one who did it, as a DELETE never does. Not compared are id and time: they are lost.

    Raises:
        DemoFailed: an event did not come back exactly, or with somebody else as its actor.
    """
    kinds = sorted({event["type"] for event in account.lost})
    found = [_row(kind, account.lost, regenerated) for kind in kinds]
    sums = [sum(column) for column in zip(*(row[1:] for row in found), strict=True)]
    anonymous = sum(one["type"] in kinds and not one.get("actor") for one in regenerated)
    lost, recovered, exact, named = sums
    if not lost == recovered == exact == named + anonymous:
        raise DemoFailed(
            f"of {lost} lost events {exact} came back exactly, {named} with the right actor and "
            f"{anonymous} without one"
        )
    return [*found, ("all", lost, recovered, exact, named)]


def _row(kind: str, lost: Sequence[Event], regenerated: Sequence[Event]) -> Row:
    gone, back = ([one for one in events if one["type"] == kind] for events in (lost, regenerated))
    exact = _equal(gone, back, (kind, "project"))
    return kind, len(gone), len(back), exact, _equal(gone, back, (kind, "project", "actor"))


def _equal(these: Iterable[Event], those: Iterable[Event], members: Sequence[str]) -> int:
    """How many of these are among those, each once, looking at some members."""

    def counted(events: Iterable[Event]) -> Counter[str]:
        shown = ([event.get(name) for name in members] for event in events)
        return Counter(json.dumps(one, sort_keys=True) for one in shown)

    return (counted(these) & counted(those)).total()


def require_loss_found(report: Event, account: Account) -> None:
    """A report of reconcile tells exactly what was lost, by type and by service, and no more.

    Raises:
        DemoFailed: it does not.
    """
    types, services = (_missing(report[view]) for view in ("by_type", "by_service"))
    if types != Counter(event["type"] for event in account.lost):
        raise DemoFailed(f"not what was lost is missing: {dict(types)}")
    if services != {BROKEN: len(account.lost)}:
        raise DemoFailed(f"not the service {BROKEN} alone misses events: {dict(services)}")
    _require(report, account, MISSING)


def require_nothing_found(report: Event, account: Account) -> None:
    """A report of reconcile tells that every event was published, once, and is right.

    Raises:
        DemoFailed: it does not.
    """
    _require(report, account, PAIRED)


def _require(report: Event, account: Account, fate_of_lost: str) -> None:
    wanted = Counter({EXPECTED: len(account.events), PAIRED: len(account.published)})
    wanted[fate_of_lost] += len(account.lost)
    found = Counter({kind: report["counts"][kind] for kind in KINDS if kind != ACTOR_UNPROVEN})
    if found != wanted:
        raise DemoFailed(f"reconcile counts {dict(+found)}, not {dict(wanted)}")


def _missing(view: dict[str, dict[str, int]]) -> Counter[str]:
    return +Counter({name: counts.get(MISSING, 0) for name, counts in view.items()})
