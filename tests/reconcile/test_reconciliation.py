"""A whole comparison: windows, ids that wander, doubts, services, and what is told of each."""

from __future__ import annotations

from typing import Any

from support.published import NOON, SECOND, proven, published
from support.reconciled import reconciled

from cdc_archive.archive.reader.window import Window
from cdc_archive.reconcile.published import Published, Unreadable
from cdc_archive.reconcile.services import Rule, Services


def window(start: float, end: float) -> Window:
    return Window(NOON + int(start * SECOND), NOON + int(end * SECOND))


def told(outcome: Any, *names: str) -> list[tuple[Any, ...]]:
    return [tuple(one.get(name) for name in names) for one in outcome.findings]


def test_events_at_the_edges_find_partners_beyond_them() -> None:
    """On either side, and nothing beyond them is a finding."""
    truth = [proven(at=at, n=at) for at in (-2, 1, 58, 61)]
    log = [published(at=at, n=n) for at, n in ((1, -2), (-2, 1), (61, 58), (58, 61))]
    outcome = reconciled(truth, log, window=window(0, 60))
    assert outcome.findings == []
    assert outcome.tally.all["expected"] == outcome.tally.all["paired"] == 2
    assert outcome.tally.all["out_of_window"] == 2


def test_what_has_no_partner_counts_inside_the_window_only() -> None:
    """Missing by the time of the change, unexpected by that of the event."""
    truth = [proven(at=-3, n=1), proven(at=30, n=2)]
    log = [published(at=-9, n=3), published(at=40, n=4), published(at=64, n=5)]
    outcome = reconciled(truth, log, window=window(0, 60))
    assert outcome.kinds() == ["missing", "unexpected"]
    assert outcome.tally.all["out_of_window"] == 2


def test_an_event_with_a_proven_id_goes_there_whatever_it_says() -> None:
    """Altered type, resource and time are differences, not a loss and an invention."""
    truth = [
        proven(id="a", kind="api_key.created"),
        proven(id="b", resource="key_2"),
        proven(id="c"),
    ]
    log = [
        published(id="a", kind="api_key.deleted"),
        published(id="b", resource="key_9"),
        published(id="c", at=7200),
    ]
    outcome = reconciled(truth, log)
    paths = {one["id"]: [each["path"] for each in one["differences"]] for one in outcome.findings}
    assert paths == {"a": ["type"], "b": ["api_key.updated.id"], "c": ["effective_at"]}


def test_an_id_that_comes_again_elsewhere_is_a_duplicate() -> None:
    """Hours later, or about something else: whoever keeps events by id keeps one of them."""
    log = [
        published(id="p"),
        published(id="p", at=7200),
        published(id="p", resource="key_2"),
    ]
    outcome = reconciled([proven(), proven(resource="key_2")], log)
    assert sorted(outcome.kinds()) == ["duplicate", "duplicate", "missing"]
    repeated = {"id": "p", "where": log[0].where, "same_id": True}
    told = [one["duplicate_of"] for one in outcome.findings if one["kind"] == "duplicate"]
    assert told == [repeated, repeated]


def test_what_cannot_be_proven_is_not_called_unexpected() -> None:
    """One doubt answers for one event, of its resource if that is known."""
    kind, time_us = "api_key.updated", NOON + 300_000
    log = [published(resource=f"key_{n}") for n in (1, 2, 3)]
    outcome = reconciled([], log, doubts=[(kind, time_us, "key_2"), (kind, time_us, None)])
    assert outcome.tally.all["unproven"] == 2
    assert told(outcome, "kind", "resource") == [("unexpected", "key_3")]
    elsewhere = [(kind, time_us + 60 * SECOND, "key_1"), ("api_key.deleted", time_us, "key_1")]
    assert reconciled([], log, doubts=elsewhere).tally.all["unexpected"] == 3


def test_types_that_nobody_can_prove_are_counted_and_no_finding() -> None:
    """They stand in the log."""
    outcome = reconciled([], [published(kind="tenant.created")])
    assert outcome.findings == []
    assert outcome.tally.view("type") == {"tenant.created": {"outside": 1}}


def test_what_cannot_be_read_is_a_finding_with_its_place() -> None:
    """No entry is passed over."""
    outcome = reconciled([], [Unreadable("log:7", "no JSON text")])
    assert outcome.findings == [{"kind": "unreadable", "where": "log:7", "reason": "no JSON text"}]
    assert outcome.tally.faults == outcome.tally.read == 1


def test_each_finding_is_counted_by_type_service_and_hour() -> None:
    """A published event that tells no service has that of its type, or of what it repeats."""
    services = Services([Rule("keys", tables=["app.api_key"])])
    truth = [proven(n=1), proven(at=3600, n=2)]
    one = published(n=1)
    log = [one, one, published(at=10, n=7)]
    log.append(published(kind="api_key.deleted")._replace(service="rest"))
    found = reconciled(truth, log, services=services).tally
    assert found.view("service") == {
        "keys": {"expected": 2, "paired": 1, "missing": 1, "unexpected": 1, "duplicate": 1},
        "rest": {"unexpected": 1},
    }
    assert [*found.view("hour")] == ["2026-02-19T12:00:00Z", "2026-02-19T13:00:00Z"]
    assert found.view("type")["api_key.deleted"] == {"unexpected": 1}


def test_a_finding_tells_both_sides_and_the_proof() -> None:
    """Enough to look it up."""
    truth, log = proven(id="t", scopes=["a"]), published(id="p", scopes=["b"])
    (found,) = reconciled([truth], [log]).findings
    assert found == {
        "kind": "different",
        "type": "api_key.updated",
        "resource": "key_1",
        "service": "pg.app",
        "time": "2026-02-19T12:00:00Z",
        "id": "t",
        "differences": [
            {
                "path": "api_key.updated.changes_requested.scopes",
                "expected": ["a"],
                "published": ["b"],
            }
        ],
        "where": log.where,
        "published": log.event,
        "expected": truth.event,
        "evidence": truth.evidence | {"id": "t", "event_time_us": NOON},
    }


def test_a_missing_actor_is_its_own_finding_beside_what_else_differs() -> None:
    """And events with no provable actor are counted."""
    log = [published(actor=None, scopes=["b"]), published(at=60, actor=None, scopes=["a"])]
    truth = [proven(scopes=["a"]), proven(at=60, actor=None, scopes=["a"])]
    outcome = reconciled(truth, log)
    assert outcome.kinds() == ["unattributed", "different"]
    assert outcome.findings[1]["differences"][0]["path"].endswith(".scopes")
    assert outcome.tally.all["actor_unproven"] == 1


def test_members_that_no_change_proves_are_counted_or_differ_as_is_asked() -> None:
    """By their path."""
    truth, log = [proven(scopes=["a"])], [published(scopes=["a"], note="x")]
    path = "api_key.updated.changes_requested.note"
    outcome = reconciled(truth, log)
    assert (outcome.findings, outcome.tally.extras) == ([], {path: 1})
    assert reconciled(truth, log, extra=True).tally.fields == {path: 1}


def test_names_that_utf8_cannot_hold_are_compared_too() -> None:
    """JSON can hold a lone surrogate."""
    odd = "\ud800"
    truth = [proven(id=odd, resource=odd, scopes=[odd])]
    log = [Published(truth[0].event, odd, odd, NOON), published(resource=odd, scopes=["b"])]
    assert reconciled(truth, log).kinds() == ["unexpected"]
