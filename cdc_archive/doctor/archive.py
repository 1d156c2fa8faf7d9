"""How the archive itself stands. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from cdc_archive.archive.reader.standing import Standing
from cdc_archive.doctor.finding import Finding, error, note, or_passed, passed, warning

_NOT_BEGUN = warning(
    "archive.not-begun", "Nothing was archived yet: the other checks of it can say nothing."
)
_GAPS = warning(
    "archive.gaps",
    "These losses were accepted by somebody: what they held can never be replayed.",
    "docs/operations.md, Gaps",
)
_QUARANTINE = warning(
    "archive.quarantine",
    "These messages are kept whole and could not be decoded: they are in no table's history until "
    "they are recovered.",
    "docs/operations.md, Quarantine",
)
_STANDS_STILL = warning(
    "archive.stands-still",
    "Nothing was committed for long: the worker, the connector or the database is quiet. A "
    "heartbeat would tell which.",
    "docs/operations.md, Health",
)
_BEHIND = warning(
    "archive.behind",
    "What happened since is not archived yet: it is lost if Kafka deletes it first.",
    "docs/operations.md, Health",
)
_UNSEALED = warning(
    "archive.unsealed",
    "Hours that no digest seals can be cut off at the end without a trace.",
    "docs/operations.md",
)
_UNSIGNED = warning(
    "archive.unsigned",
    "Whoever can write to the store can make a digest that is not signed.",
    "docs/operations.md",
)
_SEALS_OFF = note(
    "archive.seals-off",
    "This worker seals no hours; some other has to.",
    "docs/operations.md",
)

_DAMAGED = error(
    "archive.damaged",
    "An object of the archive is not what the chain says: what it held may be lost or altered.",
    "docs/operations.md",
)

_QUIET: Final = timedelta(hours=1)
_LATE: Final = timedelta(hours=1)
_SEALED_WITHIN: Final = timedelta(hours=2, minutes=15)
_SHOWN: Final = 5


def findings(standing: Standing, now: datetime, *, seals: bool) -> Iterator[Finding]:
    """Look at an archive.

    Args:
        standing: how it stands.
        now: the time, with a zone.
        seals: whether the settings say that a worker seals hours.
    """
    if not standing.chains:
        yield _NOT_BEGUN.found("the archive holds no commit", "cdc-archive worker")
        return
    yield from or_passed(_of_progress(standing, now), "archive", _progress(standing))
    yield from or_passed(_of_gaps(standing), "archive", "no loss is recorded")
    yield from or_passed(_of_quarantine(standing), "archive", "nothing lies in quarantine")
    yield from _of_digests(standing, now, seals=seals)


def not_begun(reason: str) -> Finding:
    """There is no archive."""
    return _NOT_BEGUN.found(reason, "Check store.url; a worker makes the archive.")


def damaged(what: str) -> Finding:
    """It cannot be read through."""
    return _DAMAGED.found(what, "cdc-archive verify # then restore the object from a copy")


def _progress(standing: Standing) -> str:
    newest = max(one.committed_at for one in standing.chains.values())
    return f"{len(standing.chains)} chain(s), last commit {newest:%Y-%m-%d %H:%M} UTC"


def _of_progress(standing: Standing, now: datetime) -> Iterator[Finding]:
    newest = max(one.committed_at for one in standing.chains.values())
    if now - newest > _QUIET:
        yield _STANDS_STILL.found(
            f"the last commit of any chain is {_time(now - newest)} old",
            "See the worker's /healthz and its log; set heartbeat.interval.ms in the connector.",
        )
        return
    events = [one.newest_event_us for one in standing.chains.values() if one.newest_event_us]
    late = timedelta(seconds=now.timestamp() - max(events, default=0) / 1_000_000)
    if events and late > _LATE:
        yield _BEHIND.found(
            f"the newest event in the archive is {_time(late)} old",
            "See cdc_archive_lag and the connector's state; start more workers.",
        )


def _of_gaps(standing: Standing) -> Iterator[Finding]:
    for partition, gap in standing.gaps[-_SHOWN:]:
        yield _GAPS.found(
            f"{gap.kind} at offset {gap.start:,} to {gap.end:,}, accepted by {gap.accepted_by} at "
            f"{gap.accepted_at}: {gap.reason}",
            "cdc-archive ls --by gap",
            str(partition),
        )
    if (rest := len(standing.gaps) - _SHOWN) > 0:
        yield _GAPS.found(f"and {rest} before", "cdc-archive ls --by gap")


def _of_quarantine(standing: Standing) -> Iterator[Finding]:
    for topic, reasons in sorted(standing.quarantined.items()):
        held = sum(reasons.values()) - standing.recovered.get(topic, 0)
        if held <= 0:
            continue
        told = ", ".join(f"{count:,} {reason}" for reason, count in sorted(reasons.items()))
        yield _QUARANTINE.found(
            f"{held:,} messages ({told})",
            f"cdc-archive quarantine list --topic {topic} # then: cdc-archive quarantine retry",
            topic,
        )


def _of_digests(standing: Standing, now: datetime, *, seals: bool) -> Iterator[Finding]:
    sealed = standing.sealed
    if not seals:
        yield _SEALS_OFF.found("digest.seal is false", "digest.seal = true")
    if sealed is None:
        if now - standing.begun > _SEALED_WITHIN:
            yield _UNSEALED.found("no digest seals any hour", "cdc-archive digest seal")
        return
    if now - sealed.end > _SEALED_WITHIN:
        yield _UNSEALED.found(
            f"the newest digest ends {_time(now - sealed.end)} ago", "cdc-archive digest seal"
        )
    else:
        yield passed("archive", f"sealed up to {sealed.end:%Y-%m-%d %H:%M} UTC")
    if sealed.key is None:
        yield _UNSIGNED.found(
            "the newest digest is not signed",
            "cdc-archive key new /etc/cdc-archive/digest.pem # and set digest.key_file",
        )
    else:
        yield passed("archive", f"the newest digest is signed by key {sealed.key}")


def _time(span: timedelta) -> str:
    days, hours = span / timedelta(days=1), span / timedelta(hours=1)
    return f"{days:,.1f} days" if span > timedelta(days=2) else f"{hours:,.1f} hours"
