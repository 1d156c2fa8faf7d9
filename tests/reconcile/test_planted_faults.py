"""Faults planted into a log of which everything is known: exactly these are found."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from support.published import SECOND, proven
from support.reconciled import TYPES, reconciled

from cdc_archive.reconcile.expected import Expected
from cdc_archive.reconcile.published import Published

TOLERANCE = 5
ALTERABLE = ("name", "role", "email", "project")
FAULTS = (
    "none",
    "none",
    "drop",
    "alter",
    "nobody",
    "same id twice",
    "another id",
    "late",
    "invent",
)


class Planting:
    """Makes a published log of true events, and notes what is to be found in it."""

    def __init__(self, truth: list[Expected], draw: st.DrawFn) -> None:
        self.published: list[Published] = []
        self.faults: Counter[tuple[str, str]] = Counter()
        self._draw = draw
        for number, one in enumerate(truth):
            self._plant(number, one, draw(st.sampled_from(FAULTS)))

    def _plant(self, number: int, one: Expected, fault: str) -> None:
        event: dict[str, Any] = {**one.event}
        if self._draw(st.booleans()):
            event["id"] = f"own-{number}"
        if fault == "drop":
            self.faults["missing", one.id] += 1
            return
        if fault == "alter":
            what = self._draw(st.sampled_from(ALTERABLE))
            event = altered(event, what, f"altered {number}")
            self.faults["different", one.id] += 1
        if fault == "nobody":
            event["actor"] = None
            self.faults["unattributed", one.id] += 1
        if fault == "late":
            event["effective_at"] += self._draw(st.integers(-TOLERANCE + 1, TOLERANCE))
        self._publish(event)
        if fault == "same id twice":
            self._publish(event)
            self.faults["duplicate", event["id"]] += 1
        if fault == "another id":
            self._publish(event | {"id": f"copy-{number}"})
            self.faults["duplicate", "another id"] += 1
        if fault == "invent":
            kind = one.type
            self._publish(event | {"id": f"ghost-{number}", kind: {"id": f"ghost-{number}"}})
            self.faults["unexpected", f"ghost-{number}"] += 1

    def _publish(self, event: dict[str, Any]) -> None:
        where = f"log:{len(self.published)}"
        self.published.append(Published(event, None, where, event["effective_at"] * SECOND))


def altered(event: dict[str, Any], what: str, value: str) -> dict[str, Any]:
    payload = event[event["type"]]
    if what == "email":
        return event | {"actor": {"type": "session", "session": {"user": {"id": value}}}}
    if what == "project":
        return event | {"project": {"id": value}}
    requested = payload["changes_requested"] | {what: value}
    return event | {event["type"]: payload | {"changes_requested": requested}}


@st.composite
def truths(draw: st.DrawFn) -> list[Expected]:
    """Up to forty events, many of them of one resource and in one second."""
    truth = []
    for number in range(draw(st.integers(0, 40))):
        at = draw(st.integers(0, 8)) + draw(st.integers(0, 9)) / 10
        one = proven(
            at=at,
            kind=draw(st.sampled_from(sorted(TYPES))),
            id=f"true-{number}",
            resource=draw(st.sampled_from(["key_1", "key_2"])),
            serial=number,
            name=draw(st.sampled_from("ab")),
            role="reader",
        )
        one.event["project"] = {"id": "proj_1"}
        truth.append(one)
    return truth


def found(findings: list[dict[str, Any]]) -> Counter[tuple[str, str]]:
    names: Counter[tuple[str, str]] = Counter()
    for one in findings:
        name = one.get("id")
        if one["kind"] in ("duplicate", "unexpected"):
            name = one["published"]["id"]
        if one["kind"] == "duplicate" and not one["duplicate_of"]["same_id"]:
            name = "another id"  # either of the two may be called the copy
        names[one["kind"], name] += 1
    return names


@given(st.data())
def test_exactly_the_planted_faults_are_found(data: st.DataObject) -> None:
    """Whatever was dropped, altered, doubled, invented, delayed and mixed up."""
    truth = data.draw(truths())
    planted = Planting(truth, data.draw)
    random.Random(data.draw(st.integers())).shuffle(planted.published)
    outcome = reconciled(truth, planted.published, tolerance=TOLERANCE)
    assert found(outcome.findings) == planted.faults
    lost = {name for kind, name in planted.faults if kind == "missing"}
    assert {one["id"] for one in outcome.missing} == lost


@given(truths(), st.integers())
def test_a_backfilled_log_has_nothing_missing(truth: list[Expected], seed: int) -> None:
    """What was missing comes back under its id; the rest stays as it was found."""
    chance = random.Random(seed)
    kept = [one for one in truth if chance.random() < 0.6]
    log = [Published(one.event, None, one.id, one.event["effective_at"] * SECOND) for one in kept]
    first = reconciled(truth, log)
    mended = log + [
        Published(one, None, "backfill", one["effective_at"] * SECOND) for one in first.missing
    ]
    assert len(first.missing) == len(truth) - len(kept)
    assert reconciled(truth, mended).findings == []


@given(
    st.lists(st.tuples(st.integers(0, 30), st.sampled_from("ab")), max_size=30),
    st.lists(st.tuples(st.integers(0, 30), st.sampled_from("ab")), max_size=30),
)
def test_every_event_is_accounted_for_and_pairs_are_near(
    true: list[tuple[int, str]], told: list[tuple[int, str]]
) -> None:
    """Back and forth on one resource: what is what may be anybody's guess, the counts are not."""
    truth = [proven(at=at / 3, id=f"t{n}", v=v) for n, (at, v) in enumerate(true)]
    log = [proven(at=at / 3, id=f"p{n}", v=v) for n, (at, v) in enumerate(told)]
    entries = [
        Published(one.event, None, one.id, one.event["effective_at"] * SECOND) for one in log
    ]
    counts = reconciled(truth, entries, tolerance=2).tally.all
    assert counts["paired"] + counts["missing"] == len(truth)
    assert counts["paired"] + counts["unexpected"] + counts["duplicate"] == len(log)
    same = Counter(true) & Counter(told)
    assert counts["paired"] - counts["different"] >= same.total()
