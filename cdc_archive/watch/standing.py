"""What the comparison says now, as conditions: from what is missing, and from what was found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from cdc_archive.watch import findings
from cdc_archive.watch.condition import CRITICAL, WARNING, Condition
from cdc_archive.watch.findings import Findings
from cdc_archive.watch.items import Items

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SAYS: Final = {
    findings.DIFFERENT: "say other things than their changes",
    findings.DUPLICATE: "were published more than once",
    findings.UNEXPECTED: "are told of by no change",
    findings.UNATTRIBUTED: "name no actor, though the change does",
    findings.UNREADABLE: "cannot be read",
    findings.GAP: "messages were deleted before the watch read them; they are not compared",
}


def conditions(items: Items, found: Findings, silence: int) -> Iterator[Condition]:
    """All that is the matter.

    A service is silent on a family of event types (`api_key.*`), or on one type of it, if of so
    many changes since the last event that it published not one has its event. Each type of which
    anything is missing is told beside that.

    Args:
        items: what is missing.
        found: what else was found.
        silence: how many changes without an event make a silence.
    """
    yield from _missing(items, found, silence)
    for kind, of_type, service, count, examples in found.by_kind():
        told = tuple((examples or "").split("\n"))
        summary = f"{count:,} {of_type} events {_of(service)}{_SAYS[kind]}"
        if kind == findings.UNREADABLE:
            summary = f"{count:,} messages of {of_type} {_SAYS[kind]}"
        elif kind == findings.GAP:
            summary = f"{of_type}: {_SAYS[kind]}"
        yield Condition(kind, of_type, service, WARNING, summary, count, told)


def _missing(items: Items, found: Findings, silence: int) -> Iterator[Condition]:
    families: dict[tuple[str, str], list[tuple[str, int]]] = defaultdict(list)
    for of_type, service, count, first_us, last_us, places in items.missing():
        families[of_type.partition(".")[0], service].append((of_type, count))
        when = f"{_moment(first_us)} to {_moment(last_us)}" if count > 1 else _moment(first_us)
        summary = f"{count:,} {of_type} events {_of(service)}are missing: changes of {when}"
        examples = tuple(places.split(" "))
        yield Condition(findings.MISSING, of_type, service, WARNING, summary, count, examples)
    for (family, service), types in families.items():
        yield from _silent(items, found, silence, family, service, [one for one, _ in types])


def _silent(
    items: Items, found: Findings, silence: int, family: str, service: str, types: list[str]
) -> Iterator[Condition]:
    last_us = found.last_published_of(family, service)
    count = sum(items.missing_since(one, service, last_us) for one in types)
    if count >= silence:
        yield _silence(f"{family}.*", family, service, count, last_us)
        return
    for one in types:
        last_us = found.last_published(one, service)
        count = items.missing_since(one, service, last_us)
        if count >= silence:
            yield _silence(one, family, service, count, last_us)


def _silence(of_type: str, family: str, service: str, count: int, last_us: int) -> Condition:
    since = f" since {_moment(last_us)}" if last_us else ""
    summary = f"{count:,} changes of {family}, 0 {of_type} events published{since}"
    return Condition("silence", of_type, service, CRITICAL, summary, count)


def _of(service: str) -> str:
    return f"of {service} " if service else ""


def _moment(time_us: int) -> str:
    moment = _EPOCH + timedelta(microseconds=time_us)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
