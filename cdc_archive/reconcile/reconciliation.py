"""A published audit log against what the changes prove: take both, match them, tell the findings.

The window is one of event time. Beyond its edges both sides are taken so much wider that an event
at an edge finds its partner; what lies there is no finding.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from typing import Final, NamedTuple

import msgspec

from cdc_archive.archive.reader.window import Window, widened
from cdc_archive.decode.images import parsed
from cdc_archive.errors import CdcArchiveError
from cdc_archive.reconcile import tally
from cdc_archive.reconcile.clusters import matched
from cdc_archive.reconcile.comparing import extras
from cdc_archive.reconcile.expected import Expected
from cdc_archive.reconcile.ledger import Ledger
from cdc_archive.reconcile.matching import Matched, Pair
from cdc_archive.reconcile.published import Published, PublishedLog, Unreadable
from cdc_archive.reconcile.services import Services
from cdc_archive.reconcile.shape import Shape
from cdc_archive.reconcile.tally import Tally
from cdc_archive.reconcile.telling import Telling
from cdc_archive.sinks.sink import Line

_TOLD: Final = 20


class Question(NamedTuple):
    """What is compared.

    `types`: event types that can be told of by the changes that are asked for. `extra`: a member of
    a payload that no change proves is a difference.
    """

    window: Window
    tolerance_us: int
    types: frozenset[str]
    extra: bool = False

    @property
    def of_changes(self) -> Window:
        """The window in which proven events are taken."""
        return widened(self.window, self.tolerance_us)

    @property
    def of_log(self) -> Window:
        """The window in which published events are taken: partners of the former."""
        return widened(self.window, 2 * self.tolerance_us)


class _Evidence(msgspec.Struct):
    """What is asked of the evidence of every event."""

    event_time_us: int | None
    table: str
    topic: str


_decode: Final = msgspec.json.Decoder(_Evidence).decode


def _evidence(text: bytes) -> _Evidence:
    try:
        return _decode(text)
    except msgspec.DecodeError:  # of what UTF-8 cannot hold
        told = parsed(text)
        return _Evidence(told["event_time_us"], told["table"], told["topic"])


class Reconciliation:
    """One comparison. First it is a sink for replay, then it reads logs, then it tells.

    Args:
        question: what is compared.
        ledger: where events are kept; not closed here.
        shape: reads events.
        services: whose they are.

    Attributes:
        tally: the counts.
        unreadable: place and reason of the first entries that cannot be read.
        lost: places of the published log of which nobody can tell what stood there.
    """

    def __init__(
        self, question: Question, ledger: Ledger, shape: Shape, services: Services
    ) -> None:
        self._question = question
        self._ledger = ledger
        self._shape = shape
        self._services = services
        self._telling = Telling(ledger)
        self._services_of: dict[str, set[str]] = defaultdict(set)
        self.tally = Tally()
        self.unreadable: list[tuple[str, str]] = []
        self.lost: list[str] = []

    def write(self, line: Line) -> None:
        """Take a proven event: the port `sinks.Sink`."""
        event, about = parsed(line.event), _evidence(line.evidence)
        kind, time_us = event["type"], about.event_time_us or 0
        service = self._services.of_expected(kind, {"table": about.table, "topic": about.topic})
        self._services_of[kind].add(service)
        resource = self._shape.resource(event)
        one = Expected(event["id"], kind, resource, time_us, event, {}, service)
        self._ledger.expect(one, line.event, line.evidence)
        self.tally.proven += self._question.window.holds(time_us)

    def close(self) -> None:
        """Nothing to do: the port `sinks.Sink`."""

    def abort(self) -> None:
        """Nothing to do: a ledger is of no use after its run."""

    def doubt(self, kind: str, time_us: int, resource: str | None) -> None:
        """Take an event of which replay cannot tell whether it happened."""
        self._ledger.doubt(kind, time_us, resource)

    def read(self, log: PublishedLog) -> int:
        """Take a published log; how many entries stand in it."""
        before = self.tally.read
        for one in log.events(self._question.of_log):
            self.tally.read += 1
            if isinstance(one, Unreadable):
                self._unreadable(one)
            elif not self._question.of_log.holds(one.time_us):
                self._count(tally.OUT_OF_WINDOW, one)
            elif one.type in self._question.types:
                self._ledger.take(one, self._shape.resource(one.event))
            else:
                self._count_inside(tally.OUTSIDE, one)
        return self.tally.read - before

    def _unreadable(self, one: Unreadable) -> None:
        self.tally.count_untold(tally.UNREADABLE)
        self._telling.unreadable(one)
        if len(self.unreadable) < _TOLD:
            self.unreadable.append((one.where, one.reason))
        if one.lost:
            self.lost.append(one.where)

    def run(self) -> None:
        """Compare: everything is counted, and each finding is in the ledger.

        Raises:
            CdcArchiveError: the counts do not add up.
        """
        self._ledger.settle()
        question = self._question
        with closing(self._ledger.entries()) as entries:
            for found in matched(entries, question.tolerance_us, extra=question.extra):
                self._judge(found)
        if wrong := self.tally.discrepancies():
            raise CdcArchiveError("; ".join(wrong), "This is a bug: please report it.")

    def findings(self) -> Iterator[bytes]:
        """All findings as JSON text, in order of time."""
        return self._ledger.findings()

    def missing(self) -> Iterator[Line]:
        """The proven events that were never published, in replay's order."""
        return (Line(*one) for one in self._ledger.missing())

    def _judge(self, found: Matched) -> None:
        holds = self._question.window.holds
        for pair in found.pairs:
            if holds(pair.expected.time_us):
                self._paired(pair)
            else:
                self._count(tally.OUT_OF_WINDOW, pair.published)
        for one in found.missing:
            if holds(one.time_us):
                self._expected(one, tally.MISSING)
                self._ledger.miss(one.id)
                self._telling.missing(one)
        for published in found.unexpected:
            self._unexpected(published)
        if found.duplicates:
            known = {pair.published.where: pair.expected.service for pair in found.pairs}
            for published, of in found.duplicates:
                self._duplicate(self._with_service(published, known.get(of.where)), of)

    def _duplicate(self, one: Published, of: Published) -> None:
        if self._count_inside(tally.DUPLICATE, one):
            self._telling.duplicate(one, of, self._shape.resource(one.event))

    def _paired(self, pair: Pair) -> None:
        one = pair.expected
        self._expected(one, tally.PAIRED)
        if not self._question.extra:
            self.tally.extras.update(path for path, _ in extras(one.event, pair.published.event))
        rest = [each for each in pair.differences if each.path != "actor" or each.published]
        if pair.unattributed:
            self.tally.count(tally.UNATTRIBUTED, one.type, one.service, one.time_us)
            self._telling.unattributed(pair)
        if rest:
            self.tally.count(tally.DIFFERENT, one.type, one.service, one.time_us)
            self.tally.fields.update(each.path for each in rest)
            self._telling.different(pair, rest)

    def _expected(self, one: Expected, kind: str) -> None:
        count = self.tally.count
        count(tally.EXPECTED, one.type, one.service, one.time_us)
        count(kind, one.type, one.service, one.time_us)
        if one.event.get("actor") is None:
            count(tally.ACTOR_UNPROVEN, one.type, one.service, one.time_us)

    def _unexpected(self, one: Published) -> None:
        one = self._with_service(one, None)
        resource, question = self._shape.resource(one.event), self._question
        inside = question.window.holds(one.time_us)
        if inside and self._ledger.is_doubtful(
            one.type, resource, one.time_us, question.tolerance_us
        ):
            self._count(tally.UNPROVEN, one)
        elif self._count_inside(tally.UNEXPECTED, one):
            self._telling.unexpected(one, resource)

    def _with_service(self, one: Published, of: str | None) -> Published:
        """If it does not tell its service: that of the event that it repeats, or the only one whose
        proven events are of its type.
        """
        services = self._services_of.get(one.type, set())
        only = next(iter(services)) if len(services) == 1 else ""
        return one if one.service else one._replace(service=of or only)

    def _count_inside(self, kind: str, one: Published) -> bool:
        inside = self._question.window.holds(one.time_us)
        self._count(kind if inside else tally.OUT_OF_WINDOW, one)
        return inside

    def _count(self, kind: str, one: Published) -> None:
        self.tally.count(kind, one.type, one.service or "", one.time_us)
