"""Faults of Debezium's connectors by which changes are lost, and the version that has each mended.

Each stands in the CHANGELOG.md that Debezium ships with its connectors, under the version given
here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from cdc_archive.doctor.finding import Check, Finding, error, passed, warning
from cdc_archive.source.connector import ConnectorFacts

_CHANGELOG: Final = "Debezium's CHANGELOG.md"
_LOSES = error(
    "connect.loses-changes",
    "This version of the connector loses changes silently; nothing in the stream shows that they "
    "are missing but the counts of transaction metadata.",
    _CHANGELOG,
)
_MISCOUNTS = warning(
    "connect.miscounts",
    "Completeness is proven by the counts of transaction metadata; this version gets them wrong.",
    _CHANGELOG,
)
VERSION_UNKNOWN = warning(
    "connect.version-unknown",
    "Some versions of Debezium lose changes; whether this one does depends on its number.",
)


class KnownLoss(NamedTuple):
    """A fault: what is lost and when, in which version it is mended, and its reference.

    `plugin` is the beginning of the connector's class, "" for all connectors.
    """

    reference: str
    plugin: str
    mended_in: str
    what: str
    check: Check = _LOSES


KNOWN: Final = (
    KnownLoss(
        "debezium/dbz#76 (DBZ-9149), debezium/dbz#51 (DBZ-8312)",
        "Postgres",
        "3.7.0.Alpha2",
        "a restart while transactions are in progress confirms too much to the slot: their changes "
        "are lost",
    ),
    KnownLoss(
        "debezium/dbz#1554",
        "Postgres",
        "3.7.0.Alpha1",
        "several changes with one LSN (COPY, an INSERT of many rows): a restart in their midst "
        "skips the rest",
    ),
    KnownLoss(
        "debezium/dbz#633 (DBZ-5127)",
        "",
        "3.7.0.Alpha1",
        "a restart within a transaction begins its counts anew: a second BEGIN, an END that counts "
        "too few",
        _MISCOUNTS,
    ),
    KnownLoss(
        "DBZ-9337",
        "",
        "3.3.0.Beta1",
        "a restart after a blocking snapshot that failed loses changes",
    ),
    KnownLoss(
        "DBZ-7816",
        "Postgres",
        "2.7.0.Alpha2",
        "a position may be confirmed to the slot before Kafka has its changes: a restart loses "
        "them",
    ),
    KnownLoss(
        "DBZ-5739, DBZ-7015",
        "Postgres",
        "2.5.0.Alpha1",
        "a replication slot that was made anew is not noticed: everything between is lost",
    ),
    KnownLoss(
        "DBZ-6204",
        "Postgres",
        "2.2.0.Beta1",
        "a change with the LSN of the COMMIT before it is skipped by a restart",
    ),
    KnownLoss(
        "DBZ-5915",
        "Postgres",
        "2.2.0.Alpha1",
        "a change with the LSN of its BEGIN is skipped by a restart",
    ),
    KnownLoss(
        "DBZ-2288",
        "Postgres",
        "1.2.1.Final",
        "changes between the snapshot and the stream may be skipped",
    ),
    KnownLoss(
        "DBZ-1730",
        "Postgres",
        "1.1.0.Final",
        "without stored offsets it goes on at the newest transaction, not where the slot stands",
    ),
)

_STAGES: Final = ("Alpha", "Beta", "CR", "Final")
_VERSION: Final = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:\.(Alpha|Beta|CR|Final)(\d*))?")

Version = tuple[int, int, int, int, int]


def parsed(version: str) -> Version | None:
    """A version of Debezium in an order: 3.7.0.Alpha1 < 3.7.0.Beta1 < 3.7.0.CR1 < 3.7.0.Final."""
    found = _VERSION.match(version)
    if found is None:
        return None
    major, minor, micro, stage, number = found.groups()
    place = _STAGES.index(stage or "Final")
    return int(major), int(minor), int(micro), place, int(number or 0)


def findings(connector: ConnectorFacts) -> Iterator[Finding]:
    """The faults of the connector's version."""
    told = connector.version or ""
    version = parsed(told)
    if version is None:
        why = connector.unseen.get("version", f"{told!r} is no version of Debezium")
        yield VERSION_UNKNOWN.found(
            f"could not be looked at ({why}), so unknown: whether it has a known fault",
            "Set doctor.connect_url, or hold its version against the table in docs/doctor.md.",
            connector.name,
        )
        return
    faults = [
        one
        for one in KNOWN
        if connector.plugin.startswith(one.plugin) and version < _mended(one.mended_in)
    ]
    for fault in faults:
        yield fault.check.found(
            f"{connector.plugin} {told}: {fault.what} ({fault.reference})",
            f"Upgrade the connector to {fault.mended_in} or later.",
            connector.name,
        )
    if not faults:
        yield passed("connect", f"no fault is known of {connector.plugin} {told}", connector.name)


def _mended(version: str) -> Version:
    found = parsed(version)
    assert found is not None
    return found
