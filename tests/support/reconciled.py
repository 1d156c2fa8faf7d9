"""A reconciliation of given events, on a ledger of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from cdc_archive.archive.reader.window import Window
from cdc_archive.reconcile.expected import Expected
from cdc_archive.reconcile.ledger import Ledger
from cdc_archive.reconcile.published import Published, Unreadable
from cdc_archive.reconcile.reconciliation import Question, Reconciliation
from cdc_archive.reconcile.services import Services
from cdc_archive.reconcile.shape import Names, Shape
from cdc_archive.reconcile.tally import Tally
from cdc_archive.sinks.sink import Line
from support.published import SECOND

TYPES = frozenset({"api_key.created", "api_key.updated", "api_key.deleted"})


class GivenLog:
    """A published log of given entries."""

    def __init__(self, entries: Sequence[Published | Unreadable]) -> None:
        self._entries = entries

    def events(self, window: Window) -> Iterator[Published | Unreadable]:
        return iter(self._entries)


class Outcome(NamedTuple):
    """What was found."""

    tally: Tally
    findings: list[dict[str, Any]]
    missing: list[dict[str, Any]]

    def kinds(self) -> list[str]:
        return [one["kind"] for one in self.findings]


def line(one: Expected) -> Line:
    evidence = one.evidence | {"id": one.id, "event_time_us": one.time_us}
    return Line(json.dumps(one.event).encode(), json.dumps(evidence).encode())


def reconciled(
    expected: Sequence[Expected],
    published: Sequence[Published | Unreadable],
    *,
    tolerance: float = 5,
    window: Window = Window(),  # noqa: B008
    extra: bool = False,
    services: Services | None = None,
    doubts: Sequence[tuple[str, int, str | None]] = (),
) -> Outcome:
    """Compare them."""
    services = services or Services()
    question = Question(window, int(tolerance * SECOND), TYPES, extra)
    with TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder) / "ledger")
        try:
            found = Reconciliation(question, ledger, Shape(Names(), services), services)
            for one in expected:
                found.write(line(one))
            for doubt in doubts:
                found.doubt(*doubt)
            found.read(GivenLog(published))
            found.run()
            return Outcome(
                found.tally,
                [json.loads(one) for one in found.findings()],
                [json.loads(one.event) for one in found.missing()],
            )
        finally:
            ledger.close()
