"""Findings as JSON: what is the matter, with which event, where it stands and what proves it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cdc_archive.decode.images import Row
from cdc_archive.reconcile import tally
from cdc_archive.reconcile.comparing import Difference
from cdc_archive.reconcile.expected import Expected
from cdc_archive.reconcile.ledger import Ledger
from cdc_archive.reconcile.matching import Pair
from cdc_archive.reconcile.published import Published, Unreadable

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Telling:
    """Writes findings into a ledger.

    Each has `kind`, `type`, `resource`, `service` and `time` (of the change, if one proves it), and
    beside them `expected` and `evidence`, or `published` and `where`, or both. A member that does
    not apply is left out.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def unreadable(self, one: Unreadable) -> None:
        """An entry of the log is no event."""
        finding = {"kind": tally.UNREADABLE, "where": one.where, "reason": one.reason}
        self._ledger.find(0, finding)

    def missing(self, one: Expected) -> None:
        """Proven, and not published."""
        self._of_expected(tally.MISSING, one)

    def unexpected(self, one: Published, resource: str) -> None:
        """Published, and not proven."""
        self._of_published(tally.UNEXPECTED, one, resource)

    def duplicate(self, one: Published, of: Published, resource: str) -> None:
        """Published once more."""
        same = one.id is not None and one.id == of.id
        repeats = {"id": of.id, "where": of.where, "same_id": same}
        self._of_published(tally.DUPLICATE, one, resource, duplicate_of=repeats)

    def unattributed(self, pair: Pair) -> None:
        """Published without the actor that is proven."""
        self._of_expected(tally.UNATTRIBUTED, pair.expected, **_published(pair.published))

    def different(self, pair: Pair, found: Sequence[Difference]) -> None:
        """Published with other content than is proven."""
        told = {"differences": [_difference(one) for one in found], **_published(pair.published)}
        self._of_expected(tally.DIFFERENT, pair.expected, **told)

    def _of_expected(self, kind: str, one: Expected, **told: Any) -> None:
        finding = {
            **_head(kind, one.type, one.resource, one.service, one.time_us),
            "id": one.id,
            **told,
            "expected": one.event,
            "evidence": self._ledger.evidence(one.id),
        }
        self._ledger.find(one.time_us, finding)

    def _of_published(self, kind: str, one: Published, resource: str, **told: Any) -> None:
        head = _head(kind, one.type, resource, one.service or "", one.time_us)
        self._ledger.find(one.time_us, {**head, **told, **_published(one)})


def _head(kind: str, of_type: str, resource: str, service: str, time_us: int) -> Row:
    moment = (_EPOCH + timedelta(microseconds=time_us)).isoformat().replace("+00:00", "Z")
    return {
        "kind": kind,
        "type": of_type,
        "resource": resource or None,
        "service": service or None,
        "time": moment,
    }


def _published(one: Published) -> Row:
    return {"where": one.where, "published": one.event}


def _difference(one: Difference) -> Row:
    return {"path": one.path, "expected": one.expected, "published": one.published}
